"""Values as people read them, the same on a terminal and in a notebook."""

from __future__ import annotations

import time
from collections.abc import Sequence

SMALL = 1e6
"""Whole numbers below are written in full."""


def exact(value: float) -> str:
    """Return a number with all digits that tell it from any other, and no more: `3`, `0.1`, `1e12`, `1e-8`."""
    text = _tidy(repr(value).removesuffix(".0"))
    if not abs(value) >= SMALL or not text.lstrip("-").isdecimal():
        return text
    digits = text.lstrip("-").rstrip("0")
    return min(text, _tidy(f"{value:.{len(digits) - 1}e}"), key=len)


def rounded(value: float, digits: int = 6) -> str:
    """Return a number with so many digits at most: `0.333333`, `1e12`, `1.79555e9`."""
    return _tidy(f"{value:.{digits}g}")


def _tidy(text: str) -> str:
    """Return a written number without what computers put before its exponent: `1e12` for `1e+12`, `1e-8` for `1e-08`."""
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if exponent else text


def point(x: Sequence[float], most: int) -> str:
    """Return a point with six digits a coordinate, cut short if it has more than so many."""
    shown = ", ".join(rounded(each) for each in x[:most])
    return f"({shown}{', …' if len(x) > most else ''})"


def date(seconds: float) -> str:
    """Return a time, given in seconds since 1970, in UTC."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # of a damaged database
        return f"{seconds} seconds after 1970"

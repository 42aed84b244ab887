"""Values as people read them, the same on a terminal and in a notebook."""

from __future__ import annotations

import time
from collections.abc import Sequence

SMALL = 1e6
"""Whole numbers below are written in full."""


def exact(value: float) -> str:
    """Return a number with all digits that tell it from any other, and no more: `3`, `0.1`, `1e12`, `1e-8`."""
    text = repr(value).removesuffix(".0")
    mantissa, exponent, power = text.partition("e")
    if exponent:
        return f"{mantissa}e{int(power)}"
    if not abs(value) >= SMALL or not text.lstrip("-").isdecimal():
        return text
    digits = text.lstrip("-").rstrip("0")
    mantissa, _, power = f"{value:.{len(digits) - 1}e}".partition("e")
    return min(text, f"{mantissa}e{int(power)}", key=len)


def point(x: Sequence[float], most: int) -> str:
    """Return a point with six digits a coordinate, cut short if it has more than so many."""
    shown = ", ".join(f"{each:.6g}" for each in x[:most])
    return f"({shown}{', …' if len(x) > most else ''})"


def date(seconds: float) -> str:
    """Return a time, given in seconds since 1970, in UTC."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # of a damaged database
        return f"{seconds} seconds after 1970"

"""Values as people read them, the same on a terminal and in a notebook."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

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


MOST_DIGITS = 17
"""So many tell any two floats apart."""


def number(value: float, beside: Iterable[float] = ()) -> str:
    """Return a number with three significant digits, whole numbers below a million in full.

    Final zeros show that something was rounded away: 0.5 is `0.5`, and 1.0023 is `1.00`.

    Args:
        value: the number.
        beside: numbers it must not be taken for. It gets as many more digits as tell it from all of them, so that beside 1
            the number 1.0023 is `1.002`. Those that differ from it by rounding alone, or not at all, do not matter.
    """
    others = [other for other in beside if math.isfinite(other) and not math.isclose(other, value, rel_tol=1e-12)]
    text = _rounded(value, 3)
    for digits in range(4, MOST_DIGITS + 1):
        if not math.isfinite(value) or all(float(text) != float(_rounded(other, digits - 1)) for other in others):
            break
        text = _rounded(value, digits)
    return text


def to_error(value: float, error: float) -> str:
    """Return a number with the digits that its error leaves: those that are certain, and one that is not.

    Args:
        value: the number.
        error: how wrong it may be; without an error (0), as many digits are shown as tell it from any other float.
    """
    if not math.isfinite(value) or not error > 0:
        return repr(value + 0.0) if math.isfinite(value) else _rounded(value, 3)
    if abs(value) < error:
        return "0"
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 1
    return f"{value:.{min(max(digits, 1), MOST_DIGITS)}g}"


def _rounded(value: float, digits: int) -> str:
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    value += 0.0  # which turns -0.0 into 0.0
    if (abs(value) < 1e6 and value == round(value)) or (digits == 3 and 1e3 <= abs(value) < 1e4):
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    if float(text) != value:
        text = f"{value:#.{digits}g}"
    mantissa, exponent, power = text.rstrip(".").partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which forms its plural with an s: `1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def part(count: int, total: int, noun: str) -> str:
    """Return a part of a whole: `all 5 runs`, `3 of 5 runs`, `none of the 5 runs`; `the only run`, `0 of 1 run`."""
    if total == 1:
        return f"the only {noun}" if count else f"0 of 1 {noun}"
    if count == total:
        return f"all {counted(total, noun)}"
    return f"{count} of {counted(total, noun)}" if count else f"none of the {counted(total, noun)}"


def listed(items: Sequence[str], conjunction: str = "and") -> str:
    """Return a list in a sentence: `a`, `a and b`, `a, b and c`."""
    return f" {conjunction} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)

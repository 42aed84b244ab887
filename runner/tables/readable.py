"""Numbers, points, dates, counts and lists as text for people, the same on a terminal, in a notebook and in a report."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

MILLION = 1e6
"""Whole numbers below this are written with all their digits."""
MOST_DIGITS = 17
"""The number of significant digits that distinguishes any two floats."""


def exact(value: float) -> str:
    """Return a number with the fewest digits that distinguish it from all other floats: `3`, `0.1`, `1e12`, `1e-8`."""
    text = _short_exponent(repr(value).removesuffix(".0"))
    if not abs(value) >= MILLION or not text.lstrip("-").isdecimal():
        return text
    digits = text.lstrip("-").rstrip("0")
    return min(text, _short_exponent(f"{value:.{len(digits) - 1}e}"), key=len)


def rounded(value: float, digits: int = 6) -> str:
    """Return a number with at most `digits` significant digits, without final zeros: `0.333333`, `1e12`, `1.79555e9`."""
    return _short_exponent(f"{value:.{digits}g}")


def number(value: float, beside: Iterable[float] = ()) -> str:
    """Return a number with three significant digits; a whole number below a million has all its digits.

    Final zeros show that digits were rounded away: 0.5 is written `0.5`, and 1.0023 is written `1.00`.

    Args:
        value: the number.
        beside: numbers that stand near it in the text. The result has enough digits to differ from all of them: beside 1, the
            number 1.0023 is written `1.002`. Numbers that are equal to `value`, up to rounding, are ignored.
    """
    others = [other for other in beside if math.isfinite(other) and not math.isclose(other, value, rel_tol=1e-12)]
    text = _with_digits(value, 3)
    for digits in range(4, MOST_DIGITS + 1):
        if not math.isfinite(value) or all(float(text) != float(_with_digits(other, digits - 1)) for other in others):
            break
        text = _with_digits(value, digits)
    return text


def to_error(value: float, error: float) -> str:
    """Return a number with the digits that are certain, given its error, and one uncertain digit.

    Args:
        value: the number.
        error: the size of its error. If this is 0, the result has all digits that distinguish the number from other floats.
    """
    if not math.isfinite(value) or not error > 0:
        return repr(value + 0.0) if math.isfinite(value) else _with_digits(value, 3)
    if abs(value) < error:
        return "0"
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 1
    return f"{value:.{min(max(digits, 1), MOST_DIGITS)}g}"


def point(x: Sequence[float], most: int) -> str:
    """Return a point with six digits for each coordinate, and `…` in place of the coordinates after the first `most`."""
    coordinates = ", ".join(rounded(each) for each in x[:most])
    return f"({coordinates}{', …' if len(x) > most else ''})"


def date(seconds: float) -> str:
    """Return a time, given in seconds since 1970, in UTC: `2026-03-14 09:26`."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # a damaged database can hold any number
        return f"{seconds} seconds after 1970"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which forms its plural with an s: `1 run`, `2,000 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def part(count: int, total: int, noun: str) -> str:
    """Return a part of a whole: `all 5 runs`, `3 of 5 runs`, `none of the 5 runs`; `the only run`, `0 of 1 run`."""
    if total == 1:
        return f"the only {noun}" if count else f"0 of 1 {noun}"
    if count == total:
        return f"all {counted(total, noun)}"
    return f"{count:,} of {counted(total, noun)}" if count else f"none of the {counted(total, noun)}"


def listed(items: Sequence[str], conjunction: str = "and") -> str:
    """Return a list in a sentence: `a`, `a and b`, `a, b and c`."""
    return f" {conjunction} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _with_digits(value: float, digits: int) -> str:
    """Return a number with `digits` significant digits; final zeros are kept if digits were rounded away."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    value += 0.0  # turns -0.0 into 0.0
    if (abs(value) < MILLION and value == round(value)) or (digits == 3 and 1e3 <= abs(value) < 1e4):
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    if float(text) != value:
        text = f"{value:#.{digits}g}"
    mantissa, exponent, power = text.partition("e")
    return _short_exponent(f"{mantissa.rstrip('.')}{exponent}{power}")


def _short_exponent(text: str) -> str:
    """Return a written number without the sign and zeros that Python puts before an exponent: `1e12` for `1e+12`."""
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if exponent else text

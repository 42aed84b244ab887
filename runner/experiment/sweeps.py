"""The values that a parameter takes in a grid, and how several parameters combine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.contracts.parameters import shown

FORMS = "{ values = [...] }, { linspace = [a, b], num = n } or { logspace = [a, b], num = n }"
DIGITS = 12
MOST_VALUES = 1_000_000


def sweep_values(table: Mapping[str, Any]) -> list[Any]:
    """Return the values that a sweep table stands for.

    `linspace` and `logspace` (both ends included, each a value and not an exponent) are rounded to 12 significant digits between
    their ends, so that every machine has the same grid.

    Raises:
        ValueError: the table is not a sweep, or has no values.
    """
    keys = set(table)
    if keys == {"values"} and isinstance(table["values"], list):
        if not table["values"]:
            raise ValueError("the sweep is empty; values must hold at least one value")
        return list(table["values"])
    for form, spaced in (("linspace", _linspace), ("logspace", _logspace)):
        if keys == {form, "num"}:
            low, high = _ends(form, table[form])
            num = table["num"]
            if not isinstance(num, int) or isinstance(num, bool) or not 1 <= num <= MOST_VALUES:
                raise ValueError(f"num must be a whole number from 1 to {MOST_VALUES:,}, not {shown(num)}")
            return _rounded(spaced(low, high, num), low, high)
    raise ValueError(f"a sweep is written {FORMS}, not with the keys {', '.join(sorted(keys)) or '(none)'}")


def _ends(form: str, ends: object) -> tuple[float, float]:
    numbers = isinstance(ends, list) and len(ends) == 2
    if not numbers or not all(_is_finite_number(end) for end in list(ends)):  # type: ignore[call-overload]
        raise ValueError(f"{form} must be a list of two finite numbers, not {shown(ends)}")
    low, high = (float(end) for end in list(ends))  # type: ignore[call-overload]
    if form == "logspace" and not (low > 0 and high > 0):
        raise ValueError(f"logspace must run between two numbers > 0 (the values, not their exponents), not {shown(ends)}")
    return low, high


def _is_finite_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _rounded(values: Sequence[float], low: float, high: float) -> list[float]:
    """Round what lies between the ends, and leave none of it outside them."""
    least, most = min(low, high), max(low, high)
    inner = [min(max(float(f"{value:.{DIGITS}g}"), least), most) for value in values[1:-1]]
    return [low, *inner, high][: len(values)]


def _fractions(num: int) -> list[float]:
    return [0.0] if num == 1 else [index / (num - 1) for index in range(num)]


def _linspace(low: float, high: float, num: int) -> list[float]:
    return [low * (1 - fraction) + high * fraction for fraction in _fractions(num)]


def _logspace(low: float, high: float, num: int) -> list[float]:
    return [low ** (1 - fraction) * high**fraction for fraction in _fractions(num)]


def combine(values: Mapping[str, Sequence[Any]], groups: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Return every combination of the parameters' values; those of a zip group move together.

    Args:
        values: each parameter's values.
        groups: names that move together, each name in one group at most.

    Raises:
        ValueError: a group names an unknown parameter, names one twice, or its members differ in length.
    """
    named = [name for group in groups for name in group]
    for name in named:
        if name not in values:
            raise ValueError(f"zip names {name!r}, which is not set here; it may name {', '.join(values) or 'nothing'}")
        if named.count(name) > 1:
            raise ValueError(f"zip names {name!r} more than once")
    for group in groups:
        lengths = {name: len(values[name]) for name in group}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ValueError(f"parameters that are zipped need equally many values, but {counts}")
    bundles = [tuple(group) for group in groups] + [(name,) for name in values if name not in named]
    rows = [list(zip(*(values[name] for name in bundle), strict=True)) for bundle in bundles]
    names = list(itertools.chain.from_iterable(bundles))
    return [dict(zip(names, itertools.chain.from_iterable(cell), strict=True)) for cell in itertools.product(*rows)]

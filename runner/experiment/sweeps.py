"""Sweeps: the values that a parameter takes in a grid, and the combinations of several parameters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from runner.contracts.parameters import as_toml

FORMS = "{ values = [...] }, { linspace = [a, b], num = n } or { logspace = [a, b], num = n }"
DIGITS = 12
"""The number of significant digits of the values between the ends of a sweep."""
MOST_VALUES = 1_000_000
"""The largest number of values of a sweep."""


def sweep_values(table: Mapping[str, Any]) -> list[Any]:
    """Return the values that a sweep table describes.

    `linspace` and `logspace` include both ends; the ends of `logspace` are values, not exponents. The values between the ends are
    rounded to 12 significant digits, so that every machine has the same grid.

    Raises:
        ValueError: the table is not a sweep, or has no values.
    """
    keys = set(table)
    if keys == {"values"} and isinstance(table["values"], list):
        if not table["values"]:
            raise ValueError("the sweep is empty; values must hold at least one value")
        return list(table["values"])
    for form in ("linspace", "logspace"):
        if keys == {form, "num"}:
            ends = table[form]
            if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_finite_number, ends))):
                raise ValueError(f"{form} must be a list of two finite numbers, not {as_toml(ends)}")
            low, high = map(float, ends)
            if form == "logspace" and not (low > 0 and high > 0):
                raise ValueError(f"logspace must run between two numbers > 0 (values, not exponents), not {as_toml(ends)}")
            num = table["num"]
            if not isinstance(num, int) or isinstance(num, bool) or not 1 <= num <= MOST_VALUES:
                raise ValueError(f"num must be a whole number from 1 to {MOST_VALUES:,}, not {as_toml(num)}")
            fractions = [index / (num - 1) for index in range(1, num - 1)]
            if form == "linspace":
                inner = [low * (1 - fraction) + high * fraction for fraction in fractions]
            else:
                inner = [low ** (1 - fraction) * high**fraction for fraction in fractions]
            least, most = min(low, high), max(low, high)
            # Rounding must not move a value beyond an end.
            inner = [min(max(float(f"{value:.{DIGITS}g}"), least), most) for value in inner]
            return [low, *inner, high][:num]
    raise ValueError(f"a sweep is written {FORMS}, not with the keys {', '.join(sorted(keys)) or '(none)'}")


def is_finite_number(value: object) -> bool:
    """Return True for a finite number that a float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def combine(values: Mapping[str, Sequence[Any]], groups: object) -> list[dict[str, Any]]:
    """Return every combination of the parameters' values; the parameters of a zip group change together.

    Args:
        values: each parameter's values.
        groups: the value of `zip`: a list of lists of parameters that change together, each parameter in one list at most.

    Raises:
        ValueError: the groups are not a list of lists of names, a name is unknown or occurs twice, or the parameters of a group
            differ in their number of values.
    """
    lists = isinstance(groups, list) and all(isinstance(group, list) for group in groups)
    if not lists or not all(isinstance(name, str) for group in cast(list[list[object]], groups) for name in group):
        raise ValueError(
            f"zip must be a list of lists of parameters, e.g. [['learning_rate', 'max_norm']], not {as_toml(groups)}"
        )
    zipped = cast(list[list[str]], groups)
    named = [name for group in zipped for name in group]
    for name in named:
        if name not in values:
            raise ValueError(f"zip names {name!r}, which is not set here; it may name {', '.join(values) or 'nothing'}")
        if named.count(name) > 1:
            raise ValueError(f"zip names {name!r} more than once")
    for group in zipped:
        lengths = {name: len(values[name]) for name in group}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ValueError(f"parameters that are zipped need the same number of values, but {counts}")
    bundles = [tuple(group) for group in zipped] + [(name,) for name in values if name not in named]
    rows = [list(zip(*(values[name] for name in bundle), strict=True)) for bundle in bundles]
    names = list(itertools.chain.from_iterable(bundles))
    return [dict(zip(names, itertools.chain.from_iterable(cell), strict=True)) for cell in itertools.product(*rows)]

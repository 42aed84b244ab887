"""Changes to an experiment file from the command line: `--set optimizer.gradient_descent.learning_rate=0.1,0.2`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

AXES = ("objective", "gradient", "optimizer")


def apply_overrides(raw: dict[str, Any], assignments: Sequence[str]) -> None:
    """Change a parsed experiment in place.

    The path is `objective|gradient|optimizer . NAME-or-number . parameter`, where a name stands for every table that bears it,
    and further keys lead into a wrapped plugin's table; or it is the keys of any other table. Values are written as in TOML;
    bare words are strings. Several, with commas between, are a sweep for a plugin's parameter and a list elsewhere.

    Raises:
        ValueError: an assignment has no value, or its path leads nowhere.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = [key.strip() for key in path.split(".")]
        values = _values(text)
        if not equals or not all(keys) or not values:
            raise ValueError(f"--set {assignment}: must have the form path.to.key=value")
        if keys[0] in AXES:
            value = values[0] if len(values) == 1 else {"values": values}
            for table in _axis_tables(raw, keys, assignment):
                _put(table, keys[2:], value, assignment)
        else:
            _put(raw, keys, values[0] if len(values) == 1 else values, assignment)


def _values(text: str) -> list[Any]:
    try:
        values: list[Any] = tomllib.loads(f"values = [{text}]")["values"]
    except tomllib.TOMLDecodeError:
        words = [word.strip() for word in text.split(",")]
        return words if all(words) else []
    return values


def _axis_tables(raw: dict[str, Any], keys: list[str], assignment: str) -> list[dict[str, Any]]:
    if len(keys) < 3:
        raise ValueError(f"--set {assignment}: must have the form {keys[0]}.NAME.parameter=value")
    listed = raw.get(keys[0])
    tables = [table for table in listed if isinstance(table, dict)] if isinstance(listed, list) else []
    if keys[1].isdecimal():
        chosen = tables[int(keys[1]) : int(keys[1]) + 1]
    else:
        chosen = [table for table in tables if table.get("name") == keys[1]]
    if not chosen:
        names = ", ".join(str(table.get("name")) for table in tables) or "none"
        raise ValueError(f"--set {assignment}: the experiment has no {keys[0]} {keys[1]!r}; it has: {names}")
    return chosen


def _put(raw: dict[str, Any], keys: list[str], value: object, assignment: str) -> None:
    table = raw
    for depth, key in enumerate(keys[:-1], 1):
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"--set {assignment}: {'.'.join(keys[:depth])} is not a table")
        table = inner
    table[keys[-1]] = value

"""Changes to an experiment from the command line: `--set optimizer.gradient_descent.learning_rate=0.1,0.2`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from runner.contracts.plugin import Kind

AXES: tuple[Kind, ...] = ("objective", "gradient", "optimizer")
"""The kinds of plugins whose combinations are the grid of an experiment."""


def apply_overrides(raw: dict[str, Any], assignments: Sequence[str]) -> None:
    """Change a parsed experiment in place.

    An assignment has the form `path=value`. The path is one of:

    - `AXIS.NAME.parameter`, where AXIS is `objective`, `gradient` or `optimizer`. The path stands for every table of that axis
      with this name. A number in place of the name stands for one table, counted from 0. Further keys lead into the table of a
      wrapped plugin.
    - the keys of any other table, as in `stop.max_steps`.

    A value is written as in TOML; a bare word is a string. Several values, separated by commas, form a sweep of a plugin's
    parameter, and a list in any other table.

    Raises:
        ValueError: an assignment has no value, or its path does not lead to a table.
    """
    for assignment in assignments:
        keys, values = _parsed(assignment, "path.to.key=value")
        if keys[0] not in AXES:
            _put(raw, keys, values[0] if len(values) == 1 else values, assignment)
            continue
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
        for table in chosen:
            _put(table, keys[2:], _value_or_sweep(values), assignment)


def set_parameter(table: dict[str, Any], assignment: str) -> None:
    """Change one plugin's table in place by an assignment `parameter=value`.

    Raises:
        ValueError: the assignment has no value, or its path does not lead to a table.
    """
    keys, values = _parsed(assignment, "parameter=value")
    _put(table, keys, _value_or_sweep(values), assignment)


def _parsed(assignment: str, form: str) -> tuple[list[str], list[Any]]:
    """Return the keys and the values of an assignment."""
    path, equals, text = assignment.partition("=")
    keys = [key.strip() for key in path.split(".")]
    try:
        values: list[Any] = tomllib.loads(f"values = [{text}]")["values"]
    except tomllib.TOMLDecodeError:
        values = [word.strip() for word in text.split(",")]
        values = values if all(values) else []
    if not equals or not all(keys) or not values:
        raise ValueError(f"--set {assignment}: must have the form {form}")
    return keys, values


def _value_or_sweep(values: list[Any]) -> object:
    return values[0] if len(values) == 1 else {"values": values}


def _put(raw: dict[str, Any], keys: list[str], value: object, assignment: str) -> None:
    table = raw
    for depth, key in enumerate(keys[:-1], 1):
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"--set {assignment}: {'.'.join(keys[:depth])} is not a table")
        table = inner
    table[keys[-1]] = value

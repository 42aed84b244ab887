"""Parameters of settings with their types and every bit.

Table `parameter` holds what SQL compares: floats without the sign of zero, and texts. What a value is stands in the canonical
text of its setting, which is part of each run's identity.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection

from runner.errors import StoreError
from runner.store import schema
from runner.store.reading.run_sql import driver_rows, has_row_number
from runner.store.schema import checked_rows

if TYPE_CHECKING:
    from runner.experiment.labels import Scalar
    from runner.store.reading.run_record import Value

Stored = tuple[float | None, str | None]
"""A parameter's row: its number and its text."""
LOOKUP = 5000
"""How many keys go into one query."""
PARAMETERS = tuple(schema.parameter.c[name] for name in ("setting_id", "name", "number", "text"))
SETTINGS = tuple(schema.setting.c[name] for name in ("id", "kind", "name", "canonical"))
WHOLE = range(-(2**63), 2**63)
"""The whole numbers that columns hold."""


@dataclass(frozen=True)
class StoredSetting:
    """A setting as its runs have it.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the plugin's name.
        parameters: every parameter, by name in alphabetical order.
    """

    kind: str
    name: str
    parameters: Mapping[str, Value]


def read_settings(connection: Connection, numbers: Collection[int]) -> dict[int, StoredSetting]:
    """Return settings by row number.

    Raises:
        StoreError: what is stored of one makes no sense.
    """
    found: dict[int, StoredSetting] = {}
    ordered = sorted(numbers)
    for first in range(0, len(ordered), LOOKUP):
        some = ordered[first : first + LOOKUP]
        rows: dict[int, dict[str, Stored]] = defaultdict(dict)
        for number, name, *stored in _read(connection, PARAMETERS, has_row_number("setting_id", some)):
            rows[number][name] = (stored[0], stored[1])
        for number, kind, name, canonical in _read(connection, SETTINGS, has_row_number("id", some)):
            found[number] = StoredSetting(kind, name, parameter_values(kind, canonical, rows[number]))
    return found


def _read(connection: Connection, columns: Sequence[Column[Any]], which: str) -> list[Sequence[Any]]:
    query = f"SELECT {', '.join(column.name for column in columns)} FROM {columns[0].table.name} WHERE {which}"
    return checked_rows(columns, driver_rows(connection, query))


def parameter_values(kind: str, canonical: str, stored: Mapping[str, Stored]) -> dict[str, Value]:
    """Return the parameters of a setting.

    Args:
        kind: objective, gradient, optimizer or rules.
        canonical: JSON of name and parameters, floats in hexadecimal and files by their content.
        stored: the rows of its parameters.

    Raises:
        StoreError: they make no sense.
    """
    try:
        exact = flat_parameters(whole_setting(kind, canonical)["parameters"], stored)
        return {name: _value(exact.get(name), *stored[name]) for name in sorted(stored)}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise StoreError("the database is damaged: parameters make no sense; `runner verify` says which") from error


def scalars(parameters: Mapping[str, Value]) -> dict[str, Scalar]:
    """Return parameters as cells of a table: a list as JSON, and beyond 64 bits the nearest float."""
    return {name: _scalar(value) for name, value in parameters.items()}


def whole_setting(kind: str, canonical: str) -> dict[str, Any]:
    """Return name and parameters of a setting from its canonical text; those of rules are named as in the experiment's file."""
    whole: dict[str, Any] = json.loads(canonical)
    if kind != "rules":
        return whole
    record = whole["record"]
    recorded = {"record_x": record["x"], "record_gradient": record.get("gradient", False)}
    return {"name": "rules", "parameters": {**whole["stop"], **recorded}}


def flat_parameters(parameters: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the canonical parameters of a plugin and of what it wraps, named as `Setting.of` does.

    Args:
        parameters: from the canonical text, which does not tell which of several wrapped plugins was declared first.
        names: those that are stored, which does.
    """
    candidates = _flattened(parameters)
    first = next(candidates)
    return next((each for each in itertools.chain([first], candidates) if each.keys() == set(names)), first)


def _flattened(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the parameters for every order in which wrapped plugins may have been declared."""
    wrapped = {key: value["parameters"] for key, value in parameters.items() if _is_plugin(value)}
    for order in itertools.permutations(wrapped):
        for insides in itertools.product(*(_flattened(wrapped[key]) for key in order)):
            flat = {key: value["name"] if key in wrapped else value for key, value in parameters.items()}
            for key, inside in zip(order, insides, strict=True):
                for name, value in inside.items():
                    flat[f"{key}.{name}" if name in flat else name] = value
            yield flat


def _is_plugin(value: Any) -> bool:
    return isinstance(value, dict) and "parameters" in value


def _value(exact: Any, number: float | None, words: str | None) -> Value:
    if exact is None or isinstance(exact, dict):
        # Of a file the canonical text has the content's hash, and its row says the path.
        return words if number is None else number
    if isinstance(exact, list):
        return tuple(float.fromhex(item) if isinstance(item, str) else item for item in exact)
    # A text may look like a float in hexadecimal.
    if isinstance(exact, str) and words is None:
        return float.fromhex(exact)
    value: Value = exact
    return value


def _scalar(value: Value) -> Scalar:
    if isinstance(value, tuple):
        return json.dumps(value)
    if isinstance(value, int) and value not in WHOLE:
        return nearest(value)
    return value


def nearest(number: float) -> float:
    """Return the float that is nearest to a number, which may be a whole one of any size."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf

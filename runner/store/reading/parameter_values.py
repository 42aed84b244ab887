"""The parameters of settings, with their types and all their bits.

The table `parameter` holds values that SQL can compare: floats without the sign of zero, and texts. The canonical text of the
setting, which is part of each run's identity, holds the exact values and their types.
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

ParameterRow = tuple[float | None, str | None]
"""The number and the text in the row of a parameter."""
KEYS_AT_ONCE = 5000
"""The largest number of keys in one query."""
PARAMETER_COLUMNS = tuple(schema.parameter.c[name] for name in ("setting_id", "name", "number", "text"))
SETTING_COLUMNS = tuple(schema.setting.c[name] for name in ("id", "kind", "name", "canonical"))
INTEGERS = range(-(2**63), 2**63)
"""The whole numbers that a column of a table can hold."""


@dataclass(frozen=True)
class StoredSetting:
    """A setting with the exact values of its parameters.

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
        StoreError: the parameters of a setting are damaged.
    """
    found: dict[int, StoredSetting] = {}
    ordered = sorted(numbers)
    for first in range(0, len(ordered), KEYS_AT_ONCE):
        some = ordered[first : first + KEYS_AT_ONCE]
        rows: dict[int, dict[str, ParameterRow]] = defaultdict(dict)
        for setting, name, number, text in _read(connection, PARAMETER_COLUMNS, has_row_number("setting_id", some)):
            rows[setting][name] = (number, text)
        for setting, kind, name, canonical in _read(connection, SETTING_COLUMNS, has_row_number("id", some)):
            found[setting] = StoredSetting(kind, name, parameter_values(kind, canonical, rows[setting]))
    return found


def _read(connection: Connection, columns: Sequence[Column[Any]], condition: str) -> list[Sequence[Any]]:
    query = f"SELECT {', '.join(column.name for column in columns)} FROM {columns[0].table.name} WHERE {condition}"
    return checked_rows(columns, driver_rows(connection, query))


def parameter_values(kind: str, canonical: str, stored: Mapping[str, ParameterRow]) -> dict[str, Value]:
    """Return the parameters of a setting.

    Args:
        kind: objective, gradient, optimizer or rules.
        canonical: JSON of name and parameters, with floats in hexadecimal and files by the hash of their content.
        stored: the rows of its parameters, by name.

    Raises:
        StoreError: the text and the rows contradict each other.
    """
    try:
        exact = flat_parameters(whole_setting(kind, canonical)["parameters"], stored)
        return {name: _value(exact.get(name), *stored[name]) for name in sorted(stored)}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise StoreError(
            "the database is damaged: the parameters of a setting are inconsistent; `runner verify` names the setting"
        ) from error


def _value(exact: Any, number: float | None, text: str | None) -> Value:
    if exact is None or isinstance(exact, dict):
        # The canonical text holds the hash of a file's content, and the row holds its path.
        return text if number is None else number
    if isinstance(exact, list):
        return tuple(float.fromhex(item) if isinstance(item, str) else item for item in exact)
    # A text may look like a float in hexadecimal. The row decides: it holds a text for every parameter except a number.
    if isinstance(exact, str) and text is None:
        return float.fromhex(exact)
    value: Value = exact
    return value


def whole_setting(kind: str, canonical: str) -> dict[str, Any]:
    """Return the name and the parameters of a setting from its canonical text.

    The parameters of rules have the names that the experiment file gives them.
    """
    whole: dict[str, Any] = json.loads(canonical)
    if kind != "rules":
        return whole
    record = whole["record"]
    recorded = {"record_x": record["x"], "record_gradient": record.get("gradient", False)}
    return {"name": "rules", "parameters": {**whole["stop"], **recorded}}


def flat_parameters(parameters: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the canonical parameters of a plugin and of the plugins that it wraps, with the names that `Setting.of` gives them.

    Args:
        parameters: the parameters of the canonical text, which lacks the order in which wrapped plugins were declared.
        names: the names of the stored parameters, which decide that order.
    """
    candidates = _flattened(parameters)
    first = next(candidates)
    return next((each for each in itertools.chain([first], candidates) if each.keys() == set(names)), first)


def _flattened(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters for every order in which wrapped plugins may have been declared."""
    wrapped = {key: value["parameters"] for key, value in parameters.items() if isinstance(value, dict) and "parameters" in value}
    for order in itertools.permutations(wrapped):
        for inner_parameters in itertools.product(*(_flattened(wrapped[key]) for key in order)):
            flat = {key: value["name"] if key in wrapped else value for key, value in parameters.items()}
            for key, inner in zip(order, inner_parameters, strict=True):
                for name, value in inner.items():
                    flat[f"{key}.{name}" if name in flat else name] = value
            yield flat


def scalars(parameters: Mapping[str, Value]) -> dict[str, Scalar]:
    """Return parameters as cells of a table: lists as JSON, and whole numbers beyond 64 bits as the nearest float."""
    return {name: _scalar(value) for name, value in parameters.items()}


def _scalar(value: Value) -> Scalar:
    if isinstance(value, tuple):
        return json.dumps(value)
    if isinstance(value, int) and value not in INTEGERS:
        return nearest_float(value)
    return value


def nearest_float(number: float) -> float:
    """Return the float nearest to a number, which may be a whole number of any size."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf

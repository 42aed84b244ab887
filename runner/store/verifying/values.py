"""Whether every column of every table holds what its type and its name say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, Table, text
from sqlalchemy.sql.schema import Column

from runner.store.schema import AllowedValues, allowed_values, metadata, short_repr

MOST_NAMED = 100
"""How many rows are named of each column."""


def examine_values(connection: Connection) -> Iterator[tuple[int, list[str]]]:
    """Give of each table how many values it has, and a sentence for each that cannot be in its column.

    Each table is read once, by the database itself; of a server, which sees to types, only what types do not say is looked at.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.create_function("is_utf8", 1, _is_utf8, deterministic=True)
    for table in metadata.sorted_tables:
        wrong = {column: _wrong(f'"{column.name}"', allowed_values(column), sqlite) for column in table.columns}
        counts = ", ".join(["count(*)", *(f"count(CASE WHEN {condition} THEN 1 END)" for condition in wrong.values())])
        rows, *found = connection.execute(text(f"SELECT {counts} FROM {table.name}")).one()
        problems: list[str] = []
        for (column, condition), count in zip(wrong.items(), found, strict=True):
            if count:
                problems += _named(connection, table, column, condition)
        yield rows * len(wrong), problems


def take_any_text(connection: Connection) -> None:
    """Read texts that are none too, to be able to show them. A server has no such texts."""
    if connection.dialect.name == "sqlite":
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.text_factory = lambda data: data.decode(errors="backslashreplace")


def _wrong(name: str, allowed: AllowedValues, sqlite: bool) -> str:
    """Return the SQL for a column's value being none that it may hold."""
    conditions = []
    if sqlite:
        types = f"'{allowed.sqlite_type}', 'null'" if allowed.nullable else f"'{allowed.sqlite_type}'"
        conditions.append(f"typeof({name}) NOT IN ({types})")
    if sqlite and allowed.type is bool:
        conditions.append(f"{name} NOT IN (0, 1)")
    if sqlite and allowed.type is str and not allowed.words:
        conditions.append(f"NOT is_utf8(CAST({name} AS BLOB))")
    if allowed.type is bytes:
        conditions.append(f"length({name}) % 8 <> 0 OR length({name}) = 0")
    if allowed.bounds is not None:
        conditions.append(f"{name} NOT BETWEEN {allowed.bounds[0]!r} AND {allowed.bounds[1]!r}")
    if allowed.words:
        words = ", ".join(f"'{word}'" for word in allowed.words)
        conditions.append(f"{name} NOT IN ({words})")
    if allowed.lengths is not None:
        conditions.append(f"length({name}) NOT BETWEEN {allowed.lengths[0]} AND {allowed.lengths[1]}")
    return " OR ".join(conditions) or "1 = 0"


def _named(connection: Connection, table: Table, column: Column[Any], condition: str) -> Iterator[str]:
    """Say of some rows which they are, what is in the column, and what may be there."""
    keys = [key.name for key in table.primary_key.columns]
    order = ", ".join(f'"{key}"' for key in keys)
    query = f'SELECT "{column.name}", {order} FROM {table.name} WHERE {condition} ORDER BY {order} LIMIT {MOST_NAMED}'
    for value, *numbers in connection.execute(text(query)):
        which = ", ".join(f"{key} {short_repr(number)}" for key, number in zip(keys, numbers, strict=True))
        yield f"table {table.name}, {which}: {column.name} is {short_repr(value)}, and must be {allowed_values(column)}"


def _is_utf8(data: bytes | None) -> bool | None:
    if data is None:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

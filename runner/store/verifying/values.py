"""The check of values: every column of every table holds values of its type and within its limits."""

from __future__ import annotations

import sqlite3
from typing import cast

from sqlalchemy import Connection, text

from runner.store.schema import AllowedValues, allowed_values, metadata, short_repr
from runner.store.verifying.part import VerifiedPart

MOST_NAMED = 100
"""The largest number of rows that are named for one column."""


def check_values(connection: Connection, part: VerifiedPart) -> None:
    """Check every column of every table, and name the first rows whose value is not allowed.

    The database itself reads each table once. A server enforces types, so only the other limits are checked there.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.create_function("is_utf8", 1, _is_utf8, deterministic=True)
    for table in metadata.sorted_tables:
        conditions = [_not_allowed(f'"{column.name}"', allowed_values(column), is_sqlite) for column in table.columns]
        counts = ", ".join(["count(*)", *(f"count(CASE WHEN {condition} THEN 1 END)" for condition in conditions)])
        rows, *found = connection.execute(text(f"SELECT {counts} FROM {table.name}")).one()
        part.count += rows * len(conditions)
        keys = [key.name for key in table.primary_key.columns]
        order = ", ".join(f'"{key}"' for key in keys)
        for column, condition, count in zip(table.columns, conditions, found, strict=True):
            if not count:
                continue
            query = f'SELECT "{column.name}", {order} FROM {table.name} WHERE {condition} ORDER BY {order} LIMIT {MOST_NAMED}'
            for value, *numbers in connection.execute(text(query)):
                row = ", ".join(f"{key} {short_repr(number)}" for key, number in zip(keys, numbers, strict=True))
                part.problems.append(
                    f"table {table.name}, {row}: {column.name} is {short_repr(value)}, and must be {allowed_values(column)}"
                )


def accept_invalid_text(connection: Connection) -> None:
    """Let this connection read texts that are not valid UTF-8, with escapes, so that they can be shown.

    On a server this does nothing, because a server accepts no such texts.
    """
    if connection.dialect.name == "sqlite":
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.text_factory = lambda data: data.decode(errors="backslashreplace")


def _not_allowed(name: str, allowed: AllowedValues, is_sqlite: bool) -> str:
    """Return the SQL condition that a column's value is not allowed."""
    conditions = []
    if is_sqlite:
        types = f"'{allowed.sqlite_type}', 'null'" if allowed.nullable else f"'{allowed.sqlite_type}'"
        conditions.append(f"typeof({name}) NOT IN ({types})")
    if is_sqlite and allowed.type is bool:
        conditions.append(f"{name} NOT IN (0, 1)")
    if is_sqlite and allowed.type is str and not allowed.texts:
        conditions.append(f"NOT is_utf8(CAST({name} AS BLOB))")
    if allowed.type is bytes:
        conditions.append(f"length({name}) % 8 <> 0 OR length({name}) = 0")
    if allowed.bounds is not None:
        conditions.append(f"{name} NOT BETWEEN {allowed.bounds[0]!r} AND {allowed.bounds[1]!r}")
    if allowed.texts:
        texts = ", ".join(f"'{each}'" for each in allowed.texts)
        conditions.append(f"{name} NOT IN ({texts})")
    if allowed.lengths is not None:
        conditions.append(f"length({name}) NOT BETWEEN {allowed.lengths[0]} AND {allowed.lengths[1]}")
    return " OR ".join(conditions) or "1 = 0"


def _is_utf8(data: bytes | None) -> bool | None:
    if data is None:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

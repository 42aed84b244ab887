"""Copying a database into another one, a file or on a server, row for row and bit for bit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from runner.errors import StoreError
from runner.store import schema
from runner.store.connection import Database, create_file
from runner.store.error_messages import explain
from runner.store.sqlite_files import create_in_place
from runner.store.verifying.verify import verify
from runner.store.writing.shared_rows import insert

ROWS_AT_ONCE = 1000
CHUNKS_AT_ONCE = 64
"""At most 256 KiB each."""
LEFT_OUT = (schema.schema_version, schema.worker, schema.claim)


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy everything into a database that is new or empty, and verify what was written. A copy has today's schema.

    A copy in a file gets its name when it is whole; on a server it is one transaction.

    Returns:
        How many rows of each table were copied.

    Raises:
        StoreError: the target holds something; or one of them cannot be read or written, and then nothing is left of the copy.
    """
    if target.exists():
        target.create()
        _refuse_full(target)
    elif target.path is not None:
        return _copy_into_file(source, target, target.path)
    else:
        target.create()
    with target.writing(defer=False) as connection:
        counts = _fill(connection, source, target.name)
    _check(target)
    return counts


def _copy_into_file(source: Database, target: Database, path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}

    def make(part: Path) -> None:
        create_file(part, lambda connection: counts.update(_fill(connection, source, target.name)))
        with closing(Database(str(part))) as whole:
            whole.name = target.name
            _check(whole)

    try:
        with _writing(target.name):
            made = create_in_place(path, make)
        if not made:
            raise StoreError(f"database {target.name}: somebody made it meanwhile; name a new one")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"database {target.name}: cannot be written: {explain(error)}") from error
    return counts


def _refuse_full(target: Database) -> None:
    with target.reading() as connection:
        held = {table.name: _count(connection, table) for table in (schema.experiment, schema.run)}
    if any(held.values()):
        raise StoreError(
            f"database {target.name}: holds {held['run']:,} runs of {held['experiment']:,} experiments, and a copy goes only "
            "where nothing is; name a new one"
        )


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _fill(target: Connection, source: Database, name: str) -> dict[str, int]:
    """Copy every table as of one instant; return how many rows each has."""
    with source.reading() as connection:
        tables = [table for table in schema.metadata.sorted_tables if table not in LEFT_OUT]
        return {table.name: _copy_table(table, connection, target, name) for table in tables}


def _copy_table(table: Table, source: Connection, target: Connection, name: str) -> int:
    copied = 0
    portion = CHUNKS_AT_ONCE if table is schema.chunk else ROWS_AT_ONCE
    query = select(table).order_by(*table.primary_key.columns)
    for rows in source.execute(query, execution_options={"yield_per": portion}).mappings().partitions():
        with _writing(name):
            insert(target, table.insert(), [dict(row) for row in rows])
        copied += len(rows)
    return copied


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Tell what goes wrong in the target of it, and not of the source that is being read around it."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"database {name}: cannot be written: {explain(error.orig)}") from error


def _check(database: Database) -> None:
    problems = [problem for check in verify(database) for problem in check.problems]
    if problems:
        raise StoreError(
            f"database {database.name}: the copy is not whole: {problems[0]}; see what `runner verify` says of the original"
        )

"""Copies of a database in another file or on a server, row for row and bit for bit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from runner.errors import StoreError
from runner.store import schema
from runner.store.connection import Database, create_file
from runner.store.error_messages import explain
from runner.store.sqlite_files import create_in_place
from runner.store.verifying.verify import verify
from runner.store.writing.shared_rows import insert_rows

ROWS_AT_ONCE = 1000
CHUNKS_AT_ONCE = 64
"""The number of rows of table `chunk` that are copied at once; each has at most 256 KiB."""
TABLES_NOT_COPIED = (schema.schema_version, schema.worker, schema.claim)


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy everything into a new or empty database of the current schema, and verify the copy.

    A new file gets its name once it is whole. On a server, the copy is written in one transaction.

    Returns:
        The number of copied rows of each table.

    Raises:
        StoreError: the target is not empty; one of the databases cannot be read or written, and no part of the copy is left; or
            the copy is damaged, because the source is damaged.
    """
    if target.path is not None and not target.exists():
        return _copy_into_file(source, target, target.path)
    target.create()
    with target.reading() as connection:
        experiments, runs = (
            int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (schema.experiment, schema.run)
        )
    if experiments or runs:
        raise StoreError(
            f"database {target.name}: holds {runs:,} runs of {experiments:,} experiments, and a copy needs a new or empty "
            "database; name another one"
        )
    with target.writing(defer=False) as connection:
        counts = _copy_tables(source, connection, target.name)
    _check_copy(target)
    return counts


def _copy_into_file(source: Database, target: Database, path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}

    def create(part: Path) -> None:
        create_file(part, lambda connection: counts.update(_copy_tables(source, connection, target.name)))
        with closing(Database(str(part))) as database:
            database.name = target.name
            _check_copy(database)

    try:
        with _target_errors(target.name):
            is_created = create_in_place(path, create)
        if not is_created:
            raise StoreError(f"database {target.name}: another process has just created it; name a new one")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"database {target.name}: cannot be written: {explain(error)}") from error
    return counts


def _copy_tables(source: Database, target: Connection, name: str) -> dict[str, int]:
    """Copy every table as of one instant; return the number of rows of each."""
    counts: dict[str, int] = {}
    with source.reading() as connection:
        for table in schema.metadata.sorted_tables:
            if table in TABLES_NOT_COPIED:
                continue
            counts[table.name] = 0
            portion = CHUNKS_AT_ONCE if table is schema.chunk else ROWS_AT_ONCE
            query = select(table).order_by(*table.primary_key.columns)
            for rows in connection.execute(query, execution_options={"yield_per": portion}).mappings().partitions():
                with _target_errors(name):
                    insert_rows(target, table.insert(), [dict(row) for row in rows])
                counts[table.name] += len(rows)
    return counts


@contextmanager
def _target_errors(name: str) -> Iterator[None]:
    """Report a database error in the body as an error of the target, because the enclosing code reads the source."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"database {name}: cannot be written: {explain(error.orig)}") from error


def _check_copy(database: Database) -> None:
    problems = [problem for part in verify(database) for problem in part.problems]
    if problems:
        raise StoreError(
            f"database {database.name}: the copy is damaged: {problems[0]}; `runner verify` shows if the original is damaged too"
        )

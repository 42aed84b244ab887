"""Copies of a database file, made while others may be using it."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.error_messages import explain
from runner.store.sqlite_files import create_in_place, open_to_read

PAGES_AT_ONCE = 256


def back_up(database: Database, path: Path | None = None) -> Path:
    """Copy a database file as of one instant; writers are not kept waiting.

    Args:
        database: what to copy.
        path: the copy's name; if None, one beside the file with its schema and the date, and a number where that is taken.

    Returns:
        The copy's name.

    Raises:
        StoreError: it is on a server; there is such a file; or it cannot be copied, and then nothing is left of the copy.
    """
    source = database.path
    if source is None:
        raise StoreError(f"database {database.name}: is on a server; use the server's own tools, or `runner db copy`")
    for name in _names(source, database.schema) if path is None else [path]:
        try:
            if not name.exists() and create_in_place(name, lambda part: _copy(source, part)):
                return name
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"database {database.name}: cannot be copied to {name}: {explain(error)}") from error
    raise StoreError(f"database {database.name}: cannot be copied to {path}: there is such a file; name another one")


def _names(path: Path, schema: str | None) -> Iterator[Path]:
    dated = f"{path.stem}.schema_{schema}.{time.strftime('%Y-%m-%d')}"
    yield path.with_name(f"{dated}{path.suffix}")
    for number in itertools.count(2):
        yield path.with_name(f"{dated}.{number}{path.suffix}")


def _copy(source: Path, target: Path) -> None:
    with closing(open_to_read(source)) as old, closing(sqlite3.connect(target)) as new:
        # What is read first is read to the end, whatever others write meanwhile.
        old.execute("BEGIN")
        old.execute("PRAGMA schema_version")
        old.backup(new, pages=PAGES_AT_ONCE)

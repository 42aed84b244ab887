"""Backups: copies of a database file that are made while other processes use it."""

from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.error_messages import explain
from runner.store.sqlite_files import create_in_place, open_to_read

PAGES_AT_ONCE = 256
"""The number of pages that SQLite copies before it releases its lock for a moment."""


def back_up(database: Database, path: Path | None = None) -> Path:
    """Copy a database file as of one instant, without keeping writers waiting.

    Args:
        database: the database to copy.
        path: the copy's path. If it is None, the copy is placed next to the file, with the schema and the date in its name, and
            also a number if that name is taken.

    Returns:
        The copy's path.

    Raises:
        StoreError: the database is on a server; a file with the copy's name exists; or the file cannot be copied. No part of the
            copy is left.
    """
    source = database.path
    if source is None:
        raise StoreError(f"database {database.name}: is on a server; use the server's own tools, or `runner db copy`")

    def copy(part: Path) -> None:
        with closing(open_to_read(source)) as old, closing(sqlite3.connect(part)) as new:
            # The transaction fixes the instant that is copied, whatever other processes write during the copy.
            old.execute("BEGIN")
            old.execute("PRAGMA schema_version")
            old.backup(new, pages=PAGES_AT_ONCE)

    dated = f"{source.stem}.schema_{database.schema}.{time.strftime('%Y-%m-%d')}"
    endings = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    default_names = (source.with_name(f"{dated}{ending}{source.suffix}") for ending in endings)
    for name in default_names if path is None else [path]:
        try:
            if not name.exists() and create_in_place(name, copy):
                return name
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"database {database.name}: cannot be copied to {name}: {explain(error)}") from error
    raise StoreError(f"database {database.name}: cannot be copied to {path}: the file exists; name another one")

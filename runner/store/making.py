"""Making the tables and views of today's schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from runner.store.schema import SCHEMA_VERSION, metadata, schema_version, views
from runner.store.sqlite_files import PAGE_BYTES


def make_file(path: Path, fill: Callable[[Connection], object] = lambda connection: None) -> None:
    """Make a file of our own, and fill it in the same transaction."""
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    try:
        with engine.begin() as opened:
            # Nobody knows the file yet, so it is enough to wait for the disk once, at the end, and not after each table.
            for command in (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "BEGIN"):
                opened.exec_driver_sql(command)
            make_tables(opened)
            fill(opened)
    finally:
        engine.dispose()


def make_tables(connection: Connection) -> None:
    """Make tables and views in an empty database."""
    metadata.create_all(connection)
    make_views(connection)
    connection.execute(schema_version.insert().values(version_num=SCHEMA_VERSION))


def make_views(connection: Connection) -> None:
    """Make the views of today's schema."""
    for name, query in views(connection.dialect.name).items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))

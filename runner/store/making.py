"""Making the tables and views of today's schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from runner.store.schema import SCHEMA_VERSION, metadata, schema_version, views
from runner.store.sqlite_files import PAGE_BYTES


def make_file(path: Path, fill: Callable[[Connection], object] = lambda connection: None) -> None:
    """Make a file of our own, and fill it in the same transaction.

    Raises:
        DBAPIError: it cannot be made; what there is of it is worth nothing.
    """
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    try:
        with engine.connect() as opened:
            # Nobody knows the file yet: it needs no journal, for it goes if this fails, and one wait for the disk at the end. A
            # write-ahead log would take as much room again, and nobody is told where there is none to fold it into the file.
            for command in (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "BEGIN"):
                opened.exec_driver_sql(command)
            make_tables(opened)
            fill(opened)
            opened.commit()
            opened.exec_driver_sql("PRAGMA journal_mode = WAL")
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

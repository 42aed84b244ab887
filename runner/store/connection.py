"""Connections to the results database: an SQLite file or a PostgreSQL server, for reading or for writing."""

from __future__ import annotations

import functools
import logging
import os
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from runner.errors import DamagedDatabase, StoreError
from runner.store.deferred_interrupts import defer_interrupts
from runner.store.error_messages import (
    INVALID_CONTENT,
    READ_ONLY,
    busy_message,
    damage,
    describe_invalid_content,
    explain,
    is_busy,
)
from runner.store.schema import SCHEMA_VERSION, metadata, schema_version, views
from runner.store.sqlite_files import (
    PAGE_BYTES,
    OpenedFile,
    create_in_place,
    is_sqlite_file,
    may_write,
    open_to_read,
    open_to_write,
)
from runner.store.urls import create_server_engine, database_location, read_url, without_password

ADVISORY_LOCK = 5_717_340_216
"""The number of the PostgreSQL advisory lock that a writer holds; no other program is likely to use it."""
SECONDS_BETWEEN_TRIES = 0.05
"""The pause, in seconds, between two attempts to get the lock of a server. For a file, SQLite itself waits."""
BUSY_SECONDS = 60.0
"""The time, in seconds, after which a writer that waits for another writer gives up, or reports that it waits."""
# Without a handler, SQLAlchemy prints a traceback for a connection that an interruption closed halfway.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


class Database:
    """A results database, which may not exist yet.

    Attributes:
        name: the path or URL that the user gave, without its password.
        path: the file, for SQLite; None for a server.
        schema: the version of the layout; None if the database has no layout yet, or has not been read.
        report_wait: called with a message while another program keeps this one waiting. If it is None, a writer gives up after
            `BUSY_SECONDS`; otherwise the writer waits until the other program ends.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        location = database_location(name)
        self.name = without_password(location)
        self._name_is_whole = self.name == location
        self.report_wait: Callable[[str], None] | None = None
        url = read_url(location)
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database) if self._is_sqlite and url.database not in (None, "", ":memory:") else None
        if self._is_sqlite and self.path is None:
            raise StoreError(f"database {self.name}: results are kept in a file; give its path")
        self._opened_file = OpenedFile(self.name, self.path) if self.path else None
        self.schema: str | None = None
        self._server = None if self.path else create_server_engine(self.name, url)
        # Within one transaction, all queries see the database as of one instant. SQLite does this without an option.
        snapshot = {"isolation_level": "REPEATABLE READ"}
        self._reader = self._server.execution_options(**snapshot) if self._server else self._sqlite_engine("ro")

    @functools.cached_property
    def _writer(self) -> Engine:
        """The engine for writing, created on first use."""
        return self._server or self._sqlite_engine("rw")

    def _sqlite_engine(self, mode: str) -> Engine:
        if mode == "ro":
            opener: Callable[[], sqlite3.Connection] = functools.partial(open_to_read, cast(Path, self.path))
        else:
            opener = cast(OpenedFile, self._opened_file).open
        # The writer keeps its connection, because closing the last connection folds the write-ahead log into the file.
        engine = create_engine("sqlite://", creator=opener, poolclass=QueuePool if mode == "rw" else NullPool)

        # By default, the driver begins a transaction before the first write, which is too late to keep another writer out.
        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if mode == "ro":
                connection.exec_driver_sql("BEGIN")
            else:
                self._wait_until(connection, _begin_immediate)

        return engine

    def _wait_until(self, connection: Connection, is_only_writer: Callable[[Connection], bool]) -> None:
        """Try to begin writing until no other program writes, and check for Ctrl-C between two attempts.

        Raises:
            StoreError: another program has kept the database locked for too long.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        options = connection.get_execution_options()
        patience = options["patience"]
        began = reported = time.monotonic()
        while not is_only_writer(connection):
            options["interrupts"].raise_if_pending()
            now = time.monotonic()
            if now - began > (patience or BUSY_SECONDS) and (patience or self.report_wait is None):
                message = busy_message(now - began)
                raise StoreError(f"database {self.name}: {message}; end that program or wait for it, then try again")
            if self.report_wait is not None and now - reported > BUSY_SECONDS:
                reported = now
                self.report_wait(f"database {self.name}: {busy_message(now - began)}; waiting until it ends")

    def exists(self) -> bool:
        """Return whether the results database exists.

        Raises:
            StoreError: the file or server holds something else, or a database of a newer version.
        """
        if self.path is not None and not is_sqlite_file(self.path, self.name):
            return False
        with self.reading():
            return self.schema is not None

    def check_exists(self) -> None:
        """Check that the database exists.

        Raises:
            StoreError: it does not exist, is not a results database, or is of a newer version.
        """
        if not self.exists():
            raise StoreError(
                f"database {self.name}: does not exist; `runner run` creates it, and --db or RUNNER_DB names another database"
            )

    @property
    def outdated(self) -> str | None:
        """The warning for a database of an older schema; None for the current schema, or before the database has been read."""
        if self.schema in (None, SCHEMA_VERSION):
            return None
        return f"database {self.name}: has the older schema {self.schema}; {self._how_to_upgrade}"

    @property
    def _how_to_upgrade(self) -> str:
        option = f" --db {shlex.quote(self.name)}`" if self._name_is_whole else "`, with the same --db or RUNNER_DB,"
        return f"`runner db upgrade{option} {'makes a backup and ' if self.path else ''}brings it to schema {SCHEMA_VERSION}"

    def create(self) -> None:
        """Create the tables, unless they exist.

        Raises:
            StoreError: the tables cannot be created, or are of an older schema.
        """
        if self.exists():
            return
        if self.path is not None:
            try:
                if create_in_place(self.path, create_file):
                    return
            except (OSError, DBAPIError) as error:
                cause = error.orig if isinstance(error, DBAPIError) else error
                raise StoreError(f"database {self.name}: cannot be created: {explain(cause)}") from error
        # The database exists and is empty, or another process has just created it.
        with self.writing() as connection:
            if self.schema is None:
                create_tables(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that cannot write, and that sees the database as of one instant.

        Through this connection, a database of an older schema has the tables and views of the current schema.

        Raises:
            StoreError: the database reported an error, or holds invalid content.
        """
        if self._opened_file is not None:
            self._opened_file.check_in_place()
        with self._errors_explained(), self._reader.connect() as connection:
            if self.schema != SCHEMA_VERSION:
                self.schema = self._read_version(connection)
            if self.schema in OLDER:
                show_as_current(connection, self.schema)
            if not self._is_sqlite:
                # The views above are created first, because a read-only transaction cannot create them.
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            try:
                yield connection
            except INVALID_CONTENT as error:
                raise StoreError(
                    f"database {self.name}: holds invalid content ({describe_invalid_content(error)}); "
                    "`runner verify` reports whether it is damaged, and where"
                ) from error

    @contextmanager
    def writing(self, patience: float | None = None, defer: bool = True) -> Iterator[Connection]:
        """Open one transaction. It is committed at the end of the body, and rolled back if the body raises.

        Args:
            patience: the seconds to wait for another writer; None for the default.
            defer: whether to defer Ctrl-C to the end of the body.

        Raises:
            StoreError: the database reported an error, or is of an older schema; nothing that the body wrote is kept.
        """
        with self.migrating(patience, defer) as connection:
            if self.schema in OLDER:
                raise StoreError(
                    f"database {self.name}: has schema {self.schema}: it can be read but not written; {self._how_to_upgrade}"
                )
            yield connection

    @contextmanager
    def migrating(self, patience: float | None = None, defer: bool = True) -> Iterator[Connection]:
        """Open one transaction as `writing` does, whatever schema the database has.

        Raises:
            StoreError: the database reported an error; nothing that the body wrote is kept.
        """
        if self.path is not None and self.path.exists() and not may_write(self.path):
            raise StoreError(f"database {self.name}: {READ_ONLY}")
        with self._errors_explained(), defer_interrupts(defer) as interrupts:
            engine = self._writer.execution_options(patience=patience, interrupts=interrupts)
            with engine.begin() as connection:
                if self._opened_file is not None:
                    self._opened_file.check(cast(sqlite3.Connection, connection.connection.driver_connection))
                if connection.dialect.name == "postgresql":
                    self._wait_until(connection, _lock_server)
                    if inspect(connection).has_table("run"):
                        connection.execute(text("LOCK TABLE run IN EXCLUSIVE MODE"))
                if self.schema != SCHEMA_VERSION:
                    self.schema = self._read_version(connection)
                yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """Open a connection for commands that cannot run within a transaction, such as VACUUM.

        Raises:
            StoreError: the database reported an error, or is of an older schema.
        """
        with self.writing():
            pass
        engine = self._writer
        if self.path is not None:
            opener = functools.partial(open_to_write, self.path, BUSY_SECONDS)
            engine = create_engine("sqlite://", creator=opener, poolclass=NullPool)
        with self._errors_explained(), engine.connect() as connection:
            yield connection if self.path else connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close all connections."""
        # The reader is closed first, because the last connection removes the write-ahead log, and a reader cannot remove it.
        self._reader.dispose()
        if "_writer" in vars(self):
            if self._opened_file is not None and not self._opened_file.is_in_place():
                with suppress(StoreError), closing(self._writer.raw_connection()) as connection:
                    self._opened_file.abandon(cast(sqlite3.Connection, connection.driver_connection))
            self._writer.dispose()

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        """Turn each error of the database into a StoreError that explains it."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            # Rows that are fetched straight from the driver raise the driver's own errors.
            cause = error.orig if isinstance(error, DBAPIError) else error
            damaged = damage(cause)
            if damaged is not None:
                raise DamagedDatabase(f"database {self.name}: is damaged: {damaged}") from error
            raise StoreError(f"database {self.name}: {explain(cause)}") from error

    def _read_version(self, connection: Connection) -> str | None:
        if self._is_sqlite:
            # Each connection starts with this query, so it avoids SQLAlchemy's inspection, which takes longer.
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            tables = set(connection.exec_driver_sql(query).scalars())
        else:
            tables = set(inspect(connection).get_table_names())
        if schema_version.name not in tables:
            if tables and self._is_sqlite:
                some_tables = ", ".join(sorted(tables)[:3])
                raise StoreError(
                    f"database {self.name}: belongs to another program (its tables: {some_tables}); name another file"
                )
            return None
        versions = connection.exec_driver_sql(f"SELECT version_num FROM {schema_version.name}").scalars().all()
        if len(versions) != 1:
            found = f"{' and '.join(map(str, versions))}" if versions else "no version"
            raise StoreError(
                f"database {self.name}: is damaged: its table {schema_version.name} must hold one version of the schema, "
                f"and holds {found}; use a backup"
            )
        (version,) = versions
        if version != SCHEMA_VERSION and version not in OLDER:
            raise StoreError(
                f"database {self.name}: has schema {version}, and this version of runner reads {SCHEMA_VERSION} and older ones; "
                "use the version of runner that wrote it, or name another file"
            )
        return str(version)


def _begin_immediate(connection: Connection) -> bool:
    """Try to begin a writing transaction in a file; return whether there is no other writer."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if is_busy(error.orig):
            return False
        raise
    return True


def _lock_server(connection: Connection) -> bool:
    """Try to keep other writers out of a server until the transaction ends; return whether there is no other writer."""
    # Before the tables exist, this lock is the only one that a writer can take.
    is_only_writer = bool(connection.execute(text(f"SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})")).scalar_one())
    if not is_only_writer:
        time.sleep(SECONDS_BETWEEN_TRIES)
    return is_only_writer


def create_file(path: Path, fill: Callable[[Connection], object] = lambda connection: None) -> None:
    """Create a results database in a new file, and fill it in the same transaction.

    Raises:
        DBAPIError: it cannot be created; the file is incomplete and must be removed.
    """
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    try:
        with engine.connect() as connection:
            # No other process knows the file yet, and the file is removed if its creation fails. Therefore it needs no journal,
            # and is flushed to the disk only at the end. A write-ahead log would take the same space again, and SQLite would not
            # report a full disk.
            for command in (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "BEGIN"):
                connection.exec_driver_sql(command)
            create_tables(connection)
            fill(connection)
            connection.commit()
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    finally:
        engine.dispose()


def create_tables(connection: Connection) -> None:
    """Create the tables and views of the current schema in an empty database."""
    metadata.create_all(connection)
    create_views(connection)
    connection.execute(schema_version.insert().values(version_num=SCHEMA_VERSION))


def create_views(connection: Connection) -> None:
    """Create the views of the current schema."""
    for name, query in views(connection.dialect.name).items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))


_RUN_FACTS = (
    "'' AS failed_plugin, '' AS failed_method, '' AS failed_place, '' AS traceback, '' AS remark, "
    "CAST(NULL AS BOOLEAN) AS at_rest, CAST(NULL AS DOUBLE PRECISION) AS convex_gap_bound, "
    "CAST(NULL AS DOUBLE PRECISION) AS value_error, "
    "CAST(NULL AS VARCHAR(16)) AS curvature_sign, CAST(NULL AS DOUBLE PRECISION) AS curvature_min, "
    "CAST(NULL AS DOUBLE PRECISION) AS curvature_max, CAST(NULL AS DOUBLE PRECISION) AS curvature_error"
)
_BEFORE_0004 = {
    "run": f"SELECT r.*, {_RUN_FACTS} FROM {{schema}}.run r",
    "experiment": "SELECT e.*, CAST(NULL AS DOUBLE PRECISION) AS target FROM {schema}.experiment e",
}
OLDER = {
    "0001": {
        **_BEFORE_0004,
        "run": f"SELECT r.*, {{false}} AS records_gradient, CAST(NULL AS VARCHAR(16)) AS behaviour, {_RUN_FACTS} "
        "FROM {schema}.run r",
        "parameter": "SELECT setting_id, name, number, text FROM {schema}.parameter UNION ALL "
        "SELECT id, 'record_gradient', NULL, 'false' FROM {schema}.setting WHERE kind = 'rules'",
        "worker": "SELECT 0 AS id, '' AS token, '' AS host, '' AS boot, 0 AS process, 0.0 AS process_started, 0.0 AS seen_at "
        "WHERE 1 = 0",
        "claim": "SELECT '' AS identity, 0 AS worker_id WHERE 1 = 0",
    },
    "0002": _BEFORE_0004,
    "0003": _BEFORE_0004,
}
"""For each older schema, the tables of the current schema that differ, as queries on the older tables."""


def show_as_current(connection: Connection, version: str) -> None:
    """Make an older schema look like the current one, by temporary views that hide its tables.

    The views last as long as the connection (SQLite) or the transaction (PostgreSQL).
    """
    is_sqlite = connection.dialect.name == "sqlite"
    schema = "main" if is_sqlite else connection.execute(text("SELECT current_schema()")).scalar_one()
    tables = {name: query.format(schema=schema, false="0" if is_sqlite else "false") for name, query in OLDER[version].items()}
    for name, query in {**tables, **views(connection.dialect.name)}.items():
        connection.execute(text(f"CREATE TEMPORARY VIEW {name} AS {query}"))

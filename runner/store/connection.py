"""Opening the results database: a path or an SQLAlchemy URL, SQLite or PostgreSQL."""

from __future__ import annotations

import functools
import logging
import os
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from runner.errors import StoreError
from runner.store.deferred_interrupts import deferred
from runner.store.error_messages import DAMAGED, READ_ONLY, SENSELESS, busy, is_busy, reason, senseless
from runner.store.schema import SCHEMA_VERSION, metadata, schema_version, views
from runner.store.sqlite_files import PAGE_BYTES, OwnFile, is_sqlite_file, may_write, open_to_read, open_to_write, put_in_place
from runner.store.urls import location, read_url, server_engine, shown

ADVISORY_LOCK = 5_717_340_216
"""A number that nobody else is likely to lock."""
BETWEEN_TRIES = 0.05
"""Seconds; a file's driver waits by itself."""
BUSY_SECONDS = 60.0
"""How long one waits for another writer, unless told that it waits."""
# Of a connection that an interruption closed halfway, it would print a traceback where no log is set up.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


class Database:
    """A results database that may not exist yet.

    Attributes:
        name: what the user called it, without its password.
        path: the file, for SQLite.
        schema: the version of its layout, None if it has none or nobody has looked.
        told: who is told that another program keeps this one waiting. With it a writer waits for as long as it takes; without,
            it gives up in the end.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        where = location(name)
        self.name = shown(where)
        self._is_shown_whole = self.name == where
        self.told: Callable[[str], None] | None = None
        url = read_url(where)
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database) if self._is_sqlite and url.database not in (None, "", ":memory:") else None
        if self._is_sqlite and self.path is None:
            raise StoreError(f"database {self.name}: results are kept in a file; give its path")
        self._own = OwnFile(self.name, self.path) if self.path else None
        self.schema: str | None = None
        self._server = None if self.path else server_engine(self.name, url)
        # What a transaction reads is of one instant, however many questions it asks: a file does that by itself.
        snapshot = {"isolation_level": "REPEATABLE READ"}
        self._reader = self._server.execution_options(**snapshot) if self._server else self._sqlite_engine("ro")

    @functools.cached_property
    def _engine(self) -> Engine:
        """For writing, which few who ask ever do."""
        return self._server or self._sqlite_engine("rw")

    def _sqlite_engine(self, mode: str) -> Engine:
        opener = cast(OwnFile, self._own).open if mode == "rw" else functools.partial(open_to_read, cast(Path, self.path))
        # The writer keeps its connection: closing the last one folds the write-ahead log into the file each time.
        engine = create_engine("sqlite://", creator=opener, poolclass=QueuePool if mode == "rw" else NullPool)
        # The driver would begin a transaction only before the first write, too late to keep another writer out.
        event.listen(engine, "begin", self._begin_writing if mode == "rw" else lambda c: c.exec_driver_sql("BEGIN"))
        return engine

    def _begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that keeps all other writers out, as soon as there is none."""
        self._wait(connection, _begun)

    def _wait(self, connection: Connection, alone: Callable[[Connection], bool]) -> None:
        """Try again until there is no other writer, hear Ctrl-C between two tries, and tell of it or give up in the end."""
        options = connection.get_execution_options()
        patience = options["patience"]
        begun = said = time.monotonic()
        while not alone(connection):
            options["interrupts"].hear()
            now = time.monotonic()
            if now - begun > (patience or BUSY_SECONDS) and (patience or self.told is None):
                raise StoreError(f"database {self.name}: {busy(now - begun)}; end that program or wait for it, then try again")
            if self.told is not None and now - said > BUSY_SECONDS:
                said = now
                self.told(f"database {self.name}: {busy(now - begun)}; waiting until it ends")

    def exists(self) -> bool:
        """Whether there is anything to read.

        Raises:
            StoreError: there is, and it is not a results database, or a newer one.
        """
        if self.path is not None and not is_sqlite_file(self.path, self.name):
            return False
        with self.reading():
            return self.schema is not None

    def require(self) -> None:
        """Look whether it is there.

        Raises:
            StoreError: it is not, or is no results database, or a newer one.
        """
        if not self.exists():
            raise StoreError(f"database {self.name}: there is none; `runner run` makes it, --db or RUNNER_DB names another")

    @property
    def outdated(self) -> str | None:
        """What to tell of a database of an older schema; None if it is of today's, or nobody has looked at it."""
        if self.schema in (None, SCHEMA_VERSION):
            return None
        return f"database {self.name}: has schema {self.schema}, an older one; {self._advice}"

    @property
    def _advice(self) -> str:
        named = f" --db {shlex.quote(self.name)}`" if self._is_shown_whole else "`, with the same --db or RUNNER_DB,"
        return f"`runner db upgrade{named} {'makes a backup and ' if self.path else ''}brings it to schema {SCHEMA_VERSION}"

    def create(self) -> None:
        """Make the tables, unless they are there.

        Raises:
            StoreError: they cannot be made, or are of an older schema.
        """
        if self.exists():
            return
        if self.path is None:
            self._make_tables_inside()
            return
        try:
            if not put_in_place(self.path, make_file):
                self._make_tables_inside()
        except (OSError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StoreError(f"database {self.name}: cannot be created: {reason(cause)}") from error

    def _make_tables_inside(self) -> None:
        """Make the tables in a database that is there, unless somebody else just did."""
        with self.writing() as connection:
            if self.schema is None:
                make_tables(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that cannot write, and sees the database as of one instant; an older schema looks like today's.

        Raises:
            StoreError: with what the database said.
        """
        if self._own is not None:
            self._own.require()
        with self._explained(), self._reader.connect() as connection:
            if self.schema != SCHEMA_VERSION:
                self.schema = self._version(connection)
            if self.schema in OLDER:
                show_as_current(connection, self.schema)
            if not self._is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")  # not before, for those views are made
            try:
                yield connection
            except SENSELESS as error:
                raise StoreError(
                    f"database {self.name}: holds what makes no sense ({senseless(error)}); "
                    "`runner verify` says whether it is damaged, and where"
                ) from error

    @contextmanager
    def writing(self, patience: float | None = None, calm: bool = True) -> Iterator[Connection]:
        """One transaction, committed at the end of the body, rolled back if that raises.

        Args:
            patience: how many seconds to wait for another writer; for as long as is usual if None.
            calm: put Ctrl-C off to the end.

        Raises:
            StoreError: with what the database said, or that it is of an older schema; nothing of the body is kept.
        """
        with self.migrating(patience, calm) as connection:
            if self.schema in OLDER:
                raise StoreError(f"database {self.name}: has schema {self.schema}, which can be read only; {self._advice}")
            yield connection

    @contextmanager
    def migrating(self, patience: float | None = None, calm: bool = True) -> Iterator[Connection]:
        """The same in a database of any schema.

        Raises:
            StoreError: with what the database said; nothing of the body is kept.
        """
        if self.path is not None and self.path.exists() and not may_write(self.path):
            raise StoreError(f"database {self.name}: {READ_ONLY}")
        with self._explained(), deferred(calm) as interrupts:
            engine = self._engine.execution_options(patience=patience, interrupts=interrupts)
            with engine.begin() as connection:
                if self._own is not None:
                    self._own.check(cast(sqlite3.Connection, connection.connection.driver_connection))
                if connection.dialect.name == "postgresql":
                    self._wait(connection, _alone_on_server)
                    _lock_runs(connection)
                if self.schema != SCHEMA_VERSION:
                    self.schema = self._version(connection)
                yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """A connection for commands that no transaction may hold, while there is no other writer.

        Raises:
            StoreError: with what the database said, or that it is of an older schema.
        """
        with self.writing():
            pass
        engine = self._engine
        if self.path is not None:
            opener = functools.partial(open_to_write, self.path, BUSY_SECONDS)
            engine = create_engine("sqlite://", creator=opener, poolclass=NullPool)
        with self._explained(), engine.connect() as connection:
            yield connection if self.path else connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Give back the connections."""
        # The last to leave clears away the write-ahead log, which a reader cannot.
        self._reader.dispose()
        if "_engine" in vars(self):
            if self._own is not None and not self._own.is_there():
                self._leave_file(self._own)
            self._engine.dispose()

    def _leave_file(self, own: OwnFile) -> None:
        with suppress(StoreError), closing(self._engine.raw_connection()) as connection:
            own.leave(cast(sqlite3.Connection, connection.driver_connection))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"database {self.name}: {reason(error.orig)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"database {self.name}: {error}") from error
        except sqlite3.Error as error:
            # Of rows that are taken from the driver as they are.
            raise StoreError(f"database {self.name}: {reason(error)}") from error
        except UnicodeDecodeError as error:
            raise StoreError(f"database {self.name}: {DAMAGED.format('a text in it is none')}") from error

    def _version(self, connection: Connection) -> str | None:
        tables = _tables(connection)
        if schema_version.name not in tables:
            if tables and self._is_sqlite:
                shown = ", ".join(sorted(tables)[:3])
                raise StoreError(f"database {self.name}: belongs to another program (its tables: {shown}); name another file")
            return None
        version = self._only_version(connection.exec_driver_sql(f"SELECT version_num FROM {schema_version.name}").scalars().all())
        if version != SCHEMA_VERSION and version not in OLDER:
            raise StoreError(
                f"database {self.name}: has schema {version}, and this version of runner reads {SCHEMA_VERSION} and older ones; "
                "use the version of runner that wrote it, or name another file"
            )
        return str(version)

    def _only_version(self, versions: Sequence[Any]) -> Any:
        if len(versions) == 1:
            return versions[0]
        said = f"{' and '.join(map(str, versions))} at once" if versions else "none"
        raise StoreError(
            f"database {self.name}: does not say which schema it has: its table {schema_version.name} should hold one, and holds "
            f"{said}; it is damaged, and a backup is better than what is left"
        )


def _tables(connection: Connection) -> set[str]:
    if connection.dialect.name != "sqlite":
        return set(inspect(connection).get_table_names())
    # Every question asks this first, and SQLAlchemy takes longer to put it than SQLite to answer.
    return set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())


def _alone_on_server(connection: Connection) -> bool:
    """Try to let no one else write to a database on a server until the transaction ends; whether there is no other writer."""
    # Before the tables are there, there is nothing else to lock.
    alone = bool(connection.execute(text(f"SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})")).scalar_one())
    if not alone:
        time.sleep(BETWEEN_TRIES)
    return alone


def _lock_runs(connection: Connection) -> None:
    if inspect(connection).has_table("run"):
        connection.execute(text("LOCK TABLE run IN EXCLUSIVE MODE"))


def _begun(connection: Connection) -> bool:
    """Try to begin a transaction; whether there is no other writer."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if is_busy(error.orig):
            return False
        raise
    return True


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


OLDER = {
    "0001": {
        "run": "SELECT r.*, {false} AS records_gradient, CAST(NULL AS VARCHAR(16)) AS behaviour FROM {schema}.run r",
        "parameter": "SELECT setting_id, name, number, text FROM {schema}.parameter UNION ALL "
        "SELECT id, 'record_gradient', NULL, 'false' FROM {schema}.setting WHERE kind = 'rules'",
        "worker": "SELECT 0 AS id, '' AS token, '' AS host, '' AS boot, 0 AS process, 0.0 AS process_started, 0.0 AS seen_at "
        "WHERE 1 = 0",
        "claim": "SELECT '' AS identity, 0 AS worker_id WHERE 1 = 0",
    },
    "0002": {},
}
"""For each older schema, tables of today's as queries on its own."""


def show_as_current(connection: Connection, version: str) -> None:
    """Put views before the tables of an older schema, for this connection (SQLite) or transaction (PostgreSQL) only."""
    sqlite = connection.dialect.name == "sqlite"
    schema = "main" if sqlite else connection.execute(text("SELECT current_schema()")).scalar_one()
    tables = {name: query.format(schema=schema, false="0" if sqlite else "false") for name, query in OLDER[version].items()}
    for name, query in {**tables, **views(connection.dialect.name)}.items():
        connection.execute(text(f"CREATE TEMPORARY VIEW {name} AS {query}"))

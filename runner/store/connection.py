"""Opening the results database: a path or an SQLAlchemy URL, SQLite or PostgreSQL."""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from runner.errors import StoreError
from runner.interrupts import deferred
from runner.store.causes import busy, is_busy, reason
from runner.store.schema import SCHEMA_VERSION, SQLITE_STEPS_VIEW, VIEWS, metadata, schema_version

BUSY_SECONDS = 60.0
"""How long one waits for another writer, unless told that it waits."""
ONE_WAIT = 0.5
"""So long SQLite itself waits: Ctrl-C is heard between two waits only."""
PAGE_BYTES = 65536
# Of a connection that an interruption closed halfway, it would print a traceback where no log is set up.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
SQLITE_HEADER = b"SQLite format 3\0"


class Database:
    """A results database that may not exist yet.

    Attributes:
        name: what the user called it.
        path: the file, for SQLite.
        told: who is told that another program keeps this one waiting. With it a writer waits for as long as it takes; without,
            it gives up in the end.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: Callable[[str], None] | None = None
        url = _url(name)
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database) if self._is_sqlite and url.database not in (None, "", ":memory:") else None
        if self._is_sqlite and self.path is None:
            raise StoreError(f"database {name}: results are kept in a file; give its path")
        self._file: tuple[int, int] | None = None
        self._engine = self._sqlite_engine("rw") if self.path is not None else _server_engine(name, url)
        self._reader = self._sqlite_engine("ro") if self.path is not None else self._engine

    def _sqlite_engine(self, mode: str) -> Engine:
        uri = f"file://{quote(os.path.abspath(str(self.path)))}?mode={mode}"  # noqa: PTH100 - resolves no links

        def connect() -> sqlite3.Connection:
            patience = ONE_WAIT if mode == "rw" else BUSY_SECONDS
            # The pool gives a connection to one thread at a time.
            connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.create_function("ieee754_from_blob", 1, _float_from_blob, deterministic=True)
            return connection

        # The writer keeps its connection: closing the last one folds the write-ahead log into the file each time.
        engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool if mode == "rw" else NullPool)
        # The driver would begin a transaction only before the first write, too late to keep another writer out.
        event.listen(engine, "begin", self._begin_writing if mode == "rw" else lambda c: c.exec_driver_sql("BEGIN"))
        return engine

    def _begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that keeps all other writers out, as soon as there is none."""
        options = connection.get_execution_options()
        patience = options["patience"]
        begun = said = time.monotonic()
        while not _begun(connection):
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
            StoreError: there is, and it is not a results database of this version.
        """
        if self.path is not None and not _is_sqlite_file(self.path, self.name):
            return False
        with self.reading() as connection:
            return self._version(connection) is not None

    def create(self) -> None:
        """Make the tables, unless they are there.

        Raises:
            StoreError: they cannot be made.
        """
        if self.exists():
            return
        if self.path is None:
            self._make_tables_inside()
            return
        # Made aside and linked into place whole: nobody ever sees half a database, nor makes it twice.
        part = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _make_file(part)
            os.link(part, self.path)
        except FileExistsError:
            if self.path.stat().st_size == 0:
                part.replace(self.path)
            else:
                self._make_tables_inside()
        except (OSError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StoreError(f"database {self.name}: cannot be created: {reason(cause)}") from error
        finally:
            part.unlink(missing_ok=True)

    def _make_tables_inside(self) -> None:
        """Make the tables in a database that is there, unless somebody else just did."""
        with self.writing() as connection:
            if self._version(connection) is None:
                _make_tables(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that cannot write.

        Raises:
            StoreError: with what the database said.
        """
        with self._explained(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[Connection]:
        """One transaction, committed at the end of the body, rolled back if that raises. Ctrl-C is put off to its end.

        Args:
            patience: how many seconds to wait for another writer; for as long as is usual if None.

        Raises:
            StoreError: with what the database said; nothing of the body is kept.
        """
        with self._explained(), deferred() as interrupts:
            engine = self._engine.execution_options(patience=patience, interrupts=interrupts)
            with engine.begin() as connection:
                self._check_file()
                if connection.dialect.name == "postgresql" and inspect(connection).has_table("run"):
                    connection.execute(text("LOCK TABLE run IN EXCLUSIVE MODE"))
                yield connection

    def _check_file(self) -> None:
        """Refuse to write to a file that is no longer there: the system would keep it, nameless, until the process ends."""
        if self.path is None:
            return
        try:
            status = self.path.stat()
        except OSError:
            status = None
        file = status and (status.st_dev, status.st_ino)
        self._file = self._file or file
        if file is None or file != self._file:
            raise StoreError(f"database {self.name}: was removed or replaced while it was in use; run the same command again")

    def close(self) -> None:
        """Give back the connections."""
        # The last to leave clears away the write-ahead log, which a reader cannot.
        self._reader.dispose()
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"database {self.name}: {reason(error.orig)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"database {self.name}: {error}") from error

    def _version(self, connection: Connection) -> str | None:
        tables = set(inspect(connection).get_table_names())
        if schema_version.name not in tables:
            if tables and self._is_sqlite:
                shown = ", ".join(sorted(tables)[:3])
                raise StoreError(f"database {self.name}: belongs to another program (its tables: {shown}); name another file")
            return None
        version = connection.execute(select(schema_version.c.version_num)).scalar_one_or_none()
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"database {self.name}: has schema {version}, and this version of runner reads schema {SCHEMA_VERSION}; "
                "use the version of runner that wrote it, or name another file"
            )
        return str(version)


def _begun(connection: Connection) -> bool:
    """Try to begin a transaction; whether there is no other writer."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if is_busy(error.orig):
            return False
        raise
    return True


def _url(name: str) -> Any:
    if "://" not in name:
        return make_url("sqlite://").set(database=str(Path(name)))
    try:
        return make_url(name)
    except ArgumentError as error:
        raise StoreError(f"database {name}: is neither a path nor a database URL such as postgresql://host/name") from error


def _server_engine(name: str, url: Any) -> Engine:
    try:
        return create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        raise StoreError(f"database {name}: its driver is not installed: {error}") from error


def _is_sqlite_file(path: Path, name: str) -> bool:
    try:
        with path.open("rb") as file:
            header = file.read(len(SQLITE_HEADER))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"database {name}: cannot be read: {error.strerror}") from error
    if header and header != SQLITE_HEADER:
        raise StoreError(f"database {name}: is not an SQLite database; name another file")
    return bool(header)


def _make_file(path: Path) -> None:
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    try:
        with engine.begin() as opened:
            # Nobody knows the file yet, so it is enough to wait for the disk once, at the end, and not after each table.
            for command in (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "BEGIN"):
                opened.exec_driver_sql(command)
            _make_tables(opened)
    finally:
        engine.dispose()
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    views = dict(VIEWS)
    if connection.dialect.name == "sqlite":
        views["steps"] = SQLITE_STEPS_VIEW
    for name, query in views.items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))
    connection.execute(schema_version.insert().values(version_num=SCHEMA_VERSION))


def _float_from_blob(blob: bytes | None) -> float | None:
    return struct.unpack(">d", blob)[0] if blob is not None and len(blob) == 8 else None

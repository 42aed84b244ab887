"""SQL statements that users write. They can only read, within limits of time, rows and bytes."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from runner.errors import QueryError
from runner.store.connection import Database
from runner.tables.frame import Column, ColumnKind, Frame, html_with_notes, shortened

MOST_SECONDS = 1_000_000
"""The longest time limit, in seconds. PostgreSQL counts no further than 2³¹ milliseconds."""
GRACE_SECONDS = 0.5
"""The grace period, in seconds, for a query to notice that its time is up."""
LARGEST_ANSWER = 2**28
"""The largest number of bytes of all texts and blobs of an answer."""
LARGEST_VALUE = 2**24
"""The largest number of bytes of one value in SQLite. A chunk of a trajectory is much smaller."""
LONGEST_PATTERN = 1000
"""The largest number of bytes of a pattern of LIKE or GLOB. SQLite may compare a pattern with every place of a value."""
INSTRUCTIONS_BETWEEN_CHECKS = 10_000
"""The number of SQLite's instructions after which it checks whether the time is up."""
ROWS_AT_ONCE = 100
"""The number of rows that are requested from a server at a time. Requested rows arrive even if they are no longer needed."""
READING_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
READING_PRAGMAS = {"table_info", "table_xinfo", "table_list"}
REFUSED_FUNCTIONS = {"load_extension"}
REFUSAL_WORDS = ("one statement", "not authorized")
QUERY_ERRORS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH)
"""SQLite's codes for errors that the query causes."""
QUERY_CANCELED, READ_ONLY_TRANSACTION, SYNTAX_ERROR = "57014", "25006", "42601"
"""PostgreSQL's codes for errors."""
ALLOWED = "one SELECT over the views runs, steps, parameters and experiments is allowed, and nothing that writes"
Rows = tuple[list[str], list[Any]]
"""The names of the columns, and the rows."""
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Answer:
    """The answer to an SQL query.

    Attributes:
        frame: the rows.
        more: whether the query has more rows than the limit.
    """

    frame: Frame
    more: bool

    def __repr__(self) -> str:
        return "\n".join([*self._notes(), repr(self.frame)])

    def _repr_html_(self) -> str:
        """Return the answer as HTML for notebooks; every text in it is escaped."""
        return html_with_notes(self._notes(), self.frame)

    def _notes(self) -> list[str]:
        return [f"only the first {len(self.frame):,} rows; limit= gives more"] if self.more else []


class _TimeIsUp(Exception):
    """SQLite stopped a query because its time is up."""


def answer_sql(database: Database, text: str, limit: int, seconds: float) -> Answer:
    """Return the answer to a query.

    Args:
        database: the database.
        text: one statement that only reads.
        limit: the largest number of rows.
        seconds: the largest number of seconds, at most `MOST_SECONDS`.

    Raises:
        QueryError: the query is wrong, takes too long, or does more than read; or the number of seconds is out of bounds.
        StoreError: the database cannot be read.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise QueryError(f"seconds: must be a number > 0 and <= {MOST_SECONDS:,}, not {seconds!r}")
    if database.path is None:
        with database.reading() as connection:
            names, rows = _answer_from_postgresql(connection, text, limit, seconds)
    else:
        end = time.monotonic() + seconds

        def answer(is_abandoned: Callable[[], bool]) -> Rows:
            with database.reading() as connection:
                return _answer_from_sqlite(connection, text, limit, lambda: is_abandoned() or time.monotonic() > end)

        try:
            names, rows = _within_time(answer, seconds)
        except (TimeoutError, _TimeIsUp) as error:
            raise _timeout_error(seconds) from error
    if not names:
        raise QueryError(f"SQL: {shortened(text)!r} returns no rows: {ALLOWED}")
    return Answer(_frame(names, rows[:limit]), len(rows) > limit)


def _within_time(function: Callable[[Callable[[], bool]], T], seconds: float) -> T:
    """Call a function in a thread, and return its result, or abandon the call when its time is up.

    A thread is needed because SQLite checks no clock within one call of a function such as `instr`, however long the call takes.
    Ctrl-C interrupts the waiting at once.

    Args:
        function: the function. Its argument is a function that returns True once the call has been abandoned.
        seconds: the number of seconds to wait.

    Raises:
        TimeoutError: the call took longer.
    """
    abandoned = threading.Event()
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(function(abandoned.is_set))
        except BaseException as error:
            result.set_exception(error)

    # A daemon thread does not keep the program from ending.
    threading.Thread(target=work, name="SQL", daemon=True).start()
    try:
        return result.result(seconds + GRACE_SECONDS)
    finally:
        abandoned.set()


def _answer_from_sqlite(connection: Connection, text: str, limit: int, is_over: Callable[[], bool]) -> Rows:
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    raw.set_authorizer(_authorize)
    raw.set_progress_handler(is_over, INSTRUCTIONS_BETWEEN_CHECKS)
    raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    raw.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)
    try:
        cursor = raw.execute(text)
        return [column[0] for column in cursor.description or ()], _fetched(cursor, limit)
    except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeEncodeError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise _TimeIsUp from error
        if code == sqlite3.SQLITE_AUTH or any(words in str(error) for words in REFUSAL_WORDS):
            raise QueryError(f"SQL: {str(error).rstrip('.')}: {ALLOWED}") from error
        if code is None or code & 0xFF in QUERY_ERRORS:
            raise QueryError(f"SQL: {error}") from error
        # Other errors come from the database.
        raise DBAPIError.instance(text, None, error, sqlite3.Error) from error
    finally:
        raw.set_authorizer(None)
        raw.set_progress_handler(None, 0)


def _authorize(action: int, first: str | None, second: str | None, schema: str | None, inside: str | None) -> int:
    """Return whether an action of a statement is allowed. SQLite calls this before it runs the statement."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second in REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if first in READING_PRAGMAS else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READING_ACTIONS else sqlite3.SQLITE_DENY


def _answer_from_postgresql(connection: Connection, text: str, limit: int, seconds: float) -> Rows:
    """Answer a query through a cursor in a read-only transaction. PostgreSQL declares cursors only for queries that read."""
    raw: Any = connection.connection.driver_connection
    end = time.monotonic() + seconds
    try:
        with raw.cursor() as cursor:
            cursor.execute(_time_limit(end, seconds))
            # PostgreSQL prepares one statement only.
            cursor.execute(f"DECLARE answer NO SCROLL CURSOR FOR {text}".encode(), prepare=True)
            cursor.execute("FETCH 0 FROM answer")
            names = [column.name for column in cursor.description or ()]
            with closing(_postgresql_rows(cursor, limit, end, seconds)) as rows:
                return names, _fetched(rows, limit)
    except connection.dialect.loaded_dbapi.Error as error:
        state = getattr(error, "sqlstate", None)
        if state == QUERY_CANCELED:
            raise _timeout_error(seconds) from error
        hint = f": {ALLOWED}" if state in (READ_ONLY_TRANSACTION, SYNTAX_ERROR) else ""
        first_line = str(error).strip().partition("\n")[0]
        raise QueryError(f"SQL: {first_line}{hint}") from error
    finally:
        connection.rollback()


def _postgresql_rows(cursor: Any, limit: int, end: float, seconds: float) -> Generator[Any, None, None]:
    """Yield the rows of the cursor, at most one more than the limit, without holding many of them in memory."""
    for first in range(0, limit + 1, ROWS_AT_ONCE):
        cursor.execute(_time_limit(end, seconds))
        requested = min(ROWS_AT_ONCE, limit + 1 - first)
        received = 0
        with closing(cursor.stream(f"FETCH {requested} FROM answer")) as rows:
            for row in rows:
                received += 1
                yield row
        if received < requested:
            return


def _time_limit(end: float, seconds: float) -> str:
    """Return the command that limits the next statement to the time that is left.

    Raises:
        QueryError: no time is left.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise _timeout_error(seconds)
    return f"SET LOCAL statement_timeout = {max(1, int(1000 * left))}"


def _timeout_error(seconds: float) -> QueryError:
    return QueryError(f"SQL: takes longer than {seconds:g} s; query less data, or allow more time")


def _fetched(rows: Iterable[Any], limit: int) -> list[Any]:
    """Return rows, at most one more than the limit.

    Raises:
        QueryError: their texts and blobs have more than `LARGEST_ANSWER` bytes.
    """
    fetched = []
    size = 0
    for row in itertools.islice(rows, limit + 1):
        fetched.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > LARGEST_ANSWER:
            raise QueryError(f"SQL: returns more than {LARGEST_ANSWER // 2**20} MiB; query less data, or use `runner export`")
    return fetched


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Frame:
    """Return rows as a table whose columns have the narrowest kinds that hold their values.

    If an earlier column has the same name, a number is appended to the name.
    """
    kinds: list[tuple[set[type], ColumnKind]] = [({bool}, "truth"), ({int}, "integer"), ({int, float}, "number")]
    columns: dict[str, Column] = {}
    for name, values in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True):
        unique, number = name, 1
        while unique in columns:
            number += 1
            unique = f"{name}_{number}"
        types = {type(value) for value in values} - {type(None)}
        kind: ColumnKind = next((kind for allowed, kind in kinds if types and types <= allowed), "text")
        held = list(values)
        if kind == "number":
            held = [None if value is None else float(value) for value in values]
        elif kind == "text":
            held = [_text(value) for value in values]
        columns[unique] = Column(unique, kind, held)
    return Frame(list(columns.values()))


def _text(value: Any) -> str | None:
    """Return a value as text, bytes in hexadecimal."""
    if isinstance(value, bytes | memoryview):
        return value.hex()
    return None if value is None else repr(value) if isinstance(value, float) else str(value)

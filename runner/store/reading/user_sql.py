"""SQL that users write: it may read, and nothing else, for so long and so many rows."""

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

READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
DESCRIBING = {"table_info", "table_xinfo", "table_list"}
REFUSED_FUNCTIONS = {"load_extension"}
STEPS_BETWEEN_LOOKS = 10_000
LARGEST_VALUE = 2**24
"""Bytes of one value: a chunk of a trajectory fits many times."""
LARGEST_ANSWER = 2**28
"""Bytes of all texts and blobs of an answer."""
LONGEST_PATTERN = 1000
"""Bytes of a pattern of LIKE or GLOB, which may be compared with every place of a value."""
MOST_SECONDS = 1_000_000
"""PostgreSQL counts no further than 2³¹ milliseconds."""
ROWS_AT_ONCE = 100
"""So many rows a server is asked for at a time: those that are on their way must come, though nobody wants them any more."""
ALLOWED = "one SELECT over the views runs, steps, parameters and experiments is allowed, and nothing that writes"
REFUSALS = ("one statement", "not authorized")
Rows = tuple[list[str], list[Any]]
"""The columns' names, and the rows."""
WRONG = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH)


class _TooLong(Exception):
    """The clock said so."""


@dataclass(frozen=True, repr=False)
class Answer:
    """What a query answers.

    Attributes:
        frame: the rows.
        more: whether there would be more.
    """

    frame: Frame
    more: bool

    def __repr__(self) -> str:
        return "\n".join([*self._notes(), repr(self.frame)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows; every text in it is escaped."""
        return html_with_notes(self._notes(), self.frame)

    def _notes(self) -> list[str]:
        return [f"only the first {len(self.frame):,} rows; limit= gives more"] if self.more else []


def ask_sql(database: Database, text: str, limit: int, seconds: float) -> Answer:
    """Answer a query.

    Args:
        database: where.
        text: one statement that only reads.
        limit: how many rows at most.
        seconds: how long it may take, at most `MOST_SECONDS`.

    Raises:
        QueryError: it is wrong, takes too long, or would do more than read.
        StoreError: the database cannot be read.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise QueryError(f"seconds: must be a number > 0 and <= {MOST_SECONDS:,}, not {seconds!r}")
    ask = _ask_server if database.path is None else _ask_file
    names, rows = ask(database, text, limit, seconds)
    if not names:
        raise QueryError(f"SQL: {shortened(text)!r} asks for no rows: {ALLOWED}")
    return Answer(_frame(names, rows[:limit]), len(rows) > limit)


def _ask_file(database: Database, text: str, limit: int, seconds: float) -> Rows:
    end = time.monotonic() + seconds

    def ask(is_left: Callable[[], bool]) -> Rows:
        with database.reading() as connection:
            return _ask_sqlite(connection, text, limit, lambda: is_left() or time.monotonic() > end)

    try:
        return in_time(ask, seconds)
    except (TimeoutError, _TooLong) as error:
        raise _late(seconds) from error


def _ask_sqlite(connection: Connection, text: str, limit: int, is_over: Callable[[], bool]) -> Rows:
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    raw.set_authorizer(_may)
    raw.set_progress_handler(is_over, STEPS_BETWEEN_LOOKS)
    raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    raw.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)
    try:
        cursor = raw.execute(text)
        return [column[0] for column in cursor.description or ()], _fetched(cursor, limit)
    except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeEncodeError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise _TooLong from error
        if code == sqlite3.SQLITE_AUTH or any(words in str(error) for words in REFUSALS):
            raise QueryError(f"SQL: {str(error).rstrip('.')}: {ALLOWED}") from error
        if code is None or code & 0xFF in WRONG:
            raise QueryError(f"SQL: {error}") from error
        # Anything else is not the query's fault.
        raise DBAPIError.instance(text, None, error, sqlite3.Error) from error
    finally:
        raw.set_authorizer(None)
        raw.set_progress_handler(None, 0)


def _fetched(rows: Iterable[Any], limit: int) -> list[Any]:
    """Return rows, one more than the limit if there are more."""
    fetched = []
    size = 0
    for row in itertools.islice(rows, limit + 1):
        fetched.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > LARGEST_ANSWER:
            raise QueryError(f"SQL: answers more than {LARGEST_ANSWER // 2**20} MiB; ask for less, or use `runner export`")
    return fetched


def _may(action: int, first: str | None, second: str | None, schema: str | None, inside: str | None) -> int:
    """What SQLite asks before it prepares a statement."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second in REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if first in DESCRIBING else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY


def _ask_server(database: Database, text: str, limit: int, seconds: float) -> Rows:
    with database.reading() as connection:
        return _ask_postgresql(connection, text, limit, seconds)


def _ask_postgresql(connection: Connection, text: str, limit: int, seconds: float) -> Rows:
    """Ask PostgreSQL, as a cursor in its read-only transaction: only what only reads can be one."""
    raw: Any = connection.connection.driver_connection
    end = time.monotonic() + seconds
    try:
        with raw.cursor() as cursor:
            cursor.execute(_allowing(end, seconds))
            # Prepared, for then it must be one statement.
            cursor.execute(f"DECLARE asked NO SCROLL CURSOR FOR {text}".encode(), prepare=True)
            cursor.execute("FETCH 0 FROM asked")
            names = [column.name for column in cursor.description or ()]
            with closing(_server_rows(cursor, limit, end, seconds)) as rows:
                return names, _fetched(rows, limit)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _server_refusal(error, seconds) from error
    finally:
        connection.rollback()


def _server_rows(cursor: Any, limit: int, end: float, seconds: float) -> Generator[Any, None, None]:
    """Give rows, one more than the limit if there are more; one at a time is on this side, and some on their way."""
    for first in range(0, limit + 1, ROWS_AT_ONCE):
        cursor.execute(_allowing(end, seconds))
        wanted = min(ROWS_AT_ONCE, limit + 1 - first)
        came = 0
        with closing(cursor.stream(f"FETCH {wanted} FROM asked")) as rows:
            for row in rows:
                came += 1
                yield row
        if came < wanted:
            return


def _allowing(end: float, seconds: float) -> str:
    """Return the command that leaves a statement the time to an end.

    Raises:
        QueryError: there is none left.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise _late(seconds)
    return f"SET LOCAL statement_timeout = {max(1, int(1000 * left))}"


def _late(seconds: float) -> QueryError:
    return QueryError(f"SQL: takes longer than {seconds:g} s; ask for less, or allow more time")


def _server_refusal(error: BaseException, seconds: float) -> QueryError:
    reason = str(error).strip().partition("\n")[0]
    state = getattr(error, "sqlstate", None)
    if state == "57014":
        return _late(seconds)
    hint = f": {ALLOWED}" if state in ("25006", "42601") else ""
    return QueryError(f"SQL: {reason}{hint}")


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Frame:
    columns: dict[str, Column] = {}
    values = zip(*rows, strict=True) if rows else iter([()] * len(names))
    for name, column in zip(names, values, strict=True):
        unique, number = name, 1
        while unique in columns:
            number += 1
            unique = f"{name}_{number}"
        columns[unique] = _column(unique, list(column))
    return Frame(list(columns.values()))


def _column(name: str, values: list[Any]) -> Column:
    """Return a column of the narrowest kind that holds its values; bytes are written in hexadecimal."""
    types = {type(value) for value in values} - {type(None)}
    kinds: list[tuple[set[type], ColumnKind]] = [({bool}, "truth"), ({int}, "integer"), ({int, float}, "number")]
    for allowed, kind in kinds:
        if types and types <= allowed:
            return Column(
                name, kind, [None if value is None else float(value) for value in values] if kind == "number" else values
            )
    return Column(name, "text", [value.hex() if isinstance(value, bytes | memoryview) else _text(value) for value in values])


def _text(value: Any) -> str | None:
    return None if value is None else repr(value) if isinstance(value, float) else str(value)


T = TypeVar("T")
GRACE = 0.5
"""So many seconds has who looks at the clock to end by itself."""


def in_time(ask: Callable[[Callable[[], bool]], T], seconds: float) -> T:
    """Return what a function returns, and leave it to itself when it takes longer.

    SQLite looks at no clock within one call of a function such as `instr`, however long that takes; so who asks does, in another
    thread. Ctrl-C is heard at once for the same reason.

    Args:
        ask: is given a function that says whether nobody waits for it any more, and ends as soon as it learns that.
        seconds: how long to wait.

    Raises:
        TimeoutError: it took longer.
    """
    left = threading.Event()
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask(left.is_set))
        except BaseException as error:
            answer.set_exception(error)

    # The program does not wait for it when it ends.
    threading.Thread(target=work, name="SQL", daemon=True).start()
    try:
        return answer.result(seconds + GRACE)
    finally:
        left.set()

"""What a database is and holds, in short; and making it smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from runner.store import schema
from runner.store.connection import Database
from runner.store.schema import check_columns
from runner.store.writing.workers import described


@dataclass(frozen=True)
class Facts:
    """What is known of a database without looking into its trajectories.

    Attributes:
        name: the path or URL.
        system: SQLite or PostgreSQL, with its version.
        schema: the version of its layout.
        outdated: what to do about an older one; None where there is nothing to do.
        bytes: its size on disk, the write-ahead log too.
        free_bytes: what `vacuum` would give back, at least; None on a server.
        experiments: how many.
        runs: how many that are current.
        superseded: how many that are not.
        iterates: how many are stored, of both.
        first_run_at: when the first of them was stored, in seconds since 1970; None if there is none.
        last_run_at: when the last was.
        at_work: the processes that are computing, in words.
    """

    name: str
    system: str
    schema: str
    outdated: str | None
    bytes: int
    free_bytes: int | None
    experiments: int
    runs: int
    superseded: int
    iterates: int
    first_run_at: float | None
    last_run_at: float | None
    at_work: tuple[str, ...]


def facts(database: Database) -> Facts:
    """Return what a database is and holds.

    Raises:
        StoreError: it cannot be read.
    """
    run, chunk = schema.run, schema.chunk
    with database.reading() as connection:
        runs, superseded, first, last = connection.execute(
            select(func.count(), func.count(run.c.superseded_by), func.min(run.c.finished_at), func.max(run.c.finished_at))
        ).one()
        check_columns([(run.c.finished_at, [first, last] if runs else [])])
        size, free = _sizes(database, connection)
        return Facts(
            name=database.name,
            system=_system(connection),
            schema=str(database.schema),
            outdated=database.outdated,
            bytes=size,
            free_bytes=free,
            experiments=_number(connection, select(func.count()).select_from(schema.experiment)),
            runs=runs - superseded,
            superseded=superseded,
            iterates=_number(connection, select(func.coalesce(func.sum(chunk.c.count), 0))),
            first_run_at=first,
            last_run_at=last,
            at_work=tuple(described(connection)),
        )


def vacuum(database: Database) -> tuple[int, int]:
    """Give the room of what was deleted back to the disk; return the size before and after.

    Raises:
        StoreError: the database cannot be written; it is as it was.
    """
    with database.reading() as connection:
        before, _ = _sizes(database, connection)
    with database.outside_transactions() as connection:
        if database.path is None:
            for table in schema.metadata.sorted_tables:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {table.name}"))
        else:
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    with database.reading() as connection:
        after, _ = _sizes(database, connection)
    return before, after


def _sizes(database: Database, connection: Connection) -> tuple[int, int | None]:
    """Return how many bytes a database takes, and how many of them are free within."""
    if database.path is None:
        tables = ", ".join(f"'{table.name}'" for table in schema.metadata.sorted_tables)
        query = f"SELECT coalesce(sum(pg_total_relation_size(c::regclass)), 0) FROM unnest(ARRAY[{tables}]) AS c"
        return _number(connection, text(query)), None
    log = database.path.with_name(f"{database.path.name}-wal")
    size = database.path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    return size, _number(connection, text("PRAGMA freelist_count")) * _number(connection, text("PRAGMA page_size"))


def _system(connection: Connection) -> str:
    version = ".".join(map(str, connection.dialect.server_version_info or ()))
    return f"{'PostgreSQL' if connection.dialect.name == 'postgresql' else 'SQLite'} {version}"


def _number(connection: Connection, query: Any) -> int:
    return int(connection.execute(query).scalar_one())

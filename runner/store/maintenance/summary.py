"""A summary of a database, and the release of its unused space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from runner.store import schema
from runner.store.connection import Database
from runner.store.schema import check_columns
from runner.store.writing.workers import worker_names


@dataclass(frozen=True)
class Facts:
    """A summary of a database, made without reading its trajectories.

    Attributes:
        name: the path or URL.
        system: SQLite or PostgreSQL, with its version.
        schema: the version of its layout.
        outdated: the warning that its schema is older than the current one; None otherwise.
        bytes: its size on disk, with the write-ahead log.
        free_bytes: the number of bytes that `vacuum` would release at least; None on a server.
        experiments: the number of experiments.
        runs: the number of current runs.
        superseded: the number of superseded runs.
        iterates: the number of stored iterates, of current and superseded runs.
        first_run_at: the time when the first run was stored, in seconds since 1970; None if there are no runs.
        last_run_at: the time when the last run was stored.
        at_work: the names of the processes that are computing.
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
    """Return a summary of a database.

    Raises:
        StoreError: the database cannot be read.
    """
    run, chunk = schema.run, schema.chunk
    with database.reading() as connection:
        runs, superseded, first, last = connection.execute(
            select(func.count(), func.count(run.c.superseded_by), func.min(run.c.finished_at), func.max(run.c.finished_at))
        ).one()
        check_columns([(run.c.finished_at, [first, last] if runs else [])])
        size, free = _sizes(database, connection)
        version = ".".join(map(str, connection.dialect.server_version_info or ()))
        return Facts(
            name=database.name,
            system=f"{'PostgreSQL' if connection.dialect.name == 'postgresql' else 'SQLite'} {version}",
            schema=str(database.schema),
            outdated=database.outdated,
            bytes=size,
            free_bytes=free,
            experiments=_integer(connection, select(func.count()).select_from(schema.experiment)),
            runs=runs - superseded,
            superseded=superseded,
            iterates=_integer(connection, select(func.coalesce(func.sum(chunk.c.count), 0))),
            first_run_at=first,
            last_run_at=last,
            at_work=tuple(worker_names(connection)),
        )


def vacuum(database: Database) -> tuple[int, int]:
    """Release the space of deleted rows to the disk; return the size in bytes before and after.

    Raises:
        StoreError: the database cannot be written; it is unchanged then.
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
    """Return the size of a database in bytes, and the number of unused bytes in it; None for the latter on a server."""
    if database.path is None:
        tables = ", ".join(f"'{table.name}'" for table in schema.metadata.sorted_tables)
        query = f"SELECT coalesce(sum(pg_total_relation_size(c::regclass)), 0) FROM unnest(ARRAY[{tables}]) AS c"
        return _integer(connection, text(query)), None
    log = database.path.with_name(f"{database.path.name}-wal")
    size = database.path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    return size, _integer(connection, text("PRAGMA freelist_count")) * _integer(connection, text("PRAGMA page_size"))


def _integer(connection: Connection, query: Any) -> int:
    return int(connection.execute(query).scalar_one())

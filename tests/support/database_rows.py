"""Rows of a database on either system: read exactly, counted and changed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import text

from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.connection import Database
from runner.store.schema import metadata
from runner.store.verifying.verify import verify
from runner.store.writing.recording import Store
from tests.support.databases import Watcher

TABLES = [table.name for table in metadata.sorted_tables if table.name not in ("worker", "claim", "runner_schema")]


def run_into(path: Path, name: str, **choices: bool) -> tuple[int, int]:
    """Run an experiment into a database; return the number of runs in its grid and of runs computed."""
    store, catalogue, watcher, wanted = Store(name), Registry(), Watcher(), Choices(**choices)
    plan = make_plan(read(path, catalogue, wanted), store, wanted)
    execute(plan, store, catalogue, wanted, watcher)
    store.close()
    return len(plan.runs), len(watcher.saved_runs)


def rows(name: str, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of some tables; NaN and −0.0 are distinguished."""
    with closing(Database(name)) as database, database.reading() as connection:
        found = {}
        for table in map(metadata.tables.__getitem__, tables or TABLES):
            columns = ", ".join(column.name for column in table.columns)
            order = ", ".join(column.name for column in table.primary_key)
            told = connection.execute(text(f"SELECT {columns} FROM {table.name} ORDER BY {order}"))
            found[table.name] = [tuple(map(exact, row)) for row in told]
    return found


def exact(value: object) -> object:
    if isinstance(value, float):
        return value.hex()
    return int(value) if isinstance(value, bool) else value


def problems(name: str) -> list[str]:
    with closing(Database(name)) as database:
        return [problem for check in verify(database) for problem in check.problems]


def change(name: str, command: str, **values: object) -> None:
    with closing(Database(name)) as database, database.writing() as connection:
        connection.execute(text(command), values)


def counts(name: str) -> dict[str, int]:
    return {table: len(found) for table, found in rows(name).items()}

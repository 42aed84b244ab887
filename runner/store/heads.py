"""Which runs' trajectories to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection

from runner.errors import QueryError
from runner.records import RunHead
from runner.store import schema
from runner.store.answer_columns import LOOKUP
from runner.store.asking import Question, run_query
from runner.store.connection import Database
from runner.store.one_run import find_run
from runner.store.run_columns import among, fetched

COLUMNS = tuple(schema.run.c[field.name] for field in fields(RunHead))


def read_heads(database: Database, runs: Sequence[int | str]) -> list[RunHead]:
    """Return runs, in the order given.

    Args:
        database: where they are.
        runs: row numbers, or beginnings of identities.

    Raises:
        QueryError: there is no such run, or several begin so.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        numbers = [each if isinstance(each, int) else find_run(connection, each, database.name) for each in runs]
        found: dict[int, RunHead] = {}
        for first in range(0, len(numbers), LOOKUP):
            query = f"SELECT {', '.join(column.name for column in COLUMNS)} FROM run WHERE "
            rows = fetched(connection, query + among("id", numbers[first : first + LOOKUP]))
            # SQLite has no truth values.
            found.update({row[0]: RunHead(*row[:-2], *map(bool, row[-2:])) for row in rows})
        return [found[number] if number in found else _refuse(connection, number, database) for number in numbers]


def _refuse(connection: Connection, number: int, database: Database) -> RunHead:
    find_run(connection, number, database.name)
    raise QueryError(f"database {database.name}: run {number} was deleted while it was asked for")


def ask_heads(database: Database, question: Question) -> list[RunHead]:
    """Return the runs that a question is about.

    Raises:
        QueryError: the question names what is not there.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        query = run_query(connection, question).with_only_columns(*COLUMNS)
        return [RunHead(*row) for row in connection.execute(query)]

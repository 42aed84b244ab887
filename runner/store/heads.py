"""Which runs' trajectories to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from runner.records import RunHead
from runner.store import schema
from runner.store.asking import Question, run_query
from runner.store.domains import required
from runner.store.one_run import find_run
from runner.store.parameter_values import LOOKUP
from runner.store.run_columns import among, rows_of

TRUTH = {0: False, 1: True}
"""SQLite has no truth values."""
COLUMNS = tuple(schema.run.c[name] for name in RunHead._fields)


def read_heads(connection: Connection, wanted: Question | Sequence[int | str], database: str) -> list[RunHead]:
    """Return runs.

    Args:
        connection: to the database.
        wanted: a question; or row numbers and beginnings of identities, which are answered in their order.
        database: its name, for messages.

    Raises:
        QueryError: there is no such run, several begin so, or the question names what is not there.
    """
    if isinstance(wanted, Question):
        numbers = list(connection.execute(run_query(connection, wanted).with_only_columns(schema.run.c.id)).scalars())
    else:
        numbers = [each if isinstance(each, int) else find_run(connection, each, database) for each in wanted]
    found = {}
    for first in range(0, len(numbers), LOOKUP):
        found.update(_heads(connection, numbers[first : first + LOOKUP]))
    for number in numbers:
        if number not in found:
            find_run(connection, number, database)
    return [found[number] for number in numbers]


def _heads(connection: Connection, numbers: Sequence[int]) -> dict[int, RunHead]:
    query = f"SELECT {', '.join(column.name for column in COLUMNS)} FROM run WHERE "
    heads = required(COLUMNS, (_head(row) for row in rows_of(connection, query + among("id", numbers))))
    return {head.id: head for head in heads}


def _head(row: tuple[Any, ...]) -> RunHead:
    number, identity, outcome, steps, dimension, records_x, records_gradient = row
    x, gradient = TRUTH.get(records_x, records_x), TRUTH.get(records_gradient, records_gradient)
    return RunHead(number, identity, outcome, steps, dimension, x, gradient)

"""Questions about runs and experiments, answered as tables; nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from runner.frames import Column, ColumnKind, Frame
from runner.outcomes import OUTCOMES
from runner.store import schema
from runner.store.connection import Database
from runner.store.run_columns import RUN_COLUMNS, RunColumn, from_class, joined

_EXPERIMENT_KINDS: dict[str, ColumnKind] = {
    "id": "integer",
    "name": "text",
    "description": "text",
    "created_at": "number",
    "last_run_at": "number",
}


def ask_experiments(database: Database) -> Frame:
    """Return every experiment, the latest last, with how many runs it has and how many of them ended how.

    Raises:
        StoreError: the database cannot be read.
    """
    experiment, member, run = schema.experiment, schema.experiment_run, schema.run
    counted = (
        select(member.c.experiment_id, run.c.outcome, func.count())
        .join(run, run.c.id == member.c.run_id)
        .group_by(member.c.experiment_id, run.c.outcome)
    )
    with database.reading() as connection:
        order = (experiment.c.last_run_at, experiment.c.id)
        rows = connection.execute(select(*(experiment.c[name] for name in _EXPERIMENT_KINDS)).order_by(*order)).all()
        counts: dict[int, dict[str, int]] = defaultdict(dict)
        for number, outcome, count in connection.execute(counted):
            counts[number][outcome] = count
    columns = [Column(name, kind, [row[place] for row in rows]) for place, (name, kind) in enumerate(_EXPERIMENT_KINDS.items())]
    columns.append(Column("runs", "integer", [sum(counts[row.id].values()) for row in rows]))
    return Frame(columns + [Column(each, "integer", [counts[row.id].get(each, 0) for row in rows]) for each in OUTCOMES])


def ask_runs(database: Database, names: Sequence[str], limit: int | None) -> Frame:
    """Return runs, by their row numbers.

    Args:
        database: where they are.
        names: which columns.
        limit: how many at most; all if None.

    Raises:
        StoreError: the database cannot be read.
    """
    wanted = {name: RUN_COLUMNS[name] for name in names}
    expressions: list[Any] = []
    for column in wanted.values():
        expressions += [column.expression] if column.number_class is None else [column.expression, column.number_class]
    query = select(*expressions).select_from(joined()).where(schema.run.c.superseded_by.is_(None))
    with database.reading() as connection:
        rows = connection.execute(query.order_by(schema.run.c.id).limit(limit)).all()
    values = zip(*rows, strict=True) if rows else iter([()] * len(expressions))
    return Frame([Column(name, column.kind, _values(column, values)) for name, column in wanted.items()])


def _values(column: RunColumn, values: Any) -> list[Any]:
    """Take what belongs to a column from the columns of the answer."""
    numbers = list(next(values))
    return numbers if column.number_class is None else list(map(from_class, numbers, next(values)))

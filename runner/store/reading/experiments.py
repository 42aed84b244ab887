"""The table of experiments, and the lookup of an experiment by its key."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from runner.contracts.outcomes import OUTCOMES
from runner.errors import QueryError
from runner.store import schema
from runner.store.connection import Database
from runner.store.schema import checked_rows
from runner.tables.frame import Column, ColumnKind, Frame, shortened

COLUMN_KINDS: dict[str, ColumnKind] = {
    "id": "integer",
    "name": "text",
    "description": "text",
    "created_at": "number",
    "last_run_at": "number",
}


@dataclass(frozen=True)
class ExperimentKey:
    """The row number and the name of an experiment.

    Attributes:
        id: its row number.
        name: its name.
    """

    id: int
    name: str


def read_experiments(database: Database) -> Frame:
    """Return all experiments, the latest last, each with the number of its runs and the number of runs with each outcome.

    Raises:
        StoreError: the database cannot be read.
    """
    experiment, member, run = schema.experiment, schema.experiment_run, schema.run
    columns = [experiment.c[name] for name in COLUMN_KINDS]
    counted = (
        select(member.c.experiment_id, run.c.outcome, func.count())
        .join(run, run.c.id == member.c.run_id)
        .group_by(member.c.experiment_id, run.c.outcome)
    )
    with database.reading() as connection:
        query = select(*columns).order_by(experiment.c.last_run_at, experiment.c.id)
        rows = checked_rows(columns, connection.execute(query))
        counts: dict[int, dict[str, int]] = defaultdict(dict)
        for number, outcome, count in connection.execute(counted):
            counts[number][outcome] = count
    table = [Column(name, kind, [row[place] for row in rows]) for place, (name, kind) in enumerate(COLUMN_KINDS.items())]
    table.append(Column("runs", "integer", [sum(counts[row[0]].values()) for row in rows]))
    return Frame(table + [Column(each, "integer", [counts[row[0]].get(each, 0) for row in rows]) for each in OUTCOMES])


def find_experiment(connection: Connection, key: int | str, database: str) -> ExperimentKey:
    """Return the experiment with a row number, or with a name. If several have the name, the one that was run last is returned.

    Raises:
        QueryError: no experiment has the key.
    """
    table = schema.experiment
    text = str(key)
    query = select(table.c.id, table.c.name).order_by(table.c.last_run_at.desc(), table.c.id.desc()).limit(1)
    # A text is first looked up as a name, because a name may consist of digits.
    found = None if isinstance(key, int) else connection.execute(query.where(table.c.name == text)).one_or_none()
    if found is None and text.isascii() and text.isdigit() and len(text) < len(str(2**63)):
        found = connection.execute(query.where(table.c.id == int(text))).one_or_none()
    if found is None:
        names = list(connection.execute(select(table.c.name).distinct().order_by(table.c.name)).scalars())
        close = difflib.get_close_matches(text, names, n=1)
        hint = f"did you mean {close[0]}?" if close else "`runner list` shows all experiments"
        raise QueryError(f"database {database}: holds no experiment {shortened(key) if isinstance(key, str) else key!r}; {hint}")
    return ExperimentKey(found.id, found.name)

"""Questions about experiments; nothing here writes."""

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

_KINDS: dict[str, ColumnKind] = {
    "id": "integer",
    "name": "text",
    "description": "text",
    "created_at": "number",
    "last_run_at": "number",
}


@dataclass(frozen=True)
class ExperimentKey:
    """Which experiment.

    Attributes:
        id: its row number.
        name: its name.
    """

    id: int
    name: str


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
        asked = [experiment.c[name] for name in _KINDS]
        rows = checked_rows(asked, connection.execute(select(*asked).order_by(*order)))
        counts: dict[int, dict[str, int]] = defaultdict(dict)
        for number, outcome, count in connection.execute(counted):
            counts[number][outcome] = count
    columns = [Column(name, kind, [row[place] for row in rows]) for place, (name, kind) in enumerate(_KINDS.items())]
    columns.append(Column("runs", "integer", [sum(counts[row[0]].values()) for row in rows]))
    return Frame(columns + [Column(each, "integer", [counts[row[0]].get(each, 0) for row in rows]) for each in OUTCOMES])


def find_experiment(connection: Connection, key: int | str, database: str) -> ExperimentKey:
    """Return the experiment of a row number, or the one of a name that was run last.

    Raises:
        QueryError: there is none.
    """
    table = schema.experiment
    text = str(key)
    query = select(table.c.id, table.c.name).order_by(table.c.last_run_at.desc(), table.c.id.desc()).limit(1)
    found = None if isinstance(key, int) else connection.execute(query.where(table.c.name == text)).one_or_none()
    if found is None and text.isascii() and text.isdigit() and len(text) < len(str(2**63)):
        found = connection.execute(query.where(table.c.id == int(text))).one_or_none()
    if found is None:
        raise no_experiment(connection, key, database)
    return ExperimentKey(found.id, found.name)


def no_experiment(connection: Connection, key: int | str, database: str) -> QueryError:
    """Return the error that there is no such experiment, with the name that comes closest."""
    table = schema.experiment
    names = list(connection.execute(select(table.c.name).distinct().order_by(table.c.name)).scalars())
    close = difflib.get_close_matches(str(key), names, n=1)
    hint = f"did you mean {close[0]}?" if close else "`runner list` shows what there is"
    return QueryError(f"database {database}: holds no experiment {shortened(key) if isinstance(key, str) else key!r}; {hint}")

"""Questions about runs, answered as tables; nothing here writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from runner.filters.sorting import Columns, Order
from runner.filters.syntax import Filter
from runner.frames import ColumnKind, Frame
from runner.store import schema
from runner.store.answer_columns import ParameterColumn, Wanted, columnar, expressions, frame_of, used_by, used_by_all
from runner.store.connection import Database
from runner.store.filtering import filtered
from runner.store.names import KINDS, Names, ParameterName
from runner.store.run_columns import RUN_COLUMNS, RunColumn, joined, run

MANY = "a run may belong to several experiments; ask for one with a filter"


@dataclass(frozen=True)
class Question:
    """Which runs, and what of them.

    Attributes:
        where: what must hold of them; nothing if None.
        sort: in which order; by row number if None.
        columns: which columns and parameters; all of them if None.
        limit: how many at most; all if None.
    """

    where: Filter | None = None
    sort: Order | None = None
    columns: Columns | None = None
    limit: int | None = None


def ask_runs(database: Database, question: Question) -> Frame:
    """Return runs, a row each.

    Raises:
        QueryError: the question names what is not there.
        StoreError: the database cannot be read.
    """
    with answers(database, question, None) as frames:
        return next(frames)


@contextmanager
def answers(database: Database, question: Question, portion: int | None) -> Iterator[Iterator[Frame]]:
    """Give runs as tables with the same columns, one after another, at least one.

    Args:
        database: where they are.
        question: which runs, and what of them.
        portion: how many runs a table has at most; all if None.

    Raises:
        QueryError: the question names what is not there.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        query = run_query(connection, question)
        if question.columns is not None:
            wanted = _named(connection, question.columns)
        elif portion is not None and (question.limit is None or question.limit > portion):
            wanted = {**RUN_COLUMNS, **used_by_all(connection, query)}
        else:
            yield iter([_whole(connection, query)])
            return
        yield _frames(connection, query, wanted, portion)


def _whole(connection: Connection, query: Select[Any]) -> Frame:
    """Return all columns of the runs of a query, and every parameter that they have."""
    result = connection.execute(query.add_columns(*expressions(RUN_COLUMNS)))
    answer = columnar(list(result.keys()), result.all())
    return frame_of(connection, answer, {**RUN_COLUMNS, **used_by(connection, answer)})


def _frames(connection: Connection, query: Select[Any], wanted: Wanted, portion: int | None) -> Iterator[Frame]:
    options = {} if portion is None else {"yield_per": portion}
    result = connection.execute(query.add_columns(*expressions(wanted)), execution_options=options)
    labels = list(result.keys())
    portions = iter([result.all()] if portion is None else result.partitions())
    for rows in itertools.chain([next(portions, [])], portions):
        yield frame_of(connection, columnar(labels, rows), wanted)


def run_query(connection: Connection, question: Question) -> Select[Any]:
    """Return the query for the runs and their settings."""
    settings = (run.c[f"{kind}_id"] for kind in KINDS)
    query = select(run.c.id.label("run"), *settings).select_from(joined()).where(run.c.superseded_by.is_(None))
    if question.where is not None:
        query = query.where(filtered(question.where, Names(connection, "filter", question.where.text)))
    order = () if question.sort is None else _order(Names(connection, "order", question.sort.text), question.sort)
    return query.order_by(*order, run.c.id).limit(question.limit)


def _order(names: Names, order: Order) -> Iterator[ColumnElement[Any]]:
    """Give what to order by; what is missing comes last."""
    for key in order.keys:
        meaning = names.meaning(key.name)
        if meaning is None:
            raise names.wrong(key.name.position, MANY)
        for expression in _sortable(meaning):
            if getattr(expression, "nullable", True):
                yield expression.is_(None)
            yield expression.desc() if key.descending else expression.asc()


def _sortable(meaning: RunColumn | ParameterName) -> list[ColumnElement[Any]]:
    if isinstance(meaning, RunColumn):
        return [meaning.expression]
    table = schema.parameter
    mine = (table.c.setting_id == run.c[f"{meaning.kind}_id"]) & (table.c.name == meaning.name)
    return [select(table.c[each]).where(mine).scalar_subquery() for each in ("number", "text")]


def _named(connection: Connection, columns: Columns) -> Wanted:
    names = Names(connection, "columns", columns.text)
    wanted: dict[str, RunColumn | ParameterColumn] = {}
    for name in columns.names:
        meaning = names.meaning(name)
        if meaning is None:
            raise names.wrong(name.position, MANY)
        wanted[name.text] = meaning if isinstance(meaning, RunColumn) else ParameterColumn(meaning, _kind(connection, meaning))
    return wanted


def _kind(connection: Connection, parameter: ParameterName) -> ColumnKind:
    setting, table = schema.setting, schema.parameter
    texts = (
        select(table.c.name)
        .join(setting, setting.c.id == table.c.setting_id)
        .where(table.c.name == parameter.name, table.c.text.is_not(None), setting.c.kind == parameter.kind)
    )
    return "number" if connection.execute(texts.limit(1)).first() is None else "text"

"""Questions about runs, answered as tables; nothing here writes."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from runner.filters.sorting import Columns, Order
from runner.filters.syntax import Filter
from runner.frames import Frame
from runner.store import schema
from runner.store.answer_columns import (
    ParameterColumn,
    Wanted,
    columnar,
    expressions,
    frame_of,
    kinds_of,
    parameter_columns,
    settings_of,
    types_in,
)
from runner.store.connection import Database
from runner.store.filtering import filtered
from runner.store.names import KINDS, Names, ParameterName
from runner.store.parameter_values import LOOKUP, read_settings
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
        named = None if question.columns is None else _named(connection, question.columns)
        if portion is None or (question.limit is not None and question.limit <= portion):
            yield iter([_at_once(connection, query, named)])
        else:
            yield _in_portions(connection, query, named, portion)


def _at_once(connection: Connection, query: Select[Any], named: Wanted | None) -> Frame:
    """Return the named columns of the runs of a query; if None all, and every parameter that they have."""
    result = connection.execute(query.add_columns(*expressions(RUN_COLUMNS if named is None else named)))
    answer = columnar(list(result.keys()), result.all())
    settings = read_settings(connection, settings_of(answer, named))
    wanted = {**RUN_COLUMNS, **parameter_columns(types_in(settings.values()))} if named is None else named
    return frame_of(answer, wanted, settings)


def _in_portions(connection: Connection, query: Select[Any], named: Wanted | None, portion: int) -> Iterator[Frame]:
    parameters = _parameters_of(connection, query, named)
    wanted = {**RUN_COLUMNS, **parameters} if named is None else _alike(named, parameters)
    result = connection.execute(query.add_columns(*expressions(wanted)), execution_options={"yield_per": portion})
    labels = list(result.keys())
    portions = result.partitions()
    for rows in itertools.chain([next(portions, [])], portions):
        answer = columnar(labels, rows)
        yield frame_of(answer, wanted, read_settings(connection, settings_of(answer, wanted)))


def _parameters_of(connection: Connection, query: Select[Any], named: Wanted | None) -> Wanted:
    """Return every parameter of the runs of a query, whatever its limit; at least those that are named."""
    columns = [schema.run.c[f"{kind}_id"] for kind in kinds_of(named)]
    if not columns:
        return {}
    together = connection.execute(query.with_only_columns(*columns).distinct().order_by(None).limit(None))
    numbers = sorted(set(itertools.chain.from_iterable(together)))
    types: dict[ParameterName, set[type]] = defaultdict(set)
    for first in range(0, len(numbers), LOOKUP):
        for name, found in types_in(read_settings(connection, numbers[first : first + LOOKUP]).values()).items():
            types[name] |= found
    return parameter_columns(types)


def _alike(named: Wanted, parameters: Wanted) -> Wanted:
    """Return columns whose parameters have the same kind in every table."""
    kinds = {what.parameter: what for what in parameters.values() if isinstance(what, ParameterColumn)}
    return {name: kinds.get(what.parameter, what) if isinstance(what, ParameterColumn) else what for name, what in named.items()}


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
        wanted[name.text] = meaning if isinstance(meaning, RunColumn) else ParameterColumn(meaning)
    return wanted

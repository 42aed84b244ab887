"""Questions about runs, answered as tables; nothing here writes."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, TextClause, func, or_, select, text

from runner.filters.sorting import Columns, Order
from runner.filters.syntax import Filter
from runner.frames import Column, ColumnKind, Frame
from runner.store import schema
from runner.store.connection import Database
from runner.store.filtering import filtered
from runner.store.names import KINDS, Names, ParameterName
from runner.store.run_columns import RUN_COLUMNS, RunColumn, among, from_class, joined, run

LOOKUP = 5000
"""How many keys go into one query."""
MANY = "a run may belong to several experiments; ask for one with a filter"


@dataclass(frozen=True)
class ParameterColumn:
    """A parameter as a column.

    Attributes:
        parameter: which.
        kind: a number, or a text where some of its values are none.
    """

    parameter: ParameterName
    kind: ColumnKind


Wanted = Mapping[str, RunColumn | ParameterColumn]
Parameters = Mapping[tuple[int, str], tuple[float | None, str | None]]
"""Number and text of parameters, by the setting's row number and the parameter's name."""


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
            wanted = {**RUN_COLUMNS, **_used_by_all(connection, query)}
        else:
            yield iter([_whole(connection, query)])
            return
        yield _frames(connection, query, wanted, portion)


def _whole(connection: Connection, query: Select[Any]) -> Frame:
    """Return all columns of the runs of a query, and every parameter that they have."""
    rows = connection.execute(query.add_columns(*_expressions(RUN_COLUMNS))).all()
    return _frame(connection, rows, {**RUN_COLUMNS, **_used_by(connection, rows)})


def _frames(connection: Connection, query: Select[Any], wanted: Wanted, portion: int | None) -> Iterator[Frame]:
    options = {} if portion is None else {"yield_per": portion}
    result = connection.execute(query.add_columns(*_expressions(wanted)), execution_options=options)
    portions = iter([result.all()] if portion is None else result.partitions())
    for rows in itertools.chain([next(portions, [])], portions):
        yield _frame(connection, rows, wanted)


def _frame(connection: Connection, rows: Sequence[Row[Any]], wanted: Wanted) -> Frame:
    parameters = _parameters(connection, rows, wanted)
    return Frame([_column(name, what, rows, parameters) for name, what in wanted.items()])


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


def _used_by(connection: Connection, rows: Sequence[Row[Any]]) -> Wanted:
    """Return every parameter that some runs have."""
    settings = sorted({getattr(row, f"{kind}_id") for row in rows for kind in KINDS})
    texts: Counter[tuple[str, str]] = Counter()
    for first in range(0, len(settings), LOOKUP):
        counted = _names_of(text(among("setting.id", settings[first : first + LOOKUP])))
        texts.update({(kind, name): count for kind, name, count in connection.execute(counted)})
    return _parameter_columns(texts)


def _used_by_all(connection: Connection, query: Select[Any]) -> Wanted:
    """Return every parameter that the runs of a query have, whatever its limit, without reading them."""
    some = query.order_by(None).limit(None).subquery()
    mine = or_(*(schema.setting.c.id.in_(select(some.c[f"{kind}_id"])) for kind in KINDS))
    return _parameter_columns({(kind, name): count for kind, name, count in connection.execute(_names_of(mine))})


def _names_of(which: ColumnElement[bool] | TextClause) -> Select[Any]:
    """Return the query for the parameters of settings: kind, name, and how many of them are texts."""
    setting, table = schema.setting, schema.parameter
    joined_ = select(setting.c.kind, table.c.name, func.count(table.c.text)).join(setting, setting.c.id == table.c.setting_id)
    return joined_.where(which).group_by(setting.c.kind, table.c.name)


def _parameter_columns(texts: Mapping[tuple[str, str], int]) -> Wanted:
    order = sorted(texts, key=lambda key: (KINDS.index(key[0]), key[1]))
    return {
        f"{kind}.{name}": ParameterColumn(ParameterName(kind, name), "text" if texts[kind, name] else "number")
        for kind, name in order
    }


def _expressions(wanted: Wanted) -> Iterator[ColumnElement[Any]]:
    for name, what in wanted.items():
        if isinstance(what, RunColumn):
            yield what.expression.label(f"column {name}")
            if what.number_class is not None:
                yield what.number_class.label(f"class of {name}")


def _parameters(connection: Connection, rows: Sequence[Row[Any]], wanted: Wanted) -> Parameters:
    """Read those parameters of the runs that are wanted, once for each setting."""
    names: dict[str, list[str]] = defaultdict(list)
    for what in wanted.values():
        if isinstance(what, ParameterColumn):
            names[what.parameter.kind].append(what.parameter.name)
    table = schema.parameter
    found: dict[tuple[int, str], tuple[float | None, str | None]] = {}
    for kind, some in names.items():
        settings = sorted({getattr(row, f"{kind}_id") for row in rows})
        query = select(table.c.setting_id, table.c.name, table.c.number, table.c.text).where(table.c.name.in_(some))
        for first in range(0, len(settings), LOOKUP):
            values = connection.execute(query.where(text(among("setting_id", settings[first : first + LOOKUP]))))
            found.update({(setting, name): (number, words) for setting, name, number, words in values})
    return found


def _column(name: str, what: RunColumn | ParameterColumn, rows: Sequence[Row[Any]], parameters: Parameters) -> Column:
    if isinstance(what, RunColumn):
        values = [getattr(row, f"column {name}") for row in rows]
        if what.number_class is not None:
            classes = [getattr(row, f"class of {name}") for row in rows]
            values = list(map(from_class, values, classes))
        return Column(name, what.kind, values)
    setting = f"{what.parameter.kind}_id"
    pairs = [parameters.get((getattr(row, setting), what.parameter.name), (None, None)) for row in rows]
    if what.kind == "number":
        return Column(name, "number", [number for number, _ in pairs])
    return Column(name, "text", [words if number is None else repr(number) for number, words in pairs])

"""Questions about runs, answered as tables; nothing here writes."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from runner.experiment.labels import Scalar
from runner.store import schema
from runner.store.connection import Database
from runner.store.filters.sorting import Columns, Order
from runner.store.filters.syntax import Filter
from runner.store.reading.filter_to_sql import filtered
from runner.store.reading.names import Names, ParameterName
from runner.store.reading.parameter_values import LOOKUP, StoredSetting, read_settings, scalars
from runner.store.reading.run_sql import COLUMN_SQL, ColumnSQL, joined_tables, restored_number, run
from runner.store.run_columns import SETTING_KINDS
from runner.store.schema import check_columns
from runner.tables.frame import Column, ColumnKind, Frame

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
    result = connection.execute(query.add_columns(*expressions(COLUMN_SQL if named is None else named)))
    answer = columnar(list(result.keys()), result.all())
    settings = read_settings(connection, settings_of(answer, named))
    wanted = {**COLUMN_SQL, **parameter_columns(types_in(settings.values()))} if named is None else named
    return frame_of(answer, wanted, settings)


def _in_portions(connection: Connection, query: Select[Any], named: Wanted | None, portion: int) -> Iterator[Frame]:
    parameters = _parameters_of(connection, query, named)
    wanted = {**COLUMN_SQL, **parameters} if named is None else _alike(named, parameters)
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
    settings = (run.c[f"{kind}_id"] for kind in SETTING_KINDS)
    query = select(run.c.id.label("run"), *settings).select_from(joined_tables()).where(run.c.superseded_by.is_(None))
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


def _sortable(meaning: ColumnSQL | ParameterName) -> list[ColumnElement[Any]]:
    if isinstance(meaning, ColumnSQL):
        return [meaning.expression]
    table = schema.parameter
    mine = (table.c.setting_id == run.c[f"{meaning.kind}_id"]) & (table.c.name == meaning.name)
    return [select(table.c[each]).where(mine).scalar_subquery() for each in ("number", "text")]


def _named(connection: Connection, columns: Columns) -> Wanted:
    names = Names(connection, "columns", columns.text)
    wanted: dict[str, ColumnSQL | ParameterColumn] = {}
    for name in columns.names:
        meaning = names.meaning(name)
        if meaning is None:
            raise names.wrong(name.position, MANY)
        wanted[name.text] = meaning if isinstance(meaning, ColumnSQL) else ParameterColumn(meaning)
    return wanted


@dataclass(frozen=True)
class ParameterColumn:
    """A parameter as a column.

    Attributes:
        parameter: which.
        kind: what its values are; what those of one table are if None.
    """

    parameter: ParameterName
    kind: ColumnKind | None = None


Wanted = Mapping[str, ColumnSQL | ParameterColumn]
Answer = Mapping[str, Sequence[Any]]
"""What a query gave: values by label, for each run one."""
Settings = Mapping[int, StoredSetting]
"""Settings by row number."""


def columnar(labels: Sequence[str], rows: Sequence[Sequence[Any]]) -> Answer:
    """Return rows as columns, by their labels."""
    return dict(zip(labels, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(labels, ())


def kinds_of(wanted: Wanted | None) -> Collection[str]:
    """Return the kinds of settings in which the wanted parameters are; all if None."""
    return (
        SETTING_KINDS
        if wanted is None
        else {what.parameter.kind for what in wanted.values() if isinstance(what, ParameterColumn)}
    )


def settings_of(answer: Answer, wanted: Wanted | None) -> set[int]:
    """Return the row numbers of the settings in which the wanted parameters of some runs are; of all if None."""
    return {number for kind in kinds_of(wanted) for number in answer[f"{kind}_id"]}


def frame_of(answer: Answer, wanted: Wanted, settings: Settings) -> Frame:
    """Return the columns that are wanted of some runs."""
    cells = {number: scalars(setting.parameters) for number, setting in settings.items()}
    return Frame([_column(name, what, answer, cells) for name, what in wanted.items()])


def parameter_columns(types: Mapping[ParameterName, set[type]]) -> Wanted:
    """Return a column for each parameter, given the types of its values."""
    order = sorted(types, key=lambda each: (SETTING_KINDS.index(each.kind), each.name))
    return {f"{each.kind}.{each.name}": ParameterColumn(each, _kind(types[each])) for each in order}


def types_in(settings: Iterable[StoredSetting]) -> dict[ParameterName, set[type]]:
    """Return the types of the values that each parameter has."""
    types: dict[ParameterName, set[type]] = defaultdict(set)
    for setting in settings:
        for name, value in scalars(setting.parameters).items():
            types[ParameterName(setting.kind, name)].add(type(value))
    return types


def expressions(wanted: Wanted) -> Iterator[ColumnElement[Any]]:
    """Give what must be selected for columns."""
    for name, what in wanted.items():
        if isinstance(what, ColumnSQL):
            yield what.expression.label(f"column {name}")
            if what.number_class is not None:
                yield what.number_class.label(f"class of {name}")


def _column(name: str, what: ColumnSQL | ParameterColumn, answer: Answer, cells: Mapping[int, Mapping[str, Scalar]]) -> Column:
    if isinstance(what, ColumnSQL):
        values = answer[f"column {name}"]
        check_columns([(what.expression, values)])
        if what.number_class is None:
            return Column(name, what.kind, list(values))
        classes = answer[f"class of {name}"]
        restored = [None if each is None else restored_number(value, each) for value, each in zip(values, classes, strict=True)]
        return Column(name, what.kind, restored)
    # The setting that the run of a damaged database has may not be there.
    found = [cells.get(number, {}).get(what.parameter.name) for number in answer[f"{what.parameter.kind}_id"]]
    kind = what.kind or _kind(set(map(type, found)))
    return Column(name, kind, [None if value is None else _as(kind, value) for value in found])


def _kind(types: set[type]) -> ColumnKind:
    """Return what holds values of some types, NoneType among them or not."""
    held = types - {type(None)}
    if held == {bool}:
        return "truth"
    if held == {int}:
        return "integer"
    return "number" if held <= {int, float} else "text"


def _as(kind: ColumnKind, value: Any) -> Any:
    """Return a value as a column holds it that may have other types beside it."""
    if kind == "number":
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    return value

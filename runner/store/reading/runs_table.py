"""Tables of runs: the query for the runs of a question, and the columns of the table."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.filter_to_sql import filter_clause
from runner.store.reading.names import ParameterName, resolve_columns, resolve_filter, resolve_order
from runner.store.reading.parameter_values import KEYS_AT_ONCE, StoredSetting, read_settings, scalars
from runner.store.reading.question import Question
from runner.store.reading.run_sql import COLUMN_SQL, ColumnSQL, joined_tables, restored_number, run
from runner.store.run_columns import SETTING_KINDS
from runner.store.schema import check_columns
from runner.tables.frame import Column, ColumnKind, Frame

TableColumns = Mapping[str, ColumnSQL | ParameterName]
"""The columns of a table, by heading."""


def read_runs(database: Database, question: Question) -> Frame:
    """Return the runs of a question as one table, with one row for each run.

    Raises:
        QueryError: the question has an unknown name.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        query = run_query(connection, question)
        named = None if question.columns is None else resolve_columns(connection, question.columns)
        result = connection.execute(query.add_columns(*_expressions(COLUMN_SQL if named is None else named)))
        values = _values_by_label(list(result.keys()), result.all())
        settings = read_settings(connection, _setting_ids(values, named))
        kinds = _parameter_kinds(_parameter_types(settings.values()))
        return _frame(_all_columns(kinds) if named is None else named, kinds, values, settings)


def read_run_frames(database: Database, question: Question, portion: int) -> Iterator[Frame]:
    """Yield the runs of a question as tables with the same columns; at least one table.

    Args:
        database: the database.
        question: the question.
        portion: the largest number of runs in a table.

    Raises:
        QueryError: the question has an unknown name.
        StoreError: the database cannot be read.
    """
    if question.limit is not None and question.limit <= portion:
        yield read_runs(database, question)
        return
    with database.reading() as connection:
        query = run_query(connection, question)
        named = None if question.columns is None else resolve_columns(connection, question.columns)
        kinds = _kinds_in_query(connection, query, named)
        columns = _all_columns(kinds) if named is None else named
        result = connection.execute(query.add_columns(*_expressions(columns)), execution_options={"yield_per": portion})
        labels = list(result.keys())
        portions = result.partitions()
        for rows in itertools.chain([next(portions, [])], portions):
            values = _values_by_label(labels, rows)
            yield _frame(columns, kinds, values, read_settings(connection, _setting_ids(values, columns)))


def run_query(connection: Connection, question: Question) -> Select[Any]:
    """Return the query for the row numbers of runs and of their settings.

    Raises:
        QueryError: the question has an unknown name.
    """
    setting_ids = (run.c[f"{kind}_id"] for kind in SETTING_KINDS)
    query = select(run.c.id.label("run"), *setting_ids).select_from(joined_tables()).where(run.c.superseded_by.is_(None))
    if question.where is not None:
        query = query.where(filter_clause(resolve_filter(connection, question.where)))
    table = schema.parameter
    order: list[ColumnElement[Any]] = []
    for target, descending in [] if question.sort is None else resolve_order(connection, question.sort):
        if isinstance(target, ColumnSQL):
            expressions = [target.expression]
        else:
            of_run = (table.c.setting_id == run.c[f"{target.kind}_id"]) & (table.c.name == target.name)
            expressions = [select(column).where(of_run).scalar_subquery() for column in (table.c.number, table.c.text)]
        for expression in expressions:
            # Missing values come last.
            if getattr(expression, "nullable", True):
                order.append(expression.is_(None))
            order.append(expression.desc() if descending else expression.asc())
    return query.order_by(*order, run.c.id).limit(question.limit)


def _kinds_in_query(connection: Connection, query: Select[Any], columns: TableColumns | None) -> dict[ParameterName, ColumnKind]:
    """Return the kinds of the parameters of all runs of a query, so that all portions have the same kinds.

    The limit of the query is ignored. If columns are given, only settings whose parameters are among the columns are read.
    """
    setting_ids = [run.c[f"{kind}_id"] for kind in _setting_kinds(columns)]
    if not setting_ids:
        return {}
    found = connection.execute(query.with_only_columns(*setting_ids).distinct().order_by(None).limit(None))
    numbers = sorted(set(itertools.chain.from_iterable(found)))
    types: dict[ParameterName, set[type]] = defaultdict(set)
    for first in range(0, len(numbers), KEYS_AT_ONCE):
        settings = read_settings(connection, numbers[first : first + KEYS_AT_ONCE])
        for name, held in _parameter_types(settings.values()).items():
            types[name] |= held
    return _parameter_kinds(types)


def _parameter_types(settings: Iterable[StoredSetting]) -> dict[ParameterName, set[type]]:
    """Return the types of the values of each parameter."""
    types: dict[ParameterName, set[type]] = defaultdict(set)
    for setting in settings:
        for name, value in scalars(setting.parameters).items():
            types[ParameterName(setting.kind, name)].add(type(value))
    return types


def _parameter_kinds(types: Mapping[ParameterName, set[type]]) -> dict[ParameterName, ColumnKind]:
    """Return the kind of column that holds each parameter, in the order of the table."""
    kinds: dict[ParameterName, ColumnKind] = {}
    for name in sorted(types, key=lambda each: (SETTING_KINDS.index(each.kind), each.name)):
        held = types[name] - {type(None)}
        if held in ({bool}, {int}):
            kinds[name] = "truth" if held == {bool} else "integer"
        else:
            kinds[name] = "number" if held <= {int, float} else "text"
    return kinds


def _all_columns(parameters: Iterable[ParameterName]) -> TableColumns:
    return {**COLUMN_SQL, **{f"{each.kind}.{each.name}": each for each in parameters}}


def _setting_kinds(columns: TableColumns | None) -> Collection[str]:
    """Return the kinds of settings whose parameters are among some columns; all kinds if None."""
    return SETTING_KINDS if columns is None else {each.kind for each in columns.values() if isinstance(each, ParameterName)}


def _setting_ids(values: Mapping[str, Sequence[Any]], columns: TableColumns | None) -> set[int]:
    """Return the row numbers of the settings whose parameters are among some columns; of all settings if None."""
    return {number for kind in _setting_kinds(columns) for number in values[f"{kind}_id"]}


def _expressions(columns: TableColumns) -> Iterator[ColumnElement[Any]]:
    """Yield the SQL of some columns, with the labels that `_frame` expects."""
    for heading, column in columns.items():
        if isinstance(column, ColumnSQL):
            yield column.expression.label(f"column {heading}")
            if column.number_class is not None:
                yield column.number_class.label(f"class of {heading}")


def _values_by_label(labels: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(labels, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(labels, ())


def _frame(
    columns: TableColumns,
    kinds: Mapping[ParameterName, ColumnKind],
    values: Mapping[str, Sequence[Any]],
    settings: Mapping[int, StoredSetting],
) -> Frame:
    """Return the rows of a query as a table.

    Args:
        columns: the columns of the table.
        kinds: the kinds of the parameters among the columns.
        values: the result of the query, by label.
        settings: the settings of the runs, by row number.

    Raises:
        ImpossibleValue: a column of the database holds a value that it may not hold.
    """
    stored = [(heading, each) for heading, each in columns.items() if isinstance(each, ColumnSQL)]
    check_columns([(column.expression, values[f"column {heading}"]) for heading, column in stored])
    cells = {number: scalars(setting.parameters) for number, setting in settings.items()}
    built: list[Column] = []
    for heading, column in columns.items():
        if isinstance(column, ParameterName):
            # In a damaged database, the setting of a run may be missing.
            found = [cells.get(number, {}).get(column.name) for number in values[f"{column.kind}_id"]]
            kind = kinds.get(column, "number")
            built.append(Column(heading, kind, [None if value is None else _converted(value, kind) for value in found]))
        elif column.number_class is None:
            built.append(Column(heading, column.kind, list(values[f"column {heading}"])))
        else:
            pairs = zip(values[f"column {heading}"], values[f"class of {heading}"], strict=True)
            numbers = [None if number_class is None else restored_number(number, number_class) for number, number_class in pairs]
            built.append(Column(heading, column.kind, numbers))
    return Frame(built)


def _converted(value: Any, kind: ColumnKind) -> Any:
    """Convert a value to the kind of its column, which depends on the types of all values in the column."""
    if kind == "number":
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    return value

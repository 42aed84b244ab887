"""The translation of a resolved filter to SQL. Values become bound parameters.

A test of a value that is missing or NaN is false, and `not` is true wherever its condition is false. So each run satisfies either
a filter or its negation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Text, and_, false, func, literal, not_, or_, select

from runner.store import schema
from runner.store.filters.syntax import All, Condition, Either, Not
from runner.store.reading.names import ParameterName, ResolvedTest
from runner.store.reading.run_sql import ColumnSQL, run

Clause = ColumnElement[bool]
NO_ESCAPE = "\x1f"
"""The escape character of patterns. No pattern contains this character, so % and _ are always wildcards."""
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def filter_clause(condition: Condition[ResolvedTest], negated: bool = False) -> Clause:
    """Return the SQL condition of a filter, or of its negation, on the tables that `joined_tables` joins."""
    if isinstance(condition, Not):
        return filter_clause(condition.condition, not negated)
    if isinstance(condition, All | Either):
        join = and_ if isinstance(condition, All) != negated else or_
        # SQLite's parser keeps the conditions before a bracket on a small stack, so the deepest condition comes first.
        conditions = sorted(condition.conditions, key=_depth, reverse=True)
        return join(*(filter_clause(each, negated) for each in conditions))
    if isinstance(condition.target, ColumnSQL):
        clause = _column_clause(condition.target, condition)
    elif isinstance(condition.target, ParameterName):
        clause = _parameter_clause(condition.target, condition)
    else:
        clause = _experiment_clause(condition)
    # In SQL, the negation of NULL is NULL. Therefore NULL counts as false before it is negated.
    return not_(func.coalesce(clause, false())) if negated else clause


def _depth(condition: Condition[ResolvedTest]) -> int:
    """Return the number of nested `and` and `or` around the innermost test of a condition."""
    if isinstance(condition, Not):
        return _depth(condition.condition)
    return 1 + max(map(_depth, condition.conditions)) if isinstance(condition, All | Either) else 0


def _column_clause(column: ColumnSQL, test: ResolvedTest) -> Clause:
    if test.operator == "nan":
        assert column.number_class is not None
        return column.number_class.in_(("nan", "-nan"))
    if test.operator == "null":
        return (column.expression if column.number_class is None else column.number_class).is_(None)
    return _compared(column.expression, test.operator, test.values)


def _parameter_clause(parameter: ParameterName, test: ResolvedTest) -> Clause:
    table = schema.parameter
    having = select(table.c.setting_id).where(table.c.name == parameter.name)
    setting_id = run.c[f"{parameter.kind}_id"]
    if test.operator == "null":
        return setting_id.not_in(having.where(table.c.number.is_not(None) | table.c.text.is_not(None)))
    numbers = [each for each in test.values if isinstance(each, int | float) and not isinstance(each, bool)]
    # A truth value is stored as the text true or false.
    texts = [each if isinstance(each, str) else str(each).lower() for each in test.values if isinstance(each, str | bool)]
    columns: list[tuple[ColumnElement[Any], Sequence[int | float | str]]] = [(table.c.number, numbers), (table.c.text, texts)]
    clauses = [_compared(column, test.operator, values) for column, values in columns if values]
    return setting_id.in_(having.where(or_(false(), *clauses)))


def _experiment_clause(test: ResolvedTest) -> Clause:
    """Return the SQL condition that a run belongs to an experiment. A name means the latest experiment of that name."""
    table, later, member = schema.experiment, schema.experiment.alias(), schema.experiment_run
    numbers = [_bound(each) for each in test.values if not isinstance(each, str)]
    texts = [_bound(each) for each in test.values if isinstance(each, str)]
    is_last = ~select(later.c.id).where(
        later.c.name == table.c.name,
        or_(
            later.c.last_run_at > table.c.last_run_at,
            and_(later.c.last_run_at == table.c.last_run_at, later.c.id > table.c.id),
        ),
    ).exists()  # fmt: skip
    has_name = table.c.name.ilike(texts[0], escape=NO_ESCAPE) if test.operator == "like" else table.c.name.in_(texts)
    chosen = select(table.c.id).where(or_(table.c.id.in_(numbers), and_(has_name, is_last)))
    belongs = run.c.id.in_(select(member.c.run_id).where(member.c.experiment_id.in_(chosen)))
    return not_(belongs) if test.operator == "!=" else belongs


def _compared(expression: ColumnElement[Any], operator_: str, values: Sequence[str | int | float]) -> Clause:
    bound = [_bound(value) for value in values]
    if operator_ == "in":
        return expression.in_(bound)
    if operator_ == "like":
        return expression.ilike(bound[0], escape=NO_ESCAPE)
    # `ResolvedTest` leaves out NaN, so the list is empty if the comparison is with NaN.
    clause: Clause = OPERATORS[operator_](expression, bound[0]) if bound else false()
    return clause


def _bound(value: str | int | float) -> ColumnElement[Any]:
    """Return a value as a bound parameter of its own type, which may be wider than the type of the column."""
    if isinstance(value, str):
        return literal(value, Text())
    return literal(value, BigInteger() if isinstance(value, int) else Double())

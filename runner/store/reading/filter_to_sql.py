"""From the tree of a filter to SQL: names only from a list, values only as bound parameters.

A comparison with something that is not there, or is NaN, does not hold; `not` holds wherever its condition does not. So each run
satisfies either a filter or its `not`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Select, Text, and_, false, func, literal, not_, or_, select

from runner.store import schema
from runner.store.filters.syntax import All, Comparison, Condition, Either, Filter, Literal, Membership, Not, Pattern, Presence
from runner.store.reading.names import Meaning, Names, ParameterName
from runner.store.reading.run_sql import ColumnSQL, run

Clause = ColumnElement[bool]
Leaf = Comparison | Membership | Pattern | Presence
Test = Callable[[ColumnElement[Any]], Clause]
NO_ESCAPE = "\x1f"
"""What nobody writes: % and _ always stand for other characters."""
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def filtered(filter_: Filter, names: Names) -> Clause:
    """Return the SQL condition on `run`, joined with all that its columns are taken from.

    Raises:
        QueryError: a name means nothing, or is compared with the wrong kind of value.
    """
    return _clause(filter_.condition, names, _Meanings(names), negated=False)


class _Meanings(dict[Any, Meaning]):
    """What each name means, asked once."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: Any) -> Meaning:
        self[name] = self._names.meaning(name)
        return self[name]


def _clause(condition: Condition, names: Names, meanings: _Meanings, negated: bool) -> Clause:
    """Return a condition or its opposite, such that SQLite's parser, which bears little depth, keeps little in mind."""
    if isinstance(condition, Not):
        return _clause(condition.condition, names, meanings, not negated)
    if isinstance(condition, All | Either):
        join = and_ if isinstance(condition, All) != negated else or_
        clauses = [(_clause(each, names, meanings, negated), _depth(each)) for each in condition.conditions]
        # What stands before a bracket is kept in mind until the bracket is closed.
        return join(*(clause for clause, _ in sorted(clauses, key=lambda pair: -pair[1])))
    leaf = _leaf(condition, names, meanings)
    # In SQL, not unknown is unknown.
    return not_(func.coalesce(leaf, false())) if negated else leaf


def _depth(condition: Condition) -> int:
    if isinstance(condition, Not):
        return _depth(condition.condition)
    return 1 + max(map(_depth, condition.conditions)) if isinstance(condition, All | Either) else 0


def _leaf(condition: Leaf, names: Names, meanings: _Meanings) -> Clause:
    meaning = meanings[condition.name]
    if isinstance(meaning, ColumnSQL):
        return _of_column(condition, meaning, names)
    return _of_experiment(condition, names) if meaning is None else _of_parameter(condition, meaning, names)


def _literals(leaf: Leaf) -> Sequence[Literal]:
    if isinstance(leaf, Membership):
        return leaf.literals
    return () if isinstance(leaf, Presence) else (leaf.literal,)


def _test(leaf: Leaf, values: Sequence[Any]) -> Test:
    """Return what a leaf asks of an expression, which its values fit."""
    if isinstance(leaf, Membership):
        return lambda expression: expression.in_([_bound(value) for value in values])
    if isinstance(leaf, Pattern):
        return lambda expression: expression.ilike(_bound(values[0]), escape=NO_ESCAPE)
    assert isinstance(leaf, Comparison)
    compare = OPERATORS[leaf.operator]
    return lambda expression: compare(expression, _bound(values[0])) if values else false()


def _bound(value: str | int | float) -> ColumnElement[Any]:
    """Return a value as a bound parameter of its own type, which may be wider than that of what it is compared with."""
    if isinstance(value, str):
        return literal(value, Text())
    return literal(value, BigInteger() if isinstance(value, int) else Double())


def _of_column(leaf: Leaf, column: ColumnSQL, names: Names) -> Clause:
    if isinstance(leaf, Presence):
        return _presence(leaf, column, names)
    wanted: type | tuple[type, ...] = str if column.kind == "text" else (int, float)
    for each in _literals(leaf):
        if not isinstance(each.value, wanted) or isinstance(each.value, bool):
            kind = "a text; compare it with a text in quotes" if wanted is str else "a number; compare it with one"
            raise names.wrong(each.position, f"{leaf.name.text} is {kind}")
    if _is_exact(leaf) and column.allowed:
        names.require_known(_literals(leaf), leaf.name.text, column.allowed)
    return _test(leaf, _comparable(_literals(leaf)))(column.expression)


def _is_exact(leaf: Leaf) -> bool:
    """Whether it asks for texts as they are, of which each should be one that there is."""
    return isinstance(leaf, Membership) or (isinstance(leaf, Comparison) and leaf.operator in ("=", "!="))


def _comparable(literals: Sequence[Literal]) -> list[Any]:
    """The values, without NaN, which equals nothing."""
    return [each.value for each in literals if not (isinstance(each.value, float) and math.isnan(each.value))]


def _presence(leaf: Presence, column: ColumnSQL, names: Names) -> Clause:
    if leaf.state == "null":
        return (column.expression if column.number_class is None else column.number_class).is_(None)
    if column.number_class is None:
        raise names.wrong(leaf.name.position, f"{leaf.name.text} is never stored as NaN; ask whether it is null")
    return column.number_class.in_(("nan", "-nan"))


def _of_parameter(leaf: Leaf, meaning: ParameterName, names: Names) -> Clause:
    table = schema.parameter
    having: Select[Any] = select(table.c.setting_id).where(table.c.name == meaning.name)
    mine = run.c[f"{meaning.kind}_id"]
    if isinstance(leaf, Presence):
        if leaf.state == "nan":
            raise names.wrong(leaf.name.position, f"{leaf.name.text} is never stored as NaN; ask whether it is null")
        return mine.not_in(having.where(table.c.number.is_not(None) | table.c.text.is_not(None)))
    numbers = [each for each in _literals(leaf) if isinstance(each.value, int | float) and not isinstance(each.value, bool)]
    others = [each.value for each in _literals(leaf) if each not in numbers]
    texts = [value if isinstance(value, str) else str(value).lower() for value in others]
    either: list[Clause] = []
    if numbers:
        either.append(_test(leaf, _comparable(numbers))(table.c.number))
    if texts:
        either.append(_test(leaf, texts)(table.c.text))
    return mine.in_(having.where(or_(*either)))


def _of_experiment(leaf: Leaf, names: Names) -> Clause:
    """Whether a run belongs to such an experiment: of a name the one that was run last, or any by its number."""
    if isinstance(leaf, Presence):
        raise names.wrong(leaf.name.position, "every run has an experiment; compare it with a name in quotes, or a number")
    if isinstance(leaf, Comparison) and leaf.operator not in ("=", "!="):
        raise names.wrong(leaf.literal.position, "an experiment is compared with =, !=, in or like only")
    table, later = schema.experiment, schema.experiment.alias()
    truth = next((each for each in _literals(leaf) if isinstance(each.value, bool)), None)
    if truth is not None:
        raise names.wrong(truth.position, "an experiment is compared with a name in quotes, or a number")
    if _is_exact(leaf):
        names.require_known(_literals(leaf), "experiment", names.experiments())
    numbers = [_bound(each) for each in _comparable(_literals(leaf)) if not isinstance(each, str)]
    texts = [_bound(each) for each in _comparable(_literals(leaf)) if isinstance(each, str)]
    latest = ~select(later.c.id).where(
        later.c.name == table.c.name,
        or_(
            later.c.last_run_at > table.c.last_run_at,
            and_(later.c.last_run_at == table.c.last_run_at, later.c.id > table.c.id),
        ),
    ).exists()  # fmt: skip
    named = table.c.name.ilike(texts[0], escape=NO_ESCAPE) if isinstance(leaf, Pattern) else table.c.name.in_(texts)
    wanted = select(table.c.id).where(or_(table.c.id.in_(numbers), and_(named, latest)))
    member = schema.experiment_run
    belongs = run.c.id.in_(select(member.c.run_id).where(member.c.experiment_id.in_(wanted)))
    return not_(belongs) if isinstance(leaf, Comparison) and leaf.operator == "!=" else belongs

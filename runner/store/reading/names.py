"""The resolution of names: each name in a question becomes a column of runs, a parameter of a plugin, or the experiment."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from sqlalchemy import Connection, exists, select

from runner.errors import QueryError
from runner.store import schema
from runner.store.filters.syntax import (
    All,
    Columns,
    Comparison,
    Condition,
    Either,
    Filter,
    Literal,
    Membership,
    Name,
    Not,
    Order,
    Presence,
    Test,
    text_error,
)
from runner.store.reading.run_sql import COLUMN_SQL, ColumnSQL
from runner.store.run_columns import SETTING_KINDS
from runner.tables.frame import shortened

EXPERIMENT: OneOf["experiment"] = "experiment"
LISTED_NAMES = 12
"""The largest number of names in a message."""
SEVERAL_EXPERIMENTS = "a run may belong to several experiments; select one with a filter"
NEVER_NAN = "is never stored as NaN; test it with `is null`"


@dataclass(frozen=True)
class ParameterName:
    """A parameter of one kind of setting.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the parameter's name.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class ResolvedTest:
    """A test of a filter with its name resolved and its values checked.

    Attributes:
        target: the column, the parameter or the experiment that is tested.
        operator: one of = != < <= > >= in like null nan.
        values: the values on the right, without NaN, which equals nothing.
    """

    target: ColumnSQL | ParameterName | OneOf["experiment"]
    operator: str
    values: tuple[int | float | str | bool, ...]


def resolve_filter(connection: Connection, filter_: Filter) -> Condition[ResolvedTest]:
    """Return the tree of a filter with its names resolved and its values checked.

    Raises:
        QueryError: a name is unknown or ambiguous, or a value does not fit its name; the error points at it.
    """
    return _resolved(filter_.condition, _Names(connection, "filter", filter_.text))


def resolve_order(connection: Connection, order: Order) -> list[tuple[ColumnSQL | ParameterName, bool]]:
    """Return the columns and parameters of an order, each with True if its largest values come first.

    Raises:
        QueryError: a name is unknown or ambiguous, or is `experiment`; the error points at it.
    """
    names = _Names(connection, "order", order.text)
    return [(names.resolve_value(key.name), key.descending) for key in order.keys]


def resolve_columns(connection: Connection, columns: Columns) -> dict[str, ColumnSQL | ParameterName]:
    """Return the columns and parameters of a list, by their names as written.

    Raises:
        QueryError: a name is unknown or ambiguous, or is `experiment`; the error points at it.
    """
    names = _Names(connection, "columns", columns.text)
    return {name.text: names.resolve_value(name) for name in columns.names}


def _resolved(condition: Condition[Test], names: _Names) -> Condition[ResolvedTest]:
    if isinstance(condition, Not):
        return Not(_resolved(condition.condition, names))
    if isinstance(condition, All):
        return All(tuple(_resolved(each, names) for each in condition.conditions))
    if isinstance(condition, Either):
        return Either(tuple(_resolved(each, names) for each in condition.conditions))
    operator, literals = "", tuple[Literal, ...]()
    if isinstance(condition, Presence):
        operator = condition.state
    elif isinstance(condition, Membership):
        operator, literals = "in", condition.literals
    else:
        operator, literals = condition.operator if isinstance(condition, Comparison) else "like", (condition.literal,)
    target = names.resolve(condition.name)
    if isinstance(target, ColumnSQL):
        _check_column(target, operator, literals, condition.name, names)
    elif isinstance(target, ParameterName):
        if operator == "nan":
            raise names.error(condition.name, f"{condition.name.text} {NEVER_NAN}")
    else:
        _check_experiment(operator, literals, condition.name, names)
    values = (each.value for each in literals)
    return ResolvedTest(target, operator, tuple(each for each in values if not (isinstance(each, float) and math.isnan(each))))


def _check_column(column: ColumnSQL, operator: str, literals: Sequence[Literal], name: Name, names: _Names) -> None:
    if operator == "nan" and column.number_class is None:
        raise names.error(name, f"{name.text} {NEVER_NAN}")
    for each in literals:
        if column.kind == "text" and not isinstance(each.value, str):
            raise names.error(each, f"{name.text} is a text; compare it with a text in quotes")
        if column.kind != "text" and (isinstance(each.value, bool) or not isinstance(each.value, int | float)):
            raise names.error(each, f"{name.text} is a number; compare it with a number")
    if column.allowed and operator in ("=", "!=", "in"):
        names.require_known(literals, name.text, column.allowed)


def _check_experiment(operator: str, literals: Sequence[Literal], name: Name, names: _Names) -> None:
    if not literals:
        raise names.error(name, "every run has an experiment; compare it with a name in quotes, or a number")
    if operator in ("<", "<=", ">", ">="):
        raise names.error(literals[0], "an experiment is compared with =, !=, in or like only")
    for each in literals:
        if isinstance(each.value, bool):
            raise names.error(each, "an experiment is compared with a name in quotes, or a number")
    if operator != "like":
        names.require_known(literals, "experiment", names.experiments())


class _Names:
    """The names that a database knows, and the errors that point into a question.

    Args:
        connection: a connection to the database.
        what: the name of the text in messages: `filter`, `order` or `columns`.
        text: the text.
    """

    def __init__(self, connection: Connection, what: str, text: str) -> None:
        self._connection = connection
        self._what = what
        self._text = text

    def resolve(self, name: Name) -> ColumnSQL | ParameterName | OneOf["experiment"]:
        """Return the column, the parameter or the experiment that a name means.

        Raises:
            QueryError: the name is unknown or ambiguous.
        """
        if name.text == EXPERIMENT:
            return EXPERIMENT
        if name.text in COLUMN_SQL:
            return COLUMN_SQL[name.text]
        kind, dot, rest = name.text.partition(".")
        if dot and kind in SETTING_KINDS:
            if self._is_parameter(kind, rest):
                return ParameterName(kind, rest)
            if rest == "name" and kind in COLUMN_SQL:
                return COLUMN_SQL[kind]
            raise self._unknown(name, f"{kind}.", rest, self._parameters([kind]))
        kinds = [each for each in SETTING_KINDS if self._is_parameter(each, name.text)]
        if len(kinds) == 1:
            return ParameterName(kinds[0], name.text)
        if kinds:
            choices = " or ".join(f"{each}.{name.text}" for each in kinds)
            raise self.error(name, f"{name.text} is a parameter of {' and of '.join(kinds)}; write {choices}")
        raise self._unknown(name, "", name.text, [*COLUMN_SQL, EXPERIMENT, *self._parameters(SETTING_KINDS)])

    def resolve_value(self, name: Name) -> ColumnSQL | ParameterName:
        """Return the column or the parameter that a name means.

        Raises:
            QueryError: the name is unknown or ambiguous, or it means the experiment, of which a run may have several.
        """
        target = self.resolve(name)
        if isinstance(target, str):
            raise self.error(name, SEVERAL_EXPERIMENTS)
        return target

    def error(self, place: Name | Literal, problem: str) -> QueryError:
        """Return the error that points at a name or a value."""
        return text_error(self._what, self._text, place.position, problem)

    def require_known(self, literals: Sequence[Literal], what: str, known: Sequence[str | int]) -> None:
        """Check that values are known. A filter with a misspelt value would match no run, or every run.

        Raises:
            QueryError: a value is unknown; the error points at it.
        """
        for each in literals:
            if each.value not in known:
                value, kind = each.value, str if isinstance(each.value, str) else int
                shown = repr(shortened(value)) if isinstance(value, str) else value
                hint = _hint("", str(value), [str(other) for other in known if isinstance(other, kind)])
                raise self.error(each, f"there is no {what} {shown}; {hint}")

    def experiments(self) -> list[str | int]:
        """Return the names and the row numbers of all experiments."""
        table = schema.experiment
        rows = self._connection.execute(select(table.c.id, table.c.name).order_by(table.c.name, table.c.id)).all()
        return [*dict.fromkeys(row.name for row in rows), *sorted(row.id for row in rows)]

    def _is_parameter(self, kind: str, parameter: str) -> bool:
        """Return whether any setting of a kind has a parameter with this name."""
        setting, table = schema.setting, schema.parameter
        has = exists().where(table.c.setting_id == setting.c.id, table.c.name == parameter)
        query = select(setting.c.id).where(setting.c.kind == kind, has).limit(1)
        return self._connection.execute(query).first() is not None

    def _parameters(self, kinds: Sequence[str]) -> list[str]:
        setting, table = schema.setting, schema.parameter
        query = select(table.c.name).join(setting, setting.c.id == table.c.setting_id).where(setting.c.kind.in_(kinds)).distinct()
        return sorted(self._connection.execute(query).scalars())

    def _unknown(self, name: Name, prefix: str, text: str, known: Sequence[str]) -> QueryError:
        return self.error(name, f"unknown name {shortened(name.text)}; {_hint(prefix, text, known)}")


def _hint(prefix: str, text: str, known: Sequence[str]) -> str:
    """Return the known name that is closest to a text, as a question, or the list of known names."""
    close = difflib.get_close_matches(text, known, n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    more = ", …" if len(known) > LISTED_NAMES else ""
    listed = ", ".join(f"{prefix}{each}" for each in known[:LISTED_NAMES])
    return f"allowed: {listed}{more}" if known else "none is stored"

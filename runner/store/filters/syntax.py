"""The trees of filters, orders and lists of columns, and the error that points at a character of their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from runner.errors import QueryError
from runner.tables.frame import printable

CONTEXT = 100
"""The number of characters of a long text that an error shows around its position."""


@dataclass(frozen=True)
class Name:
    """The name of a column of `runs` or of a parameter, or `experiment`.

    Attributes:
        text: the name as written, with dots between its parts.
        position: the index of its first character in the text.
    """

    text: str
    position: int = field(compare=False)


@dataclass(frozen=True)
class Literal:
    """A value.

    Attributes:
        value: the value.
        position: the index of its first character in the text.
    """

    value: int | float | str | bool
    position: int = field(compare=False)


@dataclass(frozen=True)
class Comparison:
    """A comparison such as `steps < 100`.

    Attributes:
        name: the left side.
        operator: one of = != < <= > >=.
        literal: the right side.
    """

    name: Name
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Membership:
    """A choice such as `outcome in ("diverged", "failed")`.

    Attributes:
        name: the name before `in`.
        literals: the values in the brackets.
    """

    name: Name
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Pattern:
    """A pattern such as `error like "%overflow%"`.

    Attributes:
        name: the name before `like`.
        literal: a text in which % stands for any characters and _ for one.
    """

    name: Name
    literal: Literal


@dataclass(frozen=True)
class Presence:
    """A test such as `behaviour is null` or `final_value is nan`.

    Attributes:
        name: the name before `is`.
        state: `null` or `nan`.
    """

    name: Name
    state: str


Test = Comparison | Membership | Pattern | Presence
"""A condition without `and`, `or` and `not`: a leaf of the tree."""
TestT = TypeVar("TestT")


@dataclass(frozen=True)
class Not(Generic[TestT]):
    """A negation.

    Attributes:
        condition: the condition that must not hold.
    """

    condition: Condition[TestT]


@dataclass(frozen=True)
class All(Generic[TestT]):
    """Conditions joined by `and`.

    Attributes:
        conditions: two or more.
    """

    conditions: tuple[Condition[TestT], ...]


@dataclass(frozen=True)
class Either(Generic[TestT]):
    """Conditions joined by `or`.

    Attributes:
        conditions: two or more.
    """

    conditions: tuple[Condition[TestT], ...]


Condition: TypeAlias = TestT | Not[TestT] | All[TestT] | Either[TestT]
"""A tree whose leaves are tests of one type: tests as written, or tests with resolved names."""


@dataclass(frozen=True)
class Filter:
    """A whole filter.

    Attributes:
        text: the filter as written.
        condition: its tree.
    """

    text: str
    condition: Condition[Test]


@dataclass(frozen=True)
class SortKey:
    """One key of an order.

    Attributes:
        name: a column of `runs` or a parameter.
        descending: whether the largest come first.
    """

    name: Name
    descending: bool


@dataclass(frozen=True)
class Order:
    """A whole order.

    Attributes:
        text: the order as written.
        keys: its keys, the most important one first.
    """

    text: str
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Columns:
    """A list of columns and parameters.

    Attributes:
        text: the list as written.
        names: its names, in the same order.
    """

    text: str
    names: tuple[Name, ...]


def text_error(what: str, text: str, position: int, problem: str) -> QueryError:
    """Return an error that shows a text with a caret below the position of the problem.

    Args:
        what: the name of the text, such as `filter`.
        text: the text.
        position: the index of the character.
        problem: the fault at this character, in words.
    """
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line, place = text[begin : len(text) if end < 0 else end], position - begin
    first = max(0, place - CONTEXT // 2)
    before = ("…" if first else "") + printable(line[first:place])
    after = printable(line[place : first + CONTEXT]) + ("…" if len(line) > first + CONTEXT else "")
    return QueryError(f"{what}: character {position + 1}: {problem}\n  {before}{after}\n  {' ' * len(before)}^")

"""What a filter says, as a tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.errors import QueryError
from runner.tables.frame import printable

SHOWN = 100
"""So many characters of a long filter are shown around the place of an error."""


@dataclass(frozen=True)
class Name:
    """What is asked about: a column of `runs`, `experiment`, or a parameter.

    Attributes:
        text: as it was written; parts are joined by dots.
        position: where, from 0.
    """

    text: str
    position: int = field(compare=False)


@dataclass(frozen=True)
class Literal:
    """A value.

    Attributes:
        value: it.
        position: where it was written, from 0.
    """

    value: int | float | str | bool
    position: int = field(compare=False)


@dataclass(frozen=True)
class Comparison:
    """`steps < 100`.

    Attributes:
        name: what is compared.
        operator: one of = != < <= > >=.
        literal: with what.
    """

    name: Name
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Membership:
    """`outcome in ("diverged", "failed")`.

    Attributes:
        name: what is looked for.
        literals: among what.
    """

    name: Name
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Pattern:
    """`error like "%overflow%"`.

    Attributes:
        name: what is compared.
        literal: a text in which % stands for any characters and _ for one.
    """

    name: Name
    literal: Literal


@dataclass(frozen=True)
class Presence:
    """`behaviour is null`, `final_value is nan`.

    Attributes:
        name: what is looked at.
        state: `null` or `nan`.
    """

    name: Name
    state: str


@dataclass(frozen=True)
class Not:
    """True where its condition is not.

    Attributes:
        condition: the condition.
    """

    condition: Condition


@dataclass(frozen=True)
class All:
    """True where all of its conditions are.

    Attributes:
        conditions: two or more.
    """

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """True where one of its conditions is, or several.

    Attributes:
        conditions: two or more.
    """

    conditions: tuple[Condition, ...]


Condition = Comparison | Membership | Pattern | Presence | Not | All | Either


@dataclass(frozen=True)
class Filter:
    """A whole filter.

    Attributes:
        text: as it was written.
        condition: what it says.
        names: what it asks about, in the order of the text.
    """

    text: str
    condition: Condition
    names: tuple[Name, ...]


def complaint(what: str, text: str, position: int, problem: str) -> QueryError:
    """Return the error that says what is wrong in a text, with a caret below the place."""
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line, place = text[begin : len(text) if end < 0 else end], position - begin
    first = max(0, place - SHOWN // 2)
    before = ("…" if first else "") + printable(line[first:place])
    after = printable(line[place : first + SHOWN]) + ("…" if len(line) > first + SHOWN else "")
    return QueryError(f"{what}: character {position + 1}: {problem}\n  {before}{after}\n  {' ' * len(before)}^")

"""What each column of the tables may hold: its type says most of it, and its name the rest."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, Integer, LargeBinary, String, Table
from sqlalchemy.sql.schema import Column

from runner.outcomes import BEHAVIOURS, OUTCOMES

RowT = TypeVar("RowT", bound=Sequence[Any])
CLASSES = ("finite", "inf", "-inf", "nan", "-0.0", "-nan")
WORDS: Mapping[str, Sequence[str]] = {
    "kind": ("objective", "gradient", "optimizer", "rules"),
    "outcome": OUTCOMES,
    "behaviour": BEHAVIOURS,
    **{f"{number}_class": CLASSES for number in ("final_value", "final_gradient_norm", "best_value")},
}
"""By the names of columns, all that may be in them."""
LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: no later date has a name."""
LARGEST = sys.float_info.max
MAY_BE_INFINITE = ("number", "final_value", "final_gradient_norm", "best_value")
ALWAYS_AS_LONG = ("digest", "identity")
"""SHA-256 in hexadecimal."""
LEAST = {"seconds": 0.0}


class Senseless(ValueError):
    """What is stored cannot be what anybody wrote."""


@dataclass(frozen=True)
class Domain:
    """What a column may hold.

    Attributes:
        type: of its values, in Python.
        name: what SQLite calls that type.
        words: what they are called.
        nullable: whether one may be missing.
        bounds: the least and the greatest, where there are such.
        allowed: the only ones, where it is a few.
        lengths: how many characters a text has at least and at most, where there is a limit.
    """

    type: type
    name: str
    words: str
    nullable: bool
    bounds: tuple[int | float, int | float] | None = None
    allowed: Sequence[str] = ()
    lengths: tuple[int, int] | None = None

    def __str__(self) -> str:
        said = self.words
        if self.allowed:
            said = f"one of {', '.join(self.allowed)}"
        elif self.bounds is not None:
            said += " from {} to {}".format(*(each if self.type is int else f"{each:.15g}" for each in self.bounds))
        elif self.lengths is not None:
            said += f" of {'at most ' if self.lengths[0] == 0 else ''}{self.lengths[1]} characters"
        return f"{said}, or null" if self.nullable else said

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether all of some values are such."""
        if not set(map(type, values)) <= {self.type, *([type(None)] if self.nullable else ())}:
            return False
        there = [value for value in values if value is not None] if self.nullable else values
        if self.bounds is not None and there:
            low, high = self.bounds
            return all(low <= value <= high for value in there)
        return not self.allowed or set(there) <= set(self.allowed)


@functools.cache
def domain_of(column: Column[Any]) -> Domain:
    """Return what a column of the schema may hold."""
    kind, nullable = column.type, bool(column.nullable)
    if isinstance(kind, Boolean):
        return Domain(bool, "integer", "a truth value, 0 or 1", nullable)
    if isinstance(kind, Integer):
        wide = isinstance(kind, BigInteger) or column.primary_key or column.foreign_keys
        return Domain(int, "integer", "a whole number", nullable, (0, 2**63 - 1 if wide else 2**31 - 1))
    if isinstance(kind, Double):
        return Domain(float, "real", "a number", nullable, _bounds(column.name))
    if isinstance(kind, LargeBinary):
        return Domain(bytes, "blob", "numbers of 8 bytes each", nullable)
    allowed = tuple(map(str, WORDS.get(column.name, ())))
    longest = kind.length if isinstance(kind, String) else None
    lengths = None if longest is None else (longest if column.name in ALWAYS_AS_LONG else 0, longest)
    return Domain(str, "text", "a text in UTF-8", nullable, allowed=allowed, lengths=lengths)


def _bounds(name: str) -> tuple[float, float] | None:
    if name.endswith("_at"):
        return 0.0, LAST_SECOND
    return None if name in MAY_BE_INFINITE else (LEAST.get(name, -LARGEST), LARGEST)


def require(column: ColumnElement[Any], values: Sequence[Any]) -> None:
    """Look at what was read of a column; what is computed from columns is no column, and is let pass.

    Raises:
        Senseless: one of the values cannot be in it.
    """
    if not isinstance(column, Column):
        return
    domain = domain_of(column)
    if not domain.holds(values):
        wrong = next(value for value in values if not domain.holds([value]))
        raise Senseless(f"{column} is {shown(wrong)}, and must be {domain}")


def required(columns: Iterable[ColumnElement[Any]], rows: Iterable[RowT]) -> list[RowT]:
    """Return the rows of some columns, having looked at them.

    Raises:
        Senseless: one of the values cannot be in its column.
    """
    listed = list(rows)
    for column, values in zip(columns, zip(*listed, strict=True), strict=bool(listed)):
        require(column, values)
    return listed


def require_row(table: Table, row: Mapping[Any, Any]) -> None:
    """Look at a row of a table.

    Raises:
        Senseless: one of its values cannot be in its column.
    """
    for column in table.columns:
        require(column, [row[column.name]])


def shown(value: object) -> str:
    """Return a value for messages, not too long."""
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."

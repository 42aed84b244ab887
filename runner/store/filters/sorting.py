"""Lists of names: which columns, `id, steps`, and in which order, `-final_value, steps`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runner.store.filters.syntax import Name, complaint
from runner.tables.frame import shortened

_ITEM = re.compile(r"\s*(?P<sign>-?)\s*(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)\s*")


@dataclass(frozen=True)
class SortKey:
    """One key of an order.

    Attributes:
        name: a column of `runs`, or a parameter.
        descending: whether the largest come first.
    """

    name: Name
    descending: bool


@dataclass(frozen=True)
class Order:
    """A whole order.

    Attributes:
        text: as it was written.
        keys: the most important first.
    """

    text: str
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Columns:
    """A list of columns and parameters.

    Attributes:
        text: as it was written.
        names: in its order.
    """

    text: str
    names: tuple[Name, ...]


def parse_sort(text: str) -> Order:
    """Return an order.

    Raises:
        QueryError: it cannot be understood; the text points at the character.
    """
    expected = "expected a name, with - before it for the largest first"
    return Order(text, tuple(SortKey(name, sign == "-") for name, sign in _items("order", text, expected)))


def parse_columns(text: str) -> Columns:
    """Return a list of columns.

    Raises:
        QueryError: it cannot be understood, or names a column twice; the text points at the character.
    """
    names: dict[str, Name] = {}
    for name, sign in _items("columns", text, "expected a name"):
        if sign or name.text in names:
            problem = "a minus has no meaning here" if sign else f"{shortened(name.text)} is named twice"
            raise complaint("columns", text, name.position, problem)
        names[name.text] = name
    return Columns(text, tuple(names.values()))


def _items(what: str, text: str, expected: str) -> Iterator[tuple[Name, str]]:
    position = 0
    while True:
        found = _ITEM.match(text, position)
        if found is None:
            raise complaint(what, text, position, expected)
        yield Name(found["name"], found.start("name")), found["sign"]
        position = found.end()
        if position == len(text):
            return
        if text[position] != ",":
            raise complaint(what, text, position, "expected a comma, or the end")
        position += 1

"""Lists of names: orders such as `-final_value, steps`, and lists of columns such as `id, steps`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.store.filters.syntax import Columns, Name, Order, SortKey, text_error
from runner.tables.frame import shortened

ITEM = re.compile(r"\s*(?P<sign>-?)\s*(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)\s*")


def parse_sort(text: str) -> Order:
    """Return the order that a text describes.

    Raises:
        QueryError: the text is not an order; the error points at the character.
    """
    expected = "expected a name, with - before it for the largest first"
    return Order(text, tuple(SortKey(name, sign == "-") for name, sign in _items("order", text, expected)))


def parse_columns(text: str) -> Columns:
    """Return the list of columns that a text describes.

    Raises:
        QueryError: the text is not a list of names, or a name stands in it twice; the error points at the character.
    """
    names: dict[str, Name] = {}
    for name, sign in _items("columns", text, "expected a name"):
        if sign or name.text in names:
            problem = "a minus has no meaning here" if sign else f"{shortened(name.text)} is named twice"
            raise text_error("columns", text, name.position, problem)
        names[name.text] = name
    return Columns(text, tuple(names.values()))


def _items(what: str, text: str, expected: str) -> Iterator[tuple[Name, str]]:
    """Yield the names between the commas, each with the sign before it."""
    position = 0
    while True:
        found = ITEM.match(text, position)
        if found is None:
            raise text_error(what, text, position, expected)
        yield Name(found["name"], found.start("name")), found["sign"]
        position = found.end()
        if position == len(text):
            return
        if text[position] != ",":
            raise text_error(what, text, position, "expected a comma, or the end")
        position += 1

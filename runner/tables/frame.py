"""Frames: the tables that the results database returns, which pandas, polars and other readers of Arrow accept."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runner.tables.readable import rounded

if TYPE_CHECKING:
    import numpy as np
    from arro3.core import Table
    from numpy.typing import NDArray


ColumnKind = Literal["integer", "number", "text", "truth"]
SHOWN_ROWS = 20
"""The number of rows that a notebook or a prompt shows."""
IDENTITY_LENGTH = 64
"""The number of characters of a run's identity."""
SHOWN_IDENTITY_LENGTH = 10
"""The number of characters of an identity that are shown, as git shortens its hashes."""
LARGEST_LIMIT = 10**9
"""The largest limit that a user can set for the number of rows; to get all rows, pass no limit."""
ROWS_AT_ONCE = 10_000
"""The number of rows that are converted to Python objects at a time, because these need several times the memory of arrays."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Attributes:
        name: the heading.
        kind: the type of the values.
        values: an array, or a list in which None stands for a missing value.
        missing: for an array, True where a value is missing; None if no value is missing.
    """

    name: str
    kind: ColumnKind
    values: list[Any] | NDArray[Any]
    missing: NDArray[np.bool_] | None = None

    def part(self, first: int, end: int) -> Column:
        """Return a column with the values from place `first` on, up to the place before `end`."""
        missing = None if self.missing is None else self.missing[first:end]
        return Column(self.name, self.kind, self.values[first:end], missing)

    def listed(self) -> list[Any]:
        """Return the values as a list of Python objects, with None for a missing value."""
        if isinstance(self.values, list):
            return self.values
        values: list[Any] = self.values.tolist()
        if self.missing is None:
            return values
        return [None if gone else value for value, gone in zip(values, self.missing.tolist(), strict=True)]


class Frame:
    """A table.

    `frame["steps"]` is a column as an array, `frame.rows()` yields the rows, and `dict(frame)` has all columns. A frame supports
    the Arrow PyCapsule interface: `polars.DataFrame(frame)`, `pandas.DataFrame.from_arrow(frame)`, `pyarrow.table(frame)`. This
    needs the extra `gradient-runner[arrow]`; `dict(frame)` does not. In Arrow, NaN is a number and not a missing value.

    Attributes:
        columns: the columns, all of the same length.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._by_name = {column.name: column for column in columns}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._by_name)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns; `dict(frame)` calls this method."""
        return self.names

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column as an array.

        - Numbers are float64, with NaN for a missing value.
        - Integers are int64, or float64 with NaN if a value is missing.
        - Truth values are bool, or objects with None if a value is missing.
        - Texts are objects.
        """
        # The command line prints tables without NumPy: loading it takes longer than answering most questions.
        import numpy as np

        column = self._by_name[name]
        values = column.values
        if not isinstance(values, list) and column.missing is None:
            return values
        items = column.listed()
        if column.kind == "number" or (column.kind == "integer" and None in items):
            return np.array([float("nan") if item is None else item for item in items], float)
        types = {"integer": np.int64, "truth": object if None in items else np.bool_}
        return np.array(items, types.get(column.kind, object))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as tuples of Python objects, with None for a missing value."""
        for first in range(0, len(self), ROWS_AT_ONCE):
            yield from zip(*(column.part(first, first + ROWS_AT_ONCE).listed() for column in self.columns), strict=True)

    def to_arrow(self) -> Table:
        """Return the table as a table of `arro3.core`, a small library that reads and writes Arrow.

        Raises:
            ReportError: arro3-core is not installed; `gradient-runner[arrow]` installs it.
        """
        # This import is deferred, because most callers need no Arrow.
        from runner.tables.arrow import to_table

        return to_table(self.columns)

    def __arrow_c_schema__(self) -> object:
        return self.to_arrow().schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def head(self, rows: int) -> Frame:
        """Return the first rows."""
        return Frame([column.part(0, rows) for column in self.columns])

    def taken(self, places: Sequence[int]) -> Frame:
        """Return the rows at the given places, in the given order."""
        columns = [(each, each.listed()) for each in self.columns]
        return Frame([Column(each.name, each.kind, [values[place] for place in places]) for each, values in columns])

    def lines(self) -> list[str]:
        """Return the lines of the table as text. Numbers have six digits, and control characters are written as escapes."""
        return aligned(self.texts(), self.numeric)

    def texts(self) -> list[list[str]]:
        """Return the cells as text: a list of the headings, then a list for each row."""
        return [[printable(name) for name in self.names], *self._cells()]

    @property
    def numeric(self) -> list[bool]:
        """One flag for each column, True if the column holds numbers."""
        return [column.kind in ("integer", "number") for column in self.columns]

    def __repr__(self) -> str:
        return "\n".join([*self.head(SHOWN_ROWS).lines(), *self._more()])

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows; every text in it is escaped."""
        head = "".join(f"<th>{html.escape(text_of(name))}</th>" for name in self.names)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in self.head(SHOWN_ROWS)._cells()
        )
        more = "".join(f"<p>{line}</p>" for line in self._more())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _cells(self) -> Iterator[list[str]]:
        """Yield the rows as text; an identity is shortened to its first characters, which suffice to name a run."""
        is_identity = [name == "identity" for name in self.names]
        for row in self.rows():
            yield [
                text_of(
                    value[:SHOWN_IDENTITY_LENGTH] if short and isinstance(value, str) and len(value) == IDENTITY_LENGTH else value
                )
                for value, short in zip(row, is_identity, strict=True)
            ]

    def _more(self) -> list[str]:
        return [f"… {len(self):,} rows"] if len(self) > SHOWN_ROWS else []


def concatenated(frames: Iterable[Frame]) -> Frame:
    """Return one table with the rows of one or more tables that have the same columns."""
    first, *others = frames
    if not others:
        return first
    parts = [first, *others]
    return Frame(
        [
            Column(each.name, each.kind, [value for part in parts for value in part.columns[place].listed()])
            for place, each in enumerate(first.columns)
        ]
    )


def html_with_notes(notes: Sequence[str], frame: Frame) -> str:
    """Return the HTML that a notebook shows for a table with notes above it; every text in it is escaped."""
    return "".join(f"<p>{html.escape(printable(note))}</p>" for note in notes) + frame._repr_html_()


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Return the lines of a table. Each column is as wide as its widest cell.

    Args:
        rows: the cells of each row.
        right: for each column, True if it is aligned on the right, as numbers are.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if end else cell.ljust(width) for cell, width, end in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def text_of(value: object) -> str:
    """Return a value as text for people, on one line; control characters are written as escapes."""
    if value is None:
        return ""
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return printable(str(value))


def shortened(text: str, most: int = 60) -> str:
    """Return a text for a message; a longer text is cut to `most` characters, and ends in `…`."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable(text: str) -> str:
    r"""Return a text in which every character that cannot be printed is written as an escape, e.g. `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def printable_lines(text: str) -> str:
    """Return a text with escapes as in `printable`, except that line breaks are kept."""
    return "\n".join(map(printable, text.split("\n")))

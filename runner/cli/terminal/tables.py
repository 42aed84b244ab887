"""Tables as the commands write them, fitted to the width of the terminal or in a format for programs; counts and sizes."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from runner.tables.frame import Frame, aligned, printable_lines
from runner.tables.text_formats import TEXT_FORMATS

GAP = 2
"""Number of blanks between two columns."""
MIN_TEXT_WIDTH = 16
"""Least width of a column of texts that are wrapped, unless all are shorter."""
MIN_SHORTENED_WIDTH = 24
"""Least width of a column of texts that are shortened, unless all are shorter."""
LONGEST_PIECE = 40
"""A piece of text without a place to break may be broken anywhere if it is longer than this."""
MOST_NAMED = 4
"""Largest number of hidden columns that are named."""
PIECE = re.compile(r"(?:[\d,]*\d )?.+?(?:[\s,(\[=]+|$)")
"""A part of a cell that stays on one line; a count stays with the noun after it."""
HEADING_PIECE = re.compile(r".+?(?:[\s,(\[=_]+|\.(?=[a-z])|$)")
"""A part of a heading that stays on one line."""
WIDEN = "a wider terminal shows them"
WIDEN_OR_CSV = "a wider terminal or --format csv shows them"

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class NarrowLayout:
    """The layout of a table on a terminal that is too narrow for it. Columns are named by their headings.

    Attributes:
        hide_first: columns that are hidden, in this order, before any text is wrapped.
        shorten: columns whose texts may be shortened to the height of the other cells in their row.
        hide_later: columns that are hidden, in this order, if wrapping is not enough. After them the last columns are hidden.
        hint: the advice on how to see the hidden columns.
    """

    hide_first: Sequence[str] = ()
    shorten: Sequence[str] = ()
    hide_later: Sequence[str] = ()
    hint: str = WIDEN


def write_frame(frame: Frame, form: str, layout: NarrowLayout | None = None) -> None:
    """Write a table in one of `options.FORMATS`; as `table` it fits the terminal and contains no control characters."""
    if form == "table":
        click.echo("\n".join(table_lines(frame.texts(), layout or NarrowLayout(hint=WIDEN_OR_CSV), frame.numeric)))
    else:
        write_frames([frame], form)


def write_frames(frames: Iterable[Frame], form: str) -> None:
    """Write tables with the same columns as one table, in a format for programs."""
    for piece in TEXT_FORMATS[form](frames):
        # JSON escapes control characters itself. Other formats must contain them in a file, but a terminal would obey them.
        escape = not form.startswith("json") and sys.stdout.isatty()
        click.echo(printable_lines(piece) if escape else piece, nl=False)


def table_lines(rows: Rows, layout: NarrowLayout | None = None, right_aligned: Sequence[bool] = ()) -> list[str]:
    """Return the lines of a table; on a terminal they fit its width.

    Args:
        rows: the headings, then the rows.
        layout: the layout if the terminal is too narrow.
        right_aligned: one value for each column, true for numbers; empty if no column is right-aligned.
    """
    return fit_table(rows, _terminal_width(), layout or NarrowLayout(), right_aligned or [False] * len(rows[0]))


def labelled_lines(facts: Sequence[tuple[str, str]], indent: str = "") -> list[str]:
    """Return a line for each name and text; on a terminal texts are wrapped beside the names, and paths are not broken."""
    column = len(indent) + max(len(name) for name, _ in facts) + GAP
    width = _terminal_width()
    lines = []
    for name, text in facts:
        first, *others = _wrap(text, max(width - column, MIN_TEXT_WIDTH), PIECE, break_pieces=False) if width else [text]
        lines += [f"{indent}{name}".ljust(column) + first, *(" " * column + other for other in others)]
    return lines


def fit_table(rows: Rows, width: int | None, layout: NarrowLayout, right_aligned: Sequence[bool]) -> list[str]:
    """Return the lines of a table, none longer than `width` characters if a width is given.

    Texts are wrapped after blanks, commas, brackets and equals signs, and headings also after underscores and dots. Numbers are
    never broken. A piece that is wider than its column is broken, except in the last column, from which people copy paths.
    """
    headings, columns = rows[0], list(zip(*rows, strict=True))
    natural = [max(map(len, column)) for column in columns]
    if width is None or _total(natural) <= width:
        return aligned(rows, right_aligned)
    minimum = [
        _minimum_width(column, end, column[0] in layout.shorten) for column, end in zip(columns, right_aligned, strict=True)
    ]
    visible = _visible_columns(headings, natural, minimum, layout, width)
    shortened = [place for place in visible if headings[place] in layout.shorten]
    # The spare width goes to the cells of numbers first, so that a number and its unit stay on one line. Then it goes to texts
    # and headings, before columns that may be shortened.
    without_heading = [max(map(len, column[1:]), default=0) for column in columns]
    wishes = [(place, without_heading[place]) for place in visible if right_aligned[place]]
    wishes += [(place, natural[place]) for place in sorted(visible, key=lambda place: (place in shortened, right_aligned[place]))]
    widths = {place: minimum[place] for place in visible}
    spare = width - _total([*widths.values()])
    for place, wish in wishes:
        extra = min(max(wish - widths[place], 0), spare)
        widths[place] += extra
        spare -= extra
    lines = [line for number, row in enumerate(rows) for line in _wrapped_row(row, widths, shortened, is_heading=number == 0)]
    table = aligned(lines, [right_aligned[place] for place in visible])
    hidden = [name for place, name in enumerate(headings) if place not in visible]
    if not hidden:
        return table
    more = f" and {len(hidden) - MOST_NAMED} more" if len(hidden) > MOST_NAMED else ""
    return table + _wrap(f"hidden columns: {', '.join(hidden[:MOST_NAMED])}{more}; {layout.hint}", width, PIECE)


def _terminal_width() -> int | None:
    """Return the width in characters of standard output, or None if it is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _minimum_width(column: Sequence[str], is_number: bool, may_be_shortened: bool) -> int:
    """Return the least width of a column at which every piece that must stay on one line is unbroken."""
    heading = max((len(piece.rstrip()) for piece in HEADING_PIECE.findall(column[0])), default=0)
    longest_piece = max((len(piece.rstrip()) for cell in column[1:] for piece in PIECE.findall(cell)), default=0)
    if is_number:
        return max(heading, longest_piece)
    longest = max(map(len, column[1:]), default=0)
    if may_be_shortened:
        return max(heading, min(longest, MIN_SHORTENED_WIDTH))
    return max(heading, min(longest_piece, LONGEST_PIECE), min(longest, MIN_TEXT_WIDTH))


def _visible_columns(
    headings: Sequence[str], natural: Sequence[int], minimum: Sequence[int], layout: NarrowLayout, width: int
) -> list[int]:
    """Return the positions of the columns that the width has room for."""
    unwrapped = [least if name in layout.shorten else full for name, full, least in zip(headings, natural, minimum, strict=True)]
    visible = list(range(len(headings)))
    for place in [headings.index(name) for name in layout.hide_first if name in headings]:
        if _total([unwrapped[each] for each in visible]) > width:
            visible.remove(place)
    named = [headings.index(name) for name in layout.hide_later if name in headings]
    for place in [*named, *reversed(range(len(headings)))]:
        if place in visible and len(visible) > 1 and _total([minimum[each] for each in visible]) > width:
            visible.remove(place)
    return visible


def _wrapped_row(
    row: Sequence[str], widths: Mapping[int, int], shortened: Sequence[int], is_heading: bool
) -> Iterator[Sequence[str]]:
    """Yield a row as several rows of the given widths. Headings are aligned at the bottom, cells at the top."""
    pattern = HEADING_PIECE if is_heading else PIECE
    cells = {place: _wrap(row[place], width, pattern, break_pieces=place != max(widths)) for place, width in widths.items()}
    height = max(len(lines) for place, lines in cells.items() if place not in shortened or len(shortened) == len(cells))
    for place in shortened:
        if len(cells[place]) > height:
            last = cells[place][height - 1][: widths[place] - 1].rstrip()
            cells[place] = [*cells[place][: height - 1], f"{last}…"]
    for line in range(height):
        places = {place: line - height + len(lines) if is_heading else line for place, lines in cells.items()}
        yield [lines[places[place]] if 0 <= places[place] < len(lines) else "" for place, lines in cells.items()]


def _wrap(text: str, width: int, pattern: re.Pattern[str], break_pieces: bool = True) -> list[str]:
    """Return a text as lines that end after pieces; a piece that is longer than the width is broken if that is allowed."""
    lines, line = [], ""
    for piece in pattern.findall(text):
        if line and len((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while break_pieces and len(line.rstrip()) > width:
            lines.append(line[:width])
            line = line[width:]
    return [*lines, line.rstrip()] if line or not lines else lines


def size_text(size: float) -> str:
    """Return a size in bytes with a unit: `3.2 MB`."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} bytes"

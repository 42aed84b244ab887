"""Tables that fit the terminal: texts are folded, and where that is not enough columns are left out, and named."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.tables.frame import aligned

GAP = 2
FOLDED = 16
"""Texts are folded into no less than this, unless they are shorter."""
CUT = 24
"""Texts that may be cut, likewise."""
LONGEST = 40
"""What has no blank may be torn beyond this."""
NAMED = 4
"""So many columns that there is no room for are named."""
PIECE = re.compile(r"(?:[\d,]*\d )?.+?(?:[\s,(\[=]+|$)")
"""A count stays with what it counts."""
HEADING_PIECE = re.compile(r".+?(?:[\s,(\[=_]+|\.(?=[a-z])|$)")
WIDER = "a wider terminal shows more"

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Habits:
    """How a table gives way where there is no room for all of it.

    Attributes:
        least: the headings of the columns that are left out before anything is folded, the least useful first.
        cut: the headings of the columns whose texts may be cut to as many lines as the others need.
        then: the headings of the columns that go where folding is not enough, in that order; behind them the last columns.
        more: where to find what is left out.
    """

    least: Sequence[str] = ()
    cut: Sequence[str] = ()
    then: Sequence[str] = ()
    more: str = WIDER


def fitted(rows: Rows, habits: Habits | None = None, right: Sequence[bool] = ()) -> list[str]:
    """Return a table as lines; on a terminal they fit its width.

    Args:
        rows: the headings, and behind them the rows.
        habits: how it gives way.
        right: for each column whether it stands at the right, as numbers do; none if empty.
    """
    return fit(rows, _terminal(), habits or Habits(), right or [False] * len(rows[0]))


def fit(rows: Rows, width: int | None, habits: Habits, right: Sequence[bool]) -> list[str]:
    """Return a table as lines of at most some width, or of any.

    Texts are folded after blanks, commas, brackets and equals signs, headings after underscores and dots too; no number is torn.
    What has no such place is torn where it must be, but for the last column, from which paths are copied.
    """
    columns = list(zip(*rows, strict=True))
    natural = [max(map(len, column)) for column in columns]
    if width is None or _total(natural) <= width:
        return aligned(rows, right)
    floors = [_floor(column, end, column[0] in habits.cut) for column, end in zip(columns, right, strict=True)]
    shown = _shown(rows[0], natural, floors, habits, width)
    cuts = [place for place in shown if rows[0][place] in habits.cut]
    cells = [max(map(len, column[1:]), default=0) for column in columns]
    # A number with its unit stays on a line, if texts can be folded for it; long headings may be folded rather than texts.
    wishes = [(place, cells[place]) for place in shown if right[place]]
    wishes += [(place, natural[place]) for place in sorted(shown, key=lambda place: (place in cuts, right[place]))]
    widths = _shared({place: floors[place] for place in shown}, wishes, width)
    lines = [line for number, row in enumerate(rows) for line in _folded(row, widths, cuts, number)]
    missed = [name for place, name in enumerate(rows[0]) if place not in shown]
    told = _fold(_told(missed, habits.more), width, PIECE) if missed else []
    return aligned(lines, [right[place] for place in shown]) + told


def hanging(facts: Sequence[tuple[str, str]], indent: str = "") -> list[str]:
    """Return facts as lines behind their names; on a terminal they are folded beside those, and paths stay whole."""
    column = len(indent) + max(len(name) for name, _ in facts) + GAP
    width = _terminal()
    lines = []
    for name, text in facts:
        first, *others = _fold(text, max(width - column, FOLDED), PIECE, torn=False) if width else [text]
        lines += [f"{indent}{name}".ljust(column) + first, *(" " * column + other for other in others)]
    return lines


def _terminal() -> int | None:
    """Return how wide the terminal is, if it is one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _floor(column: Sequence[str], number: bool, cut: bool) -> int:
    """Return how narrow a column can be."""
    heading = max((len(piece.rstrip()) for piece in HEADING_PIECE.findall(column[0])), default=0)
    pieces = max((len(piece.rstrip()) for cell in column[1:] for piece in PIECE.findall(cell)), default=0)
    if number:
        return max(heading, pieces)
    longest = max(map(len, column[1:]), default=0)
    return max(heading, 0 if cut else min(pieces, LONGEST), min(longest, CUT if cut else FOLDED))


def _shown(headings: Sequence[str], natural: Sequence[int], floors: Sequence[int], habits: Habits, width: int) -> list[int]:
    """Return the places of the columns that there is room for."""
    wide = [floor if name in habits.cut else full for name, full, floor in zip(headings, natural, floors, strict=True)]
    shown = list(range(len(headings)))
    for place in [headings.index(name) for name in habits.least if name in headings]:
        if _total([wide[each] for each in shown]) > width:
            shown.remove(place)
    named = [headings.index(name) for name in habits.then if name in headings]
    for place in [*named, *reversed(range(len(headings)))]:
        if place in shown and len(shown) > 1 and _total([floors[each] for each in shown]) > width:
            shown.remove(place)
    return shown


def _shared(floors: Mapping[int, int], wishes: Sequence[tuple[int, int]], width: int) -> dict[int, int]:
    """Share the width out: each column gets the least that it needs, and then what is wished for, as far as there is room."""
    widths = dict(floors)
    spare = width - _total([*floors.values()])
    for place, wish in wishes:
        extra = min(max(wish - widths[place], 0), spare)
        widths[place] += extra
        spare -= extra
    return widths


def _folded(row: Sequence[str], widths: Mapping[int, int], cuts: Sequence[int], number: int) -> Iterator[Sequence[str]]:
    """Give a row as lines; the headings, which are row 0, end on the last of theirs."""
    cells = {
        place: _fold(row[place], width, PIECE if number else HEADING_PIECE, torn=place != max(widths))
        for place, width in widths.items()
    }
    height = max(len(lines) for place, lines in cells.items() if place not in cuts or len(cuts) == len(cells))
    for place in cuts:
        if len(cells[place]) > height:
            last = cells[place][height - 1][: widths[place] - 1].rstrip()
            cells[place] = [*cells[place][: height - 1], f"{last}…"]
    for line in range(height):
        places = {place: line - height + len(lines) if number == 0 else line for place, lines in cells.items()}
        yield [lines[places[place]] if 0 <= places[place] < len(lines) else "" for place, lines in cells.items()]


def _fold(text: str, width: int, pattern: re.Pattern[str], torn: bool = True) -> list[str]:
    lines, line = [], ""
    for piece in pattern.findall(text):
        if line and len((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while torn and len(line.rstrip()) > width:
            lines.append(line[:width])
            line = line[width:]
    return [*lines, line.rstrip()] if line or not lines else lines


def _told(missed: Sequence[str], more: str) -> str:
    others = len(missed) - NAMED
    return f"no room for {', '.join(missed[:NAMED])}{f' and {others} more' if others > 0 else ''}; {more}"

"""Tables as text for programs: CSV, JSON lines and JSON.

A float is written with enough digits to give the same float when it is read back. JSON has no NaN and no infinities. They are
written as the strings "NaN", "Infinity" and "-Infinity", which Python's `float` accepts.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runner.tables.frame import Frame

PIECE_LENGTH = 2**16
"""The collected text is yielded as a piece when it has more characters than this."""


def csv_pieces(frames: Iterable[Frame], header: bool = True) -> Iterator[str]:
    """Yield the text of one CSV file for tables with the same columns, in pieces; a missing value is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for frame in frames:
        if header:
            writer.writerow(frame.names)
        header = False
        truths = [place for place, column in enumerate(frame.columns) if column.kind == "truth"]
        for row in frame.rows():
            cells = list(row)
            for place in truths:
                cells[place] = None if row[place] is None else str(row[place]).lower()
            writer.writerow(cells)
            if text.tell() > PIECE_LENGTH:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
    yield text.getvalue()


def json_lines(frames: Iterable[Frame]) -> Iterator[str]:
    """Yield the rows of tables as JSON lines: an object and a line feed for each row."""
    write: Callable[[object], str] = json.JSONEncoder(allow_nan=False).encode
    for frame in frames:
        for row in frame.rows():
            yield write(dict(zip(frame.names, map(json_value, row), strict=True))) + "\n"


def json_pieces(frames: Iterable[Frame]) -> Iterator[str]:
    """Yield the text of one JSON list, with an object for each row of the tables, in pieces."""
    between = "[\n"
    for line in json_lines(frames):
        yield between + line.rstrip("\n")
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def json_value(value: Any) -> Any:
    """Return a value that JSON can hold: a string in place of NaN or an infinity, every other value unchanged."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


TEXT_FORMATS: dict[str, Callable[[Iterable[Frame]], Iterator[str]]] = {
    "json": json_pieces,
    "jsonl": json_lines,
    "csv": csv_pieces,
}
"""The text formats of the command line, each with the function that writes it."""

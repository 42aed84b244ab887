"""Tables as text that programs read: CSV, JSON lines and JSON, exact to the last bit where the format can hold it.

Floats are written with the digits that give the same float again. JSON has no NaN and no infinity: they are the texts "NaN",
"Infinity" and "-Infinity", which `float` reads.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from runner.tables.frame import Frame

AT_ONCE = 2**16
"""So many characters make one piece of text."""


def csv_pieces(frames: Iterable[Frame], header: bool = True) -> Iterator[str]:
    """Give tables with the same columns as one CSV, in pieces; missing values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for frame in frames:
        if header:
            writer.writerow(frame.names)
        header = False
        truths = [place for place, column in enumerate(frame.columns) if column.kind == "truth"]
        for row in frame.rows():
            writer.writerow(_lower(row, truths) if truths else row)
            if text.tell() > AT_ONCE:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
    yield text.getvalue()


def _lower(row: Sequence[Any], truths: Sequence[int]) -> list[Any]:
    return [str(cell).lower() if place in truths and cell is not None else cell for place, cell in enumerate(row)]


def json_lines(frames: Iterable[Frame]) -> Iterator[str]:
    """Give tables as JSON lines: an object a row, and a line feed."""
    write: Callable[[object], str] = json.JSONEncoder(allow_nan=False).encode
    for frame in frames:
        for row in frame.rows():
            yield write(dict(zip(frame.names, map(json_value, row), strict=True))) + "\n"


def json_pieces(frames: Iterable[Frame]) -> Iterator[str]:
    """Give tables as one JSON list of objects."""
    between = "[\n"
    for line in json_lines(frames):
        yield between + line.rstrip("\n")
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def json_value(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value

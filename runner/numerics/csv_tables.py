"""The reader of numbers in CSV files. Its messages name the file and the line."""

from __future__ import annotations

import csv
import functools
import io
import math
from pathlib import Path

import numpy as np

from runner.contracts.arrays import Array


def read_table(path: Path) -> Array:
    """Return the samples in a CSV file: features, and y in the last column. A header line and blank lines are skipped.

    Args:
        path: the file, in UTF-8, with cells separated by commas.

    Returns:
        The numbers, `(samples, columns)` with at least two columns; read-only.

    Raises:
        ValueError: the file is not such a table; the message names the line and the reason.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    return _parsed(path, content)


@functools.lru_cache(maxsize=4)
def _parsed(path: Path, content: bytes) -> Array:
    """Return the table; it is cached, because all plugins of a sweep read the same file."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: is not a CSV file in UTF-8: {error}") from error
    columns = len(lines[0][1]) if lines else 0
    if columns == 1:
        raise ValueError(f"{path}, line {lines[0][0]}: there must be at least two columns, features and then y, not 1")
    for line, cells in lines:
        if len(cells) != columns:
            raise ValueError(f"{path}, line {line}: {len(cells)} columns, where the first line has {columns}")
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        del lines[0]
    if not lines:
        raise ValueError(f"{path}: holds no line of numbers")
    for line, cells in lines:
        for cell in cells:
            if not _is_number(cell) or not math.isfinite(float(cell)):
                raise ValueError(f"{path}, line {line}: {cell!r} is not a finite number")
    table = np.array([[float(cell) for cell in cells] for _, cells in lines])
    table.flags.writeable = False
    return table


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

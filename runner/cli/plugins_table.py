"""Texts in columns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the columns; on a terminal cut each line to its width."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return [line if columns is None or len(line) <= columns else line[: columns - 1] + "…" for line in lines]

"""The files of a report: figures rendered to reproducible bytes, and files that are written as a whole."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.transforms import Bbox

from runner.errors import ReportError
from runner.report.style import house_style
from runner.tables.output_files import atomic_write

DOTS_PER_INCH = 150
# By default, Matplotlib writes its version and the time into a picture.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def render(figure: MatplotlibFigure, suffixes: Sequence[str] = ("svg", "png")) -> dict[str, bytes]:
    """Return a figure as the bytes of a file for each suffix: `svg`, `png` or `pdf`.

    The same figure gives the same bytes with the same version of Matplotlib. Rendering fixes the figure's layout: afterwards,
    panels no longer move to make room for labels.
    """
    pictures = {}
    with house_style():
        # Placing the panels is most of the work, so it is done once for all files.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for panel in figure.axes:
            # An SVG file contains hashes of the positions, whose last bits differ from one call of the layout solver to the next.
            original, active = panel.get_position(original=True), panel.get_position(original=False)
            panel.set_position(Bbox(np.round(original.get_points(), 9)), which="original")
            panel.set_position(Bbox(np.round(active.get_points(), 9)), which="active")
        for suffix in suffixes:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, dpi=DOTS_PER_INCH, metadata=_METADATA[suffix])
            pictures[suffix] = buffer.getvalue()
    return pictures


def write_file(folder: Path, name: str, content: bytes) -> Path:
    """Write a file as a whole: a reader finds the old content or the new content, never a part of it.

    Args:
        folder: the folder; it is created if it is missing.
        name: the file's name, without a path.
        content: the bytes.

    Returns:
        The file's path.

    Raises:
        ReportError: the folder or the file cannot be written, or `name` has characters that a file name must not have.
    """
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise ReportError(f"{name!r} is not a file name: only letters, digits, '_', '-' and '.' are allowed")
    path = folder / name
    try:
        with atomic_write(path) as part:
            part.write_bytes(content)
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, PermissionError):
            reason = f"you may not write into {path.parent}; change its permissions or choose another folder"
        elif isinstance(error, IsADirectoryError):
            reason = "it is a folder; move it away or choose another folder for the report"
        raise ReportError(f"{path} cannot be written: {reason}") from error
    return path

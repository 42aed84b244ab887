"""Files that are whole or not there, and pictures that are the same bytes each time."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.transforms import Bbox

from runner.errors import ReportError
from runner.report.style import house_style
from runner.tables.output_files import parent_folders, target_file

DOTS_PER_INCH = 150
# Without these, a picture holds the time and the version of Matplotlib.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def render(figure: MatplotlibFigure) -> dict[str, bytes]:
    """Return a figure as the bytes of an SVG and a PNG file, the same for the same figure.

    The promise holds for one version of Matplotlib; another may place things differently. The figure's layout is fixed
    afterwards: its panels no longer move to make room.
    """
    return _rendered(figure, ("svg", "png"))


def render_one(figure: MatplotlibFigure, suffix: str) -> bytes:
    """Return a figure as the bytes of one file, `svg`, `png` or `pdf`; as `render` does."""
    return _rendered(figure, (suffix,))[suffix]


def _rendered(figure: MatplotlibFigure, suffixes: Sequence[str]) -> dict[str, bytes]:
    pictures = {}
    with house_style():
        # Placing the panels is most of the work, and would be done anew for each file.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _settle(figure)
        for suffix in suffixes:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, dpi=DOTS_PER_INCH, metadata=_METADATA[suffix])
            pictures[suffix] = buffer.getvalue()
    return pictures


def _settle(figure: MatplotlibFigure) -> None:
    """Round where the panels lie: the solver of the layout differs in last bits from call to call, and names in SVG hash them."""
    for panel in figure.axes:
        original, active = (panel.get_position(original=which) for which in (True, False))
        panel.set_position(_rounded(original), which="original")
        panel.set_position(_rounded(active), which="active")


def _rounded(box: Bbox) -> Bbox:
    return Bbox(np.round(box.get_points(), 9))


def write_file(folder: Path, name: str, content: bytes) -> Path:
    """Write a file in one go: a reader finds the old one or the new one, never a part.

    Returns:
        The file's path.

    Raises:
        ReportError: the folder or the file cannot be written, or `name` is more than a plain file name.
    """
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise ReportError(f"{name!r} is no name for a file: letters, digits, '_', '-' and '.' are allowed")
    path = folder / name
    try:
        target = target_file(path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        with parent_folders(target):
            try:
                part.write_bytes(content)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(_refusal(path, error)) from error
    return path


def _refusal(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        reason = f"you may not write into {path.parent}; change its permissions or choose another folder"
    elif isinstance(error, IsADirectoryError):
        reason = "it is a folder; move it away or choose another one for the report"
    return f"{path} cannot be written: {reason}"

"""What a figure plugin draws, held to its contract: one that returns nonsense must not spoil the page that it stands on."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure as MatplotlibFigure

from runner.contracts.figure import Drawing, Figure, Results
from runner.errors import PluginError


def drawn(figure: Figure, results: Results) -> Drawing | None:
    """Have a figure drawn; None if these results hold nothing that it could show.

    Raises:
        PluginError: what it returns is no drawing.
        Exception: what the plugin raises, which may be anything.
    """
    drawing: object = figure.draw(results)
    if drawing is None:
        return None
    name = f"{type(figure).__name__}.draw"
    if not isinstance(drawing, Drawing):
        raise PluginError(f"{name} must return a runner.Drawing or None, not {type(drawing).__name__}")
    check_drawing(name, drawing)
    return drawing


def check_drawing(name: str, drawing: Drawing) -> None:
    """Check the parts of a drawing.

    Raises:
        PluginError: one of them is not what the contract says.
    """
    picture: object = drawing.figure
    caption: object = drawing.caption
    if not isinstance(picture, MatplotlibFigure):
        raise PluginError(f"{name} must give its Drawing a Matplotlib figure, not {type(picture).__name__}")
    if not isinstance(caption, str):
        raise PluginError(f"{name} must give its Drawing a caption in words, not {caption!r:.60}")
    _check_table(name, drawing.table)


def _check_table(name: str, table: object) -> None:
    if isinstance(table, str) or not isinstance(table, Sequence):
        raise PluginError(f"{name} must give its Drawing a table as rows of cells, not {type(table).__name__}")
    for row in table:
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != len(table[0]):
            raise PluginError(f"{name} must give its Drawing a table whose rows all have as many cells as its headings")
        for cell in row:
            if not isinstance(cell, str):
                raise PluginError(f"{name} must give its Drawing a table whose cells are text, not {cell!r:.60}")


def heading(figure: Figure, name: str) -> str:
    """Return the heading above a figure: its title, or its name if it has none."""
    title: object = getattr(figure, "title", None)
    return title if isinstance(title, str) and title else name


def reason(error: Exception) -> str:
    """Return why a figure could not be drawn; a broken contract explains itself."""
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"

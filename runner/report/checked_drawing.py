"""Drawing with a figure plugin, and checks of its result, so that a faulty plugin cannot spoil the page."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure as MatplotlibFigure

from runner.contracts.figure import Drawing, Figure, Results
from runner.errors import PluginError
from runner.report.style import house_style


def draw_checked(figure: Figure, results: Results) -> Drawing | None:
    """Return the drawing of a figure plugin, in the house style; None if the figure has nothing to show for these results.

    Raises:
        PluginError: the plugin's result breaks the contract.
        Exception: the plugin raised an exception, which may be of any class.
    """
    with house_style():
        drawing: object = figure.draw(results)
    if drawing is None:
        return None
    name = f"{type(figure).__name__}.draw"
    if not isinstance(drawing, Drawing):
        raise PluginError(f"{name} must return a runner.Drawing or None, not {type(drawing).__name__}")
    check_drawing(name, drawing)
    return drawing


def check_drawing(name: str, drawing: Drawing) -> None:
    """Check the types of the parts of a drawing.

    Args:
        name: the name of the method that returned the drawing, for messages.
        drawing: the drawing.

    Raises:
        PluginError: a part breaks the contract.
    """
    picture: object = drawing.figure
    caption: object = drawing.caption
    table: object = drawing.table
    if not isinstance(picture, MatplotlibFigure):
        raise PluginError(f"{name} must give its Drawing a Matplotlib figure, not {type(picture).__name__}")
    if not isinstance(caption, str):
        raise PluginError(f"{name} must give its Drawing a caption in words, not {caption!r:.60}")
    if isinstance(table, str) or not isinstance(table, Sequence):
        raise PluginError(f"{name} must give its Drawing a table as rows of cells, not {type(table).__name__}")
    for row in table:
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != len(table[0]):
            raise PluginError(f"{name} must give its Drawing a table whose rows all have as many cells as its headings")
        for cell in row:
            if not isinstance(cell, str):
                raise PluginError(f"{name} must give its Drawing a table whose cells are text, not {cell!r:.60}")


def failure_reason(error: Exception) -> str:
    """Return the reason why a figure could not be drawn, for a message.

    The text of a PluginError is complete; any other exception is shown with its class.
    """
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"

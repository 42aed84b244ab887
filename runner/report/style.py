"""The house style of figures: colours, panels, and Matplotlib settings that replace the user's own."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.transforms import ScaledTranslation

from runner.contracts.outcomes import Behaviour, Outcome
from runner.contracts.reached import BELOW_MINIMUM, CONVERGED_ELSEWHERE, STALLED_ELSEWHERE

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Colours that people with any colour vision can distinguish.

Source: Okabe and Ito, Color Universal Design (2008), without its yellow, which is too faint on white.
"""

OUTCOME_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        Outcome.CONVERGED: "#009E73",
        Outcome.MAX_STEPS: "#56B4E9",
        Outcome.STALLED: "#E69F00",
        Outcome.DIVERGED: "#D55E00",
        Outcome.NON_FINITE: "#CC79A7",
        Outcome.TIMEOUT: "#0072B2",
        Outcome.FAILED: "#000000",
    }
)
"""The colour of each outcome, the same in every figure."""

ENDING_COLOURS: Mapping[str, str] = MappingProxyType(
    {**OUTCOME_COLOURS, CONVERGED_ELSEWHERE: "#7B68B0", STALLED_ELSEWHERE: "#B8A6D9", BELOW_MINIMUM: "#7A1F1F"}
)
"""The colour of each ending: of each outcome, and of runs that ended away from the known minimum or below it."""

BEHAVIOUR_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        Behaviour.CRAWLING: "#56B4E9",
        Behaviour.MONOTONE: "#009E73",
        Behaviour.OSCILLATING: "#E69F00",
        Behaviour.DIVERGING: "#D55E00",
        Behaviour.UNKNOWN: "#999999",
    }
)
"""The colour of each behaviour, the same in every figure."""

INK = "#333333"
SETTINGS: Mapping[Any, Any] = MappingProxyType(
    {
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "axes.edgecolor": "#888888",
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#E4E4E4",
        "grid.linewidth": 0.7,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "legend.handlelength": 1.8,
        "lines.linewidth": 1.8,
        "text.color": INK,
        "xtick.color": "#666666",
        "ytick.color": "#666666",
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "svg.fonttype": "path",
        "svg.hashsalt": "runner",
    }
)

FIGURE_WIDTH = {1: 7.5, 2: 9.5, 3: 11.0}
"""The width of a figure in inches, by its number of columns."""
TITLE_WIDTH = {1: 70, 2: 44, 3: 31}
"""The number of characters on one line of a panel's title, by the figure's number of columns."""
TITLE_LINES = 4
LEGEND_LINE = 0.17
"""The height in inches of one line of a legend below a panel."""


class _Wrapper(textwrap.TextWrapper):
    """A wrapper that breaks lines at spaces, and between a name and its opening bracket, as in `adam(learning_rate=0.1)`."""

    wordsep_re = re.compile(r"(\s+|(?<=\w)(?=\())")


@contextmanager
def house_style() -> Iterator[None]:
    """Use Matplotlib's built-in defaults and this style within the body, whatever the user has configured."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(dict(SETTINGS))
        yield


def panels(titles: Sequence[str], height: float = 3.3) -> tuple[MatplotlibFigure, list[Axes]]:
    """Return a new figure with one panel for each title, in up to three columns.

    Args:
        titles: the titles of the panels; a long title is wrapped, and cut after four lines.
        height: the height of each row, in inches.

    Returns:
        The figure, and its axes in the order of the titles.

    Raises:
        ValueError: `titles` is empty.
    """
    if not titles:
        raise ValueError("a figure needs at least one panel")
    columns = 2 if len(titles) == 4 else min(len(titles), 3)
    rows = math.ceil(len(titles) / columns)
    figure = MatplotlibFigure(figsize=(FIGURE_WIDTH[columns], height * rows + 0.5), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    axes = [figure.add_subplot(grid[place // columns, place % columns]) for place in range(len(titles))]
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(wrapped(title, TITLE_WIDTH[columns], TITLE_LINES))
    return figure, axes


def legend_below(panel: Axes, handlelength: float | None = None) -> None:
    """Place a panel's legend below its horizontal axis, one entry on each line.

    Args:
        panel: the axes; make their row higher by `LEGEND_LINE` for each line of the legend.
        handlelength: the length of the lines in the legend, in units of the font size; if None, that of the house style.
    """
    # The distance from the axis is in inches, so that it does not depend on the panel's height.
    below = panel.transAxes + ScaledTranslation(-0.05, -0.48, panel.figure.dpi_scale_trans)
    panel.legend(
        loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, fontsize=8, borderaxespad=0, handlelength=handlelength
    )


def wrapped(text: str, width: int = 40, lines: int = 2) -> str:
    """Return a text for Matplotlib to draw: wrapped, cut with an ellipsis, and with dollar signs escaped.

    Matplotlib reads text between two dollar signs as a formula, and raises an exception if it cannot parse the formula.

    Args:
        text: the text.
        width: the largest number of characters on one line.
        lines: the largest number of lines.
    """
    return "\n".join(_Wrapper(width, max_lines=lines, placeholder=" …").wrap(text)).replace("$", r"\$")

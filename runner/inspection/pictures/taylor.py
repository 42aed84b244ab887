"""The pictures of Taylor polynomials and of their remainders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner.analysis.differentiation import Slope
from runner.analysis.taylor import polynomial
from runner.contracts.arrays import Array
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.models import ModelInspection
from runner.inspection.pictures.objective_plot import CURVE_POINTS, half_width
from runner.inspection.series import SeriesInspection
from runner.report.contours import fit_height
from runner.report.style import PALETTE, house_style, panels

MOST_CURVES = 5
FLOOR = 1e-17
"""The height at which a remainder of zero is drawn."""


def draw_series(inspected: InspectedObjective, inspection: SeriesInspection) -> MatplotlibFigure:
    """Draw f with its Taylor polynomials, and the remainders against the distance.

    If there are more than `MOST_CURVES` orders, some of them are drawn, among them the last.
    """
    around, last = inspection.around, inspection.order
    orders = list(range(1, last + 1)) if last <= MOST_CURVES else sorted({1, 2, 3, round((3 + last) / 2), last})
    width = 2.0 * half_width(inspected, np.array([around]))
    t = np.linspace(-width, width, CURVE_POINTS)
    f = inspected.values((around + t)[:, None])
    with house_style():
        figure, (left, right) = panels([f"{inspection.objective} and its Taylor polynomials", "remainders"], height=3.9)
        left.plot(around + t, f, color="#333333", linewidth=2.4, label="f")
        for order, colour in zip(orders, PALETTE, strict=False):
            left.plot(around + t, polynomial(inspection.shown[: order + 1], t), "--", color=colour, label=f"n = {order}")
            remainder = inspection.remainders[order - 1]
            _draw_remainder(right, inspection.distances, remainder.sizes, remainder.slope, colour, f"n = {order}")
        left.plot([around], [float(inspection.shown[0])], "o", color="#333333", zorder=4)
        fit_height(left, f)
        left.set_xlabel(inspected.coordinates[0])
        left.set_ylabel("f and Pₙ")
        left.legend()
        _label_log_axes(right, f"distance from {around:g}", "|f − Pₙ|, mean of both sides")
    return figure


def draw_models(inspection: ModelInspection) -> MatplotlibFigure:
    """Draw |f − model| against the distance for each model, in one panel for each direction."""
    with house_style():
        figure, axes = panels(
            [f"{inspection.objective}: along {direction.name}" for direction in inspection.directions], height=3.9
        )
        for panel, direction in zip(axes, inspection.directions, strict=True):
            for model, colour in zip(direction.models, (PALETTE[0], PALETTE[5]), strict=False):
                _draw_remainder(panel, inspection.distances, model.sizes, model.slope, colour, f"model of order {model.order}")
            _label_log_axes(panel, "distance t", "|f − model|, mean of both sides")
    return figure


def _draw_remainder(panel: Axes, distances: Array, sizes: Array, slope: Slope | None, colour: str, label: str) -> None:
    text = label if slope is None else f"{label}: slope {slope.value:.2f}"
    panel.plot(distances, np.maximum(sizes, FLOOR), color=colour, linewidth=1.2, label=text)
    if slope is not None:
        fitted = (distances >= slope.low) & (distances <= slope.high)
        panel.plot(distances[fitted], sizes[fitted], color=colour, linewidth=3.6, alpha=0.5)


def _label_log_axes(panel: Axes, horizontal: str, vertical: str) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(horizontal)
    panel.set_ylabel(vertical)
    panel.legend()

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


def draw_series(inspected: InspectedObjective, inspection: SeriesInspection) -> MatplotlibFigure:
    """Draw the polynomials over the function, and their remainders against the distance."""
    with house_style():
        figure, (left, right) = panels([f"{inspection.objective} and its Taylor polynomials", "what they leave out"], height=3.9)
        orders = _orders(inspection.order)
        _draw_polynomials(left, inspected, inspection, orders)
        for order, colour in zip(orders, PALETTE, strict=False):
            remainder = inspection.remainders[order - 1]
            _draw_remainder(right, inspection.distances, remainder.sizes, remainder.slope, colour, f"n = {order}")
        _label(right, f"distance from {inspection.around:g}", "|f − Pₙ|")
    return figure


def _orders(order: int) -> list[int]:
    """Return which orders are drawn: all if they are few, else some up to the last."""
    if order <= MOST_CURVES:
        return list(range(1, order + 1))
    return sorted({1, 2, 3, round((3 + order) / 2), order})


def _draw_polynomials(panel: Axes, inspected: InspectedObjective, inspection: SeriesInspection, orders: list[int]) -> None:
    width = 2.0 * half_width(inspected, np.array([inspection.around]))
    t = np.linspace(-width, width, CURVE_POINTS)
    f = inspected.values((inspection.around + t)[:, None])
    panel.plot(inspection.around + t, f, color="#333333", linewidth=2.4, label="f")
    for order, colour in zip(orders, PALETTE, strict=False):
        panel.plot(inspection.around + t, polynomial(inspection.shown[: order + 1], t), "--", color=colour, label=f"n = {order}")
    panel.plot([inspection.around], [float(inspection.shown[0])], "o", color="#333333", zorder=4)
    fit_height(panel, f)
    panel.set_xlabel("x")
    panel.set_ylabel("f and Pₙ")
    panel.legend()


def draw_models(inspection: ModelInspection) -> MatplotlibFigure:
    """Draw the remainders of the models against the distance, a panel for each direction."""
    with house_style():
        figure, axes = panels(
            [f"{inspection.objective}: along {direction.name}" for direction in inspection.directions], height=3.9
        )
        for panel, direction in zip(axes, inspection.directions, strict=True):
            for model, colour in zip(direction.models, (PALETTE[0], PALETTE[5]), strict=False):
                _draw_remainder(panel, inspection.distances, model.sizes, model.slope, colour, f"model of order {model.order}")
            _label(panel, "distance t", "|f − model|")
    return figure


def _draw_remainder(panel: Axes, distances: Array, sizes: Array, slope: Slope | None, colour: str, label: str) -> None:
    words = label if slope is None else f"{label}: slope {slope.value:.2f}"
    panel.plot(distances, np.maximum(sizes, FLOOR), color=colour, linewidth=1.2, label=words)
    if slope is not None:
        fitted = (distances >= slope.low) & (distances <= slope.high)
        panel.plot(distances[fitted], sizes[fitted], color=colour, linewidth=3.6, alpha=0.5)


def _label(panel: Axes, horizontal: str, vertical: str) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(horizontal)
    panel.set_ylabel(vertical)
    panel.legend()

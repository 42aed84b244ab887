"""The pictures of Taylor polynomials and of their remainders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner.analysis.differentiation import Slope
from runner.analysis.taylor import polynomial
from runner.contracts.arrays import Array
from runner.inspection.models import ModelFacts
from runner.inspection.pictures.canvas import CURVE_POINTS, half_width
from runner.inspection.series import SeriesFacts
from runner.inspection.subject import Subject
from runner.report.contours import fit_height
from runner.report.style import PALETTE, house_style, panels

MOST_CURVES = 5
FLOOR = 1e-17


def draw_series(subject: Subject, facts: SeriesFacts) -> MatplotlibFigure:
    """Draw the polynomials over the function, and their remainders against the distance."""
    with house_style():
        figure, (left, right) = panels([f"{facts.objective} and its Taylor polynomials", "what they leave out"], height=3.9)
        orders = _orders(facts.order)
        _draw_polynomials(left, subject, facts, orders)
        for order, colour in zip(orders, PALETTE, strict=False):
            remainder = facts.remainders[order - 1]
            _draw_remainder(right, facts.distances, remainder.sizes, remainder.slope, colour, f"n = {order}")
        _label(right, f"distance from {facts.around:g}", "|f − Pₙ|")
    return figure


def _orders(order: int) -> list[int]:
    """Return which orders are drawn: all if they are few, else some up to the last."""
    if order <= MOST_CURVES:
        return list(range(1, order + 1))
    return sorted({1, 2, 3, round((3 + order) / 2), order})


def _draw_polynomials(panel: Axes, subject: Subject, facts: SeriesFacts, orders: list[int]) -> None:
    width = 2.0 * half_width(subject, np.array([facts.around]))
    t = np.linspace(-width, width, CURVE_POINTS)
    f = subject.values((facts.around + t)[:, None])
    panel.plot(facts.around + t, f, color="#333333", linewidth=2.4, label="f")
    for order, colour in zip(orders, PALETTE, strict=False):
        panel.plot(facts.around + t, polynomial(facts.shown[: order + 1], t), "--", color=colour, label=f"n = {order}")
    panel.plot([facts.around], [float(facts.shown[0])], "o", color="#333333", zorder=4)
    fit_height(panel, f)
    panel.set_xlabel("x")
    panel.set_ylabel("f and Pₙ")
    panel.legend()


def draw_models(facts: ModelFacts) -> MatplotlibFigure:
    """Draw the remainders of the models against the distance, a panel for each direction."""
    with house_style():
        figure, axes = panels([f"{facts.objective}: along {direction.name}" for direction in facts.directions], height=3.9)
        for panel, direction in zip(axes, facts.directions, strict=True):
            for model, colour in zip(direction.models, (PALETTE[0], PALETTE[5]), strict=False):
                _draw_remainder(panel, facts.distances, model.sizes, model.slope, colour, f"model of order {model.order}")
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

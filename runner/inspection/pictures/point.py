"""The picture of an objective around a point."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner.analysis.definiteness import Shape
from runner.contracts.arrays import Array
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.pictures.objective_plot import CURVE_POINTS, GRID_POINTS, contours, half_width
from runner.inspection.point import PointInspection
from runner.report.contours import fit_height
from runner.report.style import PALETTE, house_style, panels

FUNCTION, FLAT, FIRST, SECOND, DOWNHILL = "#333333", "#888888", PALETTE[0], PALETTE[5], PALETTE[2]
ARROW = 0.3
"""The length of the arrow of steepest descent, relative to the half width of the picture."""


def draw_point(inspected: InspectedObjective, inspection: PointInspection) -> MatplotlibFigure:
    """Draw f around a point with its models of first and second order.

    In one dimension, the picture shows f, its tangent and its osculating parabola. In two dimensions it shows contours, the
    direction of steepest descent and Newton's step. In more dimensions it shows the eigenvalues of the Hessian, and f along the
    steepest descent.
    """
    dimension = len(inspection.place.x)
    with house_style():
        if dimension == 2:
            figure, (panel,) = panels([f"{inspection.objective}: descent directions"], height=6.0)
            _draw_contours(panel, inspected, inspection)
        elif dimension == 1 or inspection.curvature is None:
            figure, (panel,) = panels([f"{inspection.objective} and its models"], height=4.0)
            _draw_models(panel, inspected, inspection)
        else:
            figure, (left, right) = panels(
                [f"{inspection.objective}: eigenvalues of ∇²f", "f along the steepest descent"], height=3.6
            )
            eigenvalues = inspection.curvature.eigenvalues
            places = np.arange(1, len(eigenvalues) + 1)
            errors = inspection.curvature.errors
            up, down = eigenvalues > errors, eigenvalues < -errors
            sizes = np.abs(eigenvalues[up | down])
            if len(sizes) and sizes.max() > 100 * sizes.min():
                left.set_yscale("symlog", linthresh=float(sizes.min()))
            for part, colour, label in (
                (up, FIRST, "upwards"),
                (~(up | down), FLAT, "within its error of zero"),
                (down, SECOND, "downwards"),
            ):
                if part.any():
                    left.plot(places[part], eigenvalues[part], "o", color=colour, markersize=4, label=label)
            left.axhline(0.0, color="#888888", linewidth=0.9)
            left.set_xlabel("number of the eigenvalue, in increasing order")
            left.set_ylabel("curvature")
            left.legend()
            _draw_models(right, inspected, inspection)
    return figure


def _draw_models(panel: Axes, inspected: InspectedObjective, inspection: PointInspection) -> None:
    x, width = inspection.place.x, half_width(inspected, inspection.place.x)
    direction = _direction(inspection)
    t = np.linspace(-width, width, CURVE_POINTS)
    shift = float(x[0]) if len(x) == 1 else 0.0
    f = inspected.values(x + t[:, None] * direction)
    panel.plot(t + shift, f, color=FUNCTION, label="f")
    if inspection.gradient is not None:
        tangent = inspection.value + t * float(inspection.gradient @ direction)
        panel.plot(t + shift, tangent, color=FIRST, linestyle="--", label="first-order model (tangent)")
        if inspection.hessian is not None:
            parabola = tangent + 0.5 * t * t * float(direction @ inspection.hessian @ direction)
            panel.plot(t + shift, parabola, color=SECOND, linestyle="-.", label="second-order model (osculating parabola)")
    panel.plot([shift], [inspection.value], "o", color=FUNCTION, zorder=4)
    fit_height(panel, f)
    panel.set_xlabel(inspected.coordinates[0] if len(x) == 1 else "distance from x along −∇f/‖∇f‖")
    panel.set_ylabel("f")
    panel.legend()


def _direction(inspection: PointInspection) -> Array:
    """Return the unit vector along which the models are drawn, `(dimension,)`.

    It is +1 in one dimension, the steepest descent in more, and the diagonal if there is no steepest descent.
    """
    dimension = len(inspection.place.x)
    if dimension == 1 or inspection.steepest is None or inspection.gradient is None:
        return np.full(dimension, 1.0 / math.sqrt(dimension))
    return inspection.gradient / inspection.steepest.predicted


def _draw_contours(panel: Axes, inspected: InspectedObjective, inspection: PointInspection) -> None:
    x, width = inspection.place.x, half_width(inspected, inspection.place.x)
    contours(panel, inspected, *(np.linspace(item - width, item + width, GRID_POINTS) for item in x.tolist()))
    if inspection.gradient is not None and inspection.steepest is not None:
        unit = inspection.gradient / inspection.steepest.predicted
        _arrow(panel, x, ARROW * width * unit, DOWNHILL, "steepest descent (its direction only)")
    if inspection.newton is not None and inspection.newton.direction.any():
        step = inspection.newton.direction
        reach = 0.95 * width / float(np.abs(step).max())
        label = "Newton's step" if reach >= 1 else "Newton's step (it ends outside the picture)"
        _arrow(panel, x, min(1.0, reach) * step, SECOND, label)
    curvature = inspection.curvature
    label = "x"
    if curvature is not None and curvature.shape not in (Shape.UNKNOWN, Shape.FLAT):
        label = f"x, a point of a {curvature.shape}"
    panel.plot(*x[:, None], "o", color=FUNCTION, zorder=5, label=label)
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def _arrow(panel: Axes, x: Array, step: Array, colour: str, label: str) -> None:
    panel.annotate(
        "", xytext=tuple(x), xy=tuple(x + step), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2}, zorder=4
    )
    panel.plot([], [], color=colour, label=label)

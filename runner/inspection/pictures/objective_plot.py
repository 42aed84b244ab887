"""Parts that several pictures of inspections share: the range around a point, and contours of f."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from runner.contracts.arrays import Array
from runner.inspection.inspected_objective import InspectedObjective
from runner.report.contours import on_grid

CURVE_POINTS = 401
GRID_POINTS = 121
LEVELS = 18
NARROWEST = 1e-6
"""No picture has a smaller half width, relative to max |xᵢ|, because its edges would round to the same number."""


def half_width(inspected: InspectedObjective, x: Array) -> float:
    """Return half the width of a picture around a point, `(dimension,)`.

    It is a quarter of the start region's width. Without a start region, it is the largest |xᵢ|, but at least 1.
    """
    region, size = inspected.start_region, float(np.abs(x).max())
    return max(1.0, size) if region is None else max(0.25 * (region[1] - region[0]), NARROWEST * size)


def contours(panel: Axes, inspected: InspectedObjective, horizontal: Array, vertical: Array) -> None:
    """Draw the contours of an objective of two coordinates, with closer levels where f is low.

    Args:
        panel: the axes to draw on.
        inspected: the objective.
        horizontal: the values of the first coordinate, in increasing order.
        vertical: the values of the second coordinate, in increasing order.
    """
    x, y, f = on_grid(inspected.values, horizontal, vertical)
    finite = f[np.isfinite(f)]
    if len(finite) and np.ptp(finite) > 0:
        low, high = float(finite.min()), float(finite.max())
        # The levels grow like squares, as f does near a minimum, so the contours are evenly spaced there.
        levels = low + (high - low) * np.linspace(0.0, 1.0, LEVELS) ** 2
        panel.contourf(x, y, f, levels=levels, cmap="Blues", alpha=0.8)
        panel.contour(x, y, f, levels=levels, colors="#5B7C99", linewidths=0.6)
    panel.set_xlim(horizontal[0], horizontal[-1])
    panel.set_ylim(vertical[0], vertical[-1])
    panel.set_aspect("equal")
    panel.grid(visible=False)
    across_name, up_name = inspected.coordinates
    panel.set_xlabel(across_name)
    panel.set_ylabel(up_name)

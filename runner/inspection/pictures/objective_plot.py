"""What the pictures of inspections share: where to look, and f there."""

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
"""Half the width of a picture far away, as a part of x: narrower, its edges were the same number."""


def half_width(inspected: InspectedObjective, x: Array) -> float:
    """Return how far around a point to look: a quarter of the start region's width, else in proportion to x."""
    region, size = inspected.start_region, float(np.abs(x).max())
    return max(1.0, size) if region is None else max(0.25 * (region[1] - region[0]), NARROWEST * size)


def along(inspected: InspectedObjective, x: Array, direction: Array, t: Array) -> Array:
    """Return f(x + t p) for each t."""
    return inspected.values(x + t[:, None] * direction)


def contours(panel: Axes, inspected: InspectedObjective, horizontal: Array, vertical: Array) -> None:
    """Draw the contours of an objective of two coordinates, closer together where f is low."""
    x, y, f = on_grid(inspected.values, horizontal, vertical)
    finite = f[np.isfinite(f)]
    if len(finite) and np.ptp(finite) > 0:
        low, high = float(finite.min()), float(finite.max())
        # Squares of equal steps: near a minimum, where f grows like a square, the contours lie evenly.
        levels = low + (high - low) * np.linspace(0.0, 1.0, LEVELS) ** 2
        panel.contourf(x, y, f, levels=levels, cmap="Blues", alpha=0.8)
        panel.contour(x, y, f, levels=levels, colors="#5B7C99", linewidths=0.6)
    panel.set_xlim(horizontal[0], horizontal[-1])
    panel.set_ylim(vertical[0], vertical[-1])
    panel.set_aspect("equal")
    panel.grid(visible=False)
    panel.set_xlabel("x₁")
    panel.set_ylabel("x₂")

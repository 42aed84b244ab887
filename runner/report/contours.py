"""The graph of an objective of one or two coordinates: a curve, or contours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from runner.contracts.arrays import Array, ByRows
from runner.contracts.objective import Objective

CURVE_POINTS = 601
GRID_POINTS = 141
LEVELS = 18
MARGIN = 0.12
LONGEST = 4.0
"""If a frame's longer side is more than this number of times its shorter side, the shorter side is widened."""

Frame = tuple[Array, Array]
"""The lowest and the highest coordinates of a region, `(dimension,)` each."""


def frame_of(points: Sequence[Array], margin: float = MARGIN) -> Frame:
    """Return a frame around all finite points.

    Args:
        points: arrays of points, `(points, dimension)` or `(dimension,)` each; at least one point is finite.
        margin: the margin on each side, relative to the frame's length.

    Returns:
        The lowest and the highest coordinates, `(dimension,)` each.
    """
    together = np.concatenate([np.atleast_2d(each) for each in points])
    together = together[np.isfinite(together).all(axis=-1)]
    low, high = together.min(axis=0), together.max(axis=0)
    widest = max(float((high - low).max()), 1e-9)
    middle, half = 0.5 * low + 0.5 * high, 0.5 * np.maximum(high - low, widest / LONGEST) * (1.0 + 2.0 * margin)
    return middle - half, middle + half


def draw_height(panel: Axes, objective: Objective, frame: Frame) -> None:
    """Draw an objective over a frame: as a curve for one coordinate, as contours for two.

    The levels of the contours are closer together where f is low.

    Args:
        panel: the axes to draw into.
        objective: an objective of one or two coordinates.
        frame: the lowest and the highest coordinates, `(dimension,)` each.
    """
    low, high = frame
    with np.errstate(all="ignore"):
        if len(low) == 1:
            x = np.linspace(low[0], high[0], CURVE_POINTS)
            panel.plot(x, ByRows(objective.value)(x[:, None]), color="#8A99A8", linewidth=1.4, zorder=1.5)
        else:
            across, up = (np.linspace(low[axis], high[axis], GRID_POINTS) for axis in range(2))
            x, y, f = on_grid(ByRows(objective.value), across, up)
            finite = f[np.isfinite(f)]
            if len(finite) and np.ptp(finite) > 0:
                # The levels are quantiles, denser towards the lowest value, so that the floor of a valley is visible too.
                levels = np.unique(np.quantile(finite, np.linspace(0.0, 1.0, LEVELS) ** 1.5))
                if len(levels) > 1:
                    panel.contourf(x, y, f, levels=levels, cmap="Blues", alpha=0.75, zorder=0.5)
                    panel.contour(x, y, f, levels=levels, colors="#7C93A8", linewidths=0.4, linestyles="solid", zorder=0.6)
            panel.set_ylim(low[1], high[1])
            panel.grid(visible=False)
    panel.set_xlim(low[0], high[0])


def fit_height(panel: Axes, heights: Array, margin: float = 0.15) -> None:
    """Limit the vertical axis to the finite heights of a curve, whatever else is drawn in the panel.

    Args:
        panel: the axes that show the curve.
        heights: the heights of the curve, of any shape.
        margin: the margin above and below, relative to the range of the heights.
    """
    finite = heights[np.isfinite(heights)]
    if len(finite) and np.ptp(finite) > 0:
        space = margin * float(np.ptp(finite))
        panel.set_ylim(float(finite.min()) - space, float(finite.max()) + space)


def on_grid(function: Callable[[Array], Array], across: Array, up: Array) -> tuple[Array, Array, Array]:
    """Compute a function of two coordinates on a grid.

    Args:
        function: the function of points `(points, 2)`, with values `(points,)`.
        across: the first coordinates, `(columns,)`.
        up: the second coordinates, `(rows,)`.

    Returns:
        The first coordinates, the second coordinates and the values, `(rows, columns)` each.
    """
    x, y = np.meshgrid(across, up)
    return x, y, function(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)

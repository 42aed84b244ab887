"""The picture of a search for counterexamples to convexity."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.ticker import MaxNLocator

from runner.analysis.chords import Chord
from runner.analysis.convexity import smallest_eigenvalues
from runner.contracts.arrays import Array
from runner.errors import PluginError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.pictures.objective_plot import CURVE_POINTS, GRID_POINTS, contours
from runner.inspection.region import RegionInspection, hessians
from runner.report.contours import on_grid
from runner.report.style import PALETTE, house_style, panels

FUNCTION, CHORD, CURVED = "#333333", PALETTE[5], PALETTE[0]
BINS = 40
SHADES = 16


def draw_region(inspected: InspectedObjective, inspection: RegionInspection) -> MatplotlibFigure:
    """Draw f with the counterexample, if one was found, and the smallest curvature.

    In one dimension, the picture shows f and f″. In two dimensions it shows contours and a map of the smallest eigenvalue. In
    more dimensions it shows f along a line, and the distribution of the smallest eigenvalue over random points of the box.
    """
    chord, dimension = inspection.counterexample, inspected.dimension
    found = "a chord below f" if chord is not None else inspection.verdict
    with house_style():
        figure, (left, right) = panels([f"{inspection.objective}: {found}", "smallest eigenvalue of ∇²f"], height=4.0)
        if dimension == 2:
            _draw_plane(left, right, inspected, inspection)
            return figure
        if dimension == 1:
            x = np.linspace(inspection.low, inspection.high, CURVE_POINTS)
            left.plot(x, inspected.values(x[:, None]), color=FUNCTION, label="f")
            if chord is not None:
                _draw_chord(left, inspected, chord, *_points(chord)[:, 0])
            smallest = _smallest_eigenvalues(inspected, inspection, x[:, None])
            right.plot(x, smallest, color=CURVED)
            right.axhline(0.0, color="#888888", linewidth=0.9)
            right.fill_between(x, np.minimum(smallest, 0.0), 0.0, color=CHORD, alpha=0.3, linewidth=0)
        else:
            _draw_line(left, inspected, inspection)
            if inspection.curvature is not None:
                sampled = inspection.curvature.sampled
                right.hist(sampled[np.isfinite(sampled)], bins=BINS, color=CURVED)
                right.axvline(0.0, color="#888888", linewidth=0.9)
        left.set_xlabel(inspected.coordinates[0] if dimension == 1 else "along the line")
        left.set_ylabel("f")
        if left.get_legend_handles_labels()[1]:
            left.legend()
        right.set_xlabel(inspected.coordinates[0] if dimension == 1 else "smallest eigenvalue")
        right.set_ylabel("f″" if dimension == 1 else "random points")
    return figure


def _points(chord: Chord) -> Array:
    """Return the two ends of a chord, and the point between them at which f lies above the chord, `(3, dimension)`."""
    return np.stack([chord.first, chord.second, chord.point])


def _draw_chord(panel: Axes, inspected: InspectedObjective, chord: Chord, first: float, second: float, point: float) -> None:
    f_first, f_second, f_point = inspected.values(_points(chord)).tolist()
    height = chord.weight * f_first + (1.0 - chord.weight) * f_second
    panel.plot([first, second], [f_first, f_second], "o-", color=CHORD, label="chord")
    panel.plot([point, point], [height, f_point], color=CHORD, linewidth=3.0, alpha=0.5, label="f above it")


def _smallest_eigenvalues(inspected: InspectedObjective, inspection: RegionInspection, x: Array) -> Array:
    if inspection.backend is None:
        return np.full(len(x), np.nan)
    try:
        smallest = smallest_eigenvalues(hessians(inspected, inspection.backend), x)
    except PluginError:  # The printed text gives the reason.
        return np.full(len(x), np.nan)
    return np.where(np.isfinite(smallest), smallest, np.nan)


def _draw_plane(left: Axes, right: Axes, inspected: InspectedObjective, inspection: RegionInspection) -> None:
    axis = np.linspace(inspection.low, inspection.high, GRID_POINTS)
    contours(left, inspected, axis, axis)
    if inspection.counterexample is not None:
        points = _points(inspection.counterexample)
        left.plot(*points[:2].T, "o-", color=CHORD, label="chord")
        left.plot(*points[2:].T, "X", color=FUNCTION, label="f lies above it here")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    x, y, smallest = on_grid(partial(_smallest_eigenvalues, inspected, inspection), axis, axis)
    finite = np.abs(smallest[np.isfinite(smallest)])
    largest = float(finite.max(initial=0.0))
    if largest > 0:
        mesh = right.contourf(
            x, y, smallest, levels=MaxNLocator(SHADES, symmetric=True).tick_values(-largest, largest), cmap="RdBu"
        )
        right.figure.colorbar(mesh, ax=right, label="f curves downwards where it is negative (red)")
        if bool((smallest < 0).any() and (smallest > 0).any()):
            right.contour(x, y, smallest, levels=[0.0], colors=FUNCTION, linewidths=1.0)
    right.set_aspect("equal")
    across_name, up_name = inspected.coordinates
    right.set_xlabel(across_name)
    right.set_ylabel(up_name)


def _draw_line(panel: Axes, inspected: InspectedObjective, inspection: RegionInspection) -> None:
    """Draw f along the counterexample.

    Without a counterexample, draw f along a line through the point of smallest curvature, or else along the diagonal of the box.
    """
    chord = inspection.counterexample
    dimension = inspected.dimension
    if chord is not None:
        start, end = chord.first, chord.second
    elif inspection.curvature is not None:
        reach = 0.25 * (inspection.high - inspection.low) * inspection.curvature.direction
        start, end = inspection.curvature.place - reach, inspection.curvature.place + reach
    else:
        start, end = np.full(dimension, inspection.low), np.full(dimension, inspection.high)
    t = np.linspace(-0.2, 1.2, CURVE_POINTS)
    panel.plot(t, inspected.values(start + t[:, None] * (end - start)), color=FUNCTION, label="f")
    if chord is not None:
        _draw_chord(panel, inspected, chord, 0.0, 1.0, 1.0 - chord.weight)

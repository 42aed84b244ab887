"""The picture of errors against spacings."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner.contracts.arrays import Array
from runner.inspection.spacings import Scheme, SpacingInspection
from runner.report.style import PALETTE, house_style, panels

FLOOR = 1e-17
"""Where an error of zero is drawn."""
LIFT = 3.0
"""How far above the errors the fitted line is drawn, so that both are seen."""


def draw_spacings(inspection: SpacingInspection) -> MatplotlibFigure:
    """Draw the error of each scheme against the spacing, with the slope fitted and the best spacing in theory."""
    with house_style():
        figure, (panel,) = panels([f"{inspection.objective}: error of the gradient against the spacing h"], height=4.4)
        for scheme, colour in zip(inspection.schemes, (PALETTE[0], PALETTE[5], *PALETTE), strict=False):
            _draw_scheme(panel, inspection.spacings, scheme, colour)
        if inspection.complex_step is not None:
            _draw_errors(panel, inspection.spacings, inspection.complex_step, PALETTE[2], "complex step")
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel("spacing h, relative to max(1, |xᵢ|)")
        panel.set_ylabel("‖g − ∇f‖ / ‖∇f‖" if inspection.relative else "‖g − ∇f‖")
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _draw_errors(panel: Axes, spacings: Array, errors: Array, colour: str, label: str) -> None:
    panel.plot(spacings, np.maximum(errors, FLOOR), "o-", color=colour, markersize=3, linewidth=1.2, label=label)


def _draw_scheme(panel: Axes, spacings: Array, scheme: Scheme, colour: str) -> None:
    _draw_errors(panel, spacings, scheme.errors, colour, scheme.name)
    if scheme.slope is not None:
        slope = scheme.slope
        fitted = (spacings >= slope.low) & (spacings <= slope.high) & (scheme.errors > 0)
        middle = np.exp(np.log(spacings[fitted]).mean())
        ends = np.array([slope.low, slope.high])
        line = np.exp(np.log(scheme.errors[fitted]).mean()) * (ends / middle) ** slope.value
        panel.plot(ends, LIFT * line, color=colour, linestyle="--", linewidth=1.0, label=f"slope {slope.value:.3f}")
    if scheme.predicted is not None:
        label = f"best h in theory, {scheme.predicted:.1e}"
        panel.axvline(scheme.predicted, color=colour, linestyle=":", linewidth=1.2, label=label)

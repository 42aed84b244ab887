"""The picture of errors against spacings."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from runner.inspection.spacings import SpacingInspection
from runner.report.style import PALETTE, house_style, panels

FLOOR = 1e-17
"""The height at which an error of zero is drawn."""
LIFT = 3.0
"""The factor by which the fitted line is drawn above the errors, so that both are visible."""


def draw_spacings(inspection: SpacingInspection) -> MatplotlibFigure:
    """Draw the error of each scheme against the spacing, with the fitted slope and the best spacing in theory."""
    spacings = inspection.spacings
    with house_style():
        figure, (panel,) = panels([f"{inspection.objective}: error of the gradient against the spacing h"], height=4.4)
        for scheme, colour in zip(inspection.schemes, (PALETTE[0], PALETTE[5], *PALETTE), strict=False):
            panel.plot(
                spacings, np.maximum(scheme.errors, FLOOR), "o-", color=colour, label=scheme.name, markersize=3, linewidth=1.2
            )
            slope = scheme.slope
            if slope is not None:
                fitted = (spacings >= slope.low) & (spacings <= slope.high) & (scheme.errors > 0)
                middle = np.exp(np.log(spacings[fitted]).mean())
                ends = np.array([slope.low, slope.high])
                line = np.exp(np.log(scheme.errors[fitted]).mean()) * (ends / middle) ** slope.value
                panel.plot(ends, LIFT * line, color=colour, linestyle="--", linewidth=1.0, label=f"slope {slope.value:.3f}")
            if scheme.predicted is not None:
                label = f"best h in theory, {scheme.predicted:.1e}"
                panel.axvline(scheme.predicted, color=colour, linestyle=":", linewidth=1.2, label=label)
        if inspection.complex_step is not None:
            errors = np.maximum(inspection.complex_step, FLOOR)
            panel.plot(spacings, errors, "o-", color=PALETTE[2], label="complex step", markersize=3, linewidth=1.2)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel("spacing h, relative to max(1, |xᵢ|)")
        panel.set_ylabel("‖g − ∇f‖ / ‖∇f‖" if inspection.relative else "‖g − ∇f‖")
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure

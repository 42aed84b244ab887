"""The picture of curvature and of the models along a stored trajectory."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from runner.inspection.trajectory import TrajectoryInspection
from runner.report.style import PALETTE, house_style, panels

LOWEST, HIGHEST = -0.5, 2.5
"""The limits between which the ratio of actual to predicted decrease is drawn."""
WIDE = 100.0
"""The ratio of the largest to the smallest |λ| beyond which the axis of eigenvalues is logarithmic."""
NEAR = 10.0
"""The line 2/γ is drawn if it is below this multiple of the largest |λ|."""


def draw_trajectory(inspection: TrajectoryInspection) -> MatplotlibFigure:
    """Draw the eigenvalues of ∇²f against the step, and the actual decrease divided by the decrease that each model predicts."""
    visits = inspection.visits
    steps = np.array([visit.step for visit in visits], dtype=np.float64)
    smallest, largest = np.array([visit.smallest for visit in visits]), np.array([visit.largest for visit in visits])
    with house_style():
        figure, (left, right) = panels([f"curvature along run {inspection.run}, {inspection.optimizer} on {inspection.objective}",
                                        "actual over predicted decrease"], height=3.6)  # fmt: skip
        left.plot(steps, largest, ".-", color=PALETTE[0], markersize=3, linewidth=1.2, label="largest λ")
        left.plot(steps, smallest, ".-", color=PALETTE[5], markersize=3, linewidth=1.2, label="smallest λ")
        if not np.nanmin(smallest) > 0:
            left.axhline(0.0, color="#888888", linewidth=0.9)
        sizes = np.abs(np.concatenate([smallest, largest]))
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        if inspection.learning_rate and len(sizes) and 2.0 / inspection.learning_rate < NEAR * sizes.max():
            left.axhline(2.0 / inspection.learning_rate, color="#333333", linestyle="--", linewidth=1.2, label="2/γ")
        if len(sizes) and sizes.max() > WIDE * sizes.min():
            if np.nanmin(smallest) > 0:
                left.set_yscale("log")
            else:
                left.set_yscale("symlog", linthresh=float(np.quantile(sizes, 0.05)))
        left.set_ylabel("eigenvalues of ∇²f")

        actual = np.array([visit.actual for visit in visits])
        for order, colour in (("first", PALETTE[0]), ("second", PALETTE[5])):
            predicted = np.array([getattr(visit, f"{order}_order") for visit in visits])
            with np.errstate(all="ignore"):
                ratio = np.clip(actual / predicted, LOWEST, HIGHEST)
            right.plot(steps, ratio, ".-", color=colour, markersize=3, linewidth=1.2, label=f"{order}-order model")
        right.axhline(1.0, color="#888888", linewidth=0.9)
        right.set_ylim(LOWEST - 0.1, HIGHEST + 0.1)
        right.set_ylabel("1: the model was right")
        for panel in (left, right):
            panel.set_xlabel("step")
            panel.legend()
    return figure

"""The picture of curvature and of the models along a stored trajectory."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner.contracts.arrays import Array
from runner.inspection.trajectory import TrajectoryInspection
from runner.report.style import PALETTE, house_style, panels

LOWEST, HIGHEST = -0.5, 2.5
"""What of the ratio of actual to predicted decrease is shown."""
WIDE = 100.0
NEAR = 10.0
"""The limit 2/γ is drawn if it is less than so many times the largest curvature."""


def draw_trajectory(inspection: TrajectoryInspection) -> MatplotlibFigure:
    """Draw the eigenvalues of ∇²f against the step, and the actual decrease over what each model predicted."""
    steps = np.array([visit.step for visit in inspection.visits], dtype=np.float64)
    with house_style():
        figure, (left, right) = panels([f"curvature along run {inspection.run}, {inspection.optimizer} on {inspection.objective}",
                                        "actual over predicted decrease"], height=3.6)  # fmt: skip
        _draw_curvature(left, inspection, steps)
        _draw_ratios(right, inspection, steps)
        for panel in (left, right):
            panel.set_xlabel("step")
            panel.legend()
    return figure


def _draw_curvature(panel: Axes, inspection: TrajectoryInspection, steps: Array) -> None:
    smallest, largest = (np.array([getattr(visit, name) for visit in inspection.visits]) for name in ("smallest", "largest"))
    panel.plot(steps, largest, ".-", color=PALETTE[0], markersize=3, linewidth=1.2, label="largest λ")
    panel.plot(steps, smallest, ".-", color=PALETTE[5], markersize=3, linewidth=1.2, label="smallest λ")
    if not np.nanmin(smallest) > 0:
        panel.axhline(0.0, color="#888888", linewidth=0.9)
    sizes = np.abs(np.concatenate([smallest, largest]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if inspection.learning_rate and len(sizes) and 2.0 / inspection.learning_rate < NEAR * sizes.max():
        panel.axhline(2.0 / inspection.learning_rate, color="#333333", linestyle="--", linewidth=1.2, label="2/γ")
    if len(sizes) and sizes.max() > WIDE * sizes.min():
        if np.nanmin(smallest) > 0:
            panel.set_yscale("log")
        else:
            panel.set_yscale("symlog", linthresh=float(np.quantile(sizes, 0.05)))
    panel.set_ylabel("eigenvalues of ∇²f")


def _draw_ratios(panel: Axes, inspection: TrajectoryInspection, steps: Array) -> None:
    actual = np.array([visit.actual for visit in inspection.visits])
    for order, colour in (("first", PALETTE[0]), ("second", PALETTE[5])):
        predicted = np.array([getattr(visit, f"{order}_order") for visit in inspection.visits])
        with np.errstate(all="ignore"):
            ratio = np.clip(actual / predicted, LOWEST, HIGHEST)
        panel.plot(steps, ratio, ".-", color=colour, markersize=3, linewidth=1.2, label=f"{order}-order model")
    panel.axhline(1.0, color="#888888", linewidth=0.9)
    panel.set_ylim(LOWEST - 0.1, HIGHEST + 0.1)
    panel.set_ylabel("1: the model was right")

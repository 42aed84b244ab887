"""Results in memory whose iterates are known in closed form, and the drawing of figures from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from runner import Drawing, Figure, Outcome, Results, Series, StoredRun
from runner.report.style import house_style

STARTS = (-3.0, -1.0, 0.5, 2.0, 3.0)


@dataclass(frozen=True)
class ResultsInMemory(Results):
    """Results held in memory."""

    stored: Sequence[tuple[StoredRun, Series]]
    swept_names: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        return "memory"

    @property
    def description(self) -> str:
        return "Runs known in closed form"

    @property
    def runs(self) -> Sequence[StoredRun]:
        return [run for run, _ in self.stored]

    @property
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        return self.swept_names

    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        trajectories = {run.id: series for run, series in self.stored}
        return ((run, trajectories[run.id]) for run in runs)


def descend(
    rate: float,
    start: int,
    *,
    objective: str = "quadratic",
    optimizer: str = "gradient_descent",
    shift: float = 0.0,
    steps: int = 500,
) -> tuple[StoredRun, Series]:
    """Return a run of gradient descent on x² + shift, until |2x| ≤ 1e-8 or f exceeds 1e12; identifiers are set by `results`."""
    x = [STARTS[start]]
    while len(x) <= steps and abs(2 * x[-1]) > 1e-8 and x[-1] ** 2 < 1e12:
        x.append(x[-1] * (1 - 2 * rate))
    iterates = np.array(x)
    value, norm = iterates**2 + shift, np.abs(2 * iterates)
    outcome = Outcome.CONVERGED if norm[-1] <= 1e-8 else Outcome.DIVERGED if value[-1] >= 1e12 else Outcome.MAX_STEPS
    run = StoredRun(
        id=0,
        identity="",
        objective=objective,
        gradient="analytic",
        optimizer=optimizer,
        parameters={"optimizer.learning_rate": rate, "gradient.spacing": None},
        start=start,
        dimension=1,
        outcome=outcome,
        error="",
        steps=len(x) - 1,
        final_value=float(value[-1]),
        best_value=float(value.min()),
        final_gradient_norm=float(norm[-1]),
        evaluations={"value": len(x), "gradient": len(x), "hessian": 0},
        seconds=0.0,
        minimum_value=shift,
        curvature=(2.0, 2.0),
    )
    return run, Series(value, norm, None)


def results(stored: Sequence[tuple[StoredRun, Series]], swept: Mapping[str, tuple[str, ...]] | None = None) -> ResultsInMemory:
    numbered = [(replace(run, id=number), series) for number, (run, series) in enumerate(stored)]
    return ResultsInMemory(numbered, {"gradient_descent": ("learning_rate",)} if swept is None else swept)


def sweep(rates: Sequence[float], starts: int = 5, **settings: object) -> list[tuple[StoredRun, Series]]:
    return [descend(rate, start, **settings) for rate in rates for start in range(starts)]  # type: ignore[arg-type]


def draw(figure: Figure, stored: Results) -> Drawing:
    with house_style():
        drawing = figure.draw(stored)
    assert drawing is not None
    return drawing


def lines(drawing: Drawing, panel: int = 0) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in drawing.figure.axes[panel].lines}


def data(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def texts(drawing: Drawing) -> list[str]:
    return [text.get_text() for axes in drawing.figure.axes for text in axes.texts]


def dots(drawing: Drawing, panel: int = 0) -> list[PathCollection]:
    return [found for found in drawing.figure.axes[panel].collections if isinstance(found, PathCollection)]

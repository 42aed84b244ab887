"""The fit of a model to its data at several steps, and the path of its parameters over the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from numpy.typing import NDArray

from runner import (
    Array,
    Drawing,
    Figure,
    HasData,
    Objective,
    Results,
    StoredRun,
    coordinate_names,
    counted,
    draw_height,
    frame_of,
    hookimpl,
    known_minimum,
    listed,
    number,
    one_of_each_behaviour,
    wrapped,
)

MOST_FITS = 4
MOST_LINES = 7
WIDTH, HEIGHT = 9.5, 3.5
"""The width of the figure and the height of a row, in inches."""
FURTHEST = 1.6
"""Half the width of the contours, relative to the distance from the start to the minimum."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A run with its objective and its iterates.

    Attributes:
        run: the run.
        objective: its objective, which has data.
        x: its iterates, `(steps + 1, 2)`.
    """

    run: StoredRun
    objective: Objective
    x: Array

    @property
    def data(self) -> tuple[Array, Array]:
        """The features, `(samples, 1)`, and the targets, `(samples,)`."""
        assert isinstance(self.objective, HasData)
        return self.objective.data

    def predict(self, x: Array, features: Array) -> Array:
        """Return the predictions of the model at x, `(runs, 2)`: `(runs, samples)`."""
        assert isinstance(self.objective, HasData)
        return self.objective.predict(x, features)

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps at which the model is drawn: the start, powers of two, and the last."""
        last = len(self.x) - 1
        some = [0, *(2**power for power in range(last.bit_length())), last]
        steps = np.unique([step for step in some if step <= last])
        kept: NDArray[np.int64] = steps[np.linspace(0, len(steps) - 1, min(len(steps), MOST_LINES)).round().astype(int)]
        return kept


@dataclass(frozen=True)
class RegressionFit(Figure):
    """The data with the model at several steps, and beside them the path of its two parameters over the contours of the loss."""

    title: ClassVar[str] = "The fit, step by step"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a row for one run of each behaviour; None if no objective has two parameters and data with one feature."""
        found = _fits(results)
        fits = found[:MOST_FITS]
        if not fits:
            return None
        several = len({fit.run.objective for fit in found}) > 1
        figure = MatplotlibFigure(figsize=(WIDTH, HEIGHT * len(fits) + 0.3), layout="constrained")
        grid = figure.add_gridspec(len(fits), 2)
        for row, fit in enumerate(fits):
            left, right = figure.add_subplot(grid[row, 0]), figure.add_subplot(grid[row, 1])
            left.set_title(wrapped(_name(fit, several), 44, 2))
            _draw_model(left, fit)
            _draw_loss(right, fit)
        return Drawing(figure, _caption(fits, len(found), several))


def _fits(results: Results) -> list[Fit]:
    groups: dict[str, list[StoredRun]] = {}
    for run in results.runs:
        if run.dimension == 2 and run.records_x and run.steps > 0:
            groups.setdefault(run.objective, []).append(run)
    fits = []
    for runs in groups.values():
        objective = results.objective(runs[0])
        if isinstance(objective, Objective) and isinstance(objective, HasData) and objective.data[0].shape[1:] == (1,):
            typical = results.series(one_of_each_behaviour(runs))
            fits += [Fit(run, objective, series.x) for run, series in typical if series.x is not None]
    return fits


def _name(fit: Fit, several: bool) -> str:
    rate = fit.run.parameters.get("optimizer.learning_rate")
    told = f", learning_rate = {number(rate)}" if isinstance(rate, int | float) else ""
    where = f"{fit.run.objective}, " if several else ""
    return f"{where}{fit.run.optimizer}{told}: {fit.run.behaviour}"


def _draw_model(panel: Axes, fit: Fit) -> None:
    features, targets = fit.data
    panel.plot(features[:, 0], targets, "o", color="#9AA5B1", markersize=3, markeredgewidth=0, zorder=1.5)
    across = np.linspace(features.min(), features.max(), 100)[:, None]
    steps = fit.steps
    colours = mpl.colormaps["plasma"](np.linspace(0.05, 0.88, len(steps)))
    for step, colour in zip(steps, colours, strict=True):
        heights = fit.predict(fit.x[step : step + 1], across)[0]
        panel.plot(across[:, 0], heights, color=colour, linewidth=1.5, label=f"step {step}")
    low, high = _heights(fit)
    panel.set_ylim(low, high)
    panel.set_xlabel("feature")
    panel.set_ylabel("target")
    panel.legend(fontsize=7.5, loc="best")


def _heights(fit: Fit) -> tuple[float, float]:
    """Return the range of heights of the panel, which contains the data and the first model with a margin."""
    features, targets = fit.data
    seen = np.concatenate([targets, fit.predict(fit.x[:1], features)[0]])
    margin = 0.25 * float(np.ptp(seen))
    return float(seen.min()) - margin, float(seen.max()) + margin


def _draw_loss(panel: Axes, fit: Fit) -> None:
    centre = _centre(fit)
    reach = FURTHEST * np.abs(fit.x[0] - centre).max() * np.ones(2)
    draw_height(panel, fit.objective, frame_of([np.array([centre - reach, centre + reach])], margin=0.0))
    panel.plot(fit.x[:, 0], fit.x[:, 1], "-", color="#333333", linewidth=0.9, zorder=2)
    steps = fit.steps
    colours = mpl.colormaps["plasma"](np.linspace(0.05, 0.88, len(steps)))
    panel.plot(fit.x[:, 0], fit.x[:, 1], ".", color="#333333", markersize=3, zorder=3)
    panel.scatter(fit.x[steps, 0], fit.x[steps, 1], s=34, color=colours, zorder=4, edgecolors="white", linewidths=0.6)
    panel.plot(centre[:1], centre[1:], "*", color="#000000", markersize=10, zorder=5)
    across_name, up_name = coordinate_names(fit.objective, 2)
    panel.set_xlabel(across_name)
    panel.set_ylabel(up_name)


def _centre(fit: Fit) -> Array:
    known = known_minimum(fit.objective)
    return fit.x[-1] if known is None else np.asarray(known.x)


def _caption(fits: Sequence[Fit], found: int, several: bool) -> str:
    known = [known_minimum(fit.objective) is not None for fit in fits]
    stars = {True: "The star is the known minimum", False: "The star is the last iterate"}
    star = f"{stars[known[0]]}." if len(set(known)) == 1 else f"{stars[True]}, or the last iterate where no minimum is known."
    reading = [
        "The left panel shows the data and the predictions of the model at some steps, from dark to bright. The right panel",
        "shows all steps over the contours of the loss, bright where the loss is low; the steps of the left panel are marked.",
        star,
        "There is a row for each behaviour that occurs, which shows the run with the middle learning rate.",
    ]
    if found > len(fits):
        reading.append(f"The first {len(fits)} of {found} such rows are drawn.")
    return "\n".join([" ".join(reading), *(_finding(fit, several) for fit in fits), *_best_fits(fits)])


def _finding(fit: Fit, several: bool) -> str:
    run, end = fit.run, _place(fit.objective, fit.x[-1])
    return f"{_name(fit, several)}; after {counted(run.steps, 'step')} {end}, where f = {number(run.final_value)}."


def _best_fits(fits: Sequence[Fit]) -> list[str]:
    objectives = {fit.run.objective: fit.objective for fit in fits}
    stated = {name: (objective, known_minimum(objective)) for name, objective in objectives.items()}
    known = [(name, objective, minimum) for name, (objective, minimum) in stated.items() if minimum is not None]
    return [
        f"The best fit{f' on {name}' if len(known) > 1 else ''} is {_place(objective, np.asarray(minimum.x))}, "
        f"where f = {number(float(minimum.value))}."
        for name, objective, minimum in known
    ]


def _place(objective: Objective, x: Array) -> str:
    names = coordinate_names(objective, len(x))
    return listed([f"{name} = {number(value)}" for name, value in zip(names, x.tolist(), strict=True)])


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"regression_fit": RegressionFit}

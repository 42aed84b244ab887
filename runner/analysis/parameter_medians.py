"""Sweeps of one parameter: the last gap of each run against the parameter's value, and its medians over the starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.analysis.learning_rates import is_plain
from runner.analysis.summary import LEARNING_RATE, GapScale, Value
from runner.contracts.arrays import Array
from runner.contracts.figure import Results, StoredRun
from runner.contracts.parameters import is_seed
from runner.contracts.reached import LOST_OUTCOMES
from runner.tables.readable import listed, number

MOST_LINES = 4
"""Largest number of combinations of further swept parameters with a line for each; more combinations share one line."""


@dataclass(frozen=True)
class MedianLine:
    """The median over some runs at each value of the swept parameter.

    Attributes:
        method: the optimizer's label, followed by the gradient backend's if there are several.
        combination: the values of the further swept parameters as text; empty if there are no such parameters, or if one line
            stands for all combinations.
        pooled: the names of the further swept parameters over which the median is taken too.
        place: the index of the line among those of the same method.
        runs: the runs of the line.
    """

    method: str
    combination: str
    pooled: tuple[str, ...]
    place: int
    runs: tuple[StoredRun, ...]

    def label(self, several_methods: bool) -> str:
        """Return the text for the legend. It names the method if there are several methods, or if the line has no combination."""
        over = f"median over the starts and {listed(self.pooled)}" if self.pooled else ""
        return ", ".join(filter(None, (self.method if several_methods or not self.combination else "", self.combination, over)))


@dataclass(frozen=True)
class ParameterSweep:
    """The runs of one objective, by the value of one swept parameter.

    Attributes:
        objective: the objective's label.
        parameter: the swept parameter, as `optimizer.name`.
        runs: the runs that have this parameter, of all optimizers together.
        scale: the value from which the gaps of the objective's runs are measured, and the smallest gap that is drawn.
    """

    objective: str
    parameter: str
    runs: tuple[StoredRun, ...]
    scale: GapScale

    @property
    def name(self) -> str:
        """The parameter's name without its kind."""
        return self.parameter.partition(".")[2]

    @cached_property
    def methods(self) -> dict[str, list[StoredRun]]:
        """The runs by optimizer, or by optimizer and gradient backend if there are several gradient backends."""
        several = len({run.gradient for run in self.runs}) > 1
        methods: dict[str, list[StoredRun]] = {}
        for run in self.runs:
            methods.setdefault(f"{run.optimizer} × {run.gradient}" if several else run.optimizer, []).append(run)
        return methods

    @cached_property
    def lines(self) -> list[MedianLine]:
        """The lines of medians.

        Each method has one line, or one line for each combination of its further swept parameters if there are few combinations.
        """
        return [line for method, runs in self.methods.items() for line in _lines(method, runs, self.parameter)]

    @property
    def limits(self) -> list[float]:
        """2/L for each L among the runs, in increasing order; empty unless the learning rate is swept and L is known."""
        curvatures = {run.curvature[1] for run in self.runs if run.curvature is not None}
        limits = {stability_limit(curvature) for curvature in curvatures}
        return sorted(limit for limit in limits if limit is not None) if self.parameter == LEARNING_RATE else []

    @property
    def near_limits(self) -> list[float]:
        """The limits that lie close enough to the values tried to be drawn in the same panel."""
        values = self.values(self.runs)
        return [limit for limit in self.limits if values.min() / 3 <= limit <= values.max() * 3]

    @property
    def is_plain(self) -> bool:
        """True if the optimizer of all runs is plain gradient descent, to which the limit 2/L applies."""
        return all(is_plain(run.optimizer) for run in self.runs)

    @property
    def is_log_spaced(self) -> bool:
        """True if the values are more evenly spaced on a logarithmic axis than on a linear one."""
        points = np.unique(self.values(self.runs))
        if len(points) < 2 or points[0] <= 0:
            return False
        if len(points) == 2:
            return bool(points[1] / points[0] >= 10)
        linear, logarithmic = np.diff(points), np.diff(np.log(points))
        return bool(np.std(logarithmic) / np.mean(logarithmic) < np.std(linear) / np.mean(linear))

    @property
    def touches_floor(self) -> bool:
        """True if a run ends at the smallest gap that is drawn, or below it."""
        return any(self._gap(run) <= self.scale.floor for run in self.runs)

    def values(self, runs: Sequence[StoredRun]) -> Array:
        """Return the swept parameter of some runs, `(runs,)`."""
        return np.array([float(run.parameters[self.parameter] or 0.0) for run in runs])

    def last(self, runs: Sequence[StoredRun]) -> Array:
        """Return the last gap of some runs, `(runs,)`: never below the smallest gap that is drawn, and +inf for lost runs."""
        return np.array([math.inf if self._is_lost(run) else max(self._gap(run), self.scale.floor) for run in runs])

    def lost(self, runs: Sequence[StoredRun]) -> list[StoredRun]:
        """Return the runs that are lost, or whose last gap is not finite."""
        return [run for run in runs if self._is_lost(run)]

    def _gap(self, run: StoredRun) -> float:
        return run.final_value - self.scale.reference

    def _is_lost(self, run: StoredRun) -> bool:
        return run.outcome in LOST_OUTCOMES or not math.isfinite(self._gap(run))

    def medians(self, runs: Sequence[StoredRun]) -> tuple[Array, Array]:
        """Return each value of the swept parameter, and the median over the runs with it; NaN where the median is infinite."""
        values, last = self.values(runs), self.last(runs)
        points = np.unique(values)
        medians = np.array([np.median(last[values == point]) for point in points])
        return points, np.where(np.isfinite(medians), medians, np.nan)


def parameter_sweeps(results: Results) -> list[ParameterSweep]:
    """Return a sweep for each objective and parameter.

    The parameter is the learning rate if an optimizer sweeps it, or else the first parameter that it sweeps. Sweeps of parameters
    that are not numbers are left out.
    """
    keys = {}
    for optimizer, names in results.swept.items():
        if names:
            keys[optimizer] = "optimizer." + ("learning_rate" if "learning_rate" in names else names[0])
    groups: dict[tuple[str, str], list[StoredRun]] = {}
    for run in results.runs:
        key = keys.get(run.optimizer, "")
        if isinstance(run.parameters.get(key), int | float):
            groups.setdefault((run.objective, key), []).append(run)
    of_objective: dict[str, list[StoredRun]] = {}
    for run in results.runs:
        of_objective.setdefault(run.objective, []).append(run)
    scales = {objective: GapScale.of(runs) for objective, runs in of_objective.items()}
    return [ParameterSweep(objective, key, tuple(runs), scales[objective]) for (objective, key), runs in groups.items()]


def _lines(method: str, runs: Sequence[StoredRun], parameter: str) -> list[MedianLine]:
    """Return the lines of one method: one for each combination of its further swept parameters, or one for all."""
    others = [key for key in runs[0].parameters if key != parameter and not is_seed(key)]
    further = [key for key in others if len({run.parameters.get(key) for run in runs}) > 1]
    combinations: dict[tuple[Value, ...], list[StoredRun]] = {}
    for run in runs:
        combinations.setdefault(tuple(run.parameters.get(key) for key in further), []).append(run)
    settings = {(run.parameters[parameter], *(run.parameters.get(key) for key in further)) for run in runs}
    if len(settings) == len({run.parameters[parameter] for run in runs}):
        # Each value of the swept parameter occurs with one combination of the others, so no median mixes settings.
        return [MedianLine(method, "", (), 0, tuple(runs))]
    names = tuple(key.partition(".")[2] for key in further)
    if len(combinations) > MOST_LINES:
        return [MedianLine(method, "", names, 0, tuple(runs))]
    columns = [[value for value in column if isinstance(value, float)] for column in zip(*combinations, strict=True)]
    return [
        MedianLine(
            method,
            ", ".join(f"{name} = {_text(value, column)}" for name, value, column in zip(names, values, columns, strict=True)),
            (),
            place,
            tuple(group),
        )
        for place, (values, group) in enumerate(combinations.items())
    ]


def _text(value: Value, others: Sequence[float]) -> str:
    if isinstance(value, float):
        return number(value, others)
    return str(value).lower() if isinstance(value, bool) else str(value)

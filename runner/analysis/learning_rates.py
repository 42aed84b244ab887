"""Sweeps of learning rates: the limit of stability, the best learning rate and its factor, in theory and as measured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.analysis.rates import LinearRate, best_learning_rate, linear_rate, settled_elsewhere
from runner.analysis.summary import LEARNING_RATE, Cells
from runner.contracts.figure import Results, StoredRun
from runner.contracts.objective import known_minimum
from runner.contracts.outcomes import Behaviour, Outcome
from runner.tables.readable import number

MOST_ITERATES = 10_000_000
"""A sweep with more iterates is not fitted, because reading it would take too long."""
MOST_DIGITS = 8
"""Numbers with more digits before or after the point are written with a power of ten."""
HEADER = (
    "objective",
    "gradient",
    "optimizer",
    "limit, theory",
    "limit, measured",
    "best, theory",
    "best, measured",
    "factor, theory",
    "factor, measured",
)
CAPTION = (
    "Theory and measurement for each sweep of learning rates. The theory uses μ and L, the smallest and the largest eigenvalue "
    "of the Hessian at the known minimiser. "
    "Limit, theory: 2/L. Beyond it, plain gradient descent is unstable at the minimiser, and settles there only from points that "
    "lead exactly to it. "
    "Limit, measured: between the largest learning rate up to which every run settles at the minimiser, and the next one tried "
    "at which some run does not. "
    "Best, theory: 2/(μ + L). "
    "Best, measured: of the learning rates at which every run settles, the one whose error shrinks fastest. The brackets hold "
    "the neighbours between which the best may lie, or say that it is the smallest or the largest one tried. "
    "Factor, theory: (κ − 1)/(κ + 1) with κ = L/μ, by which the error shrinks in each step at the best learning rate. "
    "Factor, measured: from a fit to the latter half of each trajectory, the median over the starts. "
    "Starts that lead elsewhere than to the known minimiser are counted, and left out of all three measurements."
)
COLUMNS = (
    *("objective", "gradient", "optimizer", "curvature_min", "curvature_max"),
    *("limit_theory", "limit_low", "limit_high", "best_theory", "best_measured", "best_below", "best_above"),
    *("factor_theory", "factor_measured", "factor_uncertainty"),
)


@dataclass(frozen=True)
class RatePoint:
    """The runs with one learning rate.

    Attributes:
        learning_rate: γ.
        rate: the median over the starts of the factor by which the error changes in each step; None if no factor was measured.
        settles: true if every run whose start leads to the known minimum converged there, or was still approaching it; None if a
            run is too short to decide.
        runs: the number of runs.
        elsewhere: the number of runs that led away from the known minimum, and therefore have no rate.
    """

    learning_rate: float
    rate: LinearRate | None
    settles: bool | None
    runs: int = 1
    elsewhere: int = 0


@dataclass(frozen=True)
class RateSweep:
    """One objective, gradient backend and optimizer with several learning rates.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, with the values of its other swept parameters.
        curvature: the smallest and the largest eigenvalue of the Hessian at the known minimiser. None if they are unknown, or if
            the optimizer is not plain gradient descent, so that the theory does not apply.
        points: the runs for each learning rate, sorted by learning rate.
    """

    objective: str
    gradient: str
    optimizer: str
    curvature: tuple[float, float] | None
    points: tuple[RatePoint, ...]

    @property
    def limit(self) -> float | None:
        """2/L, the learning rate at which gradient descent loses its stability in theory; None if L is unknown."""
        return None if self.curvature is None else stability_limit(self.curvature[1])

    @property
    def measured_limit(self) -> tuple[float, float] | None:
        """The largest learning rate up to which all runs settle, and the next one at which some run does not.

        None if one of the two is missing.
        """
        restless = next((place for place, point in enumerate(self.points) if point.settles is False), 0)
        settled = [point.learning_rate for point in self.points[:restless] if point.settles]
        return (settled[-1], self.points[restless].learning_rate) if settled else None

    @property
    def best(self) -> tuple[float, float] | None:
        """The best learning rate 2/(μ + L) and its factor (κ − 1)/(κ + 1), in theory; None if μ or L is unknown."""
        return None if self.curvature is None else best_learning_rate(self.curvature)

    @property
    def measured_best(self) -> int | None:
        """The index of the smallest factor among the points at which all runs settle; None if no factor was measured there."""
        settled = [(point.rate, place) for place, point in enumerate(self.points) if point.settles]
        measured = [(rate.factor, place) for rate, place in settled if rate is not None]
        return min(measured)[1] if measured else None

    @property
    def beside_best(self) -> tuple[float, float]:
        """The learning rates tried next to the measured best, on both sides.

        If the factor has a single minimum, the best learning rate lies between them.
        """
        place = self.measured_best
        assert place is not None
        return self.points[max(place - 1, 0)].learning_rate, self.points[min(place + 1, len(self.points) - 1)].learning_rate


def rate_sweeps(results: Results) -> list[RateSweep]:
    """Measure every sweep of learning rates of an experiment, in the order of the grid; sweeps of a single value are left out.

    If other parameters of the optimizer are swept too, each combination of their values is a sweep of its own.
    """
    groups: dict[tuple[str, ...], list[StoredRun]] = {}
    for run in results.runs:
        swept = results.swept.get(run.optimizer, ())
        if "learning_rate" in swept:
            others = [(name, run.parameters.get(f"optimizer.{name}")) for name in swept if name != "learning_rate"]
            values = ", ".join(f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}" for name, value in others)
            optimizer = f"{run.optimizer}({values})" if values else run.optimizer
            groups.setdefault((run.objective, run.gradient, optimizer), []).append(run)
    sweeps = []
    for (_, _, optimizer), runs in groups.items():
        several = len({run.parameters.get(LEARNING_RATE) for run in runs}) > 1
        if several and sum(run.steps + 1 for run in runs) <= MOST_ITERATES:
            sweeps.append(_rate_sweep(results, runs, optimizer))
    return sweeps


def is_plain(optimizer: str) -> bool:
    """Return true if an optimizer's label means plain gradient descent, to which the theory applies."""
    return re.match(r"gradient_descent(\(|$)", optimizer) is not None


def rates_table(sweeps: Sequence[RateSweep]) -> Cells:
    """Return the header and the cells of the table on the page, numbers rounded."""
    return HEADER, [_cells(sweep) for sweep in sweeps]


def rates_export(sweeps: Sequence[RateSweep]) -> Cells:
    """Return the header and the cells of the table in the CSV file, numbers in full; a missing number is `nan`."""
    rows = [rates_row(sweep).values() for sweep in sweeps]
    return COLUMNS, [tuple(value if isinstance(value, str) else repr(value) for value in row) for row in rows]


def rates_row(sweep: RateSweep) -> dict[str, str | float]:
    """Return one row of the table in the CSV file, by column; a missing number is NaN."""
    place = sweep.measured_best
    point = None if place is None else sweep.points[place]
    rate = None if point is None else point.rate
    values = (
        *(sweep.objective, sweep.gradient, sweep.optimizer),
        *(sweep.curvature or (math.nan, math.nan)),
        math.nan if sweep.limit is None else sweep.limit,
        *(sweep.measured_limit or (math.nan, math.nan)),
        math.nan if sweep.best is None else sweep.best[0],
        math.nan if point is None else point.learning_rate,
        *((math.nan, math.nan) if point is None else sweep.beside_best),
        math.nan if sweep.best is None else sweep.best[1],
        *((math.nan, math.nan) if rate is None else (rate.factor, rate.uncertainty)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _rate_sweep(results: Results, runs: Sequence[StoredRun], optimizer: str) -> RateSweep:
    first = runs[0]
    minimum = known_minimum(results.objective(first))
    minimiser = None if minimum is None else np.asarray(minimum.x, dtype=np.float64)
    rates: dict[int, LinearRate | None] = {}
    elsewhere: set[int] = set()
    for run, series in results.series(runs):
        rates[run.id] = linear_rate(run, series, minimiser)
        if settled_elsewhere(run, series, minimiser):
            elsewhere.add(run.id)

    # A large learning rate may throw a run from one basin into another. Therefore each start is judged by one run: the run with
    # the smallest learning rate among those that came to rest.
    came_to_rest_elsewhere: dict[int, bool] = {}
    for run in sorted(runs, key=_learning_rate):
        if run.id in elsewhere or run.outcome in (Outcome.CONVERGED, Outcome.STALLED):
            came_to_rest_elsewhere.setdefault(run.start, run.id in elsewhere)
    strays = {start for start, strayed in came_to_rest_elsewhere.items() if strayed}

    groups: dict[float, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(_learning_rate(run), []).append(run)
    points = []
    for learning_rate, group in sorted(groups.items()):
        own = [run for run in group if run.start not in strays]
        measured = sorted((rate for run in own if (rate := rates[run.id]) is not None), key=lambda rate: rate.factor)
        settled = {False if run.id in elsewhere else _settles(run, rates[run.id]) for run in own}
        points.append(
            RatePoint(
                learning_rate,
                measured[len(measured) // 2] if measured else None,
                bool(own) and False not in settled and (None if None in settled else True),
                len(group),
                sum(run.id in elsewhere or run.start in strays for run in group),
            )
        )
    curvature = first.curvature if is_plain(first.optimizer) else None
    return RateSweep(first.objective, first.gradient, optimizer, curvature, tuple(points))


def _learning_rate(run: StoredRun) -> float:
    return float(run.parameters[LEARNING_RATE] or 0.0)


def _settles(run: StoredRun, rate: LinearRate | None) -> bool | None:
    """Return true if a run converged or was still approaching a minimum; None if it is too short to decide."""
    if run.outcome in (Outcome.CONVERGED, Outcome.STALLED):
        return True
    if run.outcome not in (Outcome.MAX_STEPS, Outcome.TIMEOUT) or run.behaviour == Behaviour.DIVERGING:
        return False
    if run.behaviour in (Behaviour.MONOTONE, Behaviour.CRAWLING):
        return True
    # The rate of a run that oscillates forever is 1.
    return None if rate is None else rate.shrinks


def _cells(sweep: RateSweep) -> tuple[str, ...]:
    tried = [point.learning_rate for point in sweep.points]
    names = (sweep.objective, sweep.gradient, sweep.optimizer)
    limit = "unknown" if sweep.limit is None else number(sweep.limit, tried)
    theory = ("unknown", "unknown") if sweep.best is None else (number(sweep.best[0], tried), number(sweep.best[1]))
    measured = sweep.measured_limit
    bracket = "none found" if measured is None else interval(*measured)
    place = sweep.measured_best
    if place is None:
        return *names, limit, bracket, theory[0], "not measured", theory[1], "not measured" + _left_out(sweep.points)
    rate = sweep.points[place].rate
    assert rate is not None
    ends = {0: "the smallest tried", len(tried) - 1: "the largest tried"}
    best = f"{number(tried[place], tried)} ({ends.get(place) or interval(*sweep.beside_best)})"
    factor = with_uncertainty(rate.factor, rate.uncertainty) + _left_out([sweep.points[place]])
    return *names, limit, bracket, theory[0], best, theory[1], factor


def _left_out(points: Sequence[RatePoint]) -> str:
    """Return the number of runs that led away from the known minimum, in brackets; the empty string if it is zero."""
    elsewhere = sum(point.elsewhere for point in points)
    return f" ({elsewhere:,} of {sum(point.runs for point in points):,} runs led elsewhere)" if elsewhere else ""


def interval(low: float, high: float) -> str:
    """Return an interval as its two ends, such as `0.92 to 0.98`, with enough digits to distinguish them."""
    return number(low) if low == high else f"{number(low, [high])} to {number(high, [low])}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Return a number with as many digits as its uncertainty justifies, six at most, such as `0.9802 ± 0.0003`."""
    if not math.isfinite(uncertainty) or uncertainty < 1e-6 * abs(value):
        return f"{value:.6g}"
    digits = 1 - math.floor(math.log10(uncertainty)) if uncertainty < 1 else 0
    if digits < MOST_DIGITS and abs(value) < 10.0**MOST_DIGITS:
        return f"{value:.{digits}f} ± {uncertainty:.{digits}f}"
    return f"{value:.3g} ± {uncertainty:.1g}"

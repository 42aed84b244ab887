"""A sweep of learning rates summed up: where it stops being stable and which is best, as measured and as theory says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.analysis.rates import LinearRate, best_learning_rate, linear_rate, settled_elsewhere
from runner.analysis.summary import LEARNING_RATE
from runner.contracts.arrays import Array
from runner.contracts.figure import Results, StoredRun
from runner.contracts.objective import Objective, known_minimum
from runner.contracts.outcomes import Behaviour, Outcome
from runner.tables.readable import number

MOST_ITERATES = 10_000_000
"""A sweep with more is not fitted: reading it would take longer than anybody waits for a table."""
MOST_DIGITS = 8
"""Numbers with more before or after the point are written with a power of ten."""
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
    "What theory says of a learning rate, from the smallest and the largest eigenvalue of the Hessian at the known minimiser,"
    " μ and L, beside what the runs show. Limit: 2/L, beyond which plain gradient descent is unstable there, so that it "
    "settles only from points that lead exactly to it; measured between the largest learning rate up to which every run "
    "settles there and the next one tried that keeps one from it. Best: 2/(μ + L); measured, of those at which every run "
    "settles the one whose error shrinks fastest, and in brackets between which neighbours the best may lie, unless it is the"
    " last one tried. Factor: by which the error shrinks in each step at the best, (κ − 1)/(κ + 1) with κ = L/μ; measured by "
    "a fit to the latter half of each trajectory, the median over the starts. Starts that lead elsewhere than to the known "
    "minimiser are left out of all three, and counted."
)
COLUMNS = (
    *("objective", "gradient", "optimizer", "curvature_min", "curvature_max"),
    *("limit_theory", "limit_low", "limit_high", "best_theory", "best_measured", "best_below", "best_above"),
    *("factor_theory", "factor_measured", "factor_uncertainty"),
)
Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]


@dataclass(frozen=True)
class RatePoint:
    """The runs of one learning rate.

    Attributes:
        learning_rate: γ.
        rate: the median over the starts of the factor by which the error shrinks in each step; None where none can be measured.
        settles: whether every run from a start that leads to the known minimum converged there, or was still coming closer; None
            where some run is too short to tell.
        runs: how many runs there are.
        elsewhere: how many of them led elsewhere, and so have no rate.
    """

    learning_rate: float
    rate: LinearRate | None
    settles: bool | None
    runs: int = 1
    elsewhere: int = 0


@dataclass(frozen=True)
class RateSweep:
    """One objective, gradient backend and optimizer over several learning rates.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, with the values of its other swept parameters.
        curvature: smallest and largest eigenvalue of the Hessian at the known minimiser; None where unknown, and for an optimizer
            that is not plain gradient descent, of which the theory does not speak.
        points: by learning rate, increasing.
    """

    objective: str
    gradient: str
    optimizer: str
    curvature: tuple[float, float] | None
    points: tuple[RatePoint, ...]

    @property
    def limit(self) -> float | None:
        """2/L, the learning rate at which theory expects gradient descent to lose its stability."""
        return None if self.curvature is None else stability_limit(self.curvature[1])

    @property
    def measured_limit(self) -> tuple[float, float] | None:
        """The largest learning rate up to which all settle, and the next known not to; None unless there are both."""
        restless = next((place for place, point in enumerate(self.points) if point.settles is False), 0)
        settled = [point.learning_rate for point in self.points[:restless] if point.settles]
        return (settled[-1], self.points[restless].learning_rate) if settled else None

    @property
    def best(self) -> tuple[float, float] | None:
        """The best learning rate, 2/(μ + L), and its factor, (κ − 1)/(κ + 1), as theory says."""
        return None if self.curvature is None else best_learning_rate(self.curvature)

    @property
    def measured_best(self) -> int | None:
        """The place of the smallest factor among the points that settle; None where none could be measured."""
        settled = [(point.rate, place) for place, point in enumerate(self.points) if point.settles]
        measured = [(rate.factor, place) for rate, place in settled if rate is not None]
        return min(measured)[1] if measured else None

    @property
    def beside_best(self) -> tuple[float, float]:
        """The learning rates tried next to the measured best, between which the best lies if the factor has one minimum."""
        place = self.measured_best
        assert place is not None
        return self.points[max(place - 1, 0)].learning_rate, self.points[min(place + 1, len(self.points) - 1)].learning_rate


def rate_sweeps(results: Results) -> list[RateSweep]:
    """Measure every sweep of learning rates of an experiment, in the order of the grid; those of one value are left out.

    Where an optimizer's other parameters are swept as well, each combination of theirs is a sweep of its own.
    """
    groups: dict[tuple[str, ...], list[StoredRun]] = {}
    for run in results.runs:
        swept = results.swept.get(run.optimizer, ())
        if "learning_rate" in swept:
            groups.setdefault((run.objective, run.gradient, _named(run, swept)), []).append(run)
    return [_sweep(results, runs, key[-1]) for key, runs in groups.items() if _is_worth_it(runs)]


def _named(run: StoredRun, swept: Sequence[str]) -> str:
    """Return the optimizer's label, with the values of its other swept parameters in brackets."""
    others = [(name, run.parameters.get(f"optimizer.{name}")) for name in swept if name != "learning_rate"]
    told = ", ".join(f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}" for name, value in others)
    return f"{run.optimizer}({told})" if told else run.optimizer


def _is_worth_it(runs: Sequence[StoredRun]) -> bool:
    several = len({run.parameters.get(LEARNING_RATE) for run in runs}) > 1
    return several and sum(run.steps + 1 for run in runs) <= MOST_ITERATES


def is_plain(optimizer: str) -> bool:
    """Whether a label is that of gradient descent itself, of which the theory speaks."""
    return re.match(r"gradient_descent(\(|$)", optimizer) is not None


def rates_table(sweeps: Sequence[RateSweep]) -> Cells:
    """Return the header and the cells of the table that people read."""
    return HEADER, [_cells(sweep) for sweep in sweeps]


def rates_export(sweeps: Sequence[RateSweep]) -> Cells:
    """Return the header and the cells of the table that programs read, numbers in full; what does not exist is `nan`."""
    return COLUMNS, [tuple(map(_exported, row.values())) for row in map(rates_row, sweeps)]


def rates_row(sweep: RateSweep) -> dict[str, str | float]:
    """Return one line of the table that programs read, by column; what does not exist is NaN."""
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


def _exported(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


def _sweep(results: Results, runs: Sequence[StoredRun], optimizer: str) -> RateSweep:
    first = runs[0]
    minimiser = _minimiser(results.objective(first))
    rates: dict[int, LinearRate | None] = {}
    elsewhere: set[int] = set()
    for run, series in results.series(runs):
        rates[run.id] = linear_rate(run, series, minimiser)
        if settled_elsewhere(run, series, minimiser):
            elsewhere.add(run.id)
    strays = _strays(runs, elsewhere)
    groups: dict[float, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(_learning_rate(run), []).append(run)
    points = [_point(learning_rate, groups[learning_rate], rates, elsewhere, strays) for learning_rate in sorted(groups)]
    curvature = first.curvature if is_plain(first.optimizer) else None
    return RateSweep(first.objective, first.gradient, optimizer, curvature, tuple(points))


def _learning_rate(run: StoredRun) -> float:
    return float(run.parameters[LEARNING_RATE] or 0.0)


def _minimiser(objective: Objective | None) -> Array | None:
    minimum = known_minimum(objective)
    if minimum is None:
        return None
    return np.asarray(minimum.x, dtype=np.float64)


def _strays(runs: Sequence[StoredRun], elsewhere: set[int]) -> set[int]:
    """Return the starts that do not lead to the known minimum: the smallest learning rate that came to rest did so elsewhere.

    A larger one may throw a run from one basin into another; the smallest follows the ground.
    """
    ends: dict[int, bool] = {}
    for run in sorted(runs, key=_learning_rate):
        if run.id in elsewhere or run.outcome in (Outcome.CONVERGED, Outcome.STALLED):
            ends.setdefault(run.start, run.id in elsewhere)
    return {start for start, strayed in ends.items() if strayed}


def _point(
    learning_rate: float, runs: Sequence[StoredRun], rates: dict[int, LinearRate | None], elsewhere: set[int], strays: set[int]
) -> RatePoint:
    own = [run for run in runs if run.start not in strays]
    measured = sorted((rate for run in own if (rate := rates[run.id]) is not None), key=lambda rate: rate.factor)
    middle = measured[len(measured) // 2] if measured else None
    fates = {False if run.id in elsewhere else _settles(run, rates[run.id]) for run in own}
    settles = bool(own) and False not in fates and (None if None in fates else True)
    left_out = sum(run.id in elsewhere or run.start in strays for run in runs)
    return RatePoint(learning_rate, middle, settles, len(runs), left_out)


def _settles(run: StoredRun, rate: LinearRate | None) -> bool | None:
    if run.outcome in (Outcome.CONVERGED, Outcome.STALLED):
        return True
    if run.outcome not in (Outcome.MAX_STEPS, Outcome.TIMEOUT) or run.behaviour == Behaviour.DIVERGING:
        return False
    if run.behaviour in (Behaviour.MONOTONE, Behaviour.CRAWLING):
        return True
    # What swings for ever has a rate of 1.
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
    """Return in brackets how many runs led elsewhere than to the known minimum; nothing if none did."""
    elsewhere = sum(point.elsewhere for point in points)
    return f" ({elsewhere:,} of {sum(point.runs for point in points):,} runs led elsewhere)" if elsewhere else ""


def interval(low: float, high: float) -> str:
    """Return an interval as its ends, `0.92 to 0.98`, with digits that tell them apart."""
    return number(low) if low == high else f"{number(low, [high])} to {number(high, [low])}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Return a number with as many digits as its uncertainty leaves it, six at most: `0.9802 ± 0.0003`."""
    if not math.isfinite(uncertainty) or uncertainty < 1e-6 * abs(value):
        return f"{value:.6g}"
    digits = 1 - math.floor(math.log10(uncertainty)) if uncertainty < 1 else 0
    if digits < MOST_DIGITS and abs(value) < 10.0**MOST_DIGITS:
        return f"{value:.{digits}f} ± {uncertainty:.{digits}f}"
    return f"{value:.3g} ± {uncertainty:.1g}"

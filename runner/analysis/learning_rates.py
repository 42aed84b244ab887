"""Sweeps of learning rates: the limit of stability, the best learning rate and its factor, in theory and as measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.analysis.rates import KnownMinimum, LinearRate, best_learning_rate, contraction, linear_rate
from runner.analysis.summary import LEARNING_RATE, Cells
from runner.contracts.figure import Results, StoredRun
from runner.contracts.objective import HasHessian, known_minimum
from runner.contracts.outcomes import Behaviour, Outcome
from runner.contracts.reached import RESTING_OUTCOMES, Reached
from runner.tables.readable import number

MOST_ITERATES = 10_000_000
"""A sweep with more iterates is not fitted, because reading it would take too long."""
LARGEST_HESSIAN = 1000
"""Largest dimension in which f − f* is compared with its quadratic model at the known minimiser."""
ROUNDING = 1e-9
"""Difference of two factors that is attributed to rounding."""
ABOVE_LOWEST = 1e-3
"""If f* is unknown, a run counts as settled only if it ends at most this far above the lowest f found.

The distance is relative to the fall of f from the run's start to the lowest f found.
"""
SINGULAR = 1e-12
"""If μ/L is smaller than this, μ is attributed to rounding, and theory has no slowest component."""
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
    "Limit, measured: the interval from a learning rate at which every run settles at the minimiser to the next larger one, at "
    "which some run does not. "
    "Best, theory: 2/(μ + L). "
    "Best, measured: the learning rate with the fastest decrease of the error, among those below the limit at which every run "
    "settles and whose factor is known. The true best may lie anywhere between the two learning rates in brackets, the nearest "
    "that are clearly slower or at which a run does not settle. "
    "Factor, theory: (κ − 1)/(κ + 1) with κ = L/μ, by which the error shrinks in each step at the best learning rate. "
    "Factor, measured: from a fit to the latter half of each trajectory, the median over the starts, if the error shrinks by the "
    "same factor throughout that half. Twice the number after ± covers the scatter, the starts, and a slower component of the "
    "error that may not be visible yet. "
    "If a number cannot be determined, the cell gives the reason. "
    "All three measurements leave out the starts that do not lead to the known minimiser; the table gives their number."
)
COLUMNS = (
    *("objective", "gradient", "optimizer", "curvature_min", "curvature_max"),
    *("limit_theory", "limit_low", "limit_high", "best_theory", "best_measured", "best_below", "best_above"),
    *("factor_theory", "factor_measured", "factor_uncertainty"),
    *("limit_answer", "limit_reason", "best_answer", "best_reason", "contradiction"),
)
FOUND, NONE, CANNOT_TELL = "found", "none", "cannot tell"
"""The three answers about the limit, and about the best learning rate."""


@dataclass(frozen=True)
class RatePoint:
    """The runs with one learning rate.

    Attributes:
        learning_rate: γ.
        rate: the median over the starts of the factor by which the error changes in each step. If it cannot be determined for any
            start, this is a rate with a doubt. It is None if every start leads away from the known minimum.
        settles: true if every run whose start leads to the known minimum settles there; false if some run does not; None if this
            cannot be determined.
        doubt: the reason why it cannot be determined whether every run settles, or else why the factor cannot be determined.
        runs: the number of runs.
        elsewhere: the number of runs that led away from the known minimum, and therefore have no rate.
    """

    learning_rate: float
    rate: LinearRate | None
    settles: bool | None
    doubt: str = ""
    runs: int = 1
    elsewhere: int = 0

    @property
    def factor(self) -> LinearRate | None:
        """The rate, if every run settles and the factor can be determined."""
        return self.rate if self.settles and self.rate is not None and self.rate.shrinks else None


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
    def restless(self) -> int:
        """The index of the smallest learning rate at which some run does not settle; the number of points without such a rate."""
        return next((place for place, point in enumerate(self.points) if point.settles is False), len(self.points))

    @property
    def measured_limit(self) -> tuple[float, float] | None:
        """The largest learning rate at which all runs settle, and the next larger one at which some run does not.

        None if one of the two is missing, or if runs settle at larger learning rates again.
        """
        if self.limit_answer[0] != FOUND:
            return None
        settled = [point.learning_rate for point in self.points[: self.restless] if point.settles]
        return settled[-1], self.points[self.restless].learning_rate

    @property
    def limit_answer(self) -> tuple[str, str]:
        """`found`, `none` or `cannot tell` for the measured limit, and the reason; the reason is empty if a limit was found."""
        below, above = self.points[: self.restless], self.points[self.restless + 1 :]
        settled = [place for place, point in enumerate(below) if point.settles]
        tried = [point.learning_rate for point in self.points]
        if len(below) == len(self.points):
            unknown = [point for point in below[settled[-1] + 1 if settled else 0 :] if point.settles is None]
            if not unknown:
                return NONE, f"every run settles at the largest learning rate tried, {number(tried[-1], tried)}"
            nearest = unknown[0] if settled else unknown[-1]
            return CANNOT_TELL, f"at {number(nearest.learning_rate, tried)}, {nearest.doubt}"
        restless = number(tried[self.restless], tried)
        again = [point.learning_rate for point in above if point.settles]
        if again:
            return CANNOT_TELL, f"some run does not settle at {restless}, but every run settles at {number(again[0], tried)}"
        if settled:
            return FOUND, ""
        if below:
            return CANNOT_TELL, f"at {number(below[-1].learning_rate, tried)}, {below[-1].doubt}"
        return NONE, f"some run does not settle even at the smallest learning rate {restless}"

    @property
    def best(self) -> tuple[float, float] | None:
        """The best learning rate 2/(μ + L) and its factor (κ − 1)/(κ + 1), in theory; None if μ or L is unknown."""
        return None if self.curvature is None else best_learning_rate(self.curvature)

    @property
    def measured_best(self) -> int | None:
        """The index of the smallest factor below 1 among the points below the limit; None unless `best_answer` is `found`."""
        return self._best_so_far if self.best_answer[0] == FOUND else None

    @property
    def _best_so_far(self) -> int | None:
        """The index of the smallest factor that can be determined, among the points below the limit at which all runs settle."""
        determined = [(point.factor.factor, place) for place, point in enumerate(self.points[: self.restless]) if point.factor]
        return min(determined)[1] if determined else None

    @property
    def best_answer(self) -> tuple[str, str]:
        """`found`, `none` or `cannot tell` for the measured best, and the reason; the reason is empty if a best was found.

        If the factor of a point cannot be determined, the answer is `cannot tell`, unless the steps taken show that the error at
        this point shrinks more slowly than at the best point.
        """
        place = self._best_so_far
        best = None if place is None else self.points[place].factor
        worst = math.inf if best is None else best.factor + 2.0 * best.uncertainty
        for point in reversed(self.points[: self.restless]):
            if point.doubt and point.factor is None and not (point.rate is not None and point.rate.factor > worst):
                tried = [point.learning_rate for point in self.points]
                return CANNOT_TELL, f"at {number(point.learning_rate, tried)}, {point.doubt}"
        return (NONE, "there is no learning rate at which every run settles") if place is None else (FOUND, "")

    @property
    def beside_best(self) -> tuple[float, float]:
        """The nearest learning rates on both sides of the measured best that are clearly slower, or do not settle.

        If a side has no such learning rate, the smallest or the largest one tried is returned in its place.
        """
        place = self.measured_best
        assert place is not None
        best = self.points[place].factor
        assert best is not None

        def slower(point: RatePoint) -> bool:
            rate = point.factor
            told = rate is not None and rate.factor - 2.0 * rate.uncertainty > best.factor + 2.0 * best.uncertainty
            return point.settles is False or told

        low = next((point for point in reversed(self.points[:place]) if slower(point)), self.points[0])
        high = next((point for point in self.points[place + 1 :] if slower(point)), self.points[-1])
        return low.learning_rate, high.learning_rate

    @property
    def contradiction(self) -> str:
        """A sentence if a measured factor exceeds what theory allows by more than its uncertainty; empty otherwise."""
        if self.curvature is None:
            return ""
        tried = [point.learning_rate for point in self.points]
        for point in self.points:
            theory = float(contraction(np.array(point.learning_rate), self.curvature))
            rate = point.factor
            if rate is not None and theory < 1.0 and rate.factor - 2.0 * rate.uncertainty > theory + ROUNDING:
                measured = with_uncertainty(rate.factor, rate.uncertainty)
                return (
                    f"at {number(point.learning_rate, tried)}, the measured factor {measured} is larger than that of theory, "
                    f"{theory:.6g}: the gradients or the Hessian at the known minimiser may not be exact"
                )
        return ""


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
        *(*sweep.limit_answer, *sweep.best_answer, sweep.contradiction),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _rate_sweep(results: Results, runs: Sequence[StoredRun], optimizer: str) -> RateSweep:
    first = runs[0]
    minimum = _known_minimum(results, first)
    curvature = first.curvature if is_plain(first.optimizer) else None
    has_theory = curvature is not None and curvature[0] > SINGULAR * curvature[1]
    slowest = {
        value: float(contraction(np.array(value), curvature)) if curvature is not None and has_theory else None
        for value in map(_learning_rate, runs)
    }
    rates: dict[int, LinearRate | None] = {}
    first_values: dict[int, float] = {}
    for run, series in results.series(runs):
        rates[run.id] = linear_rate(run, series, minimum, slowest[_learning_rate(run)])
        # A run that failed at its start has no iterate.
        first_values[run.id] = float(series.value[0]) if len(series.value) else math.nan
    lowest = min((run.final_value for run in runs if math.isfinite(run.final_value)), default=math.nan)
    elsewhere = {identifier for identifier, rate in rates.items() if rate is None}

    # A large learning rate may throw a run from one basin into another. Therefore each start is judged by one run: the run with
    # the smallest learning rate among those that came to rest.
    came_to_rest_elsewhere: dict[int, bool] = {}
    for run in sorted(runs, key=_learning_rate):
        if run.id in elsewhere or run.outcome in RESTING_OUTCOMES:
            came_to_rest_elsewhere.setdefault(run.start, run.id in elsewhere)
    strays = {start for start, strayed in came_to_rest_elsewhere.items() if strayed}

    groups: dict[float, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(_learning_rate(run), []).append(run)
    points = []
    for learning_rate, group in sorted(groups.items()):
        own = [run for run in group if run.start not in strays]
        left_out = sum(run.id in elsewhere or run.start in strays for run in group)
        rate = _median_rate([found for run in own if (found := rates[run.id]) is not None])
        answers = [_settles(run, rates[run.id], slowest[learning_rate]) for run in own]
        if first.minimum_value is None:
            answers += [
                (None, f"a run ends at f = {number(run.final_value, [lowest])}, but another one at {number(lowest)}")
                for run in own
                if run.final_value - lowest > ABOVE_LOWEST * max(first_values[run.id] - lowest, 0.0)
            ]
        settles: bool | None = True
        doubt = "" if rate is None or rate.shrinks else rate.reason
        if any(settled is False for settled, _ in answers):
            settles, doubt = False, ""
        elif not own:
            settles, doubt = None, "no start leads to the known minimiser"
        elif unknown := [reason for settled, reason in answers if settled is None]:
            settles, doubt = None, unknown[0]
        points.append(RatePoint(learning_rate, rate, settles, doubt, len(group), left_out))
    return RateSweep(first.objective, first.gradient, optimizer, curvature, tuple(points))


def _known_minimum(results: Results, run: StoredRun) -> KnownMinimum | None:
    """Return the minimiser that a run's objective states, with the Hessian there if it is known and not too large."""
    objective = results.objective(run)
    minimum = known_minimum(objective)
    if minimum is None:
        return None
    x = np.asarray(minimum.x, dtype=np.float64)
    if run.curvature is None or not isinstance(objective, HasHessian) or x.size > LARGEST_HESSIAN:
        return KnownMinimum(x)
    return KnownMinimum(x, np.asarray(objective.hessian(x[None])[0], dtype=np.float64))


def _median_rate(rates: Sequence[LinearRate]) -> LinearRate | None:
    """Return the median of the rates that can be determined, or of all rates if none can be determined.

    All rates that can be determined lie within twice the uncertainty of their median.
    """
    told = sorted((rate for rate in rates if not rate.doubt), key=lambda rate: rate.factor)
    if not told:
        return sorted(rates, key=lambda rate: (math.isnan(rate.factor), rate.factor))[len(rates) // 2] if rates else None
    median = told[len(told) // 2]
    spread = max(told[-1].factor - median.factor, median.factor - told[0].factor)
    return replace(median, uncertainty=max(median.uncertainty, 0.5 * spread))


def _learning_rate(run: StoredRun) -> float:
    return float(run.parameters[LEARNING_RATE] or 0.0)


def _settles(run: StoredRun, rate: LinearRate | None, slowest: float | None) -> tuple[bool | None, str]:
    """Return true if a run settles at the minimiser, false if it does not; or None and the reason why this cannot be determined.

    A run settles if its error shrinks by a factor that can be determined, or if it came to rest where f − f* reached its goal.

    Args:
        run: the run.
        rate: its rate; None if it settled elsewhere.
        slowest: the factor of the slowest component of the error in theory, if it is known.
    """
    if run.outcome == Outcome.FAILED:
        return None, "a run failed"
    if (
        rate is None
        or run.outcome in (Outcome.DIVERGED, Outcome.NON_FINITE)
        or run.behaviour == Behaviour.DIVERGING
        or rate.grows
    ):
        return False, ""
    rests = run.outcome in RESTING_OUTCOMES
    arrived = rests and (run.minimum_value is None or run.reached == Reached.MINIMUM)
    if rate.shrinks or arrived:
        if slowest is None or slowest < 1.0:
            return True, ""
        return (
            None,
            f"a run approaches the minimiser, although a component of the error grows by the factor {slowest:.6g} in theory",
        )
    # A run with a constant error moves back and forth, except if it hardly moves or moves irregularly.
    if rate.constant and not rests and run.behaviour not in (Behaviour.MONOTONE, Behaviour.CRAWLING, Behaviour.UNKNOWN):
        return False, ""
    return None, rate.reason or "the error shrinks too slowly to decide"


def _cells(sweep: RateSweep) -> tuple[str, ...]:
    tried = [point.learning_rate for point in sweep.points]
    names = (sweep.objective, sweep.gradient, sweep.optimizer)
    limit = "unknown" if sweep.limit is None else number(sweep.limit, tried)
    theory = ("unknown", "unknown") if sweep.best is None else (number(sweep.best[0], tried), number(sweep.best[1]))
    measured = sweep.measured_limit
    bracket = ": ".join(sweep.limit_answer) if measured is None else interval(*measured, tried)
    place = sweep.measured_best
    if place is None:
        best, factor = ": ".join(sweep.best_answer), sweep.best_answer[0] + _left_out(sweep.points)
    else:
        rate = sweep.points[place].rate
        assert rate is not None
        ends = {0: "the smallest tried", len(tried) - 1: "the largest tried"}
        best = f"{number(tried[place], tried)} ({ends.get(place) or interval(*sweep.beside_best, tried)})"
        factor = with_uncertainty(rate.factor, rate.uncertainty) + _left_out([sweep.points[place]])
    if sweep.contradiction:
        factor = f"contradiction: {sweep.contradiction}; {factor}"
    return *names, limit, bracket, theory[0], best, theory[1], factor


def _left_out(points: Sequence[RatePoint]) -> str:
    """Return the number of runs that led away from the known minimum, in brackets; the empty string if it is zero."""
    elsewhere = sum(point.elsewhere for point in points)
    return f" ({elsewhere:,} of {sum(point.runs for point in points):,} runs led elsewhere)" if elsewhere else ""


def interval(low: float, high: float, beside: Iterable[float] = ()) -> str:
    """Return an interval as its two ends, such as `0.92 to 0.98`.

    Args:
        low: the lower end.
        high: the upper end.
        beside: numbers that stand near it in the text. The ends have enough digits to differ from each other and from these.
    """
    return number(low, beside) if low == high else f"{number(low, [high, *beside])} to {number(high, [low, *beside])}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Return a number with as many digits as its uncertainty justifies, such as `0.9802 ± 0.0003`.

    If the uncertainty is negligible, the number has six digits, or more near 1.
    """
    if not math.isfinite(uncertainty) or uncertainty < 1e-6 * abs(value):
        # A factor q near 1 has enough digits for 1 − q to have three.
        texts = (f"{value:.{digits}g}" for digits in range(6, 16))
        allowed = max(uncertainty, 1e-3 * abs(1.0 - value))
        return next((text for text in texts if abs(float(text) - value) <= allowed), f"{value:g}")
    digits = 1 - math.floor(math.log10(uncertainty)) if uncertainty < 1 else 0
    if digits < MOST_DIGITS and abs(value) < 10.0**MOST_DIGITS:
        return f"{value:.{digits}f} ± {uncertainty:.{digits}f}"
    return f"{value:.3g} ± {uncertainty:.1g}"

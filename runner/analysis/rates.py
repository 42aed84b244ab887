"""Linear rates of convergence: the factor that theory predicts for a learning rate, and the factor that a trajectory shows.

Let the eigenvalues of the Hessian at a minimiser lie between μ and L. Near the minimiser, the step x − γ ∇f(x) multiplies the
error along an eigenvector with eigenvalue λ by 1 − γλ. After many steps, the error therefore changes by the factor
max(|1 − γμ|, |1 − γL|) in each step. This factor is smallest at γ = 2/(μ + L), where it is (κ − 1)/(κ + 1) with κ = L/μ. It is 1
at γ = 2/L, and the error grows for larger γ.

Source: Polyak, Introduction to Optimization (1987), section 1.4.1; Nesterov, Introductory Lectures on Convex Optimization (2004),
theorem 2.1.15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from runner.analysis.summary import rounding_level
from runner.contracts.arrays import Array
from runner.contracts.figure import Series, StoredRun
from runner.contracts.reached import RESTING_OUTCOMES

FEWEST_POINTS = 4
ABOVE_ROUNDING = 1e3
"""A value takes part in a fit only if it is at least this number of times its rounding level."""
EPSILON = float(np.finfo(np.float64).eps)
STILL = 0.01
"""Over the latter half of a run, f − f* counts as constant if it changes by at most this share.

‖∇f‖ counts as zero if it falls to this share.
"""
SLACK = 10.0
"""Factor by which f − f* must exceed ‖∇f‖²/2μ before the known minimiser counts as far away."""
SAME_PLACE = 1e-6
"""Points nearer to each other than this, relative to max(1, ‖x*‖), count as the same point."""
LEAST_CHANGE = 10.0
"""Smallest factor by which the error must change within the fitted steps."""
STEADY = 0.15
"""Largest relative difference between the slopes of the first and the last third of the fitted points."""
HIDDEN_SHARE = 0.01
"""Share of the squared error that a slower component is assumed to have, if the slopes show that there may be one."""
FEWEST_PEAKS = 6
NOISE_FLOOR = 1e-4
"""A constant error may be noise if it is below this share of its first value."""
LARGEST_TREND = 0.5
"""An oscillating error counts as constant only if the uncertainty of the change of ln(error) over the fit is at most this."""
AGREEING = 0.15
"""Largest relative difference between the rates of two measures of the error."""
NEAR_MODEL = 0.25
"""Largest relative difference between f − f* and its quadratic model near the minimiser."""


@dataclass(frozen=True)
class LinearRate:
    """The factor by which the error changes in each step, from a fit of its logarithm against the step.

    Attributes:
        factor: the factor; below 1 the error shrinks. NaN if nothing could be fitted. If `doubt` is not empty, this is only the
            mean factor of the fitted steps.
        uncertainty: the uncertainty of the factor. It covers the scatter of the points, a rate that still changes, and a slower
            component of the error that is just hidden.
        first: the first step of the fit.
        last: the last step of the fit.
        doubt: the reason why the long-run factor cannot be determined; empty if it can.
        more_steps: the estimated number of further steps that are needed at least; None if it is not known.
        constant: true if the error shows no trend within the fitted steps, and is not a small share of its first value.
    """

    factor: float
    uncertainty: float
    first: int
    last: int
    doubt: str = ""
    more_steps: int | None = None
    constant: bool = False

    @property
    def shrinks(self) -> bool:
        """True if the factor can be determined, and is below 1 by more than twice its uncertainty."""
        return not self.doubt and self.factor + 2.0 * self.uncertainty < 1.0

    @property
    def grows(self) -> bool:
        """True if the factor can be determined, and is above 1 by more than twice its uncertainty."""
        return not self.doubt and self.factor - 2.0 * self.uncertainty > 1.0

    @property
    def reason(self) -> str:
        """The doubt, with the number of further steps that are needed at least, if this is known."""
        more = "" if self.more_steps is None else f"; at least about {self.more_steps:,} more steps are needed"
        return f"{self.doubt}{more}"


@dataclass(frozen=True)
class KnownMinimum:
    """The known minimum of a run's objective, in the form that a fit needs.

    Attributes:
        x: the minimiser x*, `(dimension,)`.
        hessian: the Hessian at x*, `(dimension, dimension)`, or None.
    """

    x: Array
    hessian: Array | None = None


def contraction(learning_rate: Array, curvature: tuple[float, float]) -> Array:
    """Return max(|1 − γμ|, |1 − γL|), the factor that theory predicts, for each γ.

    Args:
        learning_rate: γ, of any shape.
        curvature: μ and L, the smallest and the largest eigenvalue of the Hessian at the minimiser.
    """
    low, high = curvature
    factor: Array = np.maximum(np.abs(1.0 - learning_rate * low), np.abs(1.0 - learning_rate * high))
    return factor


def best_learning_rate(curvature: tuple[float, float]) -> tuple[float, float] | None:
    """Return 2/(μ + L) and (κ − 1)/(κ + 1), the best learning rate and its factor; None unless 0 < μ ≤ L < ∞."""
    low, high = curvature
    if not 0.0 < low <= high < math.inf:
        return None
    return 2.0 / (low + high), (high - low) / (high + low)


def linear_rate(
    run: StoredRun, series: Series, minimum: KnownMinimum | None = None, slowest: float | None = None
) -> LinearRate | None:
    """Measure the factor by which a run's error changes in each step in the long run.

    The error is √(f − f*), or ‖∇f‖ where f* is unknown. Near a minimiser with a positive definite Hessian, both are proportional
    to the distance from it. The fit covers the latter half of the steps before f − f* or ‖∇f‖ first falls to a thousand times its
    rounding level. A second measure of the error has to agree: the distance between successive iterates, or ‖∇f‖ if x is not
    recorded. If they disagree, the error is the distance from the known minimiser, if there is one.

    Args:
        run: the run.
        series: its trajectory.
        minimum: the known minimum.
        slowest: the factor of the slowest component of the error in theory; None if it is unknown.

    Returns:
        The rate, which has a doubt if the factor cannot be determined; None if `settled_elsewhere` holds for the run.
    """
    if settled_elsewhere(run, series, None if minimum is None else minimum.x):
        return None
    if run.minimum_value is None:
        curve, floor = series.gradient_norm, _least_norm(series.gradient_norm)
    else:
        curve = np.sqrt(np.maximum(series.value - run.minimum_value, 0.0))
        floor = math.sqrt(ABOVE_ROUNDING * rounding_level(run.minimum_value))
    rate = fitted_rate(curve, floor, slowest)
    second, second_floor = None, 0.0
    if series.x is not None and len(series.x) > FEWEST_POINTS:
        with np.errstate(all="ignore"):
            second = np.linalg.norm(np.diff(series.x, axis=0), axis=-1)
            second_floor = ABOVE_ROUNDING * EPSILON * float(np.linalg.norm(series.x[-1]))
    elif run.minimum_value is not None:
        second, second_floor = series.gradient_norm, _least_norm(series.gradient_norm)
    if second is not None and not rate.doubt and not _agree(rate, second, second_floor):
        differ = replace(rate, doubt="two measures of the error shrink at different rates, as at a minimum without curvature")
        if minimum is None or series.x is None:
            return differ
        distance = np.linalg.norm(series.x - minimum.x, axis=-1)
        rate = fitted_rate(distance, ABOVE_ROUNDING * EPSILON * max(1.0, float(np.linalg.norm(minimum.x))), slowest)
        if not rate.doubt and not _agree(rate, second, second_floor):
            return differ
    if rate.doubt:
        return rate
    if minimum is not None and _is_far(run, series, minimum, rate.last):
        return replace(rate, doubt="the run is still far from the known minimiser")
    missed = 0.0 if slowest is None else slowest - rate.factor
    if slowest is not None and missed > 2.0 * rate.uncertainty:
        if missed > STEADY * (1.0 - slowest):
            return replace(rate, doubt=f"a component whose factor is {slowest:.6g} in theory was not seen")
        return replace(rate, uncertainty=missed)
    return rate


def _agree(rate: LinearRate, curve: Array, floor: float) -> bool:
    """Return true if a second measure of the error shrinks or grows at the same rate, or cannot be fitted over the same steps."""
    part = curve[rate.first : rate.last + 1]
    part = part[: len(part) if (sound := np.isfinite(part) & (part > floor)).all() else int(np.argmin(sound))]
    if len(part) < FEWEST_POINTS or rate.last - rate.first < FEWEST_POINTS:
        return True
    fit = _fit(part)
    slope = math.log(rate.factor)
    scatter = 2.0 * (max(fit.error, fit.jumps) + rate.uncertainty / rate.factor)
    return abs(fit.slope - slope) <= AGREEING * abs(slope) + scatter


def _is_far(run: StoredRun, series: Series, minimum: KnownMinimum, step: int) -> bool:
    """Return true if f − f* at a step differs from its quadratic model at the known minimiser."""
    if minimum.hessian is None or series.x is None or run.minimum_value is None:
        return False
    offset = series.x[step] - minimum.x
    model = 0.5 * float(offset @ minimum.hessian @ offset)
    gap = float(series.value[step]) - run.minimum_value
    curvature = 0.0 if run.curvature is None else run.curvature[0]
    if not curvature > 0.0 or not gap > ABOVE_ROUNDING * rounding_level(run.minimum_value):
        return False
    return not abs(gap - model) <= NEAR_MODEL * gap


def settled_elsewhere(run: StoredRun, series: Series, minimiser: Array | None = None) -> bool:
    """Return true if a run came to rest away from the known minimum: in another minimum, or at a saddle.

    The f − f* of such a run does not show the rate at the known minimum. A run counts as settled elsewhere if f − f* is above
    rounding and no longer changes, and one of two conditions holds:

    * ‖∇f‖ falls a hundredfold over the latter half of the run, or is at rounding level;
    * f − f* is much larger than ‖∇f‖²/2μ, which bounds it near the known minimiser.

    Another minimum that is as low as the known one is recognised by its distance from the minimiser, if this is given.

    Args:
        run: the run.
        series: its trajectory.
        minimiser: the known minimiser, to which the curvature of the run's objective belongs, `(dimension,)`.
    """
    last = len(series.value) - 1
    if run.minimum_value is None or last < 1:
        return False
    middle = last // 2
    gaps, norms = series.value[[middle, last]] - run.minimum_value, series.gradient_norm[[middle, last]]
    if not np.isfinite(gaps).all():
        return False
    arrived = bool(norms[1] <= max(STILL * norms[0], _least_norm(series.gradient_norm)))
    settled = arrived or run.outcome in RESTING_OUTCOMES
    curvature = 0.0 if run.curvature is None else run.curvature[0]
    if settled and curvature > 0.0 and minimiser is not None and series.x is not None:
        # Another minimum may be as low. Near the known minimiser, f − f* ≥ μd²/2 and ‖∇f‖ ≥ μd at the distance d. At another
        # minimum, both are far below these bounds.
        distance = float(np.linalg.norm(series.x[last] - minimiser))
        same_place = SAME_PLACE * max(1.0, float(np.linalg.norm(minimiser)))
        if distance > max(same_place, SLACK * norms[1] / curvature) and gaps[1] < curvature * distance**2 / (2.0 * SLACK):
            return True
    if not gaps[1] > ABOVE_ROUNDING * rounding_level(run.minimum_value):
        return False
    near = curvature <= 0.0 or gaps[1] <= SLACK * norms[1] ** 2 / (2.0 * curvature)
    return bool(abs(gaps[0] - gaps[1]) <= STILL * gaps[1] and (arrived or not near))


def _least_norm(norms: Array) -> float:
    """Return the smallest ‖∇f‖ that takes part in a fit: a multiple of the rounding of the largest ‖∇f‖ before it is smallest."""
    finite = norms[np.isfinite(norms)]
    return ABOVE_ROUNDING * EPSILON * float(finite[: int(finite.argmin()) + 1].max()) if len(finite) else 0.0


def fitted_rate(curve: Array, floor: float, slowest: float | None = None) -> LinearRate:
    """Fit ln(curve) = a + k ln(factor) to the latter half of the steps k before the curve first falls to the floor.

    If the curve oscillates, only its local maxima are fitted. The factor can be determined if the curve changes by a factor of
    ten within the fitted steps, and if the slopes of the first and the last third of the points agree. Otherwise the result has a
    doubt.

    Args:
        curve: the error at each step, `(steps + 1,)`.
        floor: the rounding level of the error.
        slowest: the factor of the slowest component of the error in theory. If it is unknown, the uncertainty covers a slower
            component that is just hidden.

    Returns:
        The rate. If theory excludes a slower component, and the curve falls to the floor in fewer than four steps or shrinks
        faster and faster, the factor is half the mean factor of these steps, with an uncertainty of the same size.
    """
    sound = np.isfinite(curve) & (curve > floor)
    end = len(curve) if sound.all() else int(np.argmin(sound))
    if 0 < end < min(FEWEST_POINTS, len(curve)) and (curve[end:] <= floor).all():
        mean = float(floor / curve[0]) ** (1.0 / end)
        if slowest is not None and slowest <= mean:
            return LinearRate(0.5 * mean, 0.5 * mean, 0, end)
        return LinearRate(mean, math.nan, 0, end, f"{end} {'step' if end == 1 else 'steps'} above rounding are too few")
    points = max(end - end // 2, FEWEST_POINTS)
    if end < points:
        rises = end < len(curve) and curve[end] <= floor and bool((curve[end:] > floor).any())
        doubt = "the error falls to rounding and rises again" if rises else f"{max(end - 1, 0)} steps above rounding are too few"
        return LinearRate(math.nan, math.nan, 0, max(end - 1, 0), doubt)
    first, last = end - points, end - 1
    fit = _fit(curve[first:end])
    change = abs(fit.slope) * fit.length
    # A slower component with a share w of the squared error changes the slope of its logarithm by w δ² in each step, where δ is
    # the difference of the two rates. The observed change bounds the δ of a component that is still hidden.
    hidden = 0.5 * math.sqrt(3.0 * abs(fit.drift) * fit.smoothness / (HIDDEN_SHARE * fit.length)) if slowest is None else 0.0
    error = max(fit.error, fit.jumps, 1.5 * abs(fit.drift) * fit.smoothness, hidden)
    factor = math.exp(min(fit.slope, 700.0))
    rate = LinearRate(factor, factor * error, first, last)
    flat = change <= max(2.0 * fit.error * fit.length, 1e-10)
    swings = fit.peaks is not None and fit.peaks >= FEWEST_PEAKS and 2.0 * fit.error * fit.length <= LARGEST_TREND
    if flat and (swings or fit.scatter <= 1e-6):
        if curve[first:end].max() < NOISE_FLOOR * curve[0]:
            return replace(rate, doubt="the error no longer shrinks: it has reached noise, or a small cycle")
        return replace(rate, doubt="the error shows no trend", constant=True)
    if fit.peaks is not None and fit.peaks < FEWEST_PEAKS:
        return replace(rate, doubt=f"{fit.peaks} swings are too few")
    if abs(fit.drift) * fit.smoothness > STEADY * abs(fit.slope):
        if fit.slope < 0.0 and fit.drift < 0.0:
            if slowest is not None and slowest <= factor:
                return LinearRate(0.5 * factor, 0.5 * factor, first, last)
            return replace(rate, doubt="the error shrinks faster and faster")
        return replace(rate, doubt="the factor still changes")
    if change < math.log(LEAST_CHANGE):
        # The fit covers half of the steps, so twice the missing steps are needed.
        needed = 2 * math.ceil(math.log(LEAST_CHANGE) / abs(fit.slope)) if abs(fit.slope) > 1e-12 else None
        more = None if needed is None or end < len(curve) else max(needed - end + 1, 1)
        verb = "shrank" if fit.slope < 0.0 else "grew"
        text = f"within the fitted steps, the error {verb} only by a factor of {math.exp(change):.3g}"
        return replace(rate, doubt=text, more_steps=more)
    if 2.0 * error > 0.5 * abs(fit.slope):
        return replace(rate, doubt="a slower component may be hidden" if error == hidden else "the points scatter too much")
    return rate


@dataclass(frozen=True)
class _Fit:
    """A line through the logarithm of a curve.

    Attributes:
        slope: its slope for each step.
        error: the uncertainty of the slope that follows from the scatter around the line.
        jumps: the uncertainty of the slope if the ratio of successive errors differs from step to step.
        drift: the slope of the last third of the points minus that of the first third.
        smoothness: 1 if the residuals form a few long waves; small if they are noise, which makes the drift unreliable.
        scatter: the root mean square of the residuals.
        length: the number of steps from the first to the last point.
        peaks: the number of local maxima that were fitted; None if all points were fitted.
    """

    slope: float
    error: float
    jumps: float
    drift: float
    smoothness: float
    scatter: float
    length: float
    peaks: int | None


def _fit(curve: Array) -> _Fit:
    """Fit a line to the logarithm of a positive curve, or of its local maxima if it oscillates."""
    steps, heights = np.arange(len(curve), dtype=np.float64), np.log(curve)
    # Changes in both directions are an oscillation only if they are larger than rounding.
    change = np.diff(heights)
    rises, falls = int((change > 1e-6).sum()), int((change < -1e-6).sum())
    peaks = None
    if min(rises, falls) > 0.02 * len(change):
        inner = heights[1:-1]
        top = np.flatnonzero((inner >= heights[:-2]) & (inner > heights[2:])) + 1
        peaks = len(top)
        if peaks >= FEWEST_PEAKS:
            steps, heights = steps[top], heights[top]
    slope, error = _slope(steps, heights)
    residuals = heights - heights.mean() - slope * (steps - steps.mean())
    count, length = len(steps), float(steps[-1] - steps[0])
    scatter = math.sqrt(float((residuals * residuals).mean()))
    turns = int((np.diff(np.signbit(residuals).astype(np.int8)) != 0).sum())
    wave = count / (turns + 1)
    third = count // 3
    early = _slope(steps[: third + 1], heights[: third + 1])[0]
    late = _slope(steps[count - third - 1 :], heights[count - third - 1 :])[0]
    # The second estimate is for residuals that form a few long waves.
    error = max(error, math.sqrt(12.0 * wave / count) * scatter / length)
    differences = np.diff(heights) - slope * np.diff(steps)
    jumps = math.sqrt(float((differences * differences).sum())) / length
    return _Fit(slope, error, jumps, late - early, min(1.0, 3.0 * wave / count), scatter, length, peaks)


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its standard error (0 for two points)."""
    across = x - x.mean()
    slope = float((across * y).sum() / (across * across).sum())
    residuals = y - y.mean() - slope * across
    freedom = len(x) - 2
    if freedom == 0:
        return slope, 0.0
    return slope, math.sqrt(float((residuals * residuals).sum()) / freedom / float((across * across).sum()))

"""How fast gradient descent comes down: what theory promises of a learning rate, and what a trajectory shows.

Near a minimiser whose Hessian has its eigenvalues between μ and L, x − γ ∇f(x) multiplies the error along an eigenvector by
1 − γλ; so the error shrinks by max(|1 − γμ|, |1 − γL|) a step, in the end. That is smallest at γ = 2/(μ + L), where it is
(κ − 1)/(κ + 1) with κ = L/μ, and 1 at γ = 2/L, beyond which the error grows.

Source: Polyak, Introduction to Optimization (1987), section 1.4.1; Nesterov, Introductory Lectures on Convex Optimization (2004),
theorem 2.1.15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runner.analysis.summary import rounding_level
from runner.contracts.arrays import Array
from runner.contracts.figure import Series, StoredRun
from runner.contracts.outcomes import Outcome

FEWEST_POINTS = 4
ABOVE_ROUNDING = 1e3
"""So many times its rounding level a measured quantity must be for its logarithm to be worth fitting."""
EPSILON = float(np.finfo(np.float64).eps)
STILL = 0.01
"""By no more than this share f − f* changes over the latter half of a run that has settled where it is above zero."""
SLACK = 10.0
"""So many times ‖∇f‖²/2μ f − f* must be before the known minimiser counts as far away."""
SAME_PLACE = 1e-6
"""Points nearer to each other than this, relative to max(1, ‖x*‖), are the same."""


@dataclass(frozen=True)
class LinearRate:
    """The factor by which the error shrinks, or grows, in each step; from a fit of a logarithm against the step.

    Attributes:
        factor: the factor.
        uncertainty: of the factor: the standard error of the fit, or if that is larger, the difference between the fits of the
            earlier and the later half of the points, which tells whether the rate still changes.
        first: the step at which the fitted range begins.
        last: the step at which it ends.
    """

    factor: float
    uncertainty: float
    first: int
    last: int

    @property
    def shrinks(self) -> bool:
        """Whether the error shrinks, by more than the uncertainty."""
        return self.factor + 2.0 * self.uncertainty < 1.0


def contraction(learning_rate: Array, curvature: tuple[float, float]) -> Array:
    """Return max(|1 − γμ|, |1 − γL|), the factor that theory promises, for each γ, given μ and L."""
    low, high = curvature
    factor: Array = np.maximum(np.abs(1.0 - learning_rate * low), np.abs(1.0 - learning_rate * high))
    return factor


def best_learning_rate(curvature: tuple[float, float]) -> tuple[float, float] | None:
    """Return 2/(μ + L) and (κ − 1)/(κ + 1), the best learning rate and its factor; None unless 0 < μ ≤ L < ∞."""
    low, high = curvature
    if not 0.0 < low <= high < math.inf:
        return None
    return 2.0 / (low + high), (high - low) / (high + low)


def linear_rate(run: StoredRun, series: Series, minimiser: Array | None = None) -> LinearRate | None:
    """Measure the factor by which a run's error shrinks in each step.

    The error is √(f − f*), or ‖∇f‖ where f* is unknown; near a minimiser with a positive definite Hessian both are
    proportional to the distance from it. Fitted is the latter half of the steps before the first at which f − f* or ‖∇f‖ is
    within a thousand times its rounding level.

    Returns:
        The rate, see `fitted_rate`; None for a run that settled elsewhere, see `settled_elsewhere`.
    """
    if settled_elsewhere(run, series, minimiser):
        return None
    if run.minimum_value is None:
        return fitted_rate(series.gradient_norm, _least_norm(series.gradient_norm))
    gap = series.value - run.minimum_value
    return fitted_rate(np.sqrt(np.maximum(gap, 0.0)), math.sqrt(ABOVE_ROUNDING * rounding_level(run.minimum_value)))


def settled_elsewhere(run: StoredRun, series: Series, minimiser: Array | None = None) -> bool:
    """Whether a run came to rest away from the known minimum: in another one, or at a saddle.

    Its f − f* then stands still above rounding, which says nothing of the rate at the known minimum, while ‖∇f‖ goes to zero: it
    falls a hundredfold over the latter half, is rounding, or is smaller than f − f* ≤ ‖∇f‖²/2μ allows near the known minimiser.
    Another minimum that is as low is told by its place, where that is known.

    Args:
        run: the run.
        series: its trajectory.
        minimiser: the known minimiser, at which the run's curvature is taken, `(dimension,)`.
    """
    last = len(series.value) - 1
    if run.minimum_value is None or last < 1:
        return False
    middle = last // 2
    gaps, norms = series.value[[middle, last]] - run.minimum_value, series.gradient_norm[[middle, last]]
    if not np.isfinite(gaps).all():
        return False
    arrived = bool(norms[1] <= max(STILL * norms[0], _least_norm(series.gradient_norm)))
    settled = arrived or run.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    if minimiser is not None and series.x is not None and settled and _is_far(run, series.x[last], minimiser, gaps[1], norms[1]):
        return True
    if not gaps[1] > ABOVE_ROUNDING * rounding_level(run.minimum_value):
        return False
    near = run.curvature is None or run.curvature[0] <= 0.0 or gaps[1] <= SLACK * norms[1] ** 2 / (2.0 * run.curvature[0])
    return bool(abs(gaps[0] - gaps[1]) <= STILL * gaps[1] and (arrived or not near))


def _is_far(run: StoredRun, x: Array, minimiser: Array, gap: float, gradient_norm: float) -> bool:
    """Whether f and ‖∇f‖ are smaller than they could be so far from the minimiser, if x belonged to it."""
    if run.curvature is None or run.curvature[0] <= 0.0:
        return False
    curvature, distance = run.curvature[0], float(np.linalg.norm(x - minimiser))
    rounding = SAME_PLACE * max(1.0, float(np.linalg.norm(minimiser)))
    return distance > max(rounding, SLACK * gradient_norm / curvature) and gap < curvature * distance**2 / (2.0 * SLACK)


def _least_norm(norms: Array) -> float:
    """Return what ‖∇f‖ must exceed to be worth fitting."""
    return ABOVE_ROUNDING * EPSILON * float(np.max(norms, initial=0.0, where=np.isfinite(norms)))


def fitted_rate(curve: Array, floor: float) -> LinearRate | None:
    """Fit ln(curve) = a + k ln(factor) to the latter half of the steps k before the curve first meets the floor.

    Args:
        curve: what shrinks, at each step, `(steps + 1,)`.
        floor: at or below this it is rounding.

    Returns:
        The factor. If the floor is met too early for a fit, half the mean factor that would lead there, give or take as much.
        None if fewer than four points are left to fit for another reason.
    """
    sound = np.isfinite(curve) & (curve > floor)
    end = len(curve) if sound.all() else int(np.argmin(sound))
    if 0 < end < min(FEWEST_POINTS, len(curve)) and curve[end] <= floor:
        half = 0.5 * float(floor / curve[0]) ** (1.0 / end)
        return LinearRate(half, half, 0, end)
    points = max(end - end // 2, FEWEST_POINTS)
    if end < points:
        return None
    steps = np.arange(end - points, end, dtype=np.float64)
    heights = np.log(curve[end - points : end])
    slope, error = _slope(steps, heights)
    middle = points // 2
    early, late = _slope(steps[: middle + 1], heights[: middle + 1])[0], _slope(steps[middle:], heights[middle:])[0]
    factor = math.exp(slope)
    return LinearRate(factor, factor * max(error, abs(late - early)), end - points, end - 1)


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its standard error (0 for two points)."""
    across = x - x.mean()
    slope = float((across * y).sum() / (across * across).sum())
    residuals = y - y.mean() - slope * across
    freedom = len(x) - 2
    if freedom == 0:
        return slope, 0.0
    return slope, math.sqrt(float((residuals * residuals).sum()) / freedom / float((across * across).sum()))

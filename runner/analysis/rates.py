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
from dataclasses import dataclass

import numpy as np

from runner.analysis.summary import rounding_level
from runner.contracts.arrays import Array
from runner.contracts.figure import Series, StoredRun
from runner.contracts.outcomes import Outcome

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


@dataclass(frozen=True)
class LinearRate:
    """The factor by which the error changes in each step, from a fit of its logarithm against the step.

    Attributes:
        factor: the factor; below 1 the error shrinks.
        uncertainty: the uncertainty of the factor: the larger of the fit's standard error, and the difference between the fits of
            the earlier and the later half of the points. The difference shows whether the rate still changes.
        first: the first step of the fit.
        last: the last step of the fit.
    """

    factor: float
    uncertainty: float
    first: int
    last: int

    @property
    def shrinks(self) -> bool:
        """True if the factor is below 1 by more than twice its uncertainty."""
        return self.factor + 2.0 * self.uncertainty < 1.0


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


def linear_rate(run: StoredRun, series: Series, minimiser: Array | None = None) -> LinearRate | None:
    """Measure the factor by which a run's error changes in each step.

    The error is √(f − f*), or ‖∇f‖ where f* is unknown. Near a minimiser with a positive definite Hessian, both are proportional
    to the distance from it. The fit covers the latter half of the steps before f − f* or ‖∇f‖ first falls to a thousand times its
    rounding level.

    Args:
        run: the run.
        series: its trajectory.
        minimiser: the known minimiser, `(dimension,)`.

    Returns:
        The rate that `fitted_rate` returns; None if `settled_elsewhere` holds for the run.
    """
    if settled_elsewhere(run, series, minimiser):
        return None
    if run.minimum_value is None:
        return fitted_rate(series.gradient_norm, _least_norm(series.gradient_norm))
    gap = series.value - run.minimum_value
    return fitted_rate(np.sqrt(np.maximum(gap, 0.0)), math.sqrt(ABOVE_ROUNDING * rounding_level(run.minimum_value)))


def settled_elsewhere(run: StoredRun, series: Series, minimiser: Array | None = None) -> bool:
    """Return true if a run came to rest away from the known minimum: in another minimum, or at a saddle.

    The f − f* of such a run does not show the rate at the known minimum. A run counts as settled elsewhere if f − f* is above
    rounding and no longer changes, and one of two conditions holds:

    * ‖∇f‖ falls a hundredfold over the latter half of the run, or is rounding;
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
    settled = arrived or run.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    curvature = 0.0 if run.curvature is None else run.curvature[0]
    if settled and curvature > 0.0 and minimiser is not None and series.x is not None:
        # Another minimum may be as low. There, f − f* and ‖∇f‖ are far below their lower bounds μd²/2 and μd, which hold around
        # the known minimiser at the distance d.
        distance = float(np.linalg.norm(series.x[last] - minimiser))
        same_place = SAME_PLACE * max(1.0, float(np.linalg.norm(minimiser)))
        if distance > max(same_place, SLACK * norms[1] / curvature) and gaps[1] < curvature * distance**2 / (2.0 * SLACK):
            return True
    if not gaps[1] > ABOVE_ROUNDING * rounding_level(run.minimum_value):
        return False
    near = curvature <= 0.0 or gaps[1] <= SLACK * norms[1] ** 2 / (2.0 * curvature)
    return bool(abs(gaps[0] - gaps[1]) <= STILL * gaps[1] and (arrived or not near))


def _least_norm(norms: Array) -> float:
    """Return the smallest ‖∇f‖ that takes part in a fit."""
    return ABOVE_ROUNDING * EPSILON * float(np.max(norms, initial=0.0, where=np.isfinite(norms)))


def fitted_rate(curve: Array, floor: float) -> LinearRate | None:
    """Fit ln(curve) = a + k ln(factor) to the latter half of the steps k before the curve first falls to the floor.

    Args:
        curve: the error at each step, `(steps + 1,)`.
        floor: the rounding level of the error.

    Returns:
        The factor. If the curve falls to the floor in fewer than four steps, the result is half the mean factor of these steps,
        with an uncertainty of the same size. None if fewer than four points are left for another reason.
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

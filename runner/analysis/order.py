"""The order of convergence: the exponent p in eₖ₊₁ ≈ C eₖᵖ, where eₖ is the error after step k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.objective import HasGradient, HasHessian, Objective

NEAR = 1e-2
"""The leading term is assumed to dominate in errors that are at most this, relative to max(1, ‖x*‖)."""
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 1e3 * EPSILON
"""Errors below this, relative to max(1, ‖x*‖), are left out, because rounding is a large part of them."""
FEWEST_PAIRS = 3
LEAST_SHRINKAGE = math.log(1e3)
"""Smallest range of the logarithms of the errors for a fit."""
LARGEST_UNCERTAINTY = 0.04
"""Largest uncertainty of an order that is stated, as a share of the order."""
LEAST_POWER = 1.2
"""Smallest order other than 1 that is stated.

No known method has an order between 1 and this; errors whose ratio changes slowly seem to have one.
"""
SUPERLINEAR = 10.0
"""A convergence is called superlinear only if the ratio of successive errors falls by at least this factor in every run."""
POLISHING_STEPS = 8


@dataclass(frozen=True)
class Order:
    """The exponent p in eₖ₊₁ ≈ C eₖᵖ.

    Attributes:
        power: p; NaN if the errors follow no power law, but eₖ₊₁/eₖ tends to 0.
        uncertainty: the uncertainty of p. It covers the scatter over the runs, and a power that still changes.
        factor: C.
        pairs: the number of pairs of errors that were used.
    """

    power: float
    uncertainty: float
    factor: float
    pairs: int

    @property
    def is_superlinear(self) -> bool:
        """True if eₖ₊₁/eₖ tends to 0 without a power law, so that p cannot be determined."""
        return math.isnan(self.power)


def order_of_convergence(paths: Sequence[tuple[Array, Array]]) -> Order | None:
    """Measure the order of convergence of several runs together.

    A sequence converges with order p if eₖ₊₁/eₖᵖ tends to a limit C, where eₖ = ‖xₖ − x*‖ is the distance from the limit.
    Gradient descent has p = 1; Newton's method has p = 2 if the Hessian is invertible. The order p is the slope of ln eₖ₊₁
    against ln eₖ.

    A run of Newton's method has only two or three errors that are small enough for this, and larger than rounding. Therefore the
    pairs of all runs are fitted together, with one p and one C. The errors of one run are correlated, so all residuals of a run
    count as one observation in the standard error of p. A parabola through the points shows whether the slope still changes; the
    uncertainty covers its slope at the smallest error.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., appendix A.2 (the definition) and theorem 3.5 (Newton's method);
    Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73 (1986), for the standard error.

    Args:
        paths: for each run its iterates, `(steps + 1, dimension)`, and its limit x*, `(dimension,)`.

    Returns:
        The order; None if it cannot be determined. There may be fewer than three usable pairs of errors, the errors may shrink
        by less than a factor of a thousand or grow in some step, or they may follow no power law. If they follow no power law but
        eₖ₊₁/eₖ falls by a factor of ten or more in every run, the order is superlinear without a power.
    """
    pairs_of_runs, farthest = [], 0.0
    for x, limit in paths:
        scale = max(1.0, float(np.linalg.norm(limit)))
        with np.errstate(all="ignore"):
            errors = np.linalg.norm(x - limit, axis=-1)
            usable = (errors[:-1] <= NEAR * scale) & (errors[1:] >= ROUNDING * scale)
            farthest = max(farthest, float(errors[:-1].max(initial=0.0, where=usable)) / scale)
            pairs_of_runs.append(np.log(np.column_stack([errors[:-1][usable], errors[1:][usable]])))
    pairs = np.concatenate([np.empty((0, 2)), *pairs_of_runs])
    if len(pairs) < FEWEST_PAIRS or np.ptp(pairs) < LEAST_SHRINKAGE or (pairs[:, 1] >= pairs[:, 0]).any():
        return None
    runs = np.repeat(np.arange(len(pairs_of_runs)), [len(pairs_of_run) for pairs_of_run in pairs_of_runs])
    before, after = pairs.T
    power, error = _slope(before, after, runs)
    # If the points lie on a parabola, its slope at the smallest error shows how far the power may still change.
    across = before - before.mean()
    skew = float((across**3).sum() / (across * across).sum())
    bent = across * across - (across * across).mean() - skew * across
    square = float((bent * bent).sum())
    bend = float((bent * after).sum()) / square if square > EPSILON * float((across**4).sum()) else 0.0
    error = max(error, abs(bend * (2.0 * float(across.min()) - skew)))
    # C may differ between directions. If it is correlated with the error, the scatter tilts the line.
    scatter = math.sqrt(float(np.mean((after - after.mean() - power * across) ** 2)))
    # Terms of higher order change the logarithm by about the largest relative error.
    error = max(error, 2.0 * max(scatter, farthest) / float(np.ptp(before)))
    plausible = abs(power - 1.0) <= 2.0 * error or power - 2.0 * error >= LEAST_POWER
    if error <= LARGEST_UNCERTAINTY * power and plausible:
        return Order(power, error, math.exp(float(after.mean() - power * before.mean())), len(pairs))
    ratios = [pairs_of_run[:, 1] - pairs_of_run[:, 0] for pairs_of_run in pairs_of_runs if len(pairs_of_run) >= 2]
    falls = [
        ratio[0] - ratio[-1] >= math.log(SUPERLINEAR) and ratio[len(ratio) // 2 :].max() < ratio[: len(ratio) // 2].min()
        for ratio in ratios
    ]
    if all(falls) and sum(len(ratio) - 1 for ratio in ratios) >= FEWEST_PAIRS:
        return Order(math.nan, math.nan, math.nan, len(pairs))
    return None


def _slope(before: Array, after: Array, runs: NDArray[np.int64]) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its standard error for residuals that are correlated within a run.

    Args:
        before: the horizontal coordinate of each pair, `(pairs,)`.
        after: the vertical coordinate.
        runs: the index of the run of each pair. With a single run, the residuals count as independent.
    """
    across = before - before.mean()
    square = float((across * across).sum())
    slope = float((across * after).sum()) / square
    shares = across * (after - after.mean() - slope * across) / square
    if len(shares) < 3:
        return slope, 0.0
    sums = np.bincount(runs, shares) if (clusters := len(np.unique(runs))) > 1 else shares
    clusters = clusters if clusters > 1 else len(shares)
    correction = clusters / (clusters - 1) * (len(shares) - 1) / (len(shares) - 2)
    return slope, math.sqrt(correction * float((sums * sums).sum()))


def before_noise(x: Array, limit: Array) -> Array:
    """Return the iterates of a run before it comes to rest, `(steps, dimension)`.

    If the gradients have noise, as finite differences have, a run comes to rest next to the limit, and the errors there do not
    show its order. Therefore, if the last error exceeds rounding, errors below ten times the last error are left out.

    Args:
        x: the iterates, `(steps + 1, dimension)`.
        limit: the limit x*, `(dimension,)`.
    """
    errors = np.linalg.norm(x - limit, axis=-1)
    if errors[-1] <= ROUNDING * max(1.0, float(np.linalg.norm(limit))):
        return x
    far = np.flatnonzero(errors > 10.0 * errors[-1])
    return x[: far[-1] + 1] if len(far) else x[:0]


def polished(objective: Objective | None, x: Array) -> Array | None:
    """Return the stationary point near x, `(dimension,)`, accurate to rounding, by a few steps of Newton's method.

    The result is None if the objective lacks a gradient or a Hessian, or if the steps lead away from x. It is also None if they
    do not converge within `POLISHING_STEPS`, for example where the Hessian is singular.
    """
    if not (isinstance(objective, HasGradient) and isinstance(objective, HasHessian)):
        return None
    point, scale = x, max(1.0, float(np.linalg.norm(x)))
    with np.errstate(all="ignore"):
        for _ in range(POLISHING_STEPS):
            try:
                step = np.linalg.solve(objective.hessian(point[None])[0], objective.gradient(point[None])[0])
            except np.linalg.LinAlgError:
                return None
            point = point - step
            if not float(np.linalg.norm(point - x)) <= NEAR * scale:
                return None
            if float(np.linalg.norm(step)) <= ROUNDING * scale:
                return point
    return None

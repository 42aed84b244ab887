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
"""Largest distance from the limit, relative to max(1, ‖x*‖), at which the leading term of the error is assumed to dominate."""
ROUNDING = 1e3 * float(np.finfo(np.float64).eps)
"""Errors below this, relative to max(1, ‖x*‖), are left out, because rounding is a large part of them."""
FEWEST_PAIRS = 3
LEAST_SPREAD = math.log(10.0)
"""Smallest range of the logarithms of the errors for a fit."""
POLISHING_STEPS = 8


@dataclass(frozen=True)
class Order:
    """The exponent p in eₖ₊₁ ≈ C eₖᵖ.

    Attributes:
        power: p.
        uncertainty: the standard error of p over the runs; NaN for a single run.
        factor: C.
        pairs: the number of pairs of errors that were used.
    """

    power: float
    uncertainty: float
    factor: float
    pairs: int


def order_of_convergence(paths: Sequence[tuple[Array, Array]]) -> Order | None:
    """Measure the order of convergence of several runs together.

    A sequence converges with order p if eₖ₊₁/eₖᵖ tends to a limit C, where eₖ = ‖xₖ − x*‖ is the distance from the limit.
    Gradient descent has p = 1; Newton's method has p = 2 if the Hessian is invertible. The order p is the slope of ln eₖ₊₁
    against ln eₖ.

    A run of Newton's method has only two or three errors that are small enough for this, and larger than rounding. Therefore the
    pairs of all runs are fitted together, with one p and one C. The errors of one run are correlated, so all residuals of a run
    count as one observation in the standard error of p.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., appendix A.2 (the definition) and theorem 3.5 (Newton's method);
    Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73 (1986), for the standard error.

    Args:
        paths: for each run its iterates, `(steps + 1, dimension)`, and its limit x*, `(dimension,)`.

    Returns:
        The order; None if fewer than three pairs of errors can be used, or if they span less than a factor of ten.
    """
    pairs_of_runs = []
    for x, limit in paths:
        scale = max(1.0, float(np.linalg.norm(limit)))
        with np.errstate(all="ignore"):
            errors = np.linalg.norm(x - limit, axis=-1)
            usable = (errors[:-1] <= NEAR * scale) & (errors[1:] >= ROUNDING * scale)
            pairs_of_runs.append(np.log(np.column_stack([errors[:-1][usable], errors[1:][usable]])))
    pairs = np.concatenate([np.empty((0, 2)), *pairs_of_runs])
    if len(pairs) < FEWEST_PAIRS or np.ptp(pairs[:, 0]) < LEAST_SPREAD:
        return None
    before, after = pairs.T
    across = before - before.mean()
    square = float((across * across).sum())
    power = float((across * after).sum()) / square
    residuals = after - after.mean() - power * across
    runs = np.repeat(np.arange(len(pairs_of_runs)), [len(pairs_of_run) for pairs_of_run in pairs_of_runs])
    error = _slope_error(across * residuals / square, runs)
    return Order(power, error, math.exp(float(after.mean() - power * before.mean())), len(pairs))


def _slope_error(shares: Array, runs: NDArray[np.int64]) -> float:
    """Return the standard error of a slope from residuals that are correlated within a run.

    Args:
        shares: the contribution of each residual to the slope, `(pairs,)`.
        runs: the index of the run of each residual, `(pairs,)`.
    """
    clusters = len(np.unique(runs))
    if clusters < 2:
        return math.nan
    sums = np.bincount(runs, shares)
    correction = clusters / (clusters - 1) * (len(shares) - 1) / (len(shares) - 2)
    return math.sqrt(correction * float((sums * sums).sum()))


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

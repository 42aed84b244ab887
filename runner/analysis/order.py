"""The order of convergence: by which power of the error the next one is ruled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.objective import HasGradient, HasHessian, Objective

NEAR = 1e-2
"""So near to the limit, relative to max(1, ‖x*‖), the leading term is taken to rule."""
ROUNDING = 1e3 * float(np.finfo(np.float64).eps)
"""Errors below this, relative to max(1, ‖x*‖), are rounding for a good part."""
FEWEST_PAIRS = 3
LEAST_SPREAD = math.log(10.0)
POLISHING_STEPS = 8


@dataclass(frozen=True)
class Order:
    """The exponent p in eₖ₊₁ ≈ C eₖᵖ.

    Attributes:
        power: p.
        uncertainty: the standard error of p over the runs; NaN for a single run.
        factor: C.
        pairs: how many pairs of errors were used.
    """

    power: float
    uncertainty: float
    factor: float
    pairs: int


def order_of_convergence(paths: Sequence[tuple[Array, Array]]) -> Order | None:
    """Measure the order of convergence of several runs together.

    A sequence converges with order p if eₖ₊₁/eₖᵖ tends to a limit C, with the distance eₖ = ‖xₖ − x*‖: gradient descent with
    p = 1, Newton's method with p = 2 where the Hessian is invertible. So p is the slope of ln eₖ₊₁ against ln eₖ. A run of
    Newton's method leaves two or three errors between the neighbourhood where that holds and rounding; the pairs of all runs are
    fitted together, with one p and one C. The errors of one run hang together, so its residuals count as one in the standard
    error of p.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., appendix A.2 (the definition) and theorem 3.5 (Newton's method);
    Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73 (1986), for the standard error.

    Args:
        paths: for each run its iterates, `(steps + 1, dimension)`, and its limit x*, `(dimension,)`.

    Returns:
        The order; None if fewer than three pairs of errors can be used, or if they span less than a factor of ten.
    """
    of_runs = [_pairs(x, limit) for x, limit in paths]
    pairs = np.concatenate([np.empty((0, 2)), *of_runs])
    if len(pairs) < FEWEST_PAIRS or np.ptp(pairs[:, 0]) < LEAST_SPREAD:
        return None
    before, after = pairs.T
    across = before - before.mean()
    square = float((across * across).sum())
    power = float((across * after).sum()) / square
    residuals = after - after.mean() - power * across
    error = _error(across * residuals / square, np.repeat(np.arange(len(of_runs)), [len(some) for some in of_runs]))
    return Order(power, error, math.exp(float(after.mean() - power * before.mean())), len(pairs))


def _error(shares: Array, runs: NDArray[np.int64]) -> float:
    """Return the standard error of a slope.

    Args:
        shares: by how much each residual moves the slope, `(pairs,)`.
        runs: of which run it is, `(pairs,)`.
    """
    clusters = len(np.unique(runs))
    if clusters < 2:
        return math.nan
    sums = np.bincount(runs, shares)
    correction = clusters / (clusters - 1) * (len(shares) - 1) / (len(shares) - 2)
    return math.sqrt(correction * float((sums * sums).sum()))


def _pairs(x: Array, limit: Array) -> Array:
    """Return ln eₖ and ln eₖ₊₁ for each usable k, `(pairs, 2)`."""
    scale = max(1.0, float(np.linalg.norm(limit)))
    with np.errstate(all="ignore"):
        errors = np.linalg.norm(x - limit, axis=-1)
        usable = (errors[:-1] <= NEAR * scale) & (errors[1:] >= ROUNDING * scale)
        pairs: Array = np.log(np.column_stack([errors[:-1][usable], errors[1:][usable]]))
    return pairs


def before_noise(x: Array, limit: Array) -> Array:
    """Return the iterates of a run before it stands still, `(steps, dimension)`.

    Where its gradients have noise, as differences have, a run comes to rest beside the limit, and the errors there say nothing of
    how fast it came: those below ten times the last, if that is more than rounding, are left out.
    """
    errors = np.linalg.norm(x - limit, axis=-1)
    if errors[-1] <= ROUNDING * max(1.0, float(np.linalg.norm(limit))):
        return x
    far = np.flatnonzero(errors > 10.0 * errors[-1])
    return x[: far[-1] + 1] if len(far) else x[:0]


def polished(objective: Objective | None, x: Array) -> Array | None:
    """Return the stationary point beside x, `(dimension,)`, to rounding, by a few steps of Newton's method.

    None where these are not possible, lead away, or are not done after a few steps, as where the Hessian is singular.
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

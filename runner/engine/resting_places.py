"""The facts about the last iterates of a batch, from which the places that the runs reached follow.

A run is at rest if ‖∇f‖ is at most the rule `gradient_norm`, or at most 1e-8 of ‖∇f‖ at the start.

If f is convex, f(x) − f* ≤ ‖∇f(x)‖ · ‖x − x*‖, by the inequality f* ≥ f(x) + ∇f(x)·(x* − x). A run at rest with a larger gap
is therefore not on a convex slope that leads to x*. The rounding error of f is added to the bound. It is 64 ε · max(1, |f|, |f*|)
or, if that is larger, eight times the largest difference between f and its linear model over small shifts of x. This
difference is measured for runs away from f*.

The Hessian is measured where a run is at rest away from x*. It is the central difference of ∇f at two spacings, and its error
is twice the difference between the two, plus the asymmetry and the rounding error of ∇f. By Weyl's inequality, this bounds the
error of each eigenvalue. The error is larger if the Hessian does not agree with the curvature along two diagonals, as where f is
not twice differentiable. The signs count only if a stationary point is near: a Newton step reduces ‖∇f‖ to a tenth, or ‖∇f‖ is a
rounding error. None of these evaluations is counted.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.executor import sign_of_life
from runner.contracts.objective import known_minimum
from runner.contracts.optimizer import Mask
from runner.contracts.reached import GAP_ROUNDING, RELATIVE_TARGET, CurvatureSign
from runner.engine.batch import Batch, take_rows
from runner.engine.evaluation import Evaluator
from runner.engine.trajectories import RestingPlace

REST = 1e-8
"""A run is at rest if ‖∇f‖ is at most this share of ‖∇f‖ at the start, even if the rule `gradient_norm` is not satisfied."""
SPACINGS = (2.0**-13, 2.0**-15)
"""The spacings of the differences, relative to max(1, |xⱼ|)."""
NOISE_MARGIN = 8.0
"""The factor by which the largest of a run's many rounding errors may exceed the few that are measured."""
VALUE_SHIFTS = tuple((-1.0) ** k * (0.5 + (k * 0.6180339887498949) % 0.5) * 2.0 ** (-13 - 9 * (k % 4)) for k in range(16))
"""The shifts of x over which the rounding error of f is measured, relative to max(1, |xⱼ|).

They are of four sizes and irregular, since a rounding error may not show at a single size or at powers of two.
"""
SURE = 4.0
"""The multiple of its error by which an eigenvalue must differ from zero, so that its sign is certain."""
NEWTON_REDUCTION = 0.1
FEWEST_GRADIENTS = 40
"""The number of gradients that the Hessian of a run may cost, however few steps the run took."""
SHARE_OF_STEPS = 0.1
"""The number of gradients that the Hessian of a longer run may cost, relative to the number of its steps."""


@dataclass(frozen=True)
class LastIterates:
    """The last iterates of the runs of a batch.

    Attributes:
        x: the iterates, `(runs, dimension)`.
        value: f, `(runs,)`.
        best_value: the smallest f of each run, `(runs,)`.
        gradient: ∇f, `(runs, dimension)`.
        first_norm: ‖∇f‖ at the start, `(runs,)`.
        steps: the number of steps, `(runs,)`.
        is_lost: True for the runs that diverged or met a number that is not finite, `(runs,)`.
    """

    x: Array
    value: Array
    best_value: Array
    gradient: Array
    first_norm: Array
    steps: Array
    is_lost: Mask

    @classmethod
    def unknown(cls, runs: int, dimension: int) -> LastIterates:
        """Return arrays to be filled."""
        return cls(
            np.zeros((runs, dimension)),
            np.zeros(runs),
            np.zeros(runs),
            np.zeros((runs, dimension)),
            np.zeros(runs),
            np.zeros(runs),
            np.zeros(runs, dtype=bool),
        )


def resting_places(batch: Batch, last: LastIterates) -> list[RestingPlace]:
    """Return the facts about the last iterate of each run of a batch; a fact is None if a plugin raised an exception."""
    runs, dimension = last.x.shape
    norms = norm(last.gradient)
    rule = batch.rules.stop.gradient_norm or 0.0
    at_rest: Mask = ~last.is_lost & (norms <= np.maximum(rule, REST * last.first_norm))
    bound, value_error = np.full(runs, np.nan), np.full(runs, np.nan)
    is_away, is_below = at_rest.copy(), np.zeros(runs, dtype=bool)
    try:
        known = known_minimum(batch.objective)
        if known is not None:
            minimum = np.broadcast_to(np.ravel(known.value).astype(np.float64), (runs,))
            largest = np.maximum(1.0, np.maximum(np.abs(last.value), np.abs(minimum)))
            value_error = GAP_ROUNDING * largest
            bound = norms * norm(last.x - known.x)
            gap, target = last.value - minimum, RELATIVE_TARGET * np.maximum(1.0, np.abs(minimum))
            is_away &= gap > np.maximum(bound + value_error, target)
            is_below = ~last.is_lost & (last.best_value - minimum < -target)
    except KeyboardInterrupt:
        raise
    except BaseException:
        is_away[:] = False
    curvatures: dict[int, tuple[Any, ...]] = {}
    with suppress(Exception, SystemExit, GeneratorExit):
        rows = np.flatnonzero(is_away | is_below)
        if len(rows):
            evaluator = Evaluator(take_rows(batch.objective, rows), take_rows(batch.gradient, rows), len(rows))
            measured = _value_error(evaluator, last.x[rows], last.value[rows], last.gradient[rows])
            value_error[rows] = np.fmax(value_error[rows], NOISE_MARGIN * measured)
        affordable = 2 * len(SPACINGS) * (dimension + 1) <= np.maximum(FEWEST_GRADIENTS, SHARE_OF_STEPS * last.steps)
        rows = np.flatnonzero(is_away & affordable)
        if len(rows):
            evaluator = Evaluator(take_rows(batch.objective, rows), take_rows(batch.gradient, rows), len(rows))
            curvatures = dict(zip(rows.tolist(), _curvatures(evaluator, last.x[rows], last.gradient[rows]), strict=True))
    facts = zip(at_rest.tolist(), (bound + value_error).tolist(), value_error.tolist(), strict=True)
    return [
        RestingPlace(rests, _if_finite(gap), _if_finite(error), *curvatures.get(row, ()))
        for row, (rests, gap, error) in enumerate(facts)
    ]


def _if_finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _value_error(evaluator: Evaluator, x: Array, value: Array, gradient: Array) -> Array:
    """Return the largest difference between f and its linear model over some small shifts, `(runs,)`.

    It contains the rounding error of f, and at most the change of f by its curvature over the largest shift.
    """
    error = np.zeros(len(x))
    for relative in VALUE_SHIFTS:
        shift = relative * np.maximum(1.0, np.abs(x))
        error = np.fmax(error, np.abs(evaluator.value(x + shift) - value - (gradient * shift).sum(axis=1)))
    return error


def _curvatures(
    evaluator: Evaluator, x: Array, gradient: Array
) -> list[tuple[CurvatureSign, tuple[float, float] | None, float | None]]:
    """Return for each run the signs of the eigenvalues of ∇²f, the smallest and the largest of them, and their error."""
    dimension = x.shape[1]
    identity = np.eye(dimension)
    hessians, rounding = [], np.zeros(len(x))
    for spacing in SPACINGS:
        hessian = np.empty((len(x), dimension, dimension))
        for axis in range(dimension):
            sign_of_life.get()()
            shift = spacing * np.maximum(1.0, np.abs(x[:, axis]))[:, None]
            ahead, behind = x + shift * identity[axis], x - shift * identity[axis]
            above, below = evaluator.gradient(ahead), evaluator.gradient(behind)
            distance = ahead[:, axis] - behind[:, axis]
            hessian[:, axis] = (above - below) / distance[:, None]
            rounding = np.fmax(rounding, np.finfo(np.float64).eps * np.abs(above).max(axis=1) / distance)
        hessians.append(hessian)
    coarse, fine = hessians
    symmetric = 0.5 * (fine + fine.transpose(0, 2, 1))
    error = 2.0 * _size(fine - coarse) + _size(fine - symmetric) + dimension * rounding
    for direction in (np.ones(dimension), np.where(np.arange(dimension) % 2, 1.0, -1.0)) if dimension > 1 else ():
        shift = min(SPACINGS) * np.abs(x).max(axis=1, initial=1.0)[:, None] * direction / np.sqrt(dimension)
        change = evaluator.gradient(x + shift) - evaluator.gradient(x - shift)
        expected = 2.0 * (symmetric @ shift[:, :, None])[:, :, 0]
        error = np.fmax(error, norm(change - expected) / norm(shift))
    is_finite = np.isfinite(error) & np.isfinite(symmetric).all(axis=(1, 2))
    eigenvalues = np.linalg.eigvalsh(np.where(is_finite[:, None, None], symmetric, identity))
    # A singular Hessian gives no Newton step, and the signs of its eigenvalues are uncertain anyway.
    is_sure = np.abs(eigenvalues) > SURE * error[:, None]
    is_regular = is_finite & is_sure.all(axis=1)
    regular = np.where(is_regular[:, None, None], symmetric, identity)
    newton_step = np.linalg.solve(regular, gradient[:, :, None])[:, :, 0]
    is_near = norm(evaluator.gradient(x - newton_step)) <= NEWTON_REDUCTION * norm(gradient)
    # Where ‖∇f‖ is itself a rounding error, no step can reduce it.
    largest = np.abs(x).max(axis=1, initial=1.0)
    is_near |= norm(gradient) <= GAP_ROUNDING * np.abs(eigenvalues).max(axis=1) * largest
    is_near &= is_regular | (norm(gradient) == 0.0)
    found: list[tuple[CurvatureSign, tuple[float, float] | None, float | None]] = []
    for row in range(len(x)):
        if not is_finite[row]:
            found.append((CurvatureSign.UNKNOWN, None, None))
            continue
        sign = CurvatureSign.UNKNOWN
        sure = eigenvalues[row][is_sure[row]]
        if is_near[row] and (sure > 0).any() and (sure < 0).any():
            sign = CurvatureSign.INDEFINITE
        elif is_near[row] and is_sure[row].all():
            sign = CurvatureSign.POSITIVE if eigenvalues[row, 0] > 0 else CurvatureSign.NEGATIVE
        found.append((sign, (float(eigenvalues[row, 0]), float(eigenvalues[row, -1])), float(error[row])))
    return found


def _size(matrices: Array) -> Array:
    """Return the Frobenius norm of each matrix, which is at least its spectral norm."""
    size: Array = np.sqrt((matrices * matrices).sum(axis=(1, 2)))
    return size

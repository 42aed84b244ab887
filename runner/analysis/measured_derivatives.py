"""Slopes and curvatures that are measured by differences over many spacings, and the errors of a Hessian's eigenvalues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
SPACINGS = 2.0 ** -np.arange(1.0, 42.0, 2.0)
"""The spacings of the differences, in units of max(1, |xᵢ|), from 1/2 down to 9e-13."""
WINDOW = 3
"""The number of successive spacings at which differences must agree; they span a factor of 16."""
RESOLVED = 0.3
"""A measured curvature with a larger relative error is not resolved."""
NOTABLE = 0.1
"""A change of the curvature from one side of a point to the other is reported if it is at least this share of the curvature."""
TINY = 1e-150
"""A smaller change of a curvature is ignored, because underflow may have caused it."""
ROUNDING = 8.0 * EPSILON
"""The assumed relative error of a value of f or of its gradient."""
MOST_DIRECTIONS = 24
"""The largest number of eigenvectors along which the curvature is measured."""
ABSORBED = 1e-5
"""If slopes at larger spacings are this close to the claimed slope, small spacings are taken to be lost to rounding.

The limit is a fraction of the distance between the claimed and the measured slope.
"""


@dataclass(frozen=True)
class MeasuredSlope:
    """A slope of f along a direction, by central differences.

    Attributes:
        value: the slope at the spacings at which it changes least.
        error: its change over three successive spacings, and rounding.
        spacing: the middle one of these spacings.
        agrees: True if the claimed slope differs from the value by at most four errors plus 1e-4 of the larger of the two.
        contradicts: True if the claimed slope differs by far more than the error, and if no other spacings support it.
    """

    value: float
    error: float
    spacing: float
    agrees: bool
    contradicts: bool


def slope_along(
    direction: Array, claimed: float, x: Array, values: Callable[[Array], Array], by_differences: bool
) -> MeasuredSlope | None:
    """Measure the slope of f along a direction; None if no successive spacings agree.

    Args:
        direction: a unit vector, `(dimension,)`.
        claimed: the slope that a gradient gives.
        x: the point, `(dimension,)`.
        values: f at many points, `(points, dimension) -> (points,)`.
        by_differences: True if the claimed slope is a difference of f itself, whose spacing may be too large.
    """
    h = SPACINGS * max(1.0, float(np.abs(x).max()))
    with np.errstate(all="ignore"):
        points = np.concatenate([x + h[:, None] * direction, x - h[:, None] * direction])
        distance = 0.5 * ((points[: len(h)] - points[len(h) :]) @ direction)
        f = values(points).reshape(2, -1)
        slopes = (f[0] - f[1]) / (2.0 * distance)
        noise = (ROUNDING * np.abs(f).max(axis=0) + 2.0 * EPSILON * np.abs(slopes) * np.abs(x).max()) / np.abs(distance)
        middle, error, relative = _steadiest(slopes, noise)
        best = int(np.argmin(relative))
        if relative[best] > RESOLVED:
            return None
        supported = (relative <= RESOLVED / 6.0) & (np.abs(middle - claimed) <= 4.0 * error)
        gap = abs(float(middle[best]) - claimed)
        absorbed = np.abs(slopes[:best] - claimed) <= ABSORBED * gap
        far = gap > 4.0 * float(error[best]) + 1e-4 * max(abs(claimed), abs(float(middle[best])))
    lost = bool(absorbed.any()) and not by_differences
    contradicts = bool(far and relative[best] <= RESOLVED / 6.0 and not supported.any()) and not lost
    return MeasuredSlope(float(middle[best]), float(error[best]), float(h[best + 1]), not far, contradicts)


def _steadiest(measured: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Return the median, the error and the relative error of each window of spacings, `(windows,)`."""
    windows = np.lib.stride_tricks.sliding_window_view(measured, WINDOW)
    middle = np.median(windows, axis=-1)
    error = np.ptp(windows, axis=-1) + np.lib.stride_tricks.sliding_window_view(noise, WINDOW)[:, 1]
    return middle, error, np.where(np.isfinite(error) & (middle != 0), error / np.abs(middle), np.inf)


def curvatures_along(
    directions: Array,
    claimed: Array,
    x: Array,
    values: Callable[[Array], Array],
    gradients: Callable[[Array], Array] | None,
    exact: bool,
) -> tuple[Array, Array, Array]:
    """Measure the curvature of f along directions, its error, and its change from one side of the point to the other.

    The curvature is vᵀ(∇f(x + hv) − ∇f(x − hv)) / 2h with a gradient, else (f(x + hv) − 2f(x) + f(x − hv)) / h². It is taken
    where it changes least, relative to its size, from spacing to spacing. If some spacings confirm a curvature from a
    formula, only they are used, because a narrow feature of f shows at small spacings only.

    Where f has a second derivative, the difference of the curvatures on both sides is proportional to the spacing. If
    the difference stays the same down to the smallest spacings instead, the curvature changes at the point.

    Args:
        directions: unit vectors, `(directions, dimension)`.
        claimed: the curvatures that the Hessian gives, `(directions,)`.
        x: the point, `(dimension,)`.
        values: f at many points, `(points, dimension) -> (points,)`.
        gradients: an accurate ∇f at many points, `(points, dimension) -> (points, dimension)`; None if there is no gradient.
        exact: true if the Hessian comes from a formula.

    Returns:
        The curvatures, their errors, and the changes, `(directions,)`. The error is infinite where no spacings agree, and the
        change is zero where none is found.
    """
    h = SPACINGS * max(1.0, float(np.abs(x).max()))
    measured, errors, changes = np.full(len(directions), np.nan), np.full(len(directions), np.inf), np.zeros(len(directions))
    with np.errstate(all="ignore"):
        at_x = (values if gradients is None else gradients)(x[None])[0]
        for place, direction in enumerate(directions):
            moved = h[:, None] * direction
            points = np.concatenate([x + moved, x - moved])
            # The points are rounded, so their distance is not exactly 2h.
            distance = 0.5 * ((points[: len(h)] - points[len(h) :]) @ direction)
            if gradients is not None:
                slopes = (gradients(points) @ direction).reshape(2, -1)
                curvature = (slopes[0] - slopes[1]) / (2.0 * distance)
                size = np.abs(slopes).max(axis=0)
                # The rounding of x moves the gradient by the curvature times that rounding.
                noise = (ROUNDING * size + 2.0 * EPSILON * np.abs(curvature) * np.abs(x).max()) / np.abs(distance)
                change = (slopes[0] - 2.0 * (at_x @ direction) + slopes[1]) / distance
                noise_of_change = 4.0 * noise
            else:
                f = values(points).reshape(2, -1)
                curvature = (f[0] - at_x + (f[1] - at_x)) / distance**2
                slope = (f[0] - f[1]) / (2.0 * distance)
                size = np.maximum(np.abs(f).max(axis=0), abs(at_x))
                noise = (ROUNDING * size + 2.0 * EPSILON * np.abs(slope) * np.abs(x).max()) / distance**2
                # If the curvatures on the two sides are L and R, the slope is ∂f + (R − L) h / 4.
                change = 4.0 * (slope[:-1] - slope[1:]) / (distance[:-1] - distance[1:])
                noise_of_change = 8.0 * noise[1:]
            middle, error, relative = _steadiest(curvature, noise)
            confirming = (relative <= RESOLVED / 6.0) & (np.abs(middle - claimed[place]) <= 4.0 * error)
            if exact and confirming.any():
                relative[~confirming] = np.inf
            best = int(np.argmin(relative))
            if relative[best] <= RESOLVED:
                # A fine ripple shows at smaller spacings only, and belongs to the error.
                ripple = np.abs(middle - middle[best]) - 4.0 * error
                ripple = ripple[best:][relative[best:] <= RESOLVED / 6.0]
                measured[place], errors[place] = middle[best], error[best] + float(np.max(ripple, initial=0.0))
            least = NOTABLE * max(abs(claimed[place]), abs(measured[place]))
            changes[place] = _lasting(change, noise_of_change, 0.0 if np.isnan(least) else least)
    return measured, errors, changes


def _lasting(change: Array, noise: Array, least: float) -> float:
    """Return a change of the curvature that is at least `least` and that no smaller spacing contradicts; zero if none qualifies.

    Args:
        change: the change at each spacing, `(spacings,)`.
        noise: its rounding error at each spacing.
        least: the smallest change that is returned.
    """
    middle, error, relative = _steadiest(change, noise)
    steady = np.flatnonzero((relative <= RESOLVED / 6.0) & (np.abs(middle) >= least) & (np.abs(middle) > TINY))
    if not len(steady):
        return 0.0
    last = int(steady[-1])
    finer = slice(last + WINDOW, None)
    lasts = (np.abs(change[finer] - middle[last]) <= 2.0 * error[last] + 4.0 * noise[finer]).all()
    return float(middle[last]) if lasts else 0.0


def eigenvalue_errors(
    hessian: Array, x: Array, values: Callable[[Array], Array], gradients: Callable[[Array], Array] | None, exact: bool
) -> tuple[Array, str]:
    """Return the errors of a Hessian's eigenvalues, and the reason if the Hessian is contradicted.

    To first order, an error Δ of the Hessian changes the eigenvalue of the unit eigenvector v by vᵀΔv. The curvature along v is
    therefore measured again, and the error is twice the sum of the difference from the eigenvalue and the error of the
    measurement. A Hessian from a formula has the rounding of its eigenvalues as its error, unless the measurement contradicts it.

    In more than `MOST_DIRECTIONS` dimensions, only the curvatures along some eigenvectors are measured: those of the smallest,
    the largest and the smallest absolute eigenvalues. The other eigenvalues get the largest error that was found.

    Args:
        hessian: the finite second derivatives, `(dimension, dimension)`.
        x: the point, `(dimension,)`.
        values: f at many points, `(points, dimension) -> (points,)`.
        gradients: an accurate ∇f at many points, `(points, dimension) -> (points, dimension)`; None if there is no gradient.
        exact: true if the second derivatives come from a formula.

    Returns:
        The errors in the order of increasing eigenvalues, `(dimension,)`, infinite where the curvature is not resolved. The
        reason is empty if nothing contradicts the Hessian.
    """
    eigenvalues, vectors = np.linalg.eigh(0.5 * hessian + 0.5 * hessian.T)
    dimension = len(eigenvalues)
    rounding = dimension * EPSILON * float(np.abs(eigenvalues).max())
    third = MOST_DIRECTIONS // 3
    chosen = np.arange(dimension)
    if dimension > MOST_DIRECTIONS:
        smallest = np.argsort(np.abs(eigenvalues), kind="stable")[:third]
        chosen = np.unique(np.concatenate([chosen[:third], chosen[-third:], smallest]))
    measured, uncertain, changes = curvatures_along(vectors.T[chosen], eigenvalues[chosen], x, values, gradients, exact)
    differences = np.abs(measured - eigenvalues[chosen])
    resolved = np.isfinite(uncertain)
    sizes = np.abs(eigenvalues[chosen])
    # If the measured curvature differs from the eigenvalue by less than the eigenvalue, the difference counts as the eigenvalue's
    # error, unless the Hessian comes from a formula.
    tolerated = 1e-3 * np.maximum(sizes, np.abs(measured)) if exact else sizes
    contradicted = resolved & (differences > 4.0 * uncertain + rounding + tolerated)
    reason = ""
    if changes.any():
        change = float(changes[np.argmax(np.abs(changes))])
        reason = (
            f"the curvature along an eigenvector changes by {change:.6g} from one side to the other, so f has no Hessian here"
        )
    elif contradicted.any():
        worst = int(np.flatnonzero(contradicted)[np.argmax((differences - 4.0 * uncertain)[contradicted])])
        reason = (
            f"the Hessian gives the curvature {eigenvalues[chosen[worst]]:.6g} along an eigenvector, where differences give "
            f"{measured[worst]:.6g} ± {uncertain[worst]:.1g}; "
            + ("check the formula of the Hessian" if exact else "a formula of the Hessian would decide it")
        )
    if exact:
        return np.full(dimension, rounding), reason
    errors = np.full(dimension, np.inf)
    errors[chosen] = np.where(resolved, 2.0 * (differences + uncertain) + rounding, np.inf)
    if dimension > MOST_DIRECTIONS:
        others = np.setdiff1d(np.arange(dimension), chosen)
        errors[others] = errors[chosen].max()
    # To second order, an off-diagonal error entry e, which couples two eigenvectors, moves their eigenvalues apart by e²/gap.
    with np.errstate(all="ignore"):
        mixed = np.maximum(errors[:, None], errors[None, :])
        gaps = np.abs(eigenvalues[:, None] - eigenvalues[None, :])
        mixing = np.where(gaps > mixed, mixed * (mixed / gaps), mixed)
    mixing[~np.isfinite(mixed)] = np.inf
    np.fill_diagonal(mixing, 0.0)
    # The error of an unresolved direction is infinite, which says nothing about the other directions.
    mixing[:, ~np.isfinite(errors)] = 0.0
    return errors + mixing.sum(axis=1), reason

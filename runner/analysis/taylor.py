"""Taylor coefficients from values alone, accurate to rounding where f can be evaluated at complex numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
RADII: Array = 2.0 ** np.linspace(-10.0, 6.0, 65)
CIRCLE_POINTS = 512
DEGREE = 48
BEHIND = 2
"""How many terms behind the last that is heard may matter."""
SMOOTH = 1e-9
"""What the last coefficients on a circle or an interval may be, relative to the largest value, for f to count as analytic."""
AGREEING = 1e-8
ABOVE_ROUNDING = 1e3
"""So many times rounding a remainder must be to show its order."""

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Coefficients:
    """The first Taylor coefficients cₙ = f⁽ⁿ⁾(A)/n!.

    Attributes:
        values: c₀ … c_N.
        errors: how wrong each may be, estimated from the rounding that is seen.
        radii: of the circle or interval that each comes from.
        reach: the largest radius within which f was seen to be analytic.
    """

    values: Array
    errors: Array
    radii: Array
    reach: float


def coefficients_on_circles(function: Callable[[Any], Any], around: float, order: int) -> Coefficients | None:
    """Return Taylor coefficients by Cauchy's integral, cₙ = (1/2πrⁿ) ∫ f(A + r e^{iφ}) e^{−inφ} dφ.

    On the points of the circle the trapezoidal rule is a discrete Fourier transform, and converges geometrically. An error of
    rounding δ in f becomes δ/rⁿ in cₙ, so each coefficient is taken from the radius where its own bound, about ε max|f|/rⁿ, is
    least: then it is nearly as exact as a formula. A circle that encloses a singularity shows negative powers, which are the
    second half of the transform; radii grow until that happens.

    Source: Lyness and Moler, Numerical differentiation of analytic functions, SIAM J. Numer. Anal. 4 (1967) 202-210; Fornberg,
    Numerical differentiation of analytic functions, ACM TOMS 7 (1981) 512-526; Bornemann, Accuracy and stability of computing
    high-order derivatives of analytic functions by Cauchy integrals, Found. Comput. Math. 11 (2011) 1-63, for the radii.

    Args:
        function: f at complex numbers, `(points,) -> (points,)`.
        around: A.
        order: N.

    Returns:
        None if f is not analytic on the smallest circle, or if its values at complex numbers do not continue those at real ones.
    """
    circle = np.exp(2j * np.pi * np.arange(CIRCLE_POINTS) / CIRCLE_POINTS)
    found: list[tuple[float, Array, float]] = []
    for radius in RADII.tolist():
        values = np.asarray(function(around + radius * circle), dtype=np.complex128)
        if not np.isfinite(values).all():
            break
        powers = np.fft.fft(values) / CIRCLE_POINTS
        largest = float(np.abs(values).max())
        noise = float(np.abs(powers[CIRCLE_POINTS // 2 :]).max())
        if noise > SMOOTH * largest:
            break
        # The points themselves are rounded, by ε|A|, which moves f by that times |f′|.
        moved = abs(around) * float(np.abs(powers[: CIRCLE_POINTS // 2] @ np.arange(CIRCLE_POINTS // 2))) / radius
        found.append((radius, powers.real[: CIRCLE_POINTS // 2], 3.0 * noise + 2.0 * EPSILON * (largest + moved)))
    if not found or not _continues(function, around, found[-1]):
        return None
    return _best([(radius, powers, np.full(len(powers), noise)) for radius, powers, noise in found], order)


def _continues(function: Callable[[Any], Any], around: float, found: tuple[float, Array, float]) -> bool:
    """Whether the series on a circle gives f at real points within it, as it does not for |x|."""
    radius, powers, _ = found
    t = radius * np.array([-0.5, -0.25, 0.25, 0.5])
    real = np.asarray(function(around + t))
    series = polynomial(powers, t / radius)
    return bool((np.abs(real - series) <= AGREEING * np.abs(powers).sum()).all())


def coefficients_on_intervals(function: Callable[[Array], Array], around: float, order: int) -> Coefficients | None:
    """Return Taylor coefficients from real values: those of the polynomial that interpolates f at Chebyshev points.

    A rounding error δ in f becomes δ Σₖ |tₖₙ|/hⁿ in cₙ, with tₖₙ the coefficients of the Chebyshev polynomials that matter and h
    half the interval's length, and each coefficient is taken from the interval where that is least. It loses some digits with
    every order; that is what real values allow.

    Source: Trefethen, Approximation Theory and Approximation Practice (2013), chapters 3, 4 and 21.

    Args:
        function: f at real numbers, `(points,) -> (points,)`.
        around: A, the middle of the intervals.
        order: N.

    Returns:
        None if f is not smooth on the smallest interval.
    """
    found: list[tuple[float, Array, Array]] = []
    for half in RADII.tolist():
        values = np.asarray(function(around + half * chebyshev.chebpts1(DEGREE + 1)))
        if not np.isfinite(values).all():
            break
        terms = _chebyshev_transform() @ values
        largest = float(np.abs(values).max())
        noise = float(np.abs(terms[-DEGREE // 4 :]).max())
        if noise > SMOOTH * largest:
            break
        noise = 4.0 * noise + 4.0 * EPSILON * largest
        heard = np.flatnonzero(np.abs(terms) > noise)
        found.append((half, *_as_powers(terms[: int(heard[-1]) + 1 if len(heard) else 1], noise)))
    return _best(found, order) if found else None


@cache
def _chebyshev_powers() -> Array:
    """Return the coefficients of the Chebyshev polynomials, `(degree, power)`."""
    powers = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        powers[k, : k + 1] = chebyshev.cheb2poly(np.eye(k + 1)[k])
    return powers


@cache
def _chebyshev_transform() -> Array:
    """Return what turns values at the Chebyshev points of the first kind into the series that interpolates them."""
    transform = chebyshev.chebvander(chebyshev.chebpts1(DEGREE + 1), DEGREE).T * (2.0 / (DEGREE + 1))
    transform[0] *= 0.5
    return np.asarray(transform, dtype=np.float64)


def _as_powers(terms: Array, noise: float) -> tuple[Array, Array]:
    """Return a Chebyshev series as powers, and what noise in its terms, and in those just behind, does to them."""
    powers = _chebyshev_powers()
    errors = noise * (1.0 + np.abs(powers[: len(terms) + BEHIND]).sum(axis=0))
    return terms @ powers[: len(terms)], errors


def _best(found: Sequence[tuple[float, Array, Array]], order: int) -> Coefficients:
    """Take each coefficient from the radius where its error is least."""
    radii = np.array([radius for radius, _, _ in found])
    scales = radii[:, None] ** np.arange(order + 1)
    values = np.stack([powers[: order + 1] for _, powers, _ in found]) / scales
    errors = np.stack([noise[: order + 1] for _, _, noise in found]) / scales + EPSILON * np.abs(values)
    places = np.argmin(errors, axis=0)
    orders = np.arange(order + 1)
    return Coefficients(values[places, orders], errors[places, orders], radii[places], float(radii[-1]))


def next_order(coefficients: Coefficients, order: int) -> int | None:
    """Return the first order beyond one whose coefficient is not zero within its error; None if none is known to be."""
    heard = np.abs(coefficients.values) > 3.0 * coefficients.errors
    beyond = np.flatnonzero(heard[order + 1 :])
    return order + 1 + int(beyond[0]) if len(beyond) else None


def both_sides(function: Callable[[Array], Array], model: Callable[[Array], Array], distances: Array) -> Array:
    """Return |f − model| at each distance: the geometric mean of both sides, in which the term behind the first cancels.

    Args:
        function: f as a function of t.
        model: the same.
        distances: t > 0.

    Returns:
        The remainders; those of one side where f is not finite on the other.
    """
    ahead = np.abs(function(distances) - model(distances))
    behind = np.abs(function(-distances) - model(-distances))
    return np.where(np.isfinite(behind), np.where(np.isfinite(ahead), np.sqrt(ahead) * np.sqrt(behind), behind), ahead)


def rounding_floor(coefficients: Array, distances: Array) -> Array:
    """Return what rounding may do to f − P at each distance, about ε Σ |cₙ| tⁿ."""
    return EPSILON * polynomial(np.abs(coefficients), distances)


def polynomial(coefficients: Array, t: Array) -> Array:
    """Return Σ cₙ tⁿ at each t."""
    return np.polyval(coefficients[::-1], t).astype(np.float64, copy=False)


def asymptotic_window(distances: Array, remainders: Array, floor: Array, reach: float) -> NDArray[np.bool_]:
    """Say which distances show the order of a remainder: from where it is a thousand times rounding, five times further.

    Args:
        distances: rising.
        remainders: at each.
        floor: of rounding, at each.
        reach: how far f is known to be analytic; half of it is the limit.
    """
    heard = (remainders > ABOVE_ROUNDING * floor) & np.isfinite(remainders)
    # The last distance from which on all are heard, up to where values overflow or terms grow that f does not follow.
    silent = np.flatnonzero(~heard & np.isfinite(remainders) & (distances <= reach))
    first = int(silent[-1]) + 1 if len(silent) else 0
    if first >= len(distances) or distances[first] > reach:
        return np.zeros(len(distances), dtype=bool)
    start = float(distances[first])
    return np.asarray(heard & (distances >= start) & (distances <= min(5.0 * start, max(0.5 * reach, 2.0 * start))))

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
NOISY_TERMS = 2
"""Number of terms after the last significant term whose noise is added to the error."""
SMOOTH = 1e-9
"""f counts as analytic if the last coefficients on a circle or an interval are at most this, relative to the largest value."""
AGREEING = 1e-8
"""A series counts as that of f if it differs from the values at real points by at most this, relative to its terms."""
ABOVE_ROUNDING = 1e3
"""A remainder shows its order only if it is at least this number of times its rounding error."""

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Coefficients:
    """The first Taylor coefficients cₙ = f⁽ⁿ⁾(A)/n!.

    Attributes:
        values: c₀ … c_N.
        errors: the estimated error of each coefficient, from the rounding that was observed.
        radii: for each coefficient, the radius of the circle or half the length of the interval from which it was computed.
        reach: the largest radius within which f was found to be analytic.
    """

    values: Array
    errors: Array
    radii: Array
    reach: float


def coefficients_on_circles(function: Callable[[Any], Any], centre: float, order: int) -> Coefficients | None:
    """Return Taylor coefficients by Cauchy's integral, cₙ = (1/2πrⁿ) ∫ f(A + r e^{iφ}) e^{−inφ} dφ.

    With equally spaced points on the circle, the trapezoidal rule is a discrete Fourier transform, and converges geometrically. A
    rounding error δ in f becomes δ/rⁿ in cₙ. Each coefficient is therefore taken from the radius at which its error bound, about
    ε max|f|/rⁿ, is smallest; then it is nearly as accurate as the value of a formula. If a circle encloses a singularity, the
    second half of the transform, which holds the negative powers, is not zero. The radii grow until that happens.

    Source: Lyness and Moler, Numerical differentiation of analytic functions, SIAM J. Numer. Anal. 4 (1967) 202-210; Fornberg,
    Numerical differentiation of analytic functions, ACM TOMS 7 (1981) 512-526; Bornemann, Accuracy and stability of computing
    high-order derivatives of analytic functions by Cauchy integrals, Found. Comput. Math. 11 (2011) 1-63, for the radii.

    Args:
        function: f at complex numbers, `(points,) -> (points,)`.
        centre: A.
        order: N.

    Returns:
        The coefficients. None if f is not analytic on the smallest circle, or if its values at complex numbers are not the
        analytic continuation of its values at real numbers.
    """
    circle = np.exp(2j * np.pi * np.arange(CIRCLE_POINTS) / CIRCLE_POINTS)
    found: list[tuple[float, Array, float]] = []
    for radius in RADII.tolist():
        values = np.asarray(function(centre + radius * circle), dtype=np.complex128)
        if not np.isfinite(values).all():
            break
        powers = np.fft.fft(values) / CIRCLE_POINTS
        largest = float(np.abs(values).max())
        noise = float(np.abs(powers[CIRCLE_POINTS // 2 :]).max())
        if noise > SMOOTH * largest:
            break
        # The points themselves have a rounding error of ε|A|, which changes f by ε|A| |f′|.
        change = abs(centre) * float(np.abs(powers[: CIRCLE_POINTS // 2] @ np.arange(CIRCLE_POINTS // 2))) / radius
        found.append((radius, powers.real[: CIRCLE_POINTS // 2], 3.0 * noise + 2.0 * EPSILON * (largest + change)))
    if not found:
        return None
    # The series on the largest circle must agree with f at real points within it. For |x|, it does not.
    radius, terms, _ = found[-1]
    t = radius * np.array([-0.5, -0.25, 0.25, 0.5])
    errors = np.abs(np.asarray(function(centre + t)) - polynomial(terms, t / radius))
    if not (errors <= AGREEING * np.abs(terms).sum()).all():
        return None
    return _best_coefficients([(radius, powers, np.full(len(powers), noise)) for radius, powers, noise in found], order)


def coefficients_on_intervals(function: Callable[[Array], Array], centre: float, order: int) -> Coefficients | None:
    """Return Taylor coefficients from real values: those of the polynomial that interpolates f at Chebyshev points.

    A rounding error δ in f becomes δ Σₖ |tₖₙ|/hⁿ in cₙ. Here tₖₙ is the coefficient of tⁿ in the Chebyshev polynomial of
    degree k, and h is half the length of the interval. Each coefficient is taken from the interval on which this error is
    smallest. With real values alone, each higher order has fewer correct digits.

    Source: Trefethen, Approximation Theory and Approximation Practice (2013), chapters 3, 4 and 21.

    Args:
        function: f at real numbers, `(points,) -> (points,)`.
        centre: A, the middle of the intervals.
        order: N.

    Returns:
        The coefficients; None if f is not smooth on the smallest interval.
    """
    found: list[tuple[float, Array, Array]] = []
    for half in RADII.tolist():
        values = np.asarray(function(centre + half * chebyshev.chebpts1(DEGREE + 1)))
        if not np.isfinite(values).all():
            break
        terms = _chebyshev_transform() @ values
        largest = float(np.abs(values).max())
        noise = float(np.abs(terms[-DEGREE // 4 :]).max())
        if noise > SMOOTH * largest:
            break
        noise = 4.0 * noise + 4.0 * EPSILON * largest
        significant = np.flatnonzero(np.abs(terms) > noise)
        terms = terms[: int(significant[-1]) + 1 if len(significant) else 1]
        to_powers = _chebyshev_powers()
        errors = noise * (1.0 + np.abs(to_powers[: len(terms) + NOISY_TERMS]).sum(axis=0))
        found.append((half, terms @ to_powers[: len(terms)], errors))
    return _best_coefficients(found, order) if found else None


@cache
def _chebyshev_powers() -> Array:
    """Return the coefficients of the Chebyshev polynomials, `(degree, power)`."""
    powers = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        powers[k, : k + 1] = chebyshev.cheb2poly(np.eye(k + 1)[k])
    return powers


@cache
def _chebyshev_transform() -> Array:
    """Return the matrix that maps values at the Chebyshev points of the first kind to the interpolating Chebyshev series."""
    transform = chebyshev.chebvander(chebyshev.chebpts1(DEGREE + 1), DEGREE).T * (2.0 / (DEGREE + 1))
    transform[0] *= 0.5
    return np.asarray(transform, dtype=np.float64)


def _best_coefficients(found: Sequence[tuple[float, Array, Array]], order: int) -> Coefficients:
    """Take each coefficient from the radius at which its error is smallest."""
    radii = np.array([radius for radius, _, _ in found])
    scales = radii[:, None] ** np.arange(order + 1)
    values = np.stack([powers[: order + 1] for _, powers, _ in found]) / scales
    errors = np.stack([noise[: order + 1] for _, _, noise in found]) / scales + EPSILON * np.abs(values)
    places = np.argmin(errors, axis=0)
    orders = np.arange(order + 1)
    return Coefficients(values[places, orders], errors[places, orders], radii[places], float(radii[-1]))


def next_order(coefficients: Coefficients, order: int) -> int | None:
    """Return the first order after `order` whose coefficient exceeds three times its error; None if there is no such order."""
    significant = np.abs(coefficients.values) > 3.0 * coefficients.errors
    beyond = np.flatnonzero(significant[order + 1 :])
    return order + 1 + int(beyond[0]) if len(beyond) else None


def both_sides(function: Callable[[Array], Array], model: Callable[[Array], Array], distances: Array) -> Array:
    """Return |f − model| at each distance, as the geometric mean of both sides of the centre.

    In the mean, the term after the leading term of the remainder cancels.

    Args:
        function: f as a function of t, `(points,) -> (points,)`.
        model: the model as a function of t.
        distances: t > 0, `(points,)`.

    Returns:
        The remainders; where f is not finite on one side, those of the other side.
    """
    right = np.abs(function(distances) - model(distances))
    left = np.abs(function(-distances) - model(-distances))
    return np.where(np.isfinite(left), np.where(np.isfinite(right), np.sqrt(right) * np.sqrt(left), left), right)


def rounding_floor(coefficients: Array, distances: Array) -> Array:
    """Return the rounding error of f − P at each distance t, about ε Σ |cₙ| tⁿ."""
    return EPSILON * polynomial(np.abs(coefficients), distances)


def polynomial(coefficients: Array, t: Array) -> Array:
    """Return Σ cₙ tⁿ at each t."""
    return np.polyval(coefficients[::-1], t).astype(np.float64, copy=False)


def asymptotic_window(distances: Array, remainders: Array, floor: Array, reach: float) -> NDArray[np.bool_]:
    """Return which distances show the order of a remainder.

    The window begins at the distance where the remainder is a thousand times its rounding error. It ends at five times this
    distance, or at half of `reach` if that is less, but never before twice the distance at which it begins.

    Args:
        distances: the distances in increasing order, `(points,)`.
        remainders: the remainder at each distance.
        floor: the rounding error at each distance.
        reach: the radius within which f is known to be analytic.

    Returns:
        True for each distance in the window.
    """
    significant = (remainders > ABOVE_ROUNDING * floor) & np.isfinite(remainders)
    # From the beginning of the window on, all remainders are significant, as far as f is analytic and finite.
    rounding = np.flatnonzero(~significant & np.isfinite(remainders) & (distances <= reach))
    first = int(rounding[-1]) + 1 if len(rounding) else 0
    if first >= len(distances) or distances[first] > reach:
        return np.zeros(len(distances), dtype=bool)
    start = float(distances[first])
    return np.asarray(significant & (distances >= start) & (distances <= min(5.0 * start, max(0.5 * reach, 2.0 * start))))

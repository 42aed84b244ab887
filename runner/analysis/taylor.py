"""Taylor coefficients from values alone, accurate to rounding where f can be evaluated at complex numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
QUARTERS_BELOW, QUARTERS_ABOVE, QUARTERS_FITTED = 160, 40, 64
"""The search covers this many radii below and above radius 1, a quarter of an octave apart.

Coefficients are taken from the last `QUARTERS_FITTED` radii before the search ends, and from the few after them that succeed.
"""
MOST_QUARTERS_BELOW = 400
"""The largest number of quarter octaves below radius 1 that are searched near a small centre."""
QUARTERS_OF_CENTRE = 48
"""Near a small centre, the search begins this number of quarter octaves below |A|."""
FEWEST_ULPS = 1024.0
"""No circle has a smaller radius, in units of ε|A|, because its points would round to too few different numbers."""
CIRCLE_POINTS = 512
FINE_CIRCLE_POINTS = 4096
"""The number of points on the circles that locate the nearest singularity."""
BISECTIONS = 12
DEGREE = 48
NOISY_TERMS = 2
"""Number of terms after the last significant term whose noise is added to the error."""
SMOOTH = 1e-9
"""f counts as analytic if the last coefficients on a circle or interval are at most this, relative to the largest after c₀."""
ROUNDINGS = 16.0
"""The largest rounding error of a coefficient on a circle or an interval, in units of ε max|f|."""
SUBNORMAL = 1e-320
"""Coefficients of this size always count as zero, because numbers below 2e-308 have fewer digits."""
AGREEING = 1e-8
"""A series counts as that of f if it differs from the values at real points by at most this, relative to its terms."""
CONSISTENT = 3.0
"""Coefficients of two radii agree if they differ by at most this number of times the sum of their errors."""
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
    found = _found_on(lambda radius: _on_circle(function, centre, radius), centre)
    if not found:
        return None
    # The series on the largest circle must agree with f at real points within it. For |x|, it does not.
    radius, terms, noise = found[-1]
    t = radius * np.array([-0.5, -0.25, 0.25, 0.5])
    errors = np.abs(np.asarray(function(centre + t)) - polynomial(terms, t / radius))
    if not (errors <= AGREEING * np.abs(terms[1:]).sum() + 10.0 * noise[0]).all():
        return None
    return _best_coefficients(found, order)


def _on_circle(function: Callable[[Any], Any], centre: float, radius: float) -> tuple[Array, Array] | None:
    """Return cₙ rⁿ and their errors from one circle; None if f is not finite or not analytic on it."""
    powers, largest = _circle_powers(function, centre, radius, CIRCLE_POINTS)
    noise = float(np.abs(powers[CIRCLE_POINTS // 2 :]).max())
    if not noise <= _smooth_to(powers, largest):
        return None
    powers = powers[: CIRCLE_POINTS // 2]
    # The points themselves have a rounding error of ε|A|, which changes f by ε|A| |f′|.
    change = abs(centre) * float(np.abs(powers @ np.arange(CIRCLE_POINTS // 2))) / radius
    return powers.real, np.full(len(powers), 3.0 * noise + 2.0 * EPSILON * (largest + change))


def _smooth_to(terms: Complex | Array, largest: float) -> float:
    """Return the size of the coefficients that count as zero, given all coefficients and max |f|."""
    return max(SMOOTH * float(np.abs(terms[1:]).max()), ROUNDINGS * EPSILON * largest, SUBNORMAL)


def _circle_powers(function: Callable[[Any], Any], centre: float, radius: float, points: int) -> tuple[Complex, float]:
    """Return the Fourier coefficients of f on a circle, and max |f|; both are NaN if f is not finite there."""
    values = np.asarray(function(centre + radius * np.exp(2j * np.pi * np.arange(points) / points)), dtype=np.complex128)
    if not np.isfinite(values).all():
        return np.full(points, np.nan + 0j), float("nan")
    return np.fft.fft(values) / points, float(np.abs(values).max())


def _found_on(compute: Callable[[float], tuple[Array, Array] | None], centre: float) -> list[tuple[float, Array, Array]]:
    """Return the radii on which f is analytic, with the scaled coefficients and their errors, in increasing order.

    Small circles may fail because of rounding, and large ones because they enclose a singularity. The search therefore climbs
    in octaves to the first radius that succeeds, and on until one fails. Quarter octaves follow below the largest radius.
    """
    size = abs(centre)
    below = QUARTERS_BELOW
    if size > 0:
        below = max(below, min(MOST_QUARTERS_BELOW, QUARTERS_OF_CENTRE - math.floor(4.0 * math.log2(size))))
    radii = [radius for radius in (2.0 ** (np.arange(-below, QUARTERS_ABOVE + 1) / 4.0)).tolist()
             if radius >= FEWEST_ULPS * EPSILON * size]  # fmt: skip
    last = None
    for place in range(0, len(radii), 4):
        if compute(radii[place]) is not None:
            last = place
        elif last is not None:
            break
    if last is None:
        return []
    found: list[tuple[float, Array, Array]] = []
    for radius in radii[max(0, last - QUARTERS_FITTED) : last + 4]:
        result = compute(radius)
        if result is not None:
            found.append((radius, *result))
        elif radius > radii[last]:
            break
    return found


def nearest_singularity(function: Callable[[Any], Any], centre: float, reach: float) -> tuple[float, float] | None:
    """Return bounds of the distance to the nearest singularity or branch cut.

    On a circle that encloses no singularity, the coefficients of negative powers vanish. On a circle that encloses one, they
    are largest for the first negative powers. Both bounds are found by bisection. They bound the radius of convergence only if
    the singularity is not too weak to be seen, and if it is not a branch cut of the formula, such as that of log(1 + eᶻ).

    Args:
        function: f at complex numbers, `(points,) -> (points,)`.
        centre: A.
        reach: a radius within which f is analytic.

    Returns:
        The largest radius that encloses no singularity and the smallest that encloses one, among the radii tried; None if no
        singularity is found up to the largest circle on which f is finite.
    """

    def enclosed(radius: float) -> bool | None:
        """Return True if the circle encloses a singularity, False if it encloses none, and None if it cannot be determined."""
        powers, largest = _circle_powers(function, centre, radius, FINE_CIRCLE_POINTS)
        negative = np.abs(powers[: FINE_CIRCLE_POINTS // 2 : -1])
        if not largest >= 0:
            return None
        if negative.max() <= _smooth_to(powers, largest):
            return False
        eighth = FINE_CIRCLE_POINTS // 8
        return True if negative[:eighth].max() > 4.0 * negative[-eighth:].max() else None

    low, high = reach, reach
    while True:
        high *= 2.0**0.5
        if high > 2.0 ** (QUARTERS_ABOVE / 4.0):
            return None
        state = enclosed(high)
        if state:
            break
        if state is False:
            low = high
        elif not np.isfinite(np.asarray(function(centre + high * np.array([1.0, -1.0, 1j, -1j])))).all():
            return None
    outside, inside = high, low
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + outside)
        low, outside = (middle, outside) if enclosed(middle) is False else (low, middle)
    inside = max(inside, low)
    for _ in range(BISECTIONS):
        middle = 0.5 * (inside + high)
        inside, high = (inside, middle) if enclosed(middle) else (middle, high)
    return low, high


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
    found = _found_on(lambda half: _on_interval(function, centre, half), centre)
    return _best_coefficients(found, order) if found else None


def _on_interval(function: Callable[[Array], Array], centre: float, half: float) -> tuple[Array, Array] | None:
    """Return cₙ hⁿ and their errors from one interval; None if f is not finite or not smooth on it."""
    values = np.asarray(function(centre + half * chebyshev.chebpts1(DEGREE + 1)))
    if not np.isfinite(values).all():
        return None
    terms = _chebyshev_transform() @ values
    largest = float(np.abs(values).max())
    noise = float(np.abs(terms[-DEGREE // 4 :]).max())
    if not noise <= _smooth_to(terms, largest):
        return None
    # The points themselves have a rounding error of ε|A|; the slope of f is at most about Σ k |terms| / h.
    change = abs(centre) * float(np.abs(terms) @ np.arange(DEGREE + 1)) / half
    noise = 4.0 * noise + 4.0 * EPSILON * (largest + change)
    significant = np.flatnonzero(np.abs(terms) > noise)
    terms = terms[: int(significant[-1]) + 1 if len(significant) else 1]
    to_powers = _chebyshev_powers()
    # The noise at degree n and at the next degrees may hide a term, so this noise is part of the error of cₙ.
    sums = np.abs(to_powers).cumsum(axis=0)
    last = np.minimum(np.maximum(len(terms) - 1, np.arange(DEGREE + 1)) + NOISY_TERMS, DEGREE)
    errors = noise * (1.0 + sums[last, np.arange(DEGREE + 1)])
    return terms @ to_powers[: len(terms)], errors


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
    """Take each coefficient from the radius at which its error is smallest.

    A radius, and all larger ones, are left out if a coefficient contradicts the smaller radii: a weak singularity lies between.
    """
    orders = np.arange(order + 1)
    radii = np.array([radius for radius, _, _ in found])
    # On tiny circles, rⁿ may be zero or the quotient may overflow; the error of such a coefficient is infinite.
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        scales = radii[:, None] ** orders
        values = np.stack([powers[: order + 1] for _, powers, _ in found]) / scales
        errors = np.stack([noise[: order + 1] for _, _, noise in found]) / scales + EPSILON * np.abs(values)
    known = (scales > 0) & np.isfinite(values) & np.isfinite(errors)
    values, errors = np.where(known, values, 0.0), np.where(known, errors, np.inf)
    best, bounds, consistent = values[0], errors[0], 1
    for terms, allowed in zip(values[1:], errors[1:], strict=True):
        if (np.abs(terms - best) > CONSISTENT * (allowed + bounds)).any():
            break
        consistent += 1
        smaller = allowed < bounds
        best, bounds = np.where(smaller, terms, best), np.where(smaller, allowed, bounds)
    places = np.argmin(errors[:consistent], axis=0)
    return Coefficients(values[places, orders], errors[places, orders], radii[places], float(radii[consistent - 1]))


def next_order(coefficients: Coefficients, order: int) -> int | None:
    """Return the first order after `order` whose coefficient exceeds three times its error; None if there is no such order."""
    significant = np.abs(coefficients.values) > 3.0 * coefficients.errors
    beyond = np.flatnonzero(significant[order + 1 :])
    return order + 1 + int(beyond[0]) if len(beyond) else None


def both_sides(function: Callable[[Array], Array], model: Callable[[Array], Array], distances: Array) -> tuple[Array, Array]:
    """Return |f − model| at each distance, on the left and on the right side of the centre.

    Args:
        function: f as a function of t, `(points,) -> (points,)`.
        model: the model as a function of t.
        distances: t > 0, `(points,)`.
    """
    return np.abs(function(-distances) - model(-distances)), np.abs(function(distances) - model(distances))


def mean_of_sides(left: Array, right: Array) -> Array:
    """Return the geometric mean of the remainders on both sides, in which the term after their leading term cancels.

    Where f is not finite on one side, return the remainder on the other side.
    """
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

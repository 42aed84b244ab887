"""The search for evidence against convexity: chords that f exceeds, and points where f curves downwards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
ROUNDINGS = 32.0
"""The assumed relative error of one value of f, in units of ε."""
NEIGHBOURS = 9
"""The number of neighbouring values from which noise is measured."""
SPACINGS = 10.0 ** -np.arange(14.0, 0.0, -1.0)
ORDERS = (3, 4, 5, 6)
"""The orders of the differences from which noise is measured."""
MOST_MEASURED = 32
"""Largest number of chords whose error is measured, among those that look like counterexamples."""
SEEDS = 4
"""The number of points with the smallest curvature from which the search continues downhill."""
MOST_NEIGHBOURS = 40
"""Largest number of neighbours that a step of the compass search tries."""
DECADES = 3.0
"""The lengths of the short chords are spread over this number of decades below the width of the box."""
HALVINGS = 26
"""The number of times that the compass search halves its step."""
MOST_WITH_CORNERS = 8
"""The largest dimension in which the corners of the box are tried."""

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Chord:
    """A chord, and the height of f above it: f(z) − (λ f(x₁) + (1 − λ) f(x₂)) at z = λ x₁ + (1 − λ) x₂.

    Attributes:
        first: x₁, `(dimension,)`.
        second: x₂, `(dimension,)`.
        weight: λ.
        excess: the height of f(z) above the chord; if it is above zero, f is not convex.
        rounding: the largest error of the excess that rounding and noise may cause.
    """

    first: Array
    second: Array
    weight: float
    excess: float
    rounding: float

    @property
    def point(self) -> Array:
        """The point z on the chord, `(dimension,)`."""
        return self.weight * self.first + (1.0 - self.weight) * self.second

    @property
    def refutes(self) -> bool:
        """True if the excess is larger than its error, so that the chord refutes convexity."""
        return self.excess > self.rounding


@dataclass(frozen=True)
class ChordSearch:
    """The result of a search over chords.

    Attributes:
        worst: the chord with the largest excess among those that refute convexity; None if no chord was found.
        tried: the number of chords tried.
        unknown: the number of chords at whose points f is not finite, so that they decide nothing.
        noisy: the number of measured chords whose excess is above zero, but within the noise of f.
    """

    worst: Chord | None
    tried: int
    unknown: int
    noisy: int


@dataclass(frozen=True)
class CurvatureSearch:
    """The result of a search for the smallest eigenvalue of the Hessian.

    Attributes:
        smallest: the eigenvalue.
        place: the point with this eigenvalue, `(dimension,)`.
        direction: the eigenvector, `(dimension,)`.
        tried: the number of points at which a Hessian was computed.
        sampled: the smallest eigenvalue at each random point, `(points,)`.
    """

    smallest: float
    place: Array
    direction: Array
    tried: int
    sampled: Array


def try_chords(
    function: Function, low: float, high: float, dimension: int, tries: int, generator: np.random.Generator
) -> ChordSearch:
    """Try the chord inequality f(λx₁ + (1 − λ)x₂) ≤ λf(x₁) + (1 − λ)f(x₂) on random pairs of points in a box, with random λ.

    The points of every other pair are independent and uniform. The points of the remaining pairs are neighbours, at distances
    spread evenly over three decades, because only short chords reveal a narrow hump.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        low: the lowest value of each coordinate.
        high: the highest value of each coordinate.
        dimension: the number of coordinates.
        tries: the number of pairs.
        generator: the source of random numbers.
    """
    first = generator.uniform(low, high, (tries, dimension))
    second = generator.uniform(low, high, (tries, dimension))
    reach = 10.0 ** -generator.uniform(0.0, DECADES, (tries, 1))
    second[1::2] = first[1::2] + (reach * (second - first))[1::2]
    weight = generator.uniform(0.0, 1.0, tries)
    f_first, f_second = function(first), function(second)
    f_point = function(weight[:, None] * first + (1.0 - weight[:, None]) * second)
    excess = f_point - (weight * f_first + (1.0 - weight) * f_second)
    known = np.isfinite(excess)
    rounding = ROUNDINGS * EPSILON * (np.abs(f_point) + np.abs(f_first) + np.abs(f_second))
    suspects = np.flatnonzero(known & (excess > rounding))
    worst, noisy = None, 0
    for place in suspects[np.argsort(-excess[suspects], kind="stable")][:MOST_MEASURED].tolist():
        chord = measured_chord(function, first[place], second[place], float(weight[place]))
        if chord.refutes:
            worst = chord
            break
        noisy += 1
    return ChordSearch(worst, tries, int((~known).sum()), noisy)


def measured_chord(function: Function, first: Array, second: Array, weight: float) -> Chord:
    """Return the height of f above one chord, with an error bound.

    The bound is the sum of three parts:

    * an error of 32 ε|f| for each of the three values of f;
    * twice the range of f when z is moved by 4 ε times the larger end point, because the computed z may lie that far from the
      chord;
    * eight times the noise of f along the chord.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        first: x₁, `(dimension,)`.
        second: x₂, `(dimension,)`.
        weight: λ.
    """
    point = weight * first + (1.0 - weight) * second
    moved = point + 4.0 * EPSILON * np.maximum(np.abs(first), np.abs(second)) * np.array([[0.0], [-1.0], [1.0]])
    f_first, f_second, *f_point = function(np.vstack([first, second, moved])).tolist()
    excess = f_point[0] - (weight * f_first + (1.0 - weight) * f_second)
    error = ROUNDINGS * EPSILON * (abs(f_point[0]) + abs(f_first) + abs(f_second)) + 2.0 * (max(f_point) - min(f_point))
    return Chord(first, second, weight, excess, error + 8.0 * noise_along(function, first, second))


def noise_along(function: Function, first: Array, second: Array) -> float:
    """Return the noise of f between two points.

    The noise is what is left of nine neighbouring values after a smooth function is subtracted. Differences of order k of a
    smooth function fall with the spacing of the values, while those of independent noise of size σ have the mean square σ²
    (2k)!/(k!)². The spacing grows from rounding up to a tenth of the distance, until most of the values are different.

    The smallest difference between two different values is added. If f is a staircase, this is the height of a stair.

    Source: Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292-1314.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        first: one point, `(dimension,)`.
        second: the other point, `(dimension,)`.

    Returns:
        The noise; infinite if f is not finite.
    """
    chord = second - first
    steps = np.arange(NEIGHBOURS)[:, None]
    computed = [function(np.stack([first, second]))]
    noise = 0.0
    for spacing in SPACINGS:
        # The values start at both ends, going inwards, and around the middle.
        starts = ((first, spacing), (second, -spacing), (first + (0.5 - 4.0 * spacing) * chord, spacing))
        points = np.vstack([start + signed * steps * chord for start, signed in starts])
        computed.append(function(points))
        if not np.isfinite(computed[-1]).all():
            return math.inf
        rows = computed[-1].reshape(len(starts), NEIGHBOURS)
        if all(len(np.unique(row)) > NEIGHBOURS // 2 for row in rows):
            # The mean square of differences of order k is σ² (2k)!/(k!)².
            sizes = {order: math.factorial(order) ** 2 / math.factorial(2 * order) for order in ORDERS}
            noise = max(
                min(math.sqrt(size * float(np.mean(np.diff(row, order) ** 2))) for order, size in sizes.items()) for row in rows
            )
            break
    stairs = np.diff(np.unique(np.concatenate(computed)))
    return noise + (float(stairs.min()) if len(stairs) else 0.0)


def chord_across(function: Function, place: Array, direction: Array, low: float, high: float) -> Chord | None:
    """Search for a chord below f through a point along a direction; None if f exceeds no chord.

    Where f curves downwards along the direction v, f exceeds the chord from x − hv to x + hv by about ½ |vᵀ∇²f v| h². Several
    h are tried: for a small h, the excess is less than rounding, and for a large h, the curvature may have changed. The chord
    with the largest ratio of the excess to its error is returned.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        place: the point x, `(dimension,)`.
        direction: the direction v, `(dimension,)`.
        low: the lowest value of each coordinate.
        high: the highest value of each coordinate.
    """
    best = None
    for halving in range(1, HALVINGS):
        step = (high - low) * 2.0**-halving * direction
        first, second = np.clip(place - step, low, high), np.clip(place + step, low, high)
        chord = measured_chord(function, first, second, 0.5)
        if chord.refutes and (best is None or chord.excess / chord.rounding > best.excess / best.rounding):
            best = chord
    return best


def smallest_curvature(
    hessian: Function, low: float, high: float, dimension: int, tries: int, generator: np.random.Generator
) -> CurvatureSearch | None:  # fmt: skip
    """Search for the smallest eigenvalue of the Hessian in a box: at random points, and downhill from the lowest of them.

    The search downhill is a compass search, because the eigenvalue need not be smooth. A compass search takes steps along the
    axes, and halves the step when no axis leads down. In few dimensions, the corners of the box are tried too.

    Source: Kolda, Lewis and Torczon, Optimization by direct search, SIAM Review 45 (2003) 385-482.

    Args:
        hessian: ∇²f, `(points, dimension) -> (points, dimension, dimension)`.
        low: the lowest value of each coordinate.
        high: the highest value of each coordinate.
        dimension: the number of coordinates.
        tries: the number of random points.
        generator: the source of random numbers.

    Returns:
        The smallest eigenvalue found; None if no Hessian is finite.
    """
    points = generator.uniform(low, high, (tries, dimension))
    if dimension <= MOST_WITH_CORNERS:
        points = np.vstack([points, list(itertools.product((low, high), repeat=dimension))])
    sampled = smallest_eigenvalues(hessian, points)
    order = np.argsort(sampled, kind="stable")[:SEEDS]
    tried = len(points)
    best, place = float("inf"), points[0]
    for seed in order[np.isfinite(sampled[order])].tolist():
        found, where, computed = _compass_search(hessian, points[seed], float(sampled[seed]), low, high, generator)
        tried += computed
        if found < best:
            best, place = found, where
    if not np.isfinite(best):
        return None
    matrix = hessian(place[None])[0]
    direction = np.linalg.eigh(0.5 * matrix + 0.5 * matrix.T)[1][:, 0].astype(np.float64, copy=False)
    return CurvatureSearch(best, place, direction, tried, sampled)


def smallest_eigenvalues(hessian: Function, points: Array) -> Array:
    """Return the smallest eigenvalue at each point; infinite where the Hessian is not finite."""
    matrices = hessian(points)
    known = np.isfinite(matrices).all(axis=(-2, -1))
    smallest = np.full(len(points), np.inf)
    finite = matrices[known]
    smallest[known] = np.linalg.eigvalsh(0.5 * finite + 0.5 * finite.swapaxes(-2, -1))[:, 0] if len(finite) else 0.0
    return smallest


def _compass_search(
    hessian: Function, place: Array, value: float, low: float, high: float, generator: np.random.Generator
) -> tuple[float, Array, int]:  # fmt: skip
    """Return the eigenvalue and the point at which a compass search ends, and the number of Hessians that it computed."""
    step, computed, dimension = 0.1 * (high - low), 0, len(place)
    halvings = 0
    while halvings < HALVINGS:
        axes = np.eye(dimension)
        if 2 * dimension > MOST_NEIGHBOURS:
            axes = axes[generator.choice(dimension, MOST_NEIGHBOURS // 2, replace=False)]
        trials = np.clip(place + step * np.vstack([axes, -axes]), low, high)
        values = smallest_eigenvalues(hessian, trials)
        computed += len(trials)
        lowest = int(np.argmin(values))
        if values[lowest] < value:
            value, place = float(values[lowest]), trials[lowest]
        else:
            step *= 0.5
            halvings += 1
        if computed >= MOST_NEIGHBOURS * 4 * HALVINGS:
            break
    return value, place, computed

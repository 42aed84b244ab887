"""The search for evidence against convexity: chords that f rises above, and places where it curves downwards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
ROUNDINGS = 32.0
"""The relative error that computing f once is given, in units of ε."""
NEIGHBOURS = 9
SPACINGS = 10.0 ** -np.arange(14.0, 0.0, -1.0)
ORDERS = (3, 4, 5, 6)
"""Of the differences that noise is seen in."""
CHECKED = 32
"""How many of the chords that look like counterexamples are checked."""
SEEDS = 4
"""From how many of the points with the smallest curvature the search goes on."""
MOST_NEIGHBOURS = 40
SHORTEST = 3.0
"""The shortest chord tried is 10 to minus this, as a part of the box."""
HALVINGS = 26
MOST_WITH_CORNERS = 8
"""The largest dimension in which the corners of the box are tried."""

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Chord:
    """A chord, and how far f lies above it: f(z) − (λ f(x₁) + (1 − λ) f(x₂)) at z = λ x₁ + (1 − λ) x₂.

    Attributes:
        first: x₁, `(dimension,)`.
        second: x₂.
        weight: λ.
        excess: how far f(z) lies above the chord; above zero, f is not convex.
        rounding: what rounding may make of the excess, at most.
    """

    first: Array
    second: Array
    weight: float
    excess: float
    rounding: float

    @property
    def point(self) -> Array:
        """The point z at which f lies above the chord."""
        return self.weight * self.first + (1.0 - self.weight) * self.second

    @property
    def refutes(self) -> bool:
        """Whether the excess is more than rounding."""
        return self.excess > self.rounding


@dataclass(frozen=True)
class ChordSearch:
    """What a search over chords found.

    Attributes:
        worst: the one that lies furthest below f, beyond rounding; None if there is none.
        tried: how many chords.
        unknown: how many of them said nothing, because f is not finite on them.
        noisy: how many lie below f, but by no more than its noise; of the first that were checked.
    """

    worst: Chord | None
    tried: int
    unknown: int
    noisy: int


@dataclass(frozen=True)
class CurvatureSearch:
    """What a search for the smallest eigenvalue of the Hessian found.

    Attributes:
        smallest: the eigenvalue.
        place: where, `(dimension,)`.
        direction: its eigenvector.
        tried: at how many points a Hessian was computed.
        sampled: the smallest eigenvalue at random points, `(points,)`.
    """

    smallest: float
    place: Array
    direction: Array
    tried: int
    sampled: Array


def try_chords(
    function: Function, low: float, high: float, dimension: int, tries: int, generator: np.random.Generator
) -> ChordSearch:
    """Try the chord inequality f(λx₁ + (1 − λ)x₂) ≤ λf(x₁) + (1 − λ)f(x₂) on random pairs in a box, with random λ.

    Every other pair is independent and uniform; the others are neighbours, at distances spread evenly over three decades, for
    a narrow hump is seen by short chords alone.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        low: the lowest value of each coordinate.
        high: the highest.
        dimension: how many coordinates.
        tries: how many pairs.
        generator: of random numbers.
    """
    first = generator.uniform(low, high, (tries, dimension))
    second = generator.uniform(low, high, (tries, dimension))
    reach = 10.0 ** -generator.uniform(0.0, SHORTEST, (tries, 1))
    second[1::2] = first[1::2] + (reach * (second - first))[1::2]
    weight = generator.uniform(0.0, 1.0, tries)
    f_first, f_second = function(first), function(second)
    f_point = function(weight[:, None] * first + (1.0 - weight[:, None]) * second)
    excess = f_point - (weight * f_first + (1.0 - weight) * f_second)
    known = np.isfinite(excess)
    rounding = ROUNDINGS * EPSILON * (np.abs(f_point) + np.abs(f_first) + np.abs(f_second))
    suspects = np.flatnonzero(known & (excess > rounding))
    worst, noisy = None, 0
    for place in suspects[np.argsort(-excess[suspects], kind="stable")][:CHECKED].tolist():
        chord = measured_chord(function, first[place], second[place], float(weight[place]))
        if chord.refutes:
            worst = chord
            break
        noisy += 1
    return ChordSearch(worst, tries, int((~known).sum()), noisy)


def measured_chord(function: Function, first: Array, second: Array, weight: float) -> Chord:
    """Return how far f lies above one chord, and what rounding may make of that.

    Each of the three values of f is given an error of 32 ε|f|; to this come what f(z) changes by when z is moved by 4 ε of the
    larger end (so far the computed z may lie beside the chord), and eight times the noise that is seen in f along the chord.
    """
    point = weight * first + (1.0 - weight) * second
    moved = point + 4.0 * EPSILON * np.maximum(np.abs(first), np.abs(second)) * np.array([[0.0], [-1.0], [1.0]])
    f_first, f_second, *f_point = function(np.vstack([first, second, moved])).tolist()
    excess = f_point[0] - (weight * f_first + (1.0 - weight) * f_second)
    error = ROUNDINGS * EPSILON * (abs(f_point[0]) + abs(f_first) + abs(f_second)) + 2.0 * (max(f_point) - min(f_point))
    return Chord(first, second, weight, excess, error + 8.0 * noise_along(function, first, second))


def noise_along(function: Function, first: Array, second: Array) -> float:
    """Return the noise of f between two points: what is left of nine neighbouring values when a smooth function is taken away.

    Differences of order k of a smooth function fall with its spacing, those of independent noise of size σ have the mean square
    σ² (2k)!/(k!)². The spacing grows from rounding up to a tenth of the distance, until the values are not mostly the same. To
    this comes the smallest difference of any two values that are not the same: the height of a stair, where f is a staircase.

    Source: Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292-1314.

    Returns:
        The noise; infinite where f is not finite.
    """
    chord = second - first
    steps = np.arange(NEIGHBOURS)[:, None]
    seen = [function(np.stack([first, second]))]
    noise = 0.0
    for spacing in SPACINGS:
        # From both ends and from the middle, each inwards.
        starts = ((first, spacing), (second, -spacing), (first + (0.5 - 4.0 * spacing) * chord, spacing))
        points = np.vstack([start + signed * steps * chord for start, signed in starts])
        seen.append(function(points))
        if not np.isfinite(seen[-1]).all():
            return math.inf
        rows = seen[-1].reshape(len(starts), NEIGHBOURS)
        if all(len(np.unique(row)) > NEIGHBOURS // 2 for row in rows):
            noise = max(min(_noise(row, order) for order in ORDERS) for row in rows)
            break
    stairs = np.diff(np.unique(np.concatenate(seen)))
    return noise + (float(stairs.min()) if len(stairs) else 0.0)


def _noise(values: Array, order: int) -> float:
    differences = np.diff(values, order)
    scale = math.factorial(order) ** 2 / math.factorial(2 * order)
    return math.sqrt(scale * float(np.mean(differences**2)))


def chord_across(function: Function, place: Array, direction: Array, low: float, high: float) -> Chord | None:
    """Return the chord through a point along a direction that lies furthest below f, relative to rounding; None if none does.

    Where f curves downwards along the direction, f exceeds the chord from x − hv to x + hv by about ½ |vᵀ∇²f v| h². Several h are
    tried, since for small ones that is less than rounding, and for large ones f may have turned.
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
    """Look for the smallest eigenvalue of the Hessian in a box: at random points, and downhill from the lowest of them.

    Downhill is by a compass search (Kolda, Lewis and Torczon, SIAM Review 45 (2003) 385-482): steps along the axes, halved when
    none helps; the eigenvalue need not be smooth. With few coordinates the corners of the box are tried too.

    Args:
        hessian: ∇²f, `(points, dimension) -> (points, dimension, dimension)`.
        low: the lowest value of each coordinate.
        high: the highest.
        dimension: how many coordinates.
        tries: how many random points.
        generator: of random numbers.

    Returns:
        None if no Hessian is finite.
    """
    points = generator.uniform(low, high, (tries, dimension))
    if dimension <= MOST_WITH_CORNERS:
        points = np.vstack([points, list(itertools.product((low, high), repeat=dimension))])
    sampled = smallest_eigenvalues(hessian, points)
    order = np.argsort(sampled, kind="stable")[:SEEDS]
    tried = len(points)
    best, place = float("inf"), points[0]
    for seed in order[np.isfinite(sampled[order])].tolist():
        found, where, spent = _descend(hessian, points[seed], float(sampled[seed]), low, high, generator)
        tried += spent
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
    some = matrices[known]
    smallest[known] = np.linalg.eigvalsh(0.5 * some + 0.5 * some.swapaxes(-2, -1))[:, 0] if len(some) else 0.0
    return smallest


def _descend(
    hessian: Function, place: Array, value: float, low: float, high: float, generator: np.random.Generator
) -> tuple[float, Array, int]:  # fmt: skip
    """Return the eigenvalue and the point where the compass search ends, and how many Hessians it took."""
    step, spent, dimension = 0.1 * (high - low), 0, len(place)
    halvings = 0
    while halvings < HALVINGS:
        axes = np.eye(dimension)
        if 2 * dimension > MOST_NEIGHBOURS:
            axes = axes[generator.choice(dimension, MOST_NEIGHBOURS // 2, replace=False)]
        trials = np.clip(place + step * np.vstack([axes, -axes]), low, high)
        values = smallest_eigenvalues(hessian, trials)
        spent += len(trials)
        lowest = int(np.argmin(values))
        if values[lowest] < value:
            value, place = float(values[lowest]), trials[lowest]
        else:
            step *= 0.5
            halvings += 1
        if spent >= MOST_NEIGHBOURS * 4 * HALVINGS:
            break
    return value, place, spent

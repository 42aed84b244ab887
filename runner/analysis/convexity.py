"""The search for the smallest eigenvalue of the Hessian in a box."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

SEEDS = 4
"""The number of points from which the search continues downhill: the random points with the smallest curvature."""
MOST_NEIGHBOURS = 40
"""Largest number of neighbours that a step of the compass search tries."""
MOST_HESSIANS = 20_000
"""Largest number of Hessians."""
HALVINGS = 26
"""The number of times that the compass search halves its step."""
MOST_WITH_CORNERS = 8
"""The largest dimension in which the corners of the box are tried."""

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class CurvatureSearch:
    """The result of a search for the smallest eigenvalue of the Hessian.

    Attributes:
        smallest: the eigenvalue.
        place: the point with this eigenvalue, `(dimension,)`.
        direction: the eigenvector, `(dimension,)`.
        largest: the largest absolute eigenvalue at `place`.
        tried: the number of points at which a Hessian was computed.
        sampled: the smallest eigenvalue at each random point, `(points,)`.
    """

    smallest: float
    place: Array
    direction: Array
    largest: float
    tried: int
    sampled: Array


def smallest_curvature(
    hessian: Function,
    low: float,
    high: float,
    dimension: int,
    tries: int,
    generator: np.random.Generator,
    most: int = MOST_HESSIANS,
) -> CurvatureSearch | None:
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
        most: the number of Hessians after which the search downhill ends.

    Returns:
        The smallest eigenvalue found; None if no Hessian is finite.
    """
    points = generator.uniform(low, high, (tries, dimension))
    if dimension <= MOST_WITH_CORNERS:
        points = np.vstack([points, list(itertools.product((low, high), repeat=dimension))])
    sampled = smallest_eigenvalues(hessian, points)
    order = np.argsort(sampled, kind="stable")[:SEEDS]
    tried = len(points)
    share = (most - tried) // SEEDS
    best, place = float("inf"), points[0]
    for seed in order[np.isfinite(sampled[order])].tolist():
        found, where, computed = _compass_search(hessian, points[seed], float(sampled[seed]), low, high, generator, share)
        tried += computed
        if found < best:
            best, place = found, where
    if not np.isfinite(best):
        return None
    matrix = hessian(place[None])[0]
    eigenvalues, eigenvectors = np.linalg.eigh(0.5 * matrix + 0.5 * matrix.T)
    direction = eigenvectors[:, 0].astype(np.float64, copy=False)
    return CurvatureSearch(best, place, direction, float(np.abs(eigenvalues).max()), tried, sampled)


def smallest_eigenvalues(hessian: Function, points: Array) -> Array:
    """Return the smallest eigenvalue at each point; infinite where the Hessian is not finite."""
    matrices = hessian(points)
    known = np.isfinite(matrices).all(axis=(-2, -1))
    smallest = np.full(len(points), np.inf)
    finite = matrices[known]
    smallest[known] = np.linalg.eigvalsh(0.5 * finite + 0.5 * finite.swapaxes(-2, -1))[:, 0] if len(finite) else 0.0
    return smallest


def _compass_search(
    hessian: Function, place: Array, value: float, low: float, high: float, generator: np.random.Generator, most: int
) -> tuple[float, Array, int]:  # fmt: skip
    """Return the eigenvalue and the point at which a compass search ends, and the number of Hessians that it computed."""
    step, computed, dimension = 0.1 * (high - low), 0, len(place)
    halvings = 0
    while halvings < HALVINGS and computed < most:
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
    return value, place, computed

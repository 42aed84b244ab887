"""The search for kinks and jumps of a function, from its values alone.

A kink is a point where the slopes on both sides still differ at a spacing of 1e-8. At a jump, the values on
both sides still differ at that spacing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

SPACINGS = (1e-4, 1e-6, 1e-8)
"""Distances from the point, in units of max(1, |xᵢ|)."""
LEAST_SHARES = np.array([[0.5], [0.9]])
"""The share of the jump that must be left at a kink, for each of the two times that the spacing shrinks by a factor of 100.

For a smooth f, the jump is h f″, so 1/100 of it is left. For |x|ᵖ with p > 1, 100¹⁻ᵖ is left. The limit is lower for the first
change of spacing, because curvature next to a kink changes the jump at the larger spacings."""
ROUNDING = 100.0 * float(np.finfo(np.float64).eps)
"""The assumed relative error of a value of f."""


@dataclass(frozen=True)
class Kink:
    """A coordinate along which f seems to have no derivative.

    Attributes:
        coordinate: the number of the coordinate, from 0.
        jump: the slope on its upper side minus the slope on its lower side.
    """

    coordinate: int
    jump: float


@dataclass(frozen=True)
class Jump:
    """A coordinate along which f seems to be discontinuous.

    Attributes:
        coordinate: the number of the coordinate, from 0.
        height: f on its upper side minus f on its lower side, at the smallest spacing.
    """

    coordinate: int
    height: float


def jumps_of(values: Callable[[Array], Array], x: Array) -> tuple[Jump, ...]:
    """Return the jumps of f at a point, along each coordinate.

    The difference f(x + h) − f(x − h) is proportional to h where f is smooth. A jump is reported if it stays the same within a
    tenth over all `SPACINGS`, and exceeds rounding.

    Args:
        values: f at many points, `(points, dimension) -> (points,)`.
        x: the point, `(dimension,)`.
    """
    offsets = (np.array(SPACINGS)[:, None] * np.maximum(1.0, np.abs(x)))[:, :, None] * np.eye(len(x))
    points = np.concatenate([(x + offsets).reshape(-1, len(x)), (x - offsets).reshape(-1, len(x))])
    with np.errstate(all="ignore"):
        sides = values(points).reshape(2, len(SPACINGS), len(x))
        heights = sides[0] - sides[1]
        noise = ROUNDING * np.abs(sides).max(axis=(0, 1))
        steady = np.ptp(heights, axis=0) <= 0.1 * np.abs(heights).min(axis=0)
        jumped = steady & (np.abs(heights[-1]) > noise) & np.isfinite(heights).all(axis=0)
    return tuple(Jump(place, float(heights[-1, place])) for place in np.flatnonzero(jumped).tolist())


def kinks_of(values: Callable[[Array], Array], x: Array) -> tuple[Kink, ...]:
    """Return the kinks of f at a point, along each coordinate.

    The slopes on both sides are (f(x + h) − f(x))/h and (f(x) − f(x − h))/h. Their difference is h f″ where f is smooth, and the
    jump of the slope where f has a kink. A kink is reported if the difference exceeds rounding, and stays about the same over all
    `SPACINGS`, as `LEAST_SHARES` requires.

    A function that bends within the smallest spacing, such as √(x² + 1e-20), cannot be distinguished from one with a kink.

    Args:
        values: f at many points, `(points, dimension) -> (points,)`.
        x: the point, `(dimension,)`.
    """
    unit = np.maximum(1.0, np.abs(x))
    steps = np.array(SPACINGS)[:, None] * unit
    offsets = steps[:, :, None] * np.eye(len(x))
    points = np.concatenate([x[None], (x + offsets).reshape(-1, len(x)), (x - offsets).reshape(-1, len(x))])
    with np.errstate(all="ignore"):
        computed = values(points)
        middle, sides = computed[0], computed[1:].reshape(2, len(SPACINGS), len(x))
        jumps = (sides[0] - middle + (sides[1] - middle)) / steps
        size = np.abs(jumps)
        noise = ROUNDING * np.maximum(np.abs(sides).max(axis=0), np.abs(middle)) / steps
        steady = (size[1:] >= LEAST_SHARES * size[:-1]) & (size[1:] <= size[:-1] / LEAST_SHARES) & (jumps[1:] * jumps[:-1] > 0)
        kinked = steady.all(axis=0) & (size > noise).all(axis=0) & np.isfinite(jumps).all(axis=0)
        # The contribution of curvature is proportional to the spacing, so it is extrapolated to zero.
        jump = jumps[1] - (jumps[0] - jumps[1]) * SPACINGS[1] / (SPACINGS[0] - SPACINGS[1])
    return tuple(Kink(place, float(jump[place])) for place in np.flatnonzero(kinked).tolist())

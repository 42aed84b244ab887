"""Where a function has a kink: its slopes on either side stay apart, however near they are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.rowwise import Array

SPACINGS = (1e-4, 1e-6, 1e-8)
"""How near, in units of max(1, |xᵢ|)."""
STEADY = 0.5
"""How much of the jump must be left at the next spacing, a hundredth: of a smooth f, whose jump is h f″, a hundredth is."""
ROUNDING = 100.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Kink:
    """A coordinate along which f has no derivative.

    Attributes:
        coordinate: which, from 0.
        jump: the slope on its upper side minus that on its lower side.
    """

    coordinate: int
    jump: float


def kinks_of(values: Callable[[Array], Array], x: Array) -> tuple[Kink, ...]:
    """Look for kinks of f at a point, along each coordinate.

    The slopes on either side, (f(x + h) − f(x))/h and (f(x) − f(x − h))/h, differ by h f″ where f is smooth, and by their jump
    where it has a kink. It has one where that difference is the same within half at all `SPACINGS`, and beyond rounding.

    Args:
        values: f at many points, `(points, dimension) -> (points,)`.
        x: the point, `(dimension,)`.
    """
    unit = np.maximum(1.0, np.abs(x))
    steps = np.array(SPACINGS)[:, None] * unit
    offsets = steps[:, :, None] * np.eye(len(x))
    points = np.concatenate([x[None], (x + offsets).reshape(-1, len(x)), (x - offsets).reshape(-1, len(x))])
    with np.errstate(all="ignore"):
        found = values(points)
        middle, sides = found[0], found[1:].reshape(2, len(SPACINGS), len(x))
        jumps = (sides[0] - middle + (sides[1] - middle)) / steps
        size = np.abs(jumps)
        noise = ROUNDING * np.maximum(np.abs(sides).max(axis=0), np.abs(middle)) / steps
        steady = (size[1:] >= STEADY * size[:-1]) & (size[1:] <= size[:-1] / STEADY) & (jumps[1:] * jumps[:-1] > 0)
        kinked = steady.all(axis=0) & (size > noise).all(axis=0) & np.isfinite(jumps).all(axis=0)
        # What curvature adds is proportional to the spacing, and so can be taken off.
        jump = jumps[1] - (jumps[0] - jumps[1]) * SPACINGS[1] / (SPACINGS[0] - SPACINGS[1])
    return tuple(Kink(place, float(jump[place])) for place in np.flatnonzero(kinked).tolist())

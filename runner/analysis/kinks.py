"""Where a function has a kink, as far as its values tell: its slopes on either side stay apart down to a spacing of 1e-8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

SPACINGS = (1e-4, 1e-6, 1e-8)
"""How near, in units of max(1, |xᵢ|)."""
STEADY = np.array([[0.5], [0.9]])
"""How much of the jump must be left at the next spacing, a hundredth: of a smooth f, whose jump is h f″, a hundredth is. Of
|x|ᵖ with p > 1 it is 100¹⁻ᵖ at every one, where curvature beside a true kink has died away at the last."""
ROUNDING = 100.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Kink:
    """A coordinate along which f looks as if it had no derivative.

    Attributes:
        coordinate: which, from 0.
        jump: the slope on its upper side minus that on its lower side.
    """

    coordinate: int
    jump: float


def kinks_of(values: Callable[[Array], Array], x: Array) -> tuple[Kink, ...]:
    """Look for kinks of f at a point, along each coordinate.

    The slopes on either side, (f(x + h) − f(x))/h and (f(x) − f(x − h))/h, differ by h f″ where f is smooth, and by their jump
    where it has a kink. It counts as one where that difference stays the same over all `SPACINGS`, within a tenth at the last,
    and is beyond rounding; what bends within the smallest, as √(x² + 1e-20) does, cannot be told from it.

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

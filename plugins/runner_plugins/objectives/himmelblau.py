"""Himmelblau's function: four equally deep valleys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, LeastSquares, Minimum, Objective, hookimpl


@dataclass(frozen=True)
class Himmelblau(LeastSquares):
    """f(x, y) = (x² + y − 11)² + (x + y² − 7)², for any real x and y.

    It has four minima, all with f = 0, and no other local minima: (3, 2), (−2.805118…, 3.131312…), (−3.779310…, −3.283186…) and
    (3.584428…, −1.848126…). Between them lie four saddles and one maximum, f(−0.270845…, −0.923039…) = 181.616522….

    It is the sum of the squares of the residuals x² + y − 11 and x + y² − 7.

    Source: Himmelblau, Applied Nonlinear Programming (1972); Jamil and Yang (2013), arXiv:1308.4008.
    """

    @property
    def dimension(self) -> int:
        """The number of coordinates, 2."""
        return 2

    @property
    def minimum(self) -> Minimum:
        """f(3, 2) = 0, one of the four minima."""
        return Minimum(np.array([3.0, 2.0]), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −5 to 5."""
        return -5.0, 5.0

    def residuals(self, x: Array) -> Array:
        """Return x² + y − 11 and x + y² − 7."""
        residuals: Array = x.__array_namespace__().stack(_residuals(x), axis=-1)
        return residuals

    def jacobian(self, x: Array) -> Array:
        """Return the rows (2x, 1) and (1, 2y)."""
        one, two = x[..., 0], x[..., 1]
        return _matrix(2.0 * one, x.__array_namespace__().ones_like(one), 2.0 * two)

    def value(self, x: Array) -> Array:
        """Return the sum of the two squares."""
        r, s = _residuals(x)
        return r * r + s * s

    def gradient(self, x: Array) -> Array:
        """Return 4x (x² + y − 11) + 2 (x + y² − 7) and 2 (x² + y − 11) + 4y (x + y² − 7)."""
        return _slope(x, *_residuals(x))

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share the residuals."""
        r, s = _residuals(x)
        return r * r + s * s, _slope(x, r, s)

    def hessian(self, x: Array) -> Array:
        """Return 12x² + 4y − 42 and 12y² + 4x − 26 on the diagonal, and 4x + 4y off the diagonal."""
        one, two = x[..., 0], x[..., 1]
        first = 12.0 * one * one + 4.0 * two - 42.0
        second = 12.0 * two * two + 4.0 * one - 26.0
        return _matrix(first, 4.0 * (one + two), second)


def _slope(x: Array, r: Array, s: Array) -> Array:
    slope: Array = 2.0 * x.__array_namespace__().stack([2.0 * x[..., 0] * r + s, r + 2.0 * x[..., 1] * s], axis=-1)
    return slope


def _residuals(x: Array) -> tuple[Array, Array]:
    one, two = x[..., 0], x[..., 1]
    return one * one + two - 11.0, one + two * two - 7.0


def _matrix(first: Array, mixed: Array, second: Array) -> Array:
    """Return the symmetric matrix with these entries for each run, `(runs, 2, 2)`."""
    xp = first.__array_namespace__()
    rows = [xp.stack([first, mixed], axis=-1), xp.stack([mixed, second], axis=-1)]
    matrix: Array = xp.stack(rows, axis=-2)
    return matrix


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer Himmelblau's function."""
    return {"himmelblau": Himmelblau}

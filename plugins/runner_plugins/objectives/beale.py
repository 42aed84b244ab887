"""Beale's function: a flat, curved valley between steep corners, and a second valley that leads to infinity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, LeastSquares, Minimum, Objective, hookimpl


@dataclass(frozen=True)
class Beale(LeastSquares):
    """f(x, y) = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)², for any real x and y.

    Its minimum is f(3, 0.5) = 0. At (0, 1) there is a saddle, of height 14.203125. Beyond it, a valley leads to infinity: where
    x → −∞ and y → 1 with x (1 − y) = 111/112, f decreases towards 0.452. Descent that starts with x < 0 and y > 1 may follow it.

    It is a sum of squares, of the residuals rₖ = cₖ − x (1 − yᵏ), k = 1, 2, 3.

    Source: Beale, On an iterative method for finding a local minimum of a function of more than one variable, Technical Report
    25, Statistical Techniques Research Group, Princeton University (1958); Moré, Garbow and Hillstrom, Testing unconstrained
    optimization software, ACM TOMS 7 (1981) 17-41, doi:10.1145/355934.355936, number 5.
    """

    @property
    def dimension(self) -> int:
        """The number of coordinates, 2."""
        return 2

    @property
    def minimum(self) -> Minimum:
        """f(3, 0.5) = 0."""
        return Minimum(np.array([3.0, 0.5]), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −4.5 to 4.5."""
        return -4.5, 4.5

    def residuals(self, x: Array) -> Array:
        """Return cₖ − x (1 − yᵏ)."""
        residuals: Array = x.__array_namespace__().stack(_residuals(x), axis=-1)
        return residuals

    def jacobian(self, x: Array) -> Array:
        """Return ∂rₖ/∂x = yᵏ − 1 and ∂rₖ/∂y = k x yᵏ⁻¹."""
        xp, one, two = x.__array_namespace__(), x[..., 0], x[..., 1]
        square = two * two
        along = xp.stack([two - 1.0, square - 1.0, square * two - 1.0], axis=-1)
        across = xp.stack([one, 2.0 * one * two, 3.0 * one * square], axis=-1)
        jacobian: Array = xp.stack([along, across], axis=-1)
        return jacobian

    def value(self, x: Array) -> Array:
        """Return Σ rₖ²."""
        return _squares(*_residuals(x))

    def gradient(self, x: Array) -> Array:
        """Return 2 Σ rₖ (yᵏ − 1) and 2x Σ rₖ k yᵏ⁻¹."""
        return _slope(x, *_residuals(x))

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share the residuals."""
        residuals = _residuals(x)
        return _squares(*residuals), _slope(x, *residuals)

    def hessian(self, x: Array) -> Array:
        """Return 2 Σ (∇rₖ ∇rₖᵀ + rₖ ∇²rₖ)."""
        xp, one, two = x.__array_namespace__(), x[..., 0], x[..., 1]
        r, s, t = _residuals(x)
        square = two * two
        a, b, c = two - 1.0, square - 1.0, square * two - 1.0
        first = a * a + b * b + c * c
        # Since ∂²rₖ/∂x∂y = k yᵏ⁻¹ is ∂rₖ/∂y over x, both terms have it as a factor.
        mixed = one * a + r + 2.0 * two * (one * b + s) + 3.0 * square * (one * c + t)
        second = one * (one * (1.0 + square * (4.0 + 9.0 * square)) + 2.0 * s + 6.0 * two * t)
        rows = [xp.stack([first, mixed], axis=-1), xp.stack([mixed, second], axis=-1)]
        hessian: Array = 2.0 * xp.stack(rows, axis=-2)
        return hessian


def _residuals(x: Array) -> tuple[Array, Array, Array]:
    one, two = x[..., 0], x[..., 1]
    square = two * two
    return 1.5 + one * (two - 1.0), 2.25 + one * (square - 1.0), 2.625 + one * (square * two - 1.0)


def _squares(r: Array, s: Array, t: Array) -> Array:
    return r * r + s * s + t * t


def _slope(x: Array, r: Array, s: Array, t: Array) -> Array:
    one, two = x[..., 0], x[..., 1]
    square = two * two
    along = r * (two - 1.0) + s * (square - 1.0) + t * (square * two - 1.0)
    across = one * (r + 2.0 * s * two + 3.0 * t * square)
    slope: Array = 2.0 * x.__array_namespace__().stack([along, across], axis=-1)
    return slope


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer Beale's function."""
    return {"beale": Beale}

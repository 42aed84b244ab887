"""The Styblinski-Tang function: two wells for each coordinate, one of them deeper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter

NEWTON_STEPS = 5
"""From −3, three reach rounding."""


@dataclass(frozen=True)
class StyblinskiTang(Objective):
    """f(x) = ½ Σ (xᵢ⁴ − 16 xᵢ² + 5 xᵢ), for any real x; usually with |xᵢ| ≤ 5.

    f is a sum over coordinates. The term of a coordinate has minima at two of the roots of 4t³ − 32t + 5: the global minimum at
    t = −2.903534…, of height −39.166165…, and a local one at t = 2.746802…, of height −25.029446…. It has a maximum at the third
    root, t = 0.156731…. So f has 2^d minima and 3^d stationary points, and its smallest value is d · (−39.166165…).

    Source: Styblinski and Tang, Experiments in nonconvex optimization: stochastic approximation with function smoothing and
    simulated annealing, Neural Networks 3 (1990) 467-483, doi:10.1016/0893-6080(90)90029-K; Jamil and Yang (2013),
    arXiv:1308.4008.
    """

    dimension: int = parameter(2, at_least=1, doc="number of coordinates, d")

    @property
    def minimum(self) -> Minimum:
        """The global minimum, to rounding: the root of f′, by Newton's method from −3."""
        root = -3.0
        for _ in range(NEWTON_STEPS):
            root -= (4.0 * root**3 - 32.0 * root + 5.0) / (12.0 * root**2 - 32.0)
        x = np.full(self.dimension, root)
        return Minimum(x, float(self.value(x[None])[0]))

    @property
    def start_region(self) -> tuple[float, float]:
        """From −5 to 5."""
        return -5.0, 5.0

    def value(self, x: Array) -> Array:
        """Return ½ Σ (xᵢ⁴ − 16 xᵢ² + 5 xᵢ)."""
        square = x * x
        total: Array = x.__array_namespace__().vecdot(np.full(self.dimension, 0.5), (square - 16.0) * square + 5.0 * x)
        return total

    def gradient(self, x: Array) -> Array:
        """Return 2 xᵢ³ − 16 xᵢ + 5/2."""
        return (2.0 * x * x - 16.0) * x + 2.5

    def hessian(self, x: Array) -> Array:
        """Return 6 xᵢ² − 16 on the diagonal."""
        diagonal = 6.0 * x * x - 16.0
        hessian: Array = x.__array_namespace__().where(np.eye(self.dimension, dtype=bool), diagonal[..., None], 0.0)
        return hessian


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer the Styblinski-Tang function."""
    return {"styblinski_tang": StyblinskiTang}

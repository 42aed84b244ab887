"""Rastrigin's function: a bowl covered with regularly spaced pits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter


@dataclass(frozen=True)
class Rastrigin(Objective):
    """f(x) = A d + Σ (xᵢ² − A cos(2πxᵢ)), for any real x; usually with A = 10 and |xᵢ| ≤ 5.12.

    Its minimum is f(0) = 0. f is a sum over coordinates. Along each coordinate, f has a local minimum near every whole number
    from about −πA to πA. These minima are a little nearer to 0 than the whole numbers, where xᵢ + πA sin(2πxᵢ) = 0. So with
    A = 10 there are 11^d local minima within |xᵢ| ≤ 5.12. f is convex if and only if A ≤ 1/(2π²) = 0.0507.

    f is computed as Σ (xᵢ² + 2A sin²(πxᵢ)), in which nothing cancels.

    Source: Rastrigin, Systems of Extremal Control (1974, in Russian), for two coordinates; Mühlenbein, Schomisch and Born, The
    parallel genetic algorithm as function optimizer, Parallel Computing 17 (1991) 619-632, doi:10.1016/S0167-8191(05)80052-3.
    """

    dimension: int = parameter(2, at_least=1, doc="number of coordinates, d")
    amplitude: float = parameter(10.0, at_least=0, doc="depth of the pits, A; half the height from pit to rim")

    @property
    def minimum(self) -> Minimum:
        """f(0) = 0."""
        return Minimum(np.zeros(self.dimension), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −5.12 to 5.12."""
        return -5.12, 5.12

    def value(self, x: Array) -> Array:
        """Return Σ (xᵢ² + 2A sin²(πxᵢ))."""
        xp = x.__array_namespace__()
        ripple = xp.sin(math.pi * x)
        total: Array = xp.vecdot(np.ones(self.dimension), x * x + 2.0 * self.amplitude * ripple * ripple)
        return total

    def gradient(self, x: Array) -> Array:
        """Return 2xᵢ + 2πA sin(2πxᵢ)."""
        sin = x.__array_namespace__().sin
        slope: Array = 2.0 * x + 2.0 * math.pi * self.amplitude * sin(2.0 * math.pi * x)
        return slope

    def hessian(self, x: Array) -> Array:
        """Return 2 + 4π²A cos(2πxᵢ) on the diagonal."""
        xp = x.__array_namespace__()
        diagonal = 2.0 + 4.0 * math.pi**2 * self.amplitude * xp.cos(2.0 * math.pi * x)
        hessian: Array = xp.where(np.eye(self.dimension, dtype=bool), diagonal[..., None], 0.0)
        return hessian


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer Rastrigin's function."""
    return {"rastrigin": Rastrigin}

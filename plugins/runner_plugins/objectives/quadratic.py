"""The quadratic bowl, on which the theory of gradient descent is exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter


@dataclass(frozen=True)
class Quadratic(Objective):
    """f(x) = Σ λᵢ xᵢ², with λᵢ = κ^((i−1)/(d−1)) for i = 1 … d: log-spaced from 1 to the condition number κ.

    Its Hessian is 2 diag(λ), and its minimum is f(0) = 0. With d = 1, f(x) = x², and the iterates of gradient descent with
    learning rate γ are xₖ = (1 − 2γ)ᵏ x₀: they converge if and only if 0 < γ < 1. In d dimensions the limit is γ < 1/κ. The best
    fixed learning rate, γ = 1/(1 + κ), multiplies the error by (κ − 1)/(κ + 1) in each step.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 2.1.4.
    """

    dimension: int = parameter(1, at_least=1, doc="number of coordinates, d")
    condition_number: float = parameter(1.0, at_least=1, doc="largest over smallest curvature, κ")

    def validate(self) -> None:
        """Refuse a condition number for a single coordinate, which has only one curvature."""
        if self.dimension == 1 and self.condition_number != 1:
            raise ValueError(
                f"condition_number = {self.condition_number:g} needs dimension >= 2: "
                "with dimension = 1 there is one curvature, so condition_number must be 1"
            )

    @property
    def minimum(self) -> Minimum:
        """f(0) = 0."""
        return Minimum(np.zeros_like(self._curvatures), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −3 to 3."""
        return -3.0, 3.0

    @property
    def curvature_bounds(self) -> tuple[float, float | Array]:
        """2 and 2κ."""
        return 2.0, 2.0 * self._curvatures[..., -1]

    def value(self, x: Array) -> Array:
        """Return Σ λᵢ xᵢ²."""
        total: Array = x.__array_namespace__().vecdot(self._curvatures, x * x)
        return total

    def gradient(self, x: Array) -> Array:
        """Return 2 λᵢ xᵢ."""
        return 2.0 * self._curvatures * x

    def hessian(self, x: Array) -> Array:
        """Return 2 diag(λ)."""
        diagonal = 2.0 * self._curvatures[..., None] * np.eye(self.dimension)
        return np.broadcast_to(diagonal, (*x.shape, self.dimension))

    @cached_property
    def _curvatures(self) -> Array:
        """λ, `(dimension,)`; `(runs, dimension)` where κ is swept."""
        exponents = np.linspace(0.0, 1.0, self.dimension)
        powers: Array = self.condition_number**exponents
        return powers


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer the quadratic bowl."""
    return {"quadratic": Quadratic}

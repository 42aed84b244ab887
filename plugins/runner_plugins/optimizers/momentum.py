"""Gradient descent with heavy-ball momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class Momentum(Optimizer):
    """vₖ₊₁ = β vₖ + ∇f(xₖ), xₖ₊₁ = xₖ − γ vₖ₊₁, from v₀ = 0, with the learning rate γ and the momentum β.

    This is the heavy ball, xₖ₊₁ = xₖ − γ ∇f(xₖ) + β (xₖ − xₖ₋₁). On a quadratic whose curvatures lie between μ and L, it
    converges if and only if γ < 2 (1 + β)/L. The best choice is γ = (2/(√L + √μ))² and β = ((√κ − 1)/(√κ + 1))² with κ = L/μ.
    Each step then multiplies the error by √β in the long run: after k steps it is of the order k √βᵏ. With β = 0 this is
    gradient descent. The iterates are those of `optax.sgd(γ, momentum=β)`.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """

    learning_rate: float = parameter(0.1, above=0, doc="step size for a gradient of length 1, γ")
    momentum: float = parameter(0.9, at_least=0, below=1, doc="the fraction of the velocity that is kept, β")

    def init(self, x: Array) -> Memory:
        """Return a velocity of 0."""
        return np.zeros_like(x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ v, and v."""
        velocity = self.momentum * memory + point.gradient
        return point.x - self.learning_rate * velocity, velocity


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer gradient descent with momentum."""
    return {"momentum": Momentum}

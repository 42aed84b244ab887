"""Gradient descent with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """vₖ₊₁ = β vₖ + ∇f(xₖ), xₖ₊₁ = xₖ − γ (∇f(xₖ) + β vₖ₊₁), from v₀ = 0, with the learning rate γ and the momentum β.

    With yₖ = xₖ + γβ vₖ, this is Nesterov's method with constant momentum, yₖ₊₁ = xₖ − γ ∇f(xₖ) and xₖ₊₁ = yₖ₊₁ + β (yₖ₊₁ − yₖ):
    the iterates xₖ are the look-ahead points at which the gradient is evaluated. On a quadratic whose curvatures lie between μ
    and L, choose γ = 1/L and β = (√κ − 1)/(√κ + 1) with κ = L/μ. In the long run, each step then multiplies the error by
    q = 1 − 1/√κ: after k steps it is of the order k qᵏ. With β = 0 this is gradient descent. The iterates are those of
    `optax.sgd(γ, momentum=β, nesterov=True)`.

    Source: Nesterov, A method for solving the convex programming problem with convergence rate O(1/k²) (1983); Sutskever,
    Martens, Dahl and Hinton, On the importance of initialization and momentum in deep learning (ICML 2013), for this form.
    """

    learning_rate: float = parameter(0.1, above=0, doc="step size for a gradient of length 1, γ")
    momentum: float = parameter(0.9, at_least=0, below=1, doc="the fraction of the velocity that is kept, β")

    def init(self, x: Array) -> Memory:
        """Return a velocity of 0."""
        return np.zeros_like(x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ (∇f(x) + β v), and v."""
        gradient = point.gradient
        velocity = self.momentum * memory + gradient
        return point.x - self.learning_rate * (gradient + self.momentum * velocity), velocity


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer gradient descent with Nesterov's momentum."""
    return {"nesterov": Nesterov}

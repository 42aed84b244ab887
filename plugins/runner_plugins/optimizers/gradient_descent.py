"""Gradient descent with a fixed learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """xₖ₊₁ = xₖ − γ ∇f(xₖ), with the learning rate γ.

    Where ∇f has Lipschitz constant L, f decreases at every step from a point with ∇f ≠ 0 if 0 < γ < 2/L. On f(x) = x², where
    L = 2, the iterates are (1 − 2γ)ᵏ x₀.

    Source: Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées (1847); Nesterov, Introductory
    Lectures on Convex Optimization (2004), section 1.2.3.
    """

    learning_rate: float = parameter(0.1, above=0, doc="step size for a gradient of length 1, γ")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ ∇f(x)."""
        return point.x - self.learning_rate * point.gradient, memory


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer gradient descent."""
    return {"gradient_descent": GradientDescent}

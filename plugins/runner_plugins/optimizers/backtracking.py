"""Gradient descent with a backtracking line search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner import Array, Memory, Optimizer, Point, armijo, hookimpl, parameter


@dataclass(frozen=True)
class Backtracking(Optimizer):
    """xₖ₊₁ = xₖ − α ∇f(xₖ), with the first α of γ, γσ, γσ², … for which f(xₖ₊₁) ≤ f(xₖ) − c₁ α ‖∇f(xₖ)‖² (Armijo's rule).

    So f decreases at every step that moves, whatever the learning rate γ is. Where ∇f has Lipschitz constant L, every
    α ≤ 2 (1 − c₁)/L is accepted. Each run searches for itself, and each α that it tries costs one evaluation of f. A run that
    finds no α within `max_trials` stays where it is.

    Source: Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966); Nocedal and Wright,
    Numerical Optimization, 2nd ed., section 3.1.
    """

    learning_rate: float = parameter(1.0, above=0, doc="first step size that is tried, for a gradient of length 1, γ")
    c1: float = parameter(1e-4, above=0, below=1, doc="smallest accepted fraction of the decrease that the slope predicts, c₁")
    shrink: float = parameter(0.5, above=0, below=1, doc="factor for the step size after each rejected trial, σ")
    max_trials: int = parameter(50, at_least=1, doc="largest number of step sizes that are tried")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − α ∇f(x)."""
        return armijo(point, -point.gradient, self.learning_rate, self.c1, self.shrink, self.max_trials), memory


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer gradient descent with backtracking."""
    return {"backtracking": Backtracking}

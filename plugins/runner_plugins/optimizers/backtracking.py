"""Gradient descent that searches for its step size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner import Array, Memory, Optimizer, Point, armijo, hookimpl, parameter


@dataclass(frozen=True)
class Backtracking(Optimizer):
    """xₖ₊₁ = xₖ − α ∇f(xₖ), with the first α of γ, γσ, γσ², … for which f(xₖ₊₁) ≤ f(xₖ) − c₁ α ‖∇f(xₖ)‖² (Armijo's rule).

    So f falls at every step that moves, whatever the learning rate γ; where ∇f has Lipschitz constant L, every
    α ≤ 2 (1 − c₁)/L will do. Each run searches for itself, and pays one evaluation of f for each α it tries. A run that finds
    none within `max_trials` stays where it is.

    Source: Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966); Nocedal and Wright,
    Numerical Optimization, 2nd ed., section 3.1.
    """

    learning_rate: float = parameter(1.0, above=0, doc="how far to go for a gradient of length 1 in the first trial, γ")
    c1: float = parameter(1e-4, above=0, below=1, doc="the fraction of the decrease promised by the slope that is enough, c₁")
    shrink: float = parameter(0.5, above=0, below=1, doc="what the step size is multiplied by after a trial in vain, σ")
    max_trials: int = parameter(50, at_least=1, doc="how many step sizes are tried at most")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − α ∇f(x)."""
        return armijo(point, -point.gradient, self.learning_rate, self.c1, self.shrink, self.max_trials), memory


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer gradient descent with backtracking."""
    return {"backtracking": Backtracking}

"""RMSProp: gradients in units of their recent root mean square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """vₖ₊₁ = ρ vₖ + (1 − ρ) gₖ², xₖ₊₁ = xₖ − γ gₖ/√(vₖ₊₁ + ε), with gₖ = ∇f(xₖ), the decay ρ and the learning rate γ.

    All of it coordinate by coordinate, from v₀ = 0. Once v has caught up with a gradient that keeps its size, a step is of
    length γ in each coordinate, whatever that size, as long as it is far above √ε; the first step is longer, γ/√(1 − ρ). So
    with a fixed γ the iterates mostly do not settle, but end up jumping about the minimum by about γ. The conventions, ε
    within the root and no correction of v₀ = 0 among them, and so the iterates are those of `optax.rmsprop(γ, decay, eps)`.

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, COURSERA: Neural networks for machine learning (2012).
    """

    learning_rate: float = parameter(0.001, above=0, doc="how far a coordinate goes while its gradient keeps its size, γ")
    decay: float = parameter(0.9, at_least=0, below=1, doc="the fraction of the mean square that is kept, ρ")
    epsilon: float = parameter(1e-8, above=0, doc="what keeps the root from 0, ε")

    def init(self, x: Array) -> Memory:
        """Return the mean squares of the gradients."""
        return np.zeros_like(x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ g/√(v + ε), and v."""
        gradient = point.gradient
        mean_square = self.decay * memory + (1.0 - self.decay) * (gradient * gradient)
        return point.x - self.learning_rate * gradient / np.sqrt(mean_square + self.epsilon), mean_square


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer RMSProp."""
    return {"rmsprop": RMSProp}

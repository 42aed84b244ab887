"""RMSProp: steps along the gradient divided by its recent root mean square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """vₖ₊₁ = ρ vₖ + (1 − ρ) gₖ², xₖ₊₁ = xₖ − γ gₖ/√(vₖ₊₁ + ε), with gₖ = ∇f(xₖ), the decay ρ and the learning rate γ.

    Each coordinate is treated alone, and v₀ = 0. If a gradient keeps its size for a long time, each coordinate moves by γ in a
    step. This holds for every size that is far above √ε. The first step is longer, γ/√(1 − ρ). With a fixed γ, the iterates
    usually do not settle, but jump around the minimum by about γ. The iterates are those of `optax.rmsprop(γ, decay, eps)`,
    which has the same conventions: ε is within the root, and v₀ = 0 is not corrected.

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, COURSERA: Neural networks for machine learning (2012).
    """

    learning_rate: float = parameter(0.001, above=0, doc="step size of a coordinate while its gradient keeps its size, γ")
    decay: float = parameter(0.9, at_least=0, below=1, doc="the fraction of the mean square that is kept, ρ")
    epsilon: float = parameter(1e-8, above=0, doc="constant that keeps the root above 0, ε")

    def init(self, x: Array) -> Memory:
        """Return the mean squares of the gradients, which start at 0."""
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

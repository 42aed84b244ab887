"""Adam: steps along a mean of the gradients divided by their root mean square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


class Moments(NamedTuple):
    """The memory of Adam.

    Attributes:
        mean: the mean of the gradients, m, `(runs, dimension)`.
        mean_square: the mean of their squares, v, `(runs, dimension)`.
        power1: β₁ᵏ, `(runs, 1)`.
        power2: β₂ᵏ, `(runs, 1)`.
    """

    mean: Array
    mean_square: Array
    power1: Array
    power2: Array


@dataclass(frozen=True)
class Adam(Optimizer):
    """xₖ₊₁ = xₖ − γ m̂/(√v̂ + ε), with m̂ = mₖ₊₁/(1 − β₁ᵏ⁺¹), v̂ = vₖ₊₁/(1 − β₂ᵏ⁺¹) and the learning rate γ.

    Each coordinate is treated alone. The means m of gₖ = ∇f(xₖ) and v of its square start at 0:

        mₖ₊₁ = β₁ mₖ + (1 − β₁) gₖ        vₖ₊₁ = β₂ vₖ + (1 − β₂) gₖ²

    While a gradient keeps its size, each coordinate moves by γ in a step. This holds for every size that is far above ε.
    The iterates are those of `optax.adam(γ, b1, b2, eps)`, which has the same conventions; for example, ε is outside the root.

    Source: Kingma and Ba, Adam: A method for stochastic optimization (ICLR 2015), algorithm 1.
    """

    learning_rate: float = parameter(0.001, above=0, doc="step size of a coordinate while its gradient keeps its size, γ")
    beta1: float = parameter(0.9, at_least=0, below=1, doc="the fraction of the mean gradient that is kept, β₁")
    beta2: float = parameter(0.999, at_least=0, below=1, doc="the fraction of the mean square that is kept, β₂")
    epsilon: float = parameter(1e-8, above=0, doc="constant that keeps the divisor above 0, ε")

    def init(self, x: Array) -> Memory:
        """Return the means, which start at 0."""
        return Moments(np.zeros_like(x), np.zeros_like(x), np.ones((len(x), 1)), np.ones((len(x), 1)))

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ m̂/(√v̂ + ε), and the means."""
        gradient = point.gradient
        mean = self.beta1 * memory.mean + (1.0 - self.beta1) * gradient
        mean_square = self.beta2 * memory.mean_square + (1.0 - self.beta2) * (gradient * gradient)
        # Multiply to get powers: `**` may round a single number in another way than a column of numbers.
        power1, power2 = self.beta1 * memory.power1, self.beta2 * memory.power2
        unbiased, unbiased_square = mean / (1.0 - power1), mean_square / (1.0 - power2)
        x = point.x - self.learning_rate * unbiased / (np.sqrt(unbiased_square) + self.epsilon)
        return x, Moments(mean, mean_square, power1, power2)


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer Adam."""
    return {"adam": Adam}

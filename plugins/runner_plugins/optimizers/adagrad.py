"""AdaGrad: gradient descent in which the step size of each coordinate decreases with the sum of its squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """sₖ₊₁ = sₖ + gₖ², xₖ₊₁ = xₖ − γ gₖ/√(sₖ₊₁ + ε), with gₖ = ∇f(xₖ), coordinate by coordinate, and the learning rate γ.

    The sum s starts at `initial_accumulator`. Where gradients keep their size, the steps shrink like 1/√k, so choose γ of the
    order of the distance to the minimum. The iterates are those of `optax.adagrad(γ, initial_accumulator_value, eps)`, which has
    the same conventions; for example, ε is within the root.

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization (2011), figure
    1.
    """

    learning_rate: float = parameter(0.1, above=0, doc="largest move of a coordinate in the first step, γ")
    initial_accumulator: float = parameter(0.1, at_least=0, doc="initial sum of squared gradients, s₀")
    epsilon: float = parameter(1e-7, above=0, doc="constant that keeps the root above 0, ε")

    def init(self, x: Array) -> Memory:
        """Return the sums of squared gradients."""
        return self.initial_accumulator + np.zeros_like(x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ g/√(s + ε), and s."""
        gradient = point.gradient
        squares = memory + gradient * gradient
        return point.x - self.learning_rate * gradient / np.sqrt(squares + self.epsilon), squares


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer AdaGrad."""
    return {"adagrad": Adagrad}

"""Gradient descent with clipped gradients, whose steps are bounded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runner import Array, Memory, Optimizer, Point, clip, hookimpl, parameter


@dataclass(frozen=True)
class ClippedGradientDescent(Optimizer):
    """xₖ₊₁ = xₖ − γ clip(∇f(xₖ)), with the learning rate γ.

    clip(g) first bounds each coordinate, g ← min(max(g, −v), v) with v = max_value, which may change the direction. Then it
    bounds the length, g ← g · min(1, c/‖g‖) with c = max_norm, which keeps the direction. So no step is longer than γc, and no
    step moves a coordinate by more than γv. A missing or infinite bound has no effect: to bound coordinates alone, set
    `max_norm = inf`. The iterates are those of the optimizer `clipped` around `gradient_descent`.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (ICML 2013), algorithm 1, for
    the length; Mikolov, Statistical language models based on neural networks (thesis, Brno 2012), section 3.2.2, for the
    coordinates.
    """

    learning_rate: float = parameter(0.1, above=0, doc="step size for a gradient of length 1, γ")
    max_norm: float | None = parameter(1.0, above=0, finite=False, doc="the longest gradient that is followed in full, c")
    max_value: float | None = parameter(
        None, above=0, finite=False, doc="the largest coordinate of a gradient that is followed in full, v"
    )

    def validate(self) -> None:
        """Refuse to clip if neither bound is given."""
        if self.max_norm in (None, math.inf) and self.max_value in (None, math.inf):
            raise ValueError("max_norm or max_value must be a finite number: without a bound this is gradient_descent")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ clip(∇f(x))."""
        return point.x - self.learning_rate * clip(point.gradient, self.max_norm, self.max_value), memory


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer clipped gradient descent."""
    return {"clipped_gradient_descent": ClippedGradientDescent}

"""Gradient clipping around any optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runner import Array, Mask, Memory, Optimizer, Point, clip, hookimpl, parameter


@dataclass(frozen=True)
class Clipped(Optimizer):
    """Another optimizer, which sees clip(∇f(x)) in place of ∇f(x).

    clip(g) first bounds each coordinate, g ← min(max(g, −v), v) with v = max_value. Then it bounds the length,
    g ← g · min(1, c/‖g‖) with c = max_norm. A missing or infinite bound has no effect. Around `gradient_descent` this is
    `clipped_gradient_descent`. Values, Hessians and Jacobians are not bounded, so clipping has no effect on an optimizer that
    uses only these.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (ICML 2013), algorithm 1.
    """

    optimizer: Optimizer = parameter(doc="the optimizer whose gradients are bounded")
    max_norm: float | None = parameter(1.0, above=0, finite=False, doc="the longest gradient that is followed in full, c")
    max_value: float | None = parameter(
        None, above=0, finite=False, doc="the largest coordinate of a gradient that is followed in full, v"
    )

    def validate(self) -> None:
        """Refuse to clip if neither bound is given."""
        if self.max_norm in (None, math.inf) and self.max_value in (None, math.inf):
            raise ValueError("max_norm or max_value must be a finite number: without a bound the optimizer needs no wrapping")

    def init(self, x: Array) -> Memory:
        """Return the wrapped optimizer's memory."""
        return self.optimizer.init(x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return the wrapped optimizer's step from a point with bounded gradients."""
        return self.optimizer.step(_ClippedPoint(point, self), memory)


@dataclass(frozen=True)
class _ClippedPoint(Point):
    point: Point
    bounds: Clipped

    @property
    def x(self) -> Array:
        return self.point.x

    @property
    def value(self) -> Array:
        return self.point.value

    @property
    def gradient(self) -> Array:
        return clip(self.point.gradient, self.bounds.max_norm, self.bounds.max_value)

    @property
    def hessian(self) -> Array:
        return self.point.hessian

    @property
    def residuals(self) -> Array:
        return self.point.residuals

    @property
    def jacobian(self) -> Array:
        return self.point.jacobian

    def at(self, x: Array, where: Mask | None = None) -> Point:
        return _ClippedPoint(self.point.at(x, where), self.bounds)


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer clipping around any optimizer."""
    return {"clipped": Clipped}

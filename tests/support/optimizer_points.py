"""Points with given derivatives, and one step of an optimizer from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from runner import Array, Mask, Optimizer


@dataclass
class Given:
    """A point whose derivatives are given."""

    x: Array
    gradient: Array
    hessian: Any = None


def stepped(optimizer: Optimizer, x: Array, gradient: Array, hessian: Any = None) -> Array:
    return optimizer.step(Given(x, gradient, hessian), optimizer.init(x))[0]  # type: ignore[arg-type]


def on(objective: Any, optimizer: Optimizer, x: Array, steps: int = 1) -> Array:
    for _ in range(steps):
        x = stepped(optimizer, x, objective.gradient(x), objective.hessian(x))
    return x


@dataclass
class GivenResiduals:
    """A point whose residuals and Jacobian are given; f elsewhere follows from the linear model."""

    x: Array
    residuals: Array
    jacobian: Array

    @property
    def value(self) -> Array:
        return np.vecdot(self.residuals, self.residuals)

    def at(self, x: Array, where: Mask | None = None) -> GivenResiduals:
        return GivenResiduals(x, self.residuals + np.vecdot(self.jacobian, (x - self.x)[:, None, :]), self.jacobian)

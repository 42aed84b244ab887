"""Smooth objectives, with and without formulas of their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner import Array, Objective, dot
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic

SMOOTH = [
    Quadratic(),
    Quadratic(2, 10.0),
    Quadratic(5, 1e6),
    Quadratic(33, 1e3),
    SinQuadratic(),
    SinQuadratic(-7.0, 3.0),
    LinearRegression(),
    LinearRegression(features=4, samples=20),
]
labelled = pytest.mark.parametrize("objective", SMOOTH, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}")


@dataclass(frozen=True)
class DiagonalQuadratic(Objective):
    """f(x) = factor/2 Σ λᵢ xᵢ², whose curvatures λᵢ may be negative."""

    curvatures: tuple[float, ...]
    factor: float = 1.0

    @property
    def dimension(self) -> int:
        return len(self.curvatures)

    def value(self, x: Array) -> Array:
        return dot(self.gradient(x), x) / 2

    def gradient(self, x: Array) -> Array:
        return self.factor * np.array(self.curvatures) * x

    def hessian(self, x: Array) -> Array:
        hessian = self.factor * np.diag(self.curvatures)
        return np.broadcast_to(hessian, (len(x), self.dimension, self.dimension))


@dataclass(frozen=True)
class Valley(Objective):
    """f(x) = exp(x₁) sin(x₂) + x₁² x₂³: values only, with third and fourth derivatives that do not vanish."""

    @property
    def dimension(self) -> int:
        return 2

    def value(self, x: Array) -> Array:
        one, two = x[..., 0], x[..., 1]
        total: Array = np.exp(one) * np.sin(two) + one * one * two * two * two
        return total


@dataclass(frozen=True)
class KnownValley(Valley):
    """The function of `Valley`, with its gradient."""

    def gradient(self, x: Array) -> Array:
        return np.stack(
            [
                np.exp(x[..., 0]) * np.sin(x[..., 1]) + 2 * x[..., 0] * x[..., 1] ** 3,
                np.exp(x[..., 0]) * np.cos(x[..., 1]) + 3 * x[..., 0] ** 2 * x[..., 1] ** 2,
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class ValueOnly(Objective):
    """Any function of x as an objective."""

    function: Any

    @property
    def dimension(self) -> int:
        return 3

    def value(self, x: Array) -> Array:
        result: Array = self.function(x)
        return result


def points(objective: Objective, runs: int = 40) -> Array:
    return np.random.default_rng(7).uniform(-2.0, 2.0, (runs, objective.dimension))


def close(actual: Array, expected: Array, tolerance: float) -> bool:
    return bool(np.abs(actual - expected).max() <= tolerance * np.abs(expected).max())

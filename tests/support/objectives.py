"""Objectives, and points at which they are evaluated."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from runner import Array
from runner_plugins.objectives.ackley import Ackley
from runner_plugins.objectives.beale import Beale
from runner_plugins.objectives.himmelblau import Himmelblau
from runner_plugins.objectives.logistic_regression import BLOCK, LogisticRegression
from runner_plugins.objectives.rastrigin import Rastrigin
from runner_plugins.objectives.rosenbrock import Rosenbrock
from runner_plugins.objectives.styblinski_tang import StyblinskiTang


def random_points(dimension: int, runs: int = 50) -> Array:
    return np.random.default_rng(dimension).uniform(-3.0, 3.0, (runs, dimension))


OBJECTIVES: list[Any] = [
    Rosenbrock(),
    Rosenbrock(2, -2.0, 3.0),
    Rosenbrock(3),
    Rosenbrock(12, 0.0, 10.0),
    Beale(),
    Himmelblau(),
    Rastrigin(),
    Rastrigin(1, 0.5),
    Rastrigin(11),
    Ackley(),
    Ackley(1),
    Ackley(11, 5.0, 0.5, 3.0),
    StyblinskiTang(),
    StyblinskiTang(11),
    LogisticRegression(),
    LogisticRegression(features=4, samples=60, seed=2, l2=0.01),
    LogisticRegression(samples=BLOCK + 100, seed=1),
]
METHODS = ("value", "gradient", "hessian", "value_and_gradient", "residuals", "jacobian")


def points(objective: Any, runs: int = 40) -> Array:
    return np.random.default_rng(3).uniform(*objective.start_region, (runs, objective.dimension))


def bits(result: Any) -> bytes:
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (result if isinstance(result, tuple) else (result,)))


def row_of(result: Any, row: slice) -> Any:
    return tuple(part[row] for part in result) if isinstance(result, tuple) else result[row]


def at(objective: Any, *x: float) -> float:
    return float(objective.value(np.array([x]))[0])


def stationary_points(objective: Any, steps: int = 60) -> Array:
    """Return the end points of Newton's method from a grid of starts, each point once."""
    axis = np.linspace(*objective.start_region, 41)
    x = np.array(list(itertools.product(*[axis] * objective.dimension)))
    for _ in range(steps):
        x = (
            x
            - np.linalg.solve(objective.hessian(x) + 1e-300 * np.eye(objective.dimension), objective.gradient(x)[..., None])[
                ..., 0
            ]
        )
    ended = x[np.abs(objective.gradient(x)).max(axis=-1) < 1e-9]
    return np.unique(ended.round(6) + 0.0, axis=0)

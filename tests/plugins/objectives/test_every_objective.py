"""Properties of every objective: its contract, its derivatives, and the same bits alone and in a batch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from runner import Array, Objective
from runner.testing import check_objective
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.objectives.ackley import Ackley
from runner_plugins.objectives.logistic_regression import BLOCK, LogisticRegression
from runner_plugins.objectives.rastrigin import Rastrigin
from runner_plugins.objectives.rosenbrock import Rosenbrock
from tests.support.objectives import METHODS, OBJECTIVES, bits, points, row_of

SWEPT: list[tuple[Any, dict[str, Array]]] = [
    (Rosenbrock(), {"a": np.linspace(-2, 2, 9)}),
    (Rosenbrock(5), {"b": np.logspace(-1, 3, 9)}),
    (Rosenbrock(), {"a": np.linspace(-2, 2, 9), "b": np.logspace(-1, 3, 9)}),
    (Rastrigin(3), {"amplitude": np.linspace(0, 20, 9)}),
    (Ackley(3), {"a": np.linspace(1, 30, 9)}),
    (Ackley(3), {"b": np.linspace(0.1, 2, 9)}),
    (Ackley(3), {"c": np.linspace(-8, 8, 9)}),
    (Ackley(3), {"a": np.linspace(1, 30, 9), "b": np.linspace(0.1, 2, 9), "c": np.linspace(-8, 8, 9)}),
    (LogisticRegression(features=3), {"l2": np.array([0, *np.logspace(-6, 2, 8)])}),
    (LogisticRegression(features=2, samples=BLOCK + 1), {"l2": np.array([0, *np.logspace(-6, 2, 8)])}),
]
labelled = pytest.mark.parametrize(
    "objective", OBJECTIVES, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}"
)


def close(actual: Array, expected: Array) -> bool:
    return bool(np.abs(actual - expected).max() <= 1e-12 * np.abs(expected).max())


@labelled
def test_the_contract_is_kept(objective: Objective) -> None:
    check_objective(objective)


@labelled
def test_formulas_agree_with_the_complex_step(objective: Any) -> None:
    x, stepped = points(objective), ComplexStep()
    assert stepped.refusal(objective, "gradient") is None
    assert stepped.refusal(objective, "hessian") is None
    assert close(objective.gradient(x), stepped.gradient(objective, x))
    assert close(objective.hessian(x), stepped.hessian(objective, x))
    if hasattr(objective, "jacobian"):
        assert close(objective.jacobian(x), stepped.jacobian(objective, x))
        assert close((objective.residuals(x) ** 2).sum(axis=-1), objective.value(x))


@labelled
def test_a_batch_has_the_bits_of_its_rows(objective: Any) -> None:
    x = points(objective, 400)
    for method in METHODS:
        if hasattr(objective, method):
            function = getattr(objective, method)
            together = function(x)
            for run in (0, 1, 333, 399):
                row = slice(run, run + 1)
                assert bits(function(x[row])) == bits(row_of(together, row)), method


@labelled
def test_shared_work_changes_no_bit(objective: Any) -> None:
    if hasattr(objective, "value_and_gradient"):
        x = points(objective)
        assert bits(objective.value_and_gradient(x)) == bits((objective.value(x), objective.gradient(x)))


@pytest.mark.parametrize(
    ("objective", "columns"), SWEPT, ids=lambda part: "-".join(part) if isinstance(part, dict) else type(part).__name__
)
def test_swept_parameters_give_the_bits_of_each_alone(objective: Any, columns: dict[str, Array]) -> None:
    swept = dataclasses.replace(objective, **{name: column[:, None] for name, column in columns.items()})
    x = points(objective, 9)
    minimum = swept.minimum
    for run in range(9):
        alone, row = (
            dataclasses.replace(objective, **{name: float(column[run]) for name, column in columns.items()}),
            slice(run, run + 1),
        )
        for method in METHODS:
            if hasattr(objective, method):
                assert bits(row_of(getattr(swept, method)(x), row)) == bits(getattr(alone, method)(x[row])), method
        assert bits(np.broadcast_to(minimum.x, x.shape)[run]) == bits(alone.minimum.x)
        assert np.broadcast_to(minimum.value, 9)[run] == alone.minimum.value


@labelled
def test_no_point_of_the_region_lies_lower_than_the_minimum(objective: Any) -> None:
    minimum = objective.minimum
    x = minimum.x[None]
    assert minimum.x.shape == (objective.dimension,)
    assert objective.value(x)[0] == minimum.value
    around = minimum.x + np.random.default_rng(1).normal(size=(500, objective.dimension)) * np.logspace(-8, 0, 500)[:, None]
    for candidates in (points(objective, 500), around):
        assert objective.value(candidates).min() >= minimum.value * (1 - math.copysign(1e-15, minimum.value))
    steepest = np.abs(objective.gradient(points(objective))).max()
    assert np.abs(objective.gradient(x)).max() <= 1e-14 * steepest
    curvature = objective.hessian(x)[0]
    if np.isfinite(curvature).all() and objective.dimension <= 3:
        assert np.linalg.eigvalsh(curvature)[0] >= 0

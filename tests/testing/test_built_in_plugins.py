"""The built-in plugins pass the checks of their contract."""

from __future__ import annotations

import pytest

from runner import GradientBackend, Objective, Optimizer
from runner.testing import check_executor, check_gradient_backend, check_objective, check_optimizer
from runner_plugins.executors.serial import Serial
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.clipped_gradient_descent import ClippedGradientDescent
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.newton import Newton

OBJECTIVES = [
    Quadratic(),
    Quadratic(2, 10.0),
    Quadratic(5, 100.0),
    Quadratic(33, 1e4),
    SinQuadratic(),
    SinQuadratic(5.0, 3.0),
    SinQuadratic(0.0, 0.0),
    LinearRegression(),
    LinearRegression(features=4, samples=3),
    LinearRegression(features=32, samples=200),
]
BACKENDS = [
    Analytic(),
    FiniteDifference(),
    FiniteDifference("forward"),
    FiniteDifference(spacing=1e-5, second_spacing=1e-4),
    ComplexStep(),
]
OPTIMIZERS = [
    GradientDescent(),
    ClippedGradientDescent(),
    ClippedGradientDescent(max_norm=None, max_value=0.2),
    ClippedGradientDescent(max_norm=0.5, max_value=0.2),
    Newton(),
    Newton(0.5, "gradient"),
    Newton(indefinite="plain"),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}")
def test_every_objective_keeps_the_contract(objective: Objective) -> None:
    check_objective(objective)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}")
@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_every_gradient_backend_keeps_the_contract(backend: GradientBackend, objective: Objective) -> None:
    check_gradient_backend(backend, objective)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_keeps_the_contract(optimizer: Optimizer) -> None:
    check_optimizer(optimizer)


def test_the_executor_keeps_the_contract() -> None:
    check_executor(Serial())


def test_the_serial_executor_computes_nothing_before_it_is_asked() -> None:
    done: list[int] = []
    results = Serial().map(done.append, range(3), lambda item: None)
    assert done == []
    next(results)
    assert done == [0]

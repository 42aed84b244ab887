"""Properties of every optimizer: its contract, its parameters, and the same bits alone and in a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runner import Optimizer
from runner.contracts.parameters import parameters_of
from runner.testing import check_optimizer
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.adagrad import Adagrad
from runner_plugins.optimizers.adam import Adam
from runner_plugins.optimizers.backtracking import Backtracking
from runner_plugins.optimizers.bfgs import BFGS
from runner_plugins.optimizers.clipped_gradient_descent import ClippedGradientDescent
from runner_plugins.optimizers.gauss_newton import GaussNewton
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.l_bfgs import LBFGS
from runner_plugins.optimizers.levenberg_marquardt import LevenbergMarquardt
from runner_plugins.optimizers.momentum import Momentum
from runner_plugins.optimizers.nesterov import Nesterov
from runner_plugins.optimizers.newton import Newton
from runner_plugins.optimizers.rmsprop import RMSProp
from tests.support.optimizer_paths import Rosenbrock, take_steps
from tests.support.optimizer_points import stepped


@pytest.mark.parametrize("dimension", [1, 2, 5, 33])
@pytest.mark.parametrize(
    "make",
    [
        lambda column: GradientDescent(0.2 * column),
        lambda column: ClippedGradientDescent(0.2 * column, 0.7 * column, None),
        lambda column: ClippedGradientDescent(0.2, None, 0.3 * column),
        lambda column: ClippedGradientDescent(0.2, 0.7 * column, 0.3),
        lambda column: Newton(0.5 * column),
        lambda column: Newton(0.5, "gradient", 0.1 * column),
        lambda column: Newton(0.5, "plain", 0.1 * column),
    ],
)
def test_a_swept_batch_has_the_bits_of_its_runs(make: Any, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    x, gradient = rng.normal(size=(2, 37, dimension))
    hessian = rng.normal(size=(37, dimension, dimension))
    hessian = hessian + hessian.swapaxes(1, 2)
    column = rng.uniform(0.5, 1.5, (37, 1))
    together = stepped(make(column), x, gradient, hessian)
    for run in range(37):
        row = slice(run, run + 1)
        alone = stepped(make(float(column[run, 0])), x[row], gradient[row], hessian[row])
        assert together[row].tobytes() == alone.tobytes()


OPTIMIZERS: list[Optimizer] = [
    Momentum(),
    Momentum(momentum=0.0),
    Nesterov(),
    Nesterov(momentum=0.0),
    Adagrad(),
    Adagrad(initial_accumulator=0.0),
    RMSProp(),
    RMSProp(0.05, 0.0),
    Adam(),
    Adam(0.01, 0.0, 0.0),
    Backtracking(),
    Backtracking(1e6, 0.3, 0.9, 500),
    BFGS(),
    BFGS(learning_rate=0.5),
    LBFGS(),
    LBFGS(history=1),
    GaussNewton(),
    GaussNewton(0.5),
    LevenbergMarquardt(),
    LevenbergMarquardt(10.0, max_trials=1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_keeps_the_contract(optimizer: Optimizer) -> None:
    check_optimizer(optimizer)


def test_a_gradient_of_zero_moves_nothing() -> None:
    for optimizer in OPTIMIZERS:
        np.testing.assert_array_equal(take_steps(Rosenbrock(), optimizer, [[1.0, 1.0]], 3).x[-1], [[1.0, 1.0]])


def swept(dimension: int) -> list[Callable[[Any], Optimizer]]:
    """Functions that make an optimizer from a column of numbers around 1, or from one of these numbers."""
    gentle = 1e-3
    return [
        lambda c: Momentum(gentle * c, 0.9),
        lambda c: Momentum(gentle, 0.6 * c),
        lambda c: Nesterov(gentle * c, 0.6 * c),
        lambda c: Adagrad(0.1 * c, 0.1 * c, 1e-7 * c),
        lambda c: RMSProp(0.01 * c, 0.6 * c, 1e-8 * c),
        lambda c: Adam(0.01 * c, 0.6 * c, 0.999),
        lambda c: Adam(0.01, 0.9, 0.6 * c, 1e-8 * c),
        lambda c: Backtracking(c, 0.1 * c, 0.5 * c),
        lambda c: Backtracking(1.0, 1e-4, 0.5 * c, max_trials=6),
        lambda c: BFGS(c, 0.1 * c, 0.6 * c),
        lambda c: BFGS(1.0, 1e-4, 0.9, curvature=0.3 * c, max_trials=3),
        lambda c: LBFGS(3, c, 0.1 * c, 0.6 * c),
        lambda c: LBFGS(2, 1.0, 1e-4, 0.9, 3, 0.3 * c),
        lambda c: GaussNewton(0.5 * c, 1e-3 * c),
        lambda c: LevenbergMarquardt(1e-3 * c),
        lambda c: LevenbergMarquardt(1e-3 * c, max_trials=1),
    ]


@pytest.mark.parametrize("dimension", [1, 2, 33])
@pytest.mark.parametrize("case", range(16))
def test_a_swept_batch_that_runs_leave_has_the_bits_of_its_runs(case: int, dimension: int) -> None:
    runs, steps = 7, 7
    make = swept(dimension)[case]
    rng = np.random.default_rng(dimension)
    start, column = rng.uniform(-1.5, 1.5, (runs, dimension)), rng.uniform(0.5, 1.5, (runs, 1))
    start[3] = np.nan
    first = np.arange(runs) % 3 != 1
    second = np.arange(first.sum()) % 4 != 2
    left = np.flatnonzero(first)[second]
    ways = [
        take_steps(Rosenbrock(dimension), make(column), start, steps),
        take_steps(Rosenbrock(dimension), make(column), start, steps, {2: first, 4: second}),
    ]
    for run in range(runs):
        alone = take_steps(Rosenbrock(dimension), make(float(column[run, 0])), start[run : run + 1], steps)
        assert all(x[run].tobytes() == one[0].tobytes() for x, one in zip(ways[0].x, alone.x, strict=True))
        assert [int(each[run]) for each in ways[0].counts.values()] == [int(each[0]) for each in alone.counts.values()]
        if run in left:
            row = int(np.flatnonzero(left == run)[0])
            assert ways[1].x[-1][row].tobytes() == alone.x[-1][0].tobytes()
            assert [int(each[row]) for each in ways[1].counts.values()] == [int(each[0]) for each in alone.counts.values()]


@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS(), LevenbergMarquardt(), Adam(0.1)], ids=str)
def test_a_start_at_infinity_does_not_disturb_its_neighbours(optimizer: Optimizer) -> None:
    start = np.array([[-1.2, 1.0], [np.inf, 1.0], [1e200, -1e200], [0.0, 0.0]])
    together = take_steps(Rosenbrock(), optimizer, start, 10).x[-1]
    for run in (0, 3):
        assert together[run].tobytes() == take_steps(Rosenbrock(), optimizer, start[run : run + 1], 10).x[-1].tobytes()


def test_run_on_a_rippled_parabola_ends_in_a_minimum() -> None:
    start = np.linspace(-4, 4, 21)[:, None]
    for optimizer in (Backtracking(), BFGS(), LBFGS()):
        way = take_steps(SinQuadratic(), optimizer, start, 80)
        assert np.abs(SinQuadratic().gradient(way.x[-1])).max() < 1e-6


@pytest.mark.parametrize(
    ("make", "name", "value", "complaint"),
    [
        (Momentum, "learning_rate", 0, "must be a number > 0, not 0"),
        (Momentum, "momentum", 1.0, "must be a number >= 0 and < 1, not 1.0"),
        (Nesterov, "momentum", -0.1, "must be a number >= 0 and < 1, not -0.1"),
        (Adagrad, "epsilon", 0.0, "must be a number > 0, not 0.0"),
        (Adagrad, "initial_accumulator", -1, "must be a number >= 0, not -1"),
        (RMSProp, "decay", 1, "must be a number >= 0 and < 1, not 1"),
        (Adam, "beta1", 1, "must be a number >= 0 and < 1, not 1"),
        (Adam, "beta2", "high", "must be a number >= 0 and < 1, not 'high'"),
        (Adam, "epsilon", math.nan, "must be a number > 0, not nan"),
        (Backtracking, "c1", 1.0, "must be a number > 0 and < 1, not 1.0"),
        (Backtracking, "shrink", 1.0, "must be a number > 0 and < 1, not 1.0"),
        (Backtracking, "max_trials", 0, "must be a whole number >= 1, not 0"),
        (BFGS, "curvature", -1e-3, "must be a number >= 0 and < 1, not -0.001"),
        (LBFGS, "history", 0, "must be a whole number >= 1, not 0"),
        (LBFGS, "history", 2.5, "must be a whole number >= 1, not 2.5"),
        (GaussNewton, "floor", 0.0, "must be a number > 0 and < 1, not 0.0"),
        (LevenbergMarquardt, "damping", 0.0, "must be a number > 0, not 0.0"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused(make: Any, name: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match="must be") as refusal:
        parameters_of(make)[name].convert(value)
    assert str(refusal.value) == complaint


@pytest.mark.parametrize("make", sorted({type(each) for each in OPTIMIZERS}, key=lambda cls: cls.__name__))
def test_every_default_is_valid_and_every_parameter_is_explained(make: Any) -> None:
    for parameter in parameters_of(make).values():
        assert parameter.convert(parameter.default) == parameter.default
        assert parameter.doc

"""Line searches: sufficient decrease, the Wolfe conditions, and their cost."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array, Mask, Objective, Optimizer, armijo, wolfe
from runner.engine.evaluation import EvaluatedPoint, Evaluator
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.backtracking import Backtracking
from runner_plugins.optimizers.bfgs import BFGS
from runner_plugins.optimizers.l_bfgs import LBFGS
from runner_plugins.optimizers.levenberg_marquardt import LevenbergMarquardt
from tests.support.optimizer_paths import Rosenbrock, point_of, starts, take_steps
from tests.support.optimizer_points import GivenResiduals


class GivenSlope:
    """A point whose gradient promises a decrease of f, although no value of f is smaller."""

    trials = 0

    def __init__(self, x: Array) -> None:
        self.x = self.gradient = x
        self.value = np.ones(len(x))

    def at(self, x: Array, where: Mask | None = None) -> Any:
        GivenSlope.trials += 1
        return GivenResiduals(x, np.full((len(x), 1), 2.0), x[:, None, :])


points = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(2)), elements=st.floats(-3, 3, allow_subnormal=False))
c1s = st.floats(1e-6, 0.9)
shrinks = st.floats(0.05, 0.9)


@given(points, st.floats(1e-3, 1e3), c1s, shrinks, st.integers(1, 60))
def test_search_finds_the_first_step_size_with_sufficient_decrease(
    x: Array, first: float, c1: float, shrink: float, max_trials: int
) -> None:
    objective = Rosenbrock()
    gradient = objective.gradient(x)
    evaluator = Evaluator(objective, Analytic(), len(x))
    found = armijo(EvaluatedPoint(evaluator, x, objective.value(x), gradient), -gradient, first, c1, shrink, max_trials)
    for run, (here, slope) in enumerate(zip(x, gradient, strict=True)):
        expected, trials, step_size = here, 0, first
        here_value = objective.value(here[None])[0]
        while trials < max_trials and slope.any():
            trials += 1
            there = here - step_size * slope
            if objective.value(there[None])[0] <= here_value - c1 * step_size * math.fsum(slope * slope) * (1 - 1e-12):
                expected = there
                break
            step_size *= shrink
        # At the rounding level of f, the two may stop at different trials.
        if math.fsum(slope * slope) > 1e-6:
            np.testing.assert_array_equal(found[run], expected)
            assert evaluator.counts.totals()["value"][run] == trials


@given(starts, st.floats(1e-3, 1e3), st.floats(1e-6, 0.45), st.floats(0.5, 0.99))
def test_bisection_ends_where_the_wolfe_conditions_hold(x: Array, first: float, c1: float, c2: float) -> None:
    objective = Rosenbrock()
    point = point_of(objective, x)
    direction = -point.gradient
    found = wolfe(point, direction, first, c1, c2, 100)
    slope = np.vecdot(point.gradient, direction)
    moved = slope < -1e-6
    step_size = np.vecdot(found - x, direction) / np.where(moved, -slope, 1.0)
    rounding = 1e-12 * (1.0 + point.value)
    assert (objective.value(found) <= point.value + c1 * step_size * slope + rounding)[moved].all()
    assert (np.vecdot(objective.gradient(found), direction) >= c2 * slope * (1 + 1e-9))[moved].all()


def test_bisection_agrees_with_lewis_and_overton() -> None:
    # f = x² from 3 along −∇f = −6. The step 0.01 is too short and doubled up to 0.16; 100 is too long and halved down to 100/2⁷.
    for first, step_size, trials in ((0.01, 0.16, 5), (100.0, 100 / 128, 8)):
        point = point_of(Quadratic(), np.array([[3.0]]))
        found = wolfe(point, -point.gradient, first, 1e-4, 0.7, 50)
        np.testing.assert_allclose(found, [[3.0 - 6.0 * step_size]], rtol=1e-14)
        assert point._evaluator.counts.totals()["value"].tolist() == [1 + trials]
    # For this c₂, 0.4 is too short, 0.8 is too long, and 0.6 is accepted.
    point = point_of(Quadratic(), np.array([[3.0]]))
    np.testing.assert_allclose(wolfe(point, -point.gradient, 0.4, 0.35, 0.1, 50), [[3.0 - 6.0 * 0.6]], rtol=1e-14)


def test_bisection_without_an_end_returns_a_point_where_f_is_lower() -> None:
    @dataclass(frozen=True)
    class Slope(Objective):
        """−x, which decreases without end."""

        dimension: int = 1

        def value(self, x: Array) -> Array:
            return -x[:, 0]

        def gradient(self, x: Array) -> Array:
            return np.full_like(x, -1.0)

    assert take_steps(Slope(), BFGS(max_trials=4), [[0.0]], 1).x[1].tolist() == [[8.0]]
    assert take_steps(Slope(), LBFGS(max_trials=1), [[0.0]], 1).x[1].tolist() == [[1.0]]


@settings(max_examples=25)
@given(x=starts, c1=st.floats(1e-6, 0.85), shrink=shrinks, rate=st.floats(1e-2, 1e2))
def test_every_step_has_sufficient_decrease(x: Array, c1: float, shrink: float, rate: float) -> None:
    objective = Rosenbrock()
    for optimizer in (Backtracking(rate, c1, shrink, 80), BFGS(rate, c1, 0.9, 80), LBFGS(5, rate, c1, 0.9, 80)):
        for here, there in itertools.pairwise(take_steps(objective, optimizer, x, 12).x):
            move = there - here
            promised = np.vecdot(objective.gradient(here), move)
            before, after = objective.value(here), objective.value(there)
            moved = move.any(axis=-1)
            assert (promised[moved] < 0).all()
            assert (after <= before + c1 * promised + 1e-14 * before)[moved].all()
            assert (after <= before).all()


@pytest.mark.parametrize("optimizer", [Backtracking(), BFGS(), LBFGS(), LevenbergMarquardt()], ids=str)
def test_search_costs_each_run_as_much_as_alone(optimizer: Optimizer) -> None:
    start = np.random.default_rng(3).uniform(-3, 3, (9, 2))
    together = take_steps(Rosenbrock(), optimizer, start, 12).counts
    alone = [take_steps(Rosenbrock(), optimizer, start[run : run + 1], 12).counts for run in range(9)]
    for quantity in ("value", "gradient", "hessian"):
        assert together[quantity].tolist() == [int(one[quantity][0]) for one in alone]
    assert len(set(together["value"])) > 1
    assert (together["value"] > 12).all()


def test_number_of_evaluations_of_a_search() -> None:
    # On f = x² the step sizes 1, ½ are tried: 1 leads from x to −x, and ½ to the minimum.
    way = take_steps(Quadratic(), Backtracking(), [[3.0], [0.0]], 2)
    assert way.x[1].tolist() == [[0.0], [0.0]]
    assert way.counts["value"].tolist() == [2 + 2, 2]
    assert way.counts["gradient"].tolist() == [2, 2]


@pytest.mark.parametrize("make", [Backtracking, BFGS, LBFGS])
def test_failed_search_leaves_the_run_in_place(make: Any) -> None:
    start = [[3.0], [0.25]]
    way = take_steps(Quadratic(), make(learning_rate=1e3, max_trials=3), start, 2)
    assert way.counts["gradient"].tolist() == [2, 2]
    assert way.x[1].tolist() == way.x[2].tolist() == start
    assert way.counts["value"].tolist() == [2 + 6, 2 + 6]


def test_ascent_or_zero_direction_costs_nothing() -> None:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    point = point_of(Quadratic(), x)
    direction = np.array([[1.0], [0.0], [np.nan], [-4.0]])
    counts = point._evaluator.counts
    assert armijo(point, direction, 1.0, 1e-4, 0.5, 10).tolist() == [[1.0], [2.0], [3.0], [0.0]]
    assert [each.tolist() for each in counts.totals().values()] == [[1, 1, 1, 2], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert wolfe(point, direction, 1.0, 1e-4, 0.9, 10).tolist() == [[1.0], [2.0], [3.0], [0.0]]
    assert [each.tolist() for each in counts.totals().values()] == [[1, 1, 1, 3], [1, 1, 1, 2], [0, 0, 0, 0]]


def test_a_direction_too_short_to_move_x_costs_nothing() -> None:
    point = point_of(Quadratic(), np.array([[1.0], [1.0]]))
    direction = np.array([[-1e-17], [-4.0]])
    assert armijo(point, direction, 1.0, 1e-4, 0.5, 60)[0].tolist() == [1.0]
    assert wolfe(point, direction, 1.0, 1e-4, 0.9, 60)[0].tolist() == [1.0]
    assert point._evaluator.counts.totals()["value"][0] == 1
    # f is at its rounding level, so no trial decreases it. The search ends when the step is too short to be halved.
    wall = np.array([[1.0]])
    assert wolfe(GivenSlope(wall), -wall, 1.0, 1e-4, 0.9, 1000).tolist() == [[1.0]]  # type: ignore[arg-type]
    assert 50 < GivenSlope.trials < 60


def test_search_backs_away_from_nan() -> None:
    @dataclass(frozen=True)
    class Barrier(Objective):
        """x − log x, with its minimum at 1."""

        dimension: int = 1

        def value(self, x: Array) -> Array:
            return (x - np.log(x))[:, 0]

        def gradient(self, x: Array) -> Array:
            return 1 - 1 / x

    for optimizer in (Backtracking(64.0), BFGS(64.0), LBFGS(learning_rate=64.0)):
        way = take_steps(Barrier(), optimizer, [[5.0], [0.1]], 60)
        np.testing.assert_allclose(way.x[-1], 1.0, atol=1e-6)


@pytest.mark.parametrize("make", [BFGS, LBFGS])
def test_wolfe_conditions_that_exclude_each_other_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="c1") as refusal:
        make(c1=0.5, c2=0.5).validate()
    assert str(refusal.value) == "c1 = 0.5 must be less than c2 = 0.5: else there may be no such step size"
    make(c1=0.5, c2=0.51).validate()

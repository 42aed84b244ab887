"""The evaluations that are counted for each run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import HasHessian, Objective
from runner.contracts.optimizer import Optimizer, Point
from runner.engine.evaluation import Counts, stand_in
from runner.engine.loop import descend
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.batches import make_batch
from tests.support.smooth_objectives import Valley


@dataclass(frozen=True)
class Searching(Optimizer):
    """Evaluates f after half the step for the runs that start left of zero, and nothing for the others."""

    needs = ("gradient", "hessian")

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        assert (point.gradient == point.gradient).all()
        _ = point.hessian
        _ = point.at(point.x / 2, where=point.x[:, 0] < 0).value
        return point.x / 2, memory


class TestEvaluations:
    def test_every_evaluation_is_counted_for_the_run_that_caused_it(self):
        batch = make_batch(Quadratic(), Searching(), [[-8.0], [8.0], [-0.5]], max_steps=4, gradient_norm=0.6)
        counts = [vars(trajectory.evaluations) for trajectory in descend(batch).trajectories]
        steps = [trajectory.steps for trajectory in descend(batch).trajectories]
        assert steps == [4, 4, 1]
        assert counts == [
            {"value": 5 + 4, "gradient": 5, "hessian": 4},
            {"value": 5, "gradient": 5, "hessian": 4},
            {"value": 2 + 1, "gradient": 2, "hessian": 1},
        ]

    def test_finite_differences_cost_values(self):
        batch = make_batch(Quadratic(3), GradientDescent(0.1), [[1.0, 2.0, 3.0]], gradient=FiniteDifference(), max_steps=2)
        (trajectory,) = descend(batch).trajectories
        assert vars(trajectory.evaluations) == {"value": 3 * (1 + 2 * 3), "gradient": 0, "hessian": 0}

    def test_stand_ins_have_the_members_of_their_objective_and_one_class(self):
        objectives: list[Objective] = [Quadratic(), Quadratic(2, 10.0), Valley()]
        counts = Counts(1)
        first, second, other = (stand_in(objective, objective, counts) for objective in objectives)
        assert type(first) is type(second), "creating a class takes longer than a step of a small batch"
        assert (isinstance(first, HasHessian), isinstance(other, HasHessian)) == (True, False)
        assert (second.dimension, second.value(np.ones((1, 2)))[0]) == (2, 11.0)
        assert counts.totals()["value"][0] == 1

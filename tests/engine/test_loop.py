"""The loop: closed forms of gradient descent, and the same bits however runs are batched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.optimizer import Optimizer, Point
from runner.contracts.outcomes import Outcome
from runner.contracts.parameters import parameter
from runner.engine.batch import Batch
from runner.engine.loop import descend
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.newton import Newton
from tests.support.batches import column, make_batch, result, series


class TestGradientDescentOnASquare:
    """x² has closed forms: x_k = (1 − 2γ)^k x₀."""

    @pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.7, 0.99])
    def test_iterates_follow_the_closed_form(self, rate: float):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(rate), [[2.5]], max_steps=60)).trajectories
        x = series(trajectory)[2]
        expected = (1 - 2 * rate) ** np.arange(len(x)) * 2.5
        np.testing.assert_allclose(x, expected, rtol=1e-12, atol=0)

    @pytest.mark.parametrize("rate", [1.0 + 1e-12, 1.0 + 1e-9, 1.0001, 1.01, 1.2, 5.0])
    def test_beyond_the_limit_it_is_recorded_as_diverged(self, rate: float):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(rate), [[2.5]], max_steps=500)).trajectories
        assert trajectory.outcome == Outcome.DIVERGED

    @pytest.mark.parametrize("steps", [4, 10, 500, 5000])
    def test_at_the_limit_it_oscillates_and_neither_converges_nor_diverges(self, steps: int):
        batch = make_batch(Quadratic(), GradientDescent(1.0), [[2.5], [-0.3], [1e-5]], max_steps=steps, gradient_norm=1e-8)
        assert [trajectory.outcome for trajectory in descend(batch).trajectories] == [Outcome.MAX_STEPS] * 3

    @pytest.mark.parametrize("rate", [1.0 - 1e-9, 0.9999, 1e-6])
    def test_just_below_the_limit_and_far_below_it_needs_many_steps(self, rate: float):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(rate), [[2.5]], max_steps=500)).trajectories
        assert trajectory.outcome == Outcome.MAX_STEPS

    def test_a_bounded_oscillation_is_not_divergence(self):
        """On sin(x) + x², a rate between the limit at the minimiser and the limit far away leads descent into a cycle."""
        batch = make_batch(SinQuadratic(), GradientDescent(0.9), [[-0.45], [2.0], [-0.4501836]], max_steps=800)
        trajectories = descend(batch).trajectories
        assert [trajectory.outcome for trajectory in trajectories] == [Outcome.MAX_STEPS] * 3
        assert all(np.ptp(series(trajectory)[2][-10:]) > 0.1 for trajectory in trajectories)


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """Heavy-ball momentum, whose memory has arrays, a shared number and nested containers."""

    learning_rate: float = parameter(0.1, above=0)

    def init(self, x: Array) -> Any:
        return {"velocity": (np.zeros_like(x), [x * 0.0]), "count": 0}

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        velocity = 0.5 * memory["velocity"][0] - self.learning_rate * point.gradient
        return point.x + velocity, {"velocity": (velocity, [velocity * 2]), "count": memory["count"] + 1}


class TestBatching:
    BATCHES = (
        make_batch(Quadratic(), GradientDescent(column(np.geomspace(1e-3, 1.2, 40))), np.linspace(-3, 3, 40)[:, None],
                   max_steps=300, gradient_norm=1e-8),
        make_batch(SinQuadratic(a=column([1.0, 2.0, 5.0]), omega=column([1.0, 3.0, 2.0])), HeavyBall(0.05), [[1.0], [2.0], [-3.0]],
                   max_steps=200, gap=1e-9),
        make_batch(Quadratic(5, column([1.0, 10.0, 100.0])), Newton(column([1.0, 0.5, 0.1])), np.arange(15.0).reshape(3, 5) - 7,
                   max_steps=50, gradient_norm=1e-10),
        make_batch(Quadratic(3, 10.0), HeavyBall(column([0.01, 0.02, 0.08, 0.2])), np.arange(12.0).reshape(4, 3),
                   gradient=FiniteDifference(), max_steps=100, gradient_norm=1e-4),
    )  # fmt: skip

    @pytest.mark.parametrize("batch", BATCHES, ids=["rates", "parameters", "newton", "differences"])
    def test_a_batch_and_its_runs_alone_give_the_same_bits(self, batch: Batch):
        together = descend(batch)
        assert together.warnings == ()
        steps = {trajectory.steps for trajectory in together.trajectories}
        assert len(steps) > 1, "runs must leave at different times for this to say something"
        for row, trajectory in enumerate(together.trajectories):
            assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])

    def test_any_grouping_gives_the_same_bits(self):
        batch = self.BATCHES[0]
        whole = [result(trajectory) for trajectory in descend(batch).trajectories]
        shuffled = np.random.default_rng(3).permutation(40).tolist()
        for group in (shuffled[:7], shuffled[7:20], shuffled[20:]):
            parts = descend(batch.only(group)).trajectories
            assert [result(part) for part in parts] == [whole[row] for row in group]

"""The outcome of a run, for each stopping rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.objective import Minimum, Objective
from runner.contracts.outcomes import Outcome
from runner.engine.loop import descend
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.batches import column, make_batch, series


class TestOutcomes:
    def test_converged_at_the_first_small_enough_gradient_norm(self):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(0.25), [[1.0]], gradient_norm=1e-3)).trajectories
        assert (trajectory.outcome, trajectory.steps) == (Outcome.CONVERGED, 11)
        assert series(trajectory)[1][-2] > 1e-3 >= series(trajectory)[1][-1]

    def test_converged_by_gap_to_the_known_minimum(self):
        (trajectory,) = descend(make_batch(SinQuadratic(), GradientDescent(0.3), [[1.0]], gap=1e-6)).trajectories
        assert trajectory.outcome == Outcome.CONVERGED
        gaps = series(trajectory)[0] - SinQuadratic().minimum.value
        assert gaps[-2] > 1e-6 >= gaps[-1]

    def test_stalled_when_the_step_is_short(self):
        rules = {"step_length": 1e-3, "gradient_norm": 1e-12}
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(1e-4), [[1.0]], **rules)).trajectories
        assert (trajectory.outcome, trajectory.steps) == (Outcome.STALLED, 1)

    def test_diverged_at_the_limit(self):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(1.5), [[1.0]], divergence_limit=1e6)).trajectories
        assert (trajectory.outcome, trajectory.steps) == (Outcome.DIVERGED, 10)
        assert trajectory.best_value == 1.0
        assert trajectory.best_step == 0

    def test_non_finite(self):
        rules = {"divergence_limit": np.inf, "max_steps": 5000}
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(1.5), [[1.0]], **rules)).trajectories
        assert trajectory.outcome == Outcome.NON_FINITE
        assert trajectory.final_value == np.inf
        assert np.isfinite(series(trajectory)[0][:-1]).all()

    def test_timeout_counts_the_share_of_each_run(self):
        rules = {"wall_time": 1e-4, "max_steps": 10**9}
        alone = descend(make_batch(Quadratic(), GradientDescent(1e-9), [[1.0]], **rules)).trajectories
        assert alone[0].outcome == Outcome.TIMEOUT
        assert alone[0].seconds > 1e-4
        together = descend(make_batch(Quadratic(), GradientDescent(1e-9), [[1.0]] * 100, **rules)).trajectories
        assert {trajectory.outcome for trajectory in together} == {Outcome.TIMEOUT}
        assert together[0].steps > alone[0].steps

    def test_a_run_that_starts_at_the_minimum_takes_no_step(self):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(0.1), [[0.0]], gradient_norm=0.0)).trajectories
        assert (trajectory.outcome, trajectory.steps, trajectory.chunks[0].count) == (Outcome.CONVERGED, 0, 1)


def test_a_known_minimum_may_differ_from_run_to_run():
    @dataclass(frozen=True)
    class Shifted(Objective):
        """x² + c."""

        c: float = 0.0
        dimension = 1

        def value(self, x: Array) -> Array:
            return (x * x + self.c).sum(axis=-1)

        def gradient(self, x: Array) -> Array:
            return 2 * x

        @property
        def minimum(self) -> Minimum:
            return Minimum(np.zeros(1), np.ravel(self.c) if isinstance(self.c, np.ndarray) else self.c)

    batch = make_batch(Shifted(column([0.0, 5.0, -7.0])), GradientDescent(0.2), [[1.0]] * 3, gap=1e-6)
    assert {(trajectory.outcome, trajectory.steps) for trajectory in descend(batch).trajectories} == {(Outcome.CONVERGED, 14)}


@dataclass(frozen=True)
class WrongMinimum(Objective):
    """x² + shift with the stated minimum 0, which is wrong unless the shift is zero."""

    shift: float = 0.0
    dimension: int = 1
    minimum = Minimum([0.0], 0.0)

    def value(self, x):
        return (x * x)[..., 0] + self.shift

    def gradient(self, x):
        return 2.0 * x


@pytest.mark.parametrize(
    ("shift", "outcome", "steps"),
    [
        (0.0, "converged", None),
        (-1e-3, "max_steps", 50),
        (-1e9, "max_steps", 50),
        (-5e-7, "converged", None),
        (-1e-15, "converged", None),
    ],
)
def test_run_below_the_stated_minimum_has_not_converged(shift, outcome, steps):
    (run,) = descend(make_batch(WrongMinimum(shift), GradientDescent(0.4), [[1.0]], gap=1e-6, max_steps=50)).trajectories
    assert run.outcome == outcome
    assert steps is None or run.steps == steps


def test_a_run_many_gaps_below_the_stated_minimum_has_not_converged():
    (run,) = descend(make_batch(WrongMinimum(-9e-13), GradientDescent(0.5), [[1.0]], gap=1e-15, max_steps=50)).trajectories
    assert run.outcome == "max_steps"


def test_gap_of_zero_allows_rounding_below_the_minimum():
    (run,) = descend(make_batch(WrongMinimum(-1e-14), GradientDescent(0.5), [[1.0]], gap=0.0, max_steps=50)).trajectories
    assert run.outcome == "converged"

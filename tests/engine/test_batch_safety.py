"""The rehearsal of a batch, and plugins that are not batch-safe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer, Point
from runner.contracts.outcomes import Outcome
from runner.engine.batch_safety import rehearse
from runner.engine.loop import descend
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.momentum import Momentum
from tests.support.batches import column, make_batch, result, series


@dataclass(frozen=True)
class Cliff(Objective):
    """x²; raises for the whole array if one run is beyond a limit."""

    limit: float = 2.0
    dimension = 1

    def value(self, x: Array) -> Array:
        if (np.abs(x) > self.limit).any():
            raise ValueError("beyond the cliff")
        return (x * x).sum(axis=-1)

    def gradient(self, x: Array) -> Array:
        return 2 * x


@dataclass(frozen=True)
class Centred(Objective):
    """Subtracts the mean over the runs, which is right for a single run only."""

    dimension = 1

    def value(self, x: Array) -> Array:
        return ((x - x.mean(axis=0) + x[:1]) ** 2).sum(axis=-1)

    def gradient(self, x: Array) -> Array:
        return 2 * x


@dataclass(frozen=True)
class Forgetful(Optimizer):
    """Writes to the iterate it was given."""

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        x = point.x
        x -= 0.1 * point.gradient
        return x, memory


class TestFailures:
    def test_exception_of_one_run_leaves_the_others_alone(self):
        batch = make_batch(Cliff(), GradientDescent(column([0.3, 1.01, 0.2])), [[1.0], [1.9], [1.5]], gradient_norm=1e-6)
        descent = descend(batch)
        outcomes = [trajectory.outcome for trajectory in descent.trajectories]
        assert outcomes == [Outcome.CONVERGED, Outcome.FAILED, Outcome.CONVERGED]
        failed = descent.trajectories[1]
        assert failed.error == "ValueError: beyond the cliff"
        assert failed.steps == len(series(failed)[0]) - 1
        np.testing.assert_array_equal(series(failed)[2][:2], [1.9, 1.9 - 1.01 * (2 * 1.9)])
        assert descent.warnings == (
            "Cliff.value raised ValueError: beyond the cliff. Some runs raise it when computed alone too, so its batches were computed "
            "one run at a time. If it returns nan or inf instead of raising, the other runs advance together",
        )

    def test_a_plugin_that_is_not_batch_safe_is_run_one_at_a_time(self):
        batch = make_batch(Centred(), GradientDescent(0.3), [[1.0], [2.0], [3.0]], max_steps=20)
        descent = descend(batch)
        for row, trajectory in enumerate(descent.trajectories):
            assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])
        assert descent.warnings == (
            "Centred.value is not batch-safe: a run alone and the same run in a batch differ; so its batches were computed one run "
            "at a time. To let runs advance together, write it for x of shape (runs, dimension): broadcast over the leading axis, "
            "reduce with axis=-1, use runner.dot, runner.norm, runner.matvec",
        )

    def test_writing_to_the_iterate_is_an_error(self):
        (trajectory,) = descend(make_batch(Quadratic(), Forgetful(), [[1.0]])).trajectories
        assert (trajectory.outcome, trajectory.error) == (Outcome.FAILED, "ValueError: output array is read-only")

    def test_a_run_that_fails_at_its_start_has_no_iterates(self):
        (trajectory,) = descend(make_batch(Cliff(), GradientDescent(0.1), [[3.0]])).trajectories
        assert (trajectory.outcome, trajectory.steps, trajectory.chunks) == (Outcome.FAILED, 0, ())
        assert np.isnan(trajectory.final_value)
        assert np.isnan(trajectory.best_value)


def broken_value(returned: Callable[[Array], Any]) -> Objective:
    @dataclass(frozen=True)
    class Broken(Objective):
        dimension = 2

        def value(self, x: Array) -> Array:
            return returned(x)

        def gradient(self, x: Array) -> Array:
            return 2 * x

    return Broken()


class TestRehearsal:
    @pytest.mark.parametrize(
        ("returned", "problem"),
        [
            (lambda x: x, "Broken.value returned an array of shape (1, 2) and type float64 for x of shape (1, 2); "
                          "it must return a float64 array of shape (1,)"),
            (lambda x: x.sum(axis=-1).astype(np.float32), "Broken.value returned an array of shape (1,) and type float32 for x of "
                                                         "shape (1, 2); it must return a float64 array of shape (1,)"),
            (lambda x: 1.0, "Broken.value returned float 1.0 for x of shape (1, 2); it must return a float64 array of shape (1,)"),
            (lambda x: None, "Broken.value returned NoneType None for x of shape (1, 2); it must return a float64 array of shape (1,)"),
            (lambda x: x.sum(axis=-1) * np.nan, "Broken.value returned nan at the start x = [1. 2.]"),
            (lambda x: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        ],
    )  # fmt: skip
    def test_a_broken_objective_is_reported(self, returned: Callable[[Array], Any], problem: str):
        assert rehearse(make_batch(broken_value(returned), GradientDescent(0.1), [[1.0, 2.0], [3.0, 4.0]])).problem == problem

    def test_a_wrong_iterate_is_reported(self):
        @dataclass(frozen=True)
        class Flat(Optimizer):
            def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
                return point.x[:, 0], memory

        assert rehearse(make_batch(Quadratic(2), Flat(), [[1.0, 2.0]])).problem == (
            "Flat.step returned an iterate of shape (1,) and type float64 from x of shape (1, 2); "
            "it must return a float64 array of shape (1, 2)"
        )

    def test_step_that_returns_no_memory_is_reported(self):
        @dataclass(frozen=True)
        class Walk(Optimizer):
            def step(self, point: Point, memory: Any) -> Any:
                return None

        assert rehearse(make_batch(Quadratic(), Walk(), [[1.0]])).problem == (
            "Walk.step returned NoneType; it must return the next iterate and the memory, as in: return x, memory"
        )

    def test_a_plugin_that_exits_is_reported(self):
        def leave(x: Array) -> Array:
            raise SystemExit(3)

        assert rehearse(make_batch(broken_value(leave), GradientDescent(0.1), [[1.0, 2.0]])).problem == "SystemExit: 3"

    def test_rehearsal_passes_if_one_run_is_sound(self):
        assert rehearse(make_batch(Cliff(), GradientDescent(0.1), [[3.0], [1.0]])).problem is None


@dataclass(frozen=True)
class Scheduled(Optimizer):
    """In its memory, keeps a schedule whose length happens to be the number of runs."""

    def init(self, x: Array) -> Any:
        return np.array([0.1, 0.2, 0.3, 0.4])

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        return point.x - memory[0] * point.gradient, memory


@dataclass(frozen=True)
class Weighted(Optimizer):
    """Keeps a weight for each coordinate in its memory."""

    def init(self, x: Array) -> Any:
        return np.linspace(0.5, 1.0, x.shape[1])

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        return point.x - 0.1 * memory * point.gradient, memory


@dataclass(frozen=True)
class Cubed(Optimizer):
    """Uses a power, which Python and NumPy compute differently."""

    rate: float = 0.1

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        return point.x - self.rate**3 * point.gradient, memory


@dataclass(frozen=True)
class Turned(Objective):
    """Σ xᵢ², with a gradient whose rows are not contiguous."""

    dimension = 20

    def value(self, x: Array) -> Array:
        return (x * x).sum(axis=-1)

    def gradient(self, x: Array) -> Array:
        return np.array([2 * column for column in x.T]).T


class TestIdioms:
    """Code that plugin authors may write without thinking of batches."""

    @pytest.mark.parametrize("runs", [3, 4, 6])
    def test_constant_in_memory_is_noticed_even_if_as_long_as_the_batch(self, runs: int):
        start = [[1e-9], *([[1.0]] * (runs - 1))]
        descent = descend(make_batch(Quadratic(), Scheduled(), start, max_steps=9, gradient_norm=1e-6))
        alone = descend(make_batch(Quadratic(), Scheduled(), [[1.0]], max_steps=9, gradient_norm=1e-6)).trajectories[0]
        assert all(series(each).tobytes() == series(alone).tobytes() for each in descent.trajectories[1:])
        assert descent.warnings == (
            "Scheduled.step keeps a memory in which an array does not have a row for each run; so its batches were computed one run at a "
            "time. Keep constants in the plugin",
        )

    @pytest.mark.parametrize("dimension", [1, 2, 3])
    def test_weights_in_memory_change_no_bit_at_any_batch_size(self, dimension: int):
        start = [[1e-9] * dimension, *([[1.0] * dimension] * 3)]
        rules = {"max_steps": 9, "gradient_norm": 1e-6}
        alone = descend(make_batch(Quadratic(dimension), Weighted(), start[1:2], **rules)).trajectories[0]
        for runs in (2, 3, 4):
            for each in descend(make_batch(Quadratic(dimension), Weighted(), start[:runs], **rules)).trajectories[1:]:
                assert series(each).tobytes() == series(alone).tobytes()

    def test_constant_added_to_memory_later_is_noticed_when_runs_leave(self):
        @dataclass(frozen=True)
        class Late(Optimizer):
            """Weighs the coordinates from the fifth step on."""

            def init(self, x: Array) -> Any:
                return 0, None

            def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
                count, weights = memory
                weights = np.linspace(0.5, 1.0, 2) if count == 4 else weights
                return point.x - 0.1 * point.gradient * (1.0 if weights is None else weights), (count + 1, weights)

        descent = descend(
            make_batch(Quadratic(2), Late(), [[1e-5, 0.0], [1.0, 1.0], [2.0, 1.0]], max_steps=60, gradient_norm=1e-6)
        )
        assert descent.warnings[0].startswith(
            "Late.step keeps a memory in which an array does not have a row for each run; so its batches were"
        )

    def test_run_taken_out_of_a_batch_has_plain_numbers(self):
        rates = np.linspace(0.1, 0.9, 50)
        batch = make_batch(Quadratic(), Cubed(column(rates)), [[1.0]] * 50, max_steps=30)
        for row, rate in enumerate(rates.tolist()):
            assert batch.only([row]).optimizer == Cubed(rate)

    def test_both_ends_and_the_middle_of_a_batch_are_compared(self):
        @dataclass(frozen=True)
        class Odd(Optimizer):
            """Treats one row of a batch differently."""

            odd: int = 0

            def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
                factor = np.full((len(point.x), 1), 0.1)
                if len(point.x) > 1:
                    factor[self.odd] = 0.2
                return point.x - factor * point.gradient, memory

        for odd in (0, 4, 8):
            (warning,) = descend(make_batch(Quadratic(), Odd(odd), [[1.0]] * 9, max_steps=3)).warnings
            assert warning.startswith("Odd.step is not batch-safe")

    def test_array_order_in_memory_changes_no_bit(self):
        start = np.random.default_rng(5).normal(size=(14, 20))
        batch = make_batch(Turned(), GradientDescent(0.1), start, max_steps=10)
        for row, trajectory in enumerate(descend(batch).trajectories):
            assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])

    def test_slow_oscillation_is_not_divergence(self):
        batch = make_batch(Quadratic(), Momentum(1.01, 0.999), [[1.8]], max_steps=20)
        (trajectory,) = descend(batch).trajectories
        assert series(trajectory)[0][-1] < series(trajectory)[0][0]
        assert trajectory.outcome == Outcome.MAX_STEPS

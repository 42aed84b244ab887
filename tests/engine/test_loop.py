"""The loop: outcomes, isolation of failures, runs that leave, counts, memory, the same bits however runs are batched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.objective import Minimum, Objective
from runner.contracts.optimizer import Optimizer, Point
from runner.contracts.outcomes import Outcome
from runner.contracts.parameters import parameter
from runner.engine import recording
from runner.engine.batch import Batch
from runner.engine.batch_safety import rehearse
from runner.engine.loop import descend
from runner.engine.optimizer_memory import array_without_rows, same_row, take_memory
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.momentum import Momentum
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
    def test_at_the_limit_it_oscillates_and_is_never_converged_nor_diverged(self, steps: int):
        batch = make_batch(Quadratic(), GradientDescent(1.0), [[2.5], [-0.3], [1e-5]], max_steps=steps, gradient_norm=1e-8)
        assert [trajectory.outcome for trajectory in descend(batch).trajectories] == [Outcome.MAX_STEPS] * 3

    @pytest.mark.parametrize("rate", [1.0 - 1e-9, 0.9999, 1e-6])
    def test_just_below_the_limit_and_far_below_it_crawls(self, rate: float):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(rate), [[2.5]], max_steps=500)).trajectories
        assert trajectory.outcome == Outcome.MAX_STEPS

    def test_a_bounded_oscillation_is_not_divergence(self):
        """On sin(x) + x², between the limit at the minimiser and that far away, descent settles into a cycle."""
        batch = make_batch(SinQuadratic(), GradientDescent(0.9), [[-0.45], [2.0], [-0.4501836]], max_steps=800)
        trajectories = descend(batch).trajectories
        assert [trajectory.outcome for trajectory in trajectories] == [Outcome.MAX_STEPS] * 3
        assert all(np.ptp(series(trajectory)[2][-10:]) > 0.1 for trajectory in trajectories)


class TestOutcomes:
    def test_converged_by_gradient_norm_at_the_first_iterate_that_is_small_enough(self):
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

    def test_timeout_is_the_runs_share_of_the_time(self):
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


@dataclass(frozen=True)
class Cliff(Objective):
    """x², but raises beyond a limit, for the whole array if one run is there."""

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
    """Subtracts the mean over the runs: right for one run, wrong for several."""

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


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """A memory of arrays, a shared number and nested containers."""

    learning_rate: float = parameter(0.1, above=0)

    def init(self, x: Array) -> Any:
        return {"velocity": (np.zeros_like(x), [x * 0.0]), "count": 0}

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        velocity = 0.5 * memory["velocity"][0] - self.learning_rate * point.gradient
        return point.x + velocity, {"velocity": (velocity, [velocity * 2]), "count": memory["count"] + 1}


class TestFailures:
    def test_one_runs_exception_leaves_its_neighbours_alone(self):
        batch = make_batch(Cliff(), GradientDescent(column([0.3, 1.01, 0.2])), [[1.0], [1.9], [1.5]], gradient_norm=1e-6)
        descent = descend(batch)
        outcomes = [trajectory.outcome for trajectory in descent.trajectories]
        assert outcomes == [Outcome.CONVERGED, Outcome.FAILED, Outcome.CONVERGED]
        failed = descent.trajectories[1]
        assert failed.error == "ValueError: beyond the cliff"
        assert failed.steps == len(series(failed)[0]) - 1
        np.testing.assert_array_equal(series(failed)[2][:2], [1.9, 1.9 - 1.01 * (2 * 1.9)])
        assert descent.warnings == (
            "Cliff.value raised ValueError: beyond the cliff, for some runs alone too; so its batches were computed one run at a "
            "time. Where it returns nan or inf instead of raising, the other runs advance together",
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

    def test_writing_to_the_iterate_is_an_error_and_not_a_wrong_trajectory(self):
        (trajectory,) = descend(make_batch(Quadratic(), Forgetful(), [[1.0]])).trajectories
        assert (trajectory.outcome, trajectory.error) == (
            Outcome.FAILED,
            "ValueError: output array is read-only",
        )

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
    def test_a_broken_objective_is_told(self, returned: Callable[[Array], Any], problem: str):
        assert rehearse(make_batch(broken_value(returned), GradientDescent(0.1), [[1.0, 2.0], [3.0, 4.0]])).problem == problem

    def test_a_wrong_iterate_is_told(self):
        @dataclass(frozen=True)
        class Flat(Optimizer):
            def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
                return point.x[:, 0], memory

        assert rehearse(make_batch(Quadratic(2), Flat(), [[1.0, 2.0]])).problem == (
            "Flat.step returned an iterate of shape (1,) and type float64 from x of shape (1, 2); "
            "it must return a float64 array of shape (1, 2)"
        )

    def test_a_forgotten_memory_is_told(self):
        @dataclass(frozen=True)
        class Walk(Optimizer):
            def step(self, point: Point, memory: Any) -> Any:
                return None

        assert rehearse(make_batch(Quadratic(), Walk(), [[1.0]])).problem == (
            "Walk.step returned NoneType; it must return the next iterate and the memory, as in: return x, memory"
        )

    def test_a_plugin_that_exits_is_told(self):
        def leave(x: Array) -> Array:
            raise SystemExit(3)

        assert rehearse(make_batch(broken_value(leave), GradientDescent(0.1), [[1.0, 2.0]])).problem == "SystemExit: 3"

    def test_one_sound_run_is_enough(self):
        assert rehearse(make_batch(Cliff(), GradientDescent(0.1), [[3.0], [1.0]])).problem is None


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

    def test_chunks_join_without_a_gap_and_do_not_depend_on_memory(self, monkeypatch: pytest.MonkeyPatch):
        batch = make_batch(Quadratic(), GradientDescent(column([1e-4, 0.01, 1e-5])), [[1.0], [2.0], [3.0]],
                           max_steps=5000, gradient_norm=1e-9)  # fmt: skip
        in_memory = descend(batch).trajectories
        monkeypatch.setattr(recording, "MEMORY_BYTES", 1)
        on_disk = descend(batch).trajectories
        assert [result(trajectory) for trajectory in on_disk] == [result(trajectory) for trajectory in in_memory]
        for trajectory in in_memory:
            ends = [chunk.first_step + chunk.count for chunk in trajectory.chunks]
            assert [chunk.first_step for chunk in trajectory.chunks] == [0, *ends[:-1]]
            assert ends[-1] == trajectory.steps + 1
            assert len(trajectory.chunks) > 1
        assert in_memory[1].steps < 5000

    def test_iterates_need_not_be_recorded(self):
        (trajectory,) = descend(make_batch(Quadratic(3), GradientDescent(0.1), [[1.0, 2.0, 3.0]], record_x=False)).trajectories
        assert series(trajectory).shape == (2, trajectory.steps + 1)

    def test_memory_is_cut_where_it_belongs_to_runs(self):
        rows = np.array([True, False, True])
        memory = {"a": np.arange(3), "b": (np.ones((3, 2)), [np.zeros(5), 7]), "c": None}
        cut = take_memory(memory, rows, 3)
        np.testing.assert_array_equal(cut["a"], [0, 2])
        assert cut["b"][0].shape == (2, 2)
        assert cut["b"][1][0].shape == (5,)
        assert (cut["b"][1][1], cut["c"]) == (7, None)

    def test_memory_of_a_run_is_compared_bit_for_bit(self):
        together = {"a": np.array([[1.0], [2.0]]), "b": [np.array([0.0, np.nan])], "c": 3}
        assert same_row(together, 1, {"a": np.array([[2.0]]), "b": [np.array([np.nan])], "c": 4})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "b": [np.array([-0.0])], "c": 3})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "c": 3})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "b": [np.array([0])], "c": 3})
        objects = np.array([{}, []], dtype=object)
        assert same_row(objects, 0, np.array([{}], dtype=object))

    def test_a_constant_is_told_from_rows_unless_it_is_as_long(self):
        assert array_without_rows((np.zeros(3), {"a": np.zeros((3, 2))}, np.float64(1.0), np.zeros(())), 3) is None
        assert array_without_rows((np.zeros(3), {"a": np.zeros((2, 3))}), 3).shape == (2, 3)


@dataclass(frozen=True)
class Searching(Optimizer):
    """Looks at half the step for the runs that start left of zero, and at nothing for the others."""

    needs = ("gradient", "hessian")

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        assert (point.gradient == point.gradient).all()
        _ = point.hessian
        _ = point.at(point.x / 2, where=point.x[:, 0] < 0).value
        return point.x / 2, memory


@dataclass(frozen=True)
class Scheduled(Optimizer):
    """Keeps a schedule in its memory, as long as there are runs."""

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
    """A power, which Python computes otherwise than NumPy."""

    rate: float = 0.1

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        return point.x - self.rate**3 * point.gradient, memory


@dataclass(frozen=True)
class Turned(Objective):
    """Σ xᵢ², with a gradient whose rows do not lie one after another."""

    dimension = 20

    def value(self, x: Array) -> Array:
        return (x * x).sum(axis=-1)

    def gradient(self, x: Array) -> Array:
        return np.array([2 * column for column in x.T]).T


class TestIdioms:
    """What authors may write without knowing of batches."""

    @pytest.mark.parametrize("runs", [3, 4, 6])
    def test_a_constant_array_in_memory_is_noticed_even_if_it_is_as_long_as_the_batch(self, runs: int):
        start = [[1e-9], *([[1.0]] * (runs - 1))]
        descent = descend(make_batch(Quadratic(), Scheduled(), start, max_steps=9, gradient_norm=1e-6))
        alone = descend(make_batch(Quadratic(), Scheduled(), [[1.0]], max_steps=9, gradient_norm=1e-6)).trajectories[0]
        assert all(series(each).tobytes() == series(alone).tobytes() for each in descent.trajectories[1:])
        assert descent.warnings == (
            "Scheduled.step keeps an array in its memory that has no row for each run; so its batches were computed one run at a "
            "time. Keep constants in the plugin",
        )

    @pytest.mark.parametrize("dimension", [1, 2, 3])
    def test_weights_in_memory_change_no_bit_whatever_the_size_of_the_batch(self, dimension: int):
        start = [[1e-9] * dimension, *([[1.0] * dimension] * 3)]
        rules = {"max_steps": 9, "gradient_norm": 1e-6}
        alone = descend(make_batch(Quadratic(dimension), Weighted(), start[1:2], **rules)).trajectories[0]
        for runs in (2, 3, 4):
            for each in descend(make_batch(Quadratic(dimension), Weighted(), start[:runs], **rules)).trajectories[1:]:
                assert series(each).tobytes() == series(alone).tobytes()

    def test_a_constant_that_comes_into_memory_later_is_noticed_when_runs_leave(self):
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
            "Late.step keeps an array in its memory that has no row for each run; so its batches were"
        )

    def test_a_run_taken_out_of_a_batch_is_made_with_numbers(self):
        rates = np.linspace(0.1, 0.9, 50)
        batch = make_batch(Quadratic(), Cubed(column(rates)), [[1.0]] * 50, max_steps=30)
        for row, rate in enumerate(rates.tolist()):
            assert batch.only([row]).optimizer == Cubed(rate)

    def test_each_end_and_the_middle_of_a_batch_are_compared(self):
        @dataclass(frozen=True)
        class Odd(Optimizer):
            """Treats one row in a batch otherwise."""

            odd: int = 0

            def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
                factor = np.full((len(point.x), 1), 0.1)
                if len(point.x) > 1:
                    factor[self.odd] = 0.2
                return point.x - factor * point.gradient, memory

        for odd in (0, 4, 8):
            (warning,) = descend(make_batch(Quadratic(), Odd(odd), [[1.0]] * 9, max_steps=3)).warnings
            assert warning.startswith("Odd.step is not batch-safe")

    def test_the_order_in_memory_changes_no_bit(self):
        start = np.random.default_rng(5).normal(size=(14, 20))
        batch = make_batch(Turned(), GradientDescent(0.1), start, max_steps=10)
        for row, trajectory in enumerate(descend(batch).trajectories):
            assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])

    def test_a_slow_swing_is_not_divergence(self):
        batch = make_batch(Quadratic(), Momentum(1.01, 0.999), [[1.8]], max_steps=20)
        (trajectory,) = descend(batch).trajectories
        assert series(trajectory)[0][-1] < series(trajectory)[0][0]
        assert trajectory.outcome == Outcome.MAX_STEPS


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

    def test_differences_cost_values(self):
        batch = make_batch(Quadratic(3), GradientDescent(0.1), [[1.0, 2.0, 3.0]], gradient=FiniteDifference(), max_steps=2)
        (trajectory,) = descend(batch).trajectories
        assert vars(trajectory.evaluations) == {"value": 3 * (1 + 2 * 3), "gradient": 0, "hessian": 0}


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

"""Backends that compute in an arithmetic other than float64 are compared with differences at starts and along the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.objective import Minimum, Objective
from runner.contracts.outcomes import Outcome
from runner.engine.batch_safety import rehearse
from runner.engine.loop import descend
from runner.engine.vetting import Vetting
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.rosenbrock import Rosenbrock
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.newton import Newton
from tests.support.batches import column, make_batch, result


@dataclass(frozen=True)
class Values(Objective):
    """A function of one coordinate, given by its values."""

    function: Callable[[Array], Any]
    dimension = 1

    def value(self, x: Array) -> Array:
        result: Array = self.function(x[..., 0])
        return result


@dataclass(frozen=True)
class Hidden(Objective):
    """x⁴/4, whose gradient loses the imaginary part for x > 2."""

    dimension = 1

    def value(self, x: Array) -> Array:
        result: Array = (0.25 * x**4)[..., 0]
        return result

    def gradient(self, x: Array) -> Array:
        return np.where(x.real > 2.0, np.abs(x) ** 3, x**3)


def huber(x: Array) -> Array:
    a = abs(x)
    return np.where(a <= 1, x * x / 2, a - 0.5)


def test_wrong_derivative_at_a_start_fails_that_run_alone():
    batch = make_batch(Values(huber), GradientDescent(0.5), [[3.0], [0.5]], ComplexStep(), gradient_norm=1e-8)
    wrong, right = descend(batch).trajectories
    assert (wrong.outcome, wrong.steps) == (Outcome.FAILED, 0)
    assert wrong.error.startswith(
        "at step 0, ComplexStep.gradient and central differences of Values.value disagree at x = [3.]: along coordinate 1, the "
        "slope is 0 by ComplexStep and 1 ± "
    )
    assert wrong.error.endswith("use gradient backend finite_difference, or an objective that offers its own derivatives")
    assert (right.outcome, right.error, right.remark) == (Outcome.CONVERGED, "", "")


def test_facts_about_the_last_iterate_are_left_out_where_the_derivative_is_doubtful():
    batch = make_batch(Values(huber), GradientDescent(0.5), [[3.0], [0.5]], ComplexStep(), gradient_norm=1e-8)
    failed, right = descend(batch).trajectories
    remarked, other = descend(make_batch(Values(abs), GradientDescent(0.1), [[0.0], [9.05]], FiniteDifference())).trajectories
    assert (bool(failed.remark), failed.resting_place) == (True, None)
    assert (bool(remarked.remark), remarked.resting_place) == (True, None)
    assert all(run.resting_place is not None and not run.remark for run in (right, other))


def test_combination_without_a_right_start_is_reported_before_anything_is_computed():
    batch = make_batch(Values(huber), GradientDescent(0.5), [[3.0], [-2.0]], ComplexStep())
    problem = rehearse(batch).problem
    assert problem is not None
    assert "disagree at x = [3.]" in problem
    assert rehearse(make_batch(Values(huber), GradientDescent(0.5), [[3.0], [0.5]], ComplexStep())).problem is None


def test_wrong_derivative_along_the_way_is_remarked():
    """From 0.9, each step leads to −1.2 x; beyond 1, the complex step misses a slope of 0.1."""
    partly = Values(lambda x: np.where(abs(x) <= 1, x * x / 2, x * x / 2 + 0.1 * (abs(x) - 1)))
    (trajectory,) = descend(make_batch(partly, GradientDescent(2.2), [[0.9]], ComplexStep(), max_steps=5)).trajectories
    assert (trajectory.outcome, trajectory.error) == (Outcome.MAX_STEPS, "")
    assert trajectory.remark.startswith(
        "at step 1, ComplexStep.gradient and central differences of Values.value disagree at x = [-1.08]"
    )
    assert "the slope is -1.08 by ComplexStep and -1.18" in trajectory.remark


def test_run_that_seems_to_converge_where_its_derivative_is_wrong_fails():
    """From 0.9, a step of 3 · 0.9 leads to −1.8, where the complex step sees no slope."""
    batch = make_batch(Values(huber), GradientDescent(3.0), [[0.9]], ComplexStep(), gradient_norm=1e-8)
    (trajectory,) = descend(batch).trajectories
    assert trajectory.outcome == Outcome.FAILED
    assert (trajectory.failed_plugin, trajectory.failed_method) == ("ComplexStep", "gradient")
    assert trajectory.error == trajectory.remark
    assert trajectory.remark.startswith(
        "at step 1, ComplexStep.gradient and central differences of Values.value disagree at x = [-1.8]"
    )
    assert "the slope is 0 by ComplexStep and -1 ± " in trajectory.remark


@dataclass(frozen=True)
class Near(Values):
    """A function with the minimum 0."""

    minimum = Minimum(x=np.zeros(1), value=0.0)


def test_run_within_the_gap_has_converged_whatever_its_derivative():
    near = Near(lambda x: np.where(abs(x) > 1, x * x, abs(x) ** 2))
    batch = make_batch(near, GradientDescent(0.4), [[3.0]], ComplexStep(), gradient_norm=1e-8, gap=0.5)
    (trajectory,) = descend(batch).trajectories
    assert (trajectory.outcome, trajectory.steps, trajectory.error) == (Outcome.CONVERGED, 1, "")
    assert trajectory.remark.startswith("at step 1, ")


def test_kink_and_jump_are_remarked_with_the_place_and_do_not_fail_the_run():
    kink = Values(lambda x: np.where(x.real < 1, -x, 2 * x - 3))
    (trajectory,) = descend(make_batch(kink, GradientDescent(1.0), [[1.0]], ComplexStep(), max_steps=3)).trajectories
    assert trajectory.outcome == Outcome.MAX_STEPS
    assert trajectory.remark.startswith(
        "at step 0, Values.value seems to have a kink along coordinate 1, where the slopes on the two "
    )
    assert trajectory.remark.endswith(", at x = [1.]; the slope by ComplexStep is 2")
    lower, upper = trajectory.remark.split("sides are ")[1].split(", at")[0].split(" and ")
    assert (float(lower), float(upper)) == pytest.approx((-1, 2))
    jump = Values(lambda x: np.where(x.real < 0.5, x, x + 1))
    (trajectory,) = descend(make_batch(jump, GradientDescent(0.25), [[1.0]], ComplexStep(), max_steps=3)).trajectories
    assert trajectory.remark.startswith("at step 2, Values.value seems to have a jump along coordinate 1, where f is 0.5")
    assert trajectory.remark.endswith(", at x = [0.5]; the slope by ComplexStep is 1")


def test_wrong_derivative_replaces_the_remark_on_a_kink():
    both = Values(lambda x: np.where(x.real < 1, -abs(x), 2 * x - 3))
    (trajectory,) = descend(make_batch(both, GradientDescent(1.0), [[1.0]], ComplexStep(), max_steps=5)).trajectories
    assert trajectory.remark.startswith("at step 1, ComplexStep.gradient and central differences of Values.value disagree")


def test_small_error_is_remarked_but_fails_no_run():
    value = Values(lambda x: x * x + 1e-5 * np.abs(x))
    (trajectory,) = descend(make_batch(value, GradientDescent(0.1), [[1.0]], ComplexStep(), max_steps=2)).trajectories
    assert trajectory.outcome == Outcome.MAX_STEPS
    assert "the slope is 2 by ComplexStep and 2.00001" in trajectory.remark


def test_end_of_a_run_is_compared_whatever_its_step():
    """The tenth step leads across 1, after the comparison at step 8 and before the next at step 16."""
    start = 1.05 * 1.2**-10
    batch = make_batch(Values(huber), GradientDescent(-0.2), [[start]], ComplexStep(), gradient_norm=1e-8)
    (trajectory,) = descend(batch).trajectories
    assert trajectory.remark.startswith("at step 10, ")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.abs(x) ** 2,
        lambda x: (x * np.conj(x)).real,
        lambda x: x.real**2,
        lambda x: np.where(x.real > 0, np.abs(x), x * x),
        lambda x: 1e8 + 100 * np.abs(x),
        lambda x: np.hypot(x.real, 1.0),
    ],
)
def test_kinds_of_loss_at_a_start(function: Callable[[Array], Array]):
    batch = make_batch(Values(function), GradientDescent(0.1), [[1.7]], ComplexStep(), max_steps=3)
    assert descend(batch).trajectories[0].outcome == Outcome.FAILED


def test_hessian_that_the_optimizer_needs_is_compared():
    batch = make_batch(Hidden(), Newton(), [[3.0], [1.0]], ComplexStep(), max_steps=5)
    wrong, right = descend(batch).trajectories
    assert wrong.outcome == Outcome.FAILED
    assert "ComplexStep.hessian and central differences of Hidden.gradient disagree at x = [3.]" in wrong.error
    assert right.remark == ""
    descended = descend(make_batch(Hidden(), GradientDescent(0.01), [[3.0]], ComplexStep(), max_steps=5)).trajectories[0]
    assert descended.remark == "", "gradient descent does not use the Hessian"


def test_comparisons_are_not_counted():
    for steps in (1, 7, 40):
        batch = make_batch(Rosenbrock(), GradientDescent(1e-4), [[-1.2, 1.0]], ComplexStep(), max_steps=steps)
        (trajectory,) = descend(batch).trajectories
        assert trajectory.evaluations.value == 3 * (steps + 1)
        assert trajectory.remark == ""


def test_remarks_do_not_depend_on_the_batch():
    starts = [[3.0], [0.5], [0.9], [-0.7], [-5.0]]
    batch = make_batch(Values(huber), GradientDescent(column([0.5, 0.5, 3.0, 3.1, 2.0])), starts, ComplexStep(), max_steps=9)
    for row, trajectory in enumerate(descend(batch).trajectories):
        assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])


def test_exception_outside_the_domain_ends_no_run():
    def root(x: Array) -> Array:
        if (x.real < 0).any():
            raise ValueError("negative")
        return (1 + x) * np.sqrt(x)

    batch = make_batch(Values(root), GradientDescent(1e-12), [[1e-6], [4.0]], ComplexStep(), max_steps=4)
    assert [each.outcome for each in descend(batch).trajectories] == [Outcome.MAX_STEPS] * 2


@pytest.mark.parametrize(
    ("objective", "backend", "expected"),
    [
        (Quadratic(), Analytic(), Vetting()),
        (Quadratic(), FiniteDifference(), Vetting(("gradient",), only_kinks=True)),
        (Quadratic(), FiniteDifference("forward"), Vetting(("gradient",), only_kinks=True)),
        (Quadratic(), ComplexStep(), Vetting(("gradient",))),
        (Values(huber), ComplexStep(), Vetting(("gradient",))),
        (Values(huber), FiniteDifference(), Vetting(("gradient",), only_kinks=True)),
    ],
)
def test_arithmetic_is_seen_from_the_evaluations(objective: Any, backend: Any, expected: Vetting):
    assert Vetting.of(objective, backend, GradientDescent(0.1), np.ones((2, 1))) == expected


@pytest.mark.parametrize(
    ("function", "start", "step", "remark"),
    [
        (lambda x: -np.abs(x), 0.0, 0, "seems to have a kink along coordinate 1, where the slopes on the two sides are 1"),
        (lambda x: np.abs(x - 1), 1.75, 3, "seems to have a kink along coordinate 1, where the slopes on the two sides are -1"),
        (lambda x: np.where(x < 0.5, x, x + 1), 0.5, 0, "seems to have a jump along coordinate 1, where f is 0.5"),
    ],
)
def test_kinks_are_found_by_differences_where_a_run_begins_and_ends(function: Any, start: float, step: int, remark: str):
    batch = make_batch(Values(function), GradientDescent(0.25), [[start]], FiniteDifference(), max_steps=9, gradient_norm=1e-6)
    (trajectory,) = descend(batch).trajectories
    assert trajectory.outcome != Outcome.FAILED
    assert trajectory.remark.startswith(f"at step {step}, ")
    assert remark in trajectory.remark


@pytest.mark.parametrize(
    "function",
    [
        np.cosh,
        lambda x: 1e8 + x * x,
        lambda x: x**4,
        lambda x: np.exp(-1 / (x * x)),
        lambda x: np.log(1 + np.exp(30 * x)),
        lambda x: np.where(x > 0, np.log(x), np.nan),
        lambda x: x * x + 1e-5 * np.sin(1e15 * x),
        lambda x: np.floor(4 * x),
    ],
)
def test_differences_of_functions_without_kinks_are_not_remarked(function: Any):
    starts = [[0.37], [1.1], [-2.3], [1e-3], [400.3]]
    for backend in (FiniteDifference(), FiniteDifference("forward")):
        batch = make_batch(Values(function), GradientDescent(0.01), starts, backend, max_steps=9, gradient_norm=1e-6)
        assert [each.remark for each in descend(batch).trajectories] == [""] * 5

"""The description of failures: the plugin, its method, the place and the traceback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer, Point
from runner.contracts.outcomes import Outcome
from runner.engine.loop import descend
from runner.engine.trajectories import Trajectory
from runner.errors import LONGEST_DESCRIPTION, describe
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.batches import make_batch

HERE = Path(__file__).resolve()


def line_of(text: str) -> str:
    """Return the place of the only line of this file that ends with a comment."""
    (line,) = [number for number, line in enumerate(HERE.read_text("utf-8").splitlines(), 1) if line.endswith(f"# {text}")]
    return f"{HERE}:{line}"


def close(x: Array) -> None:
    if (np.abs(x) < 0.5).any():
        raise ValueError("too close")  # in a function


@dataclass(frozen=True)
class Near(Objective):
    """x², which has no value near 0."""

    how: str = "raises"
    dimension = 1

    def value(self, x: Array) -> Array:
        if self.how == "raises":
            self.inner(x)
        if self.how == "function":
            close(x)
        if self.how == "numpy" and (np.abs(x) < 0.5).any():
            np.linalg.inv(np.zeros((1, 1)))  # in numpy
        if self.how == "shape" and (np.abs(x) < 0.5).any():
            return x
        return (x * x).sum(axis=-1)

    def inner(self, x: Array) -> None:
        if (np.abs(x) < 0.5).any():
            raise ValueError("too close")  # in a method

    def gradient(self, x: Array) -> Array:
        return 2 * x


@dataclass(frozen=True)
class Around(Objective):
    """Another objective."""

    objective: Objective
    dimension = 1

    def value(self, x: Array) -> Array:
        return self.objective.value(x)

    def gradient(self, x: Array) -> Array:
        return 2 * x


@dataclass(frozen=True)
class Failing(GradientBackend):
    """∇f far from 0."""

    def gradient(self, objective: Objective, x: Array) -> Array:
        if (np.abs(x) < 0.5).any():
            raise RuntimeError  # in a backend
        return objective.gradient(x)  # type: ignore[attr-defined,no-any-return]


@dataclass(frozen=True)
class Searching(Optimizer):
    """Gradient descent that looks at f in the middle of its step."""

    def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
        x = point.x - 0.2 * point.gradient
        point.at(0.5 * (x + point.x)).value  # noqa: B018
        return x, memory


def failed(objective: Objective, optimizer: Optimizer | None = None, backend: GradientBackend | None = None) -> Trajectory:
    batch = make_batch(objective, optimizer or GradientDescent(0.2), [[1.0]], backend or Analytic(), max_steps=9)
    (trajectory,) = descend(batch).trajectories
    assert trajectory.outcome == Outcome.FAILED
    return trajectory


def where(trajectory: Trajectory) -> tuple[str, str, str]:
    return trajectory.failed_plugin, trajectory.failed_method, trajectory.failed_place


class TestPlace:
    def test_method_that_the_engine_called(self):
        found = failed(Near())
        assert where(found) == ("Near", "value", line_of("in a method"))
        assert (found.error, found.steps) == ("ValueError: too close", 1)
        assert found.traceback.startswith("Traceback (most recent call last):\n")
        assert found.traceback.endswith("\nValueError: too close\n")
        assert f'{HERE}", line ' in found.traceback

    def test_function_beside_the_plugin(self):
        assert where(failed(Near("function"))) == ("Near", "value", line_of("in a function"))

    def test_library_that_the_plugin_called(self):
        found = failed(Near("numpy"))
        assert where(found) == ("Near", "value", line_of("in numpy"))
        assert "LinAlgError" in found.traceback

    def test_result_of_a_wrong_shape(self):
        plugin, method, place = where(failed(Near("shape")))
        assert (plugin, method) == ("Near", "value")
        assert place == f"{HERE}:{Near.value.__code__.co_firstlineno}"

    def test_wrapped_plugin(self):
        assert where(failed(Around(Near()))) == ("Near", "value", line_of("in a method"))

    def test_backend(self):
        found = failed(Quadratic(), backend=Failing())
        assert (where(found), found.error) == (("Failing", "gradient", line_of("in a backend")), "RuntimeError")

    def test_objective_at_a_trial_point_of_an_optimizer(self):
        assert where(failed(Near(), Searching())) == ("Near", "value", line_of("in a method"))

    def test_run_that_does_not_fail_has_none(self):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(0.2), [[1.0]], max_steps=9)).trajectories
        assert (where(trajectory), trajectory.traceback) == (("", "", ""), "")

    def test_run_alone_and_in_a_batch_say_the_same(self):
        batch = make_batch(Near(), GradientDescent(0.2), [[1.0], [9.0]], max_steps=9)
        first, _ = descend(batch).trajectories
        assert where(first) == where(failed(Near()))


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Wordless(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


def long_chain() -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(200):
        later = ValueError(f"later {number}")
        later.__cause__ = error
        error = later
    return error


ODD: dict[str, tuple[Callable[[], BaseException], str]] = {
    "its __str__ raises": (Mute, "Mute: (its text cannot be made: __str__ raised RuntimeError)"),
    "its __str__ returns no text": (Wordless, "Wordless: (its text cannot be made: __str__ raised TypeError)"),
    "a lone surrogate": (lambda: ValueError("a\ud800b"), "ValueError: a\\ud800b"),
    "a NUL": (lambda: ValueError("a\0b"), "ValueError: a\\0b"),
    "a long text": (
        lambda: ValueError("x" * 10**6),
        "ValueError: " + "x" * (LONGEST_DESCRIPTION - 12) + "… (998,012 more characters)",
    ),
    "a long chain of causes": (long_chain, "ValueError: later 199"),
    "no text": (ValueError, "ValueError"),
    "an exit": (lambda: SystemExit("leave"), "SystemExit: leave"),
}


@pytest.mark.parametrize(("make", "said"), ODD.values(), ids=ODD)
def test_exceptions_with_odd_texts_are_described(make: Callable[[], BaseException], said: str):
    @dataclass(frozen=True)
    class Odd(Optimizer):
        def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
            raise make()

    trajectory = failed(Quadratic(), Odd())
    assert trajectory.error == said == describe(make())
    assert where(trajectory)[:2] == ("Odd", "step")
    for text in (trajectory.error, trajectory.failed_place, trajectory.traceback):
        text.encode()
        assert "\0" not in text
        assert len(text) < 6_500
    assert trajectory.traceback.startswith("Traceback") or "cause" in trajectory.traceback


class Panic(BaseException):
    """An exception such as those of libraries in Rust."""


@pytest.mark.parametrize("error", [Panic, GeneratorExit, SystemExit], ids=lambda error: error.__name__)
def test_exceptions_of_every_kind_end_one_run(error: type[BaseException]):
    @dataclass(frozen=True)
    class Far(Optimizer):
        def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
            if (point.x > 5.0).any():
                raise error("far")
            return point.x - 0.1 * point.gradient, memory

    first, second = descend(make_batch(Quadratic(), Far(), [[1.0], [9.0]], max_steps=3)).trajectories
    assert (first.outcome, second.outcome) == (Outcome.MAX_STEPS, Outcome.FAILED)
    assert second.error == f"{error.__name__}: far"


def test_interrupts_end_the_computation():
    @dataclass(frozen=True)
    class Interrupted(Optimizer):
        def step(self, point: Point, memory: Any) -> tuple[Array, Any]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        descend(make_batch(Quadratic(), Interrupted(), [[1.0], [9.0]], max_steps=3))

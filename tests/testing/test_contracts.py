"""The contract checks: every built-in plugin passes them, and every way to break the contract is caught."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner import (
    Array,
    Executor,
    GradientBackend,
    LayerGradient,
    Memory,
    Minimum,
    Objective,
    Optimizer,
    Point,
    Quantity,
    parameter,
)
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


def broken(check: Callable[..., None], *plugins: Any, **options: Any) -> str:
    """Return what a check says of a broken plugin."""
    with pytest.raises(AssertionError) as failure:
        check(*plugins, **options)
    return str(failure.value)


# broken objectives


@dataclass(frozen=True)
class Sound(Objective):
    """f(x) = s Σ xᵢ²."""

    scale: float = parameter(1.0, above=0)

    @property
    def dimension(self) -> int:
        return 2

    def value(self, x: Array) -> Array:
        total: Array = (self.scale * x * x).sum(axis=-1)
        return total

    def gradient(self, x: Array) -> Array:
        return 2.0 * self.scale * x


def test_a_sound_objective_passes() -> None:
    check_objective(Sound())


def variant(**methods: Any) -> Objective:
    """Return a `Sound` objective with some methods replaced."""
    cls = dataclass(frozen=True)(type("Bad", (Sound,), {"__doc__": "Broken.", **methods}))
    return cls()  # type: ignore[no-any-return]


def writes(self: Any, x: Array) -> Array:
    x *= self.scale
    result: Array = (x * x).sum(axis=-1)
    x[:] = 0.0
    return result


def growing() -> Callable[[Any, Array], Array]:
    calls = iter(range(10**6))
    return lambda self, x: (self.scale * x * x).sum(axis=-1) + next(calls)


def layers(name: str = "a", reaching: tuple[int, ...] = (5,), gradient: float = 1.0, jacobian: float = 1.0) -> dict[str, Any]:
    """Return the methods of a chain of two layers, sound as they are: each coordinate is the weight of one."""

    def backpropagation(self: Any, x: Array) -> tuple[LayerGradient, ...]:
        slopes = gradient * np.abs(self.gradient(x))
        made = ((name, 0, np.ones(reaching)), ("c", 1, np.ones(len(x))))
        return tuple(
            LayerGradient(each, slice(place, place + 1), np.full(len(x), jacobian), arrived, slopes[:, place])
            for each, place, arrived in made
        )

    weights = {"a": slice(0, 1), "c": slice(1, 2)}
    return {"backpropagation": backpropagation, "layer_weights": property(lambda self: weights)}


NOT_BATCH_SAFE = (
    "{} is not batch-safe: a row alone and the same row in a batch of 5 differ. Broadcast over the leading axis, reduce with "
    "axis=-1, use runner.dot, runner.norm, runner.matvec"
)
NOT_SWEPT = (
    "{} is not batch-safe where scale is swept: scale is then a column (runs, 1), to be combined with arrays (runs, n) before "
    "they are reduced to (runs,)"
)


@pytest.mark.parametrize(
    ("methods", "complaint"),
    [
        ({"dimension": 0}, "Bad.dimension must be a whole number of at least 1, not 0"),
        ({"value": lambda self, x: self.scale * x * x}, "Bad.value must return shape (5,) for x of shape (5, 2), not (5, 2)"),
        ({"value": lambda self, x: x[:, 0].astype(np.float32)}, "Bad.value must return float64, not float32"),
        ({"value": lambda self, x: float(x.sum())}, "Bad.value must return a NumPy array, not float"),
        ({"value": writes}, "Bad.value writes into its argument x; copy it first"),
        ({"value": growing()}, "Bad.value returns something else the second time for the same x"),
        ({"value": lambda self, x: (x * x).sum(axis=-1) - x.mean()}, NOT_BATCH_SAFE.format("Bad.value")),
        ({"value": lambda self, x: np.ravel(self.scale) * (x * x).sum(axis=-1) * 1.0}, None),
        ({"value": lambda self, x: np.max(self.scale) * (x * x).sum(axis=-1)}, NOT_SWEPT.format("Bad.value")),
        ({"gradient": lambda self, x: np.max(self.scale) * 2.0 * x}, NOT_SWEPT.format("Bad.gradient")),
        (
            {"hessian": lambda self, x: np.tile([[2.0, 1.0], [0.0, 2.0]], (len(x), 1, 1))},
            "Bad.hessian is not symmetric",
        ),
        ({"minimum": Minimum(np.zeros((1, 2)), 0.0)}, "Bad.minimum.x must have shape (2,), not (1, 2)"),
        ({"minimum": Minimum(np.zeros(2), 1.0)}, "Bad.minimum.value is 1.0, but f at minimum.x is 0.0"),
        (
            {"value_and_gradient": lambda self, x: (self.value(x) + 1.0, self.gradient(x))},
            "Bad.value_and_gradient and Bad.value differ",
        ),
        (
            {"value_and_gradient": lambda self, x: (self.value(x), self.gradient(x) + 1.0)},
            "Bad.value_and_gradient and Bad.gradient differ",
        ),
        (
            {
                "residuals": lambda self, x: 1.1 * np.sqrt(self.scale) * x,
                "jacobian": lambda self, x: np.eye(2) * (1.1 * np.sqrt(self.scale * np.ones((len(x), 1))))[..., None],
            },
            "Bad.value is not the sum of the squared residuals",
        ),
        ({"draw_starts": lambda self, generator, count: generator.normal(size=(count, 2))}, None),
        (
            {"draw_starts": lambda self, generator, count: generator.normal(size=count)},
            "Bad.draw_starts must return float64 of shape (5, 2) for a count of 5, not float64 of shape (5,)",
        ),
        (
            {"draw_starts": lambda self, generator, count: [0.0]},
            "Bad.draw_starts must return float64 of shape (5, 2) for a count of 5, not list",
        ),
        (
            {"draw_starts": lambda self, generator, count: np.full((count, 2), np.inf)},
            "Bad.draw_starts must return finite numbers",
        ),
        (
            {"draw_starts": lambda self, generator, count: np.random.default_rng().normal(size=(count, 2))},
            "Bad.draw_starts draws something else the second time from the same generator",
        ),
        (
            {"draw_starts": lambda self, generator, count: np.zeros((count, 2))},
            "Bad.draw_starts draws the same whatever the generator; take its random numbers",
        ),
        (layers(), None),
        (layers(name="b"), "Bad.backpropagation and Bad.layer_weights name other layers"),
        (layers(reaching=(1,)), "reaching of Bad.backpropagation must return shape (5,) for x of shape (5, 2), not (1,)"),
        (layers(gradient=2.0), "Bad.backpropagation and Bad.gradient differ in a"),
        (layers(jacobian=0.5), "Bad.backpropagation: more reaches a than the Jacobian of c lets through"),
    ],
)
def test_a_broken_objective_is_told_what_is_wrong(methods: dict[str, Any], complaint: str | None) -> None:
    if complaint is None:
        check_objective(variant(**methods))
    else:
        assert broken(check_objective, variant(**methods)) == complaint


@pytest.mark.parametrize(
    ("methods", "pattern"),
    [
        (
            {"gradient": lambda self, x: 2.001 * self.scale * x},
            r"Bad\.gradient does not fit differences of what it is the derivative of: \S+ where these give \S+, at x = \[.*\]",
        ),
        (
            {"hessian": lambda self, x: np.tile(np.diag([2.0, 2.1]), (len(x), 1, 1))},
            r"Bad\.hessian does not fit differences of what it is the derivative of: 2\.1 where these give 2, at x = \[.*\]",
        ),
        (
            {"minimum": property(lambda self: Minimum(np.full(2, 0.5), float(self.value(np.full((1, 2), 0.5))[0])))},
            r"Bad\.minimum is none: f is \S+, lower than 0\.5, at x = \[.*\]",
        ),
    ],
)
def test_wrong_mathematics_is_told_where(methods: dict[str, Any], pattern: str) -> None:
    assert re.fullmatch(pattern, broken(check_objective, variant(**methods)))


def test_a_false_minimum_that_no_sample_undercuts_is_still_not_stationary() -> None:
    sharp = variant(
        value=lambda self, x: np.where((x == 0.25).all(axis=-1), -9.0, (self.scale * x * x).sum(axis=-1)),
        minimum=Minimum(np.full(2, 0.25), -9.0),
    )
    assert broken(check_objective, sharp) == "Bad.minimum.x is not stationary: ‖∇f‖ is 0.707 there"


def test_a_minimum_must_follow_a_swept_parameter() -> None:
    shifted = variant(
        value=lambda self, x: ((x - self.scale) ** 2).sum(axis=-1),
        gradient=lambda self, x: 2.0 * (x - self.scale),
        minimum=property(lambda self: Minimum(np.ones(2) * np.max(self.scale), 0.0)),
    )
    assert broken(check_objective, shifted) == "Bad.minimum.x is not that of the single runs where scale is swept"


def test_parameters_that_do_not_fit_are_named() -> None:
    assert broken(check_objective, Quadratic(condition_number=3.0)) == (
        "Quadratic: condition_number = 3 needs dimension >= 2: with dimension = 1 there is one curvature, so "
        "condition_number must be 1"
    )
    assert broken(check_objective, GradientDescent()) == "GradientDescent must be a subclass of runner.Objective"


def test_a_plugin_that_is_no_frozen_dataclass_is_refused() -> None:
    class Plain(Sound):
        """Not a dataclass of its own."""

    assert broken(check_objective, Plain()).endswith("Plain must be decorated with @dataclass(frozen=True)")


# broken gradient backends


def backend(**methods: Any) -> GradientBackend:
    """Return the analytic backend with some methods replaced."""
    cls = dataclass(frozen=True)(type("Bad", (Analytic,), {"__doc__": "Broken.", **methods}))
    return cls()  # type: ignore[no-any-return]


def refuses(self: Any, objective: Objective, quantity: Quantity) -> str | None:
    return "because it rains; use finite_difference"


@pytest.mark.parametrize(
    ("methods", "complaint"),
    [
        (
            {"refusal": lambda self, objective, quantity: "no"},
            "Bad.refusal must return None or a text that starts with 'because ', not 'no' for the gradient",
        ),
        ({"refusal": refuses}, "Bad cannot be checked on this objective, because it rains; use finite_difference"),
        (
            {"gradient": lambda self, objective, x: objective.gradient(x)[:, :1]},
            "Bad.gradient must return shape (5, 2) for x of shape (5, 2), not (5, 1)",
        ),
        (
            {"gradient": lambda self, objective, x: objective.gradient(x) * (1 + len(x))},
            NOT_BATCH_SAFE.format("Bad.gradient"),
        ),
        (
            {"value_and_gradient": lambda self, objective, x: (objective.value(x) + 1, objective.gradient(x))},
            "Bad.value_and_gradient returns another value than the objective",
        ),
        (
            {"value_and_gradient": lambda self, objective, x: (objective.value(x), objective.gradient(x) + 1)},
            "Bad.value_and_gradient and Bad.gradient differ",
        ),
        ({"hessian": lambda self, objective, x: np.tile([[20.0, 1], [0, 2]], (len(x), 1, 1))}, "Bad.hessian is not symmetric"),
    ],
)
def test_a_broken_backend_is_told_what_is_wrong(methods: dict[str, Any], complaint: str) -> None:
    assert broken(check_gradient_backend, backend(**methods), Quadratic(2, 10.0)) == complaint


def test_a_backend_with_wrong_numbers_is_told_where() -> None:
    wrong = backend(gradient=lambda self, objective, x: 1.1 * objective.gradient(x))
    assert broken(check_gradient_backend, wrong, Quadratic(2, 10.0)).startswith("Bad.gradient does not fit differences of")
    wrong = backend(jacobian=lambda self, objective, x: 1.1 * objective.jacobian(x))
    assert broken(check_gradient_backend, wrong, LinearRegression()).startswith("Bad.jacobian does not fit differences of")


# broken optimizers


def optimizer(step: Any, init: Any = None) -> Optimizer:
    """Return an optimizer with this step."""
    methods = {"__doc__": "Broken.", "__annotations__": {"rate": float}, "rate": parameter(0.1, above=0), "step": step}
    cls = dataclass(frozen=True)(type("Bad", (Optimizer,), methods | ({"init": init} if init else {})))
    return cls()  # type: ignore[no-any-return]


def momentum(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    velocity = 0.5 * memory["velocity"] - self.rate * point.gradient
    return point.x + velocity, {"velocity": velocity}


def test_an_optimizer_with_sound_memory_passes() -> None:
    check_optimizer(optimizer(momentum, lambda self, x: {"velocity": np.zeros_like(x)}))


def sums_rows(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    return point.x - self.rate * point.gradient / len(point.x), memory


def writes_x(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    x = point.x
    x -= self.rate * point.gradient
    return x, memory


def wanders() -> Any:
    rng = np.random.default_rng(0)
    return lambda self, point, memory: (point.x - self.rate * point.gradient * rng.uniform(), memory)


def remembers_wrongly(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    # The runs are on the last axis, so those that leave are not cut out.
    velocity = memory.copy()
    velocity[:, : len(point.x)] = 0.5 * velocity[:, : len(point.x)] - (self.rate * point.gradient).T
    return point.x + velocity[:, : len(point.x)].T, velocity


def weighs(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    return point.x - self.rate * memory * point.gradient, memory


@dataclass
class Hidden:
    """Something that no run can be cut out of."""

    scale: Array


@pytest.mark.parametrize(
    ("step", "init", "complaint"),
    [
        (sums_rows, None, "Bad is not batch-safe: a run alone and the same run in a batch of 5 differ"),
        (writes_x, None, "Bad.step writes into point.x; return a new array"),
        (
            lambda self, point, memory: (point.x[0], memory),
            None,
            "Bad.step must return shape (5, 2) for x of shape (5, 2), not (2,)",
        ),
        (
            wanders(),
            None,
            "Bad goes another way the second time from the same start: keep what changes in memory, and draw random numbers from "
            "a generator seeded by a parameter",
        ),
        (
            lambda self, point, memory: (point.x - np.max(self.rate) * point.gradient, memory),
            None,
            "Bad is not batch-safe where rate is swept: rate is then a column (runs, 1), to be combined with arrays (runs, n) "
            "before they are reduced to (runs,)",
        ),
        (
            remembers_wrongly,
            lambda self, x: np.zeros(x.shape[::-1]),
            "Bad keeps an array of shape (2, 5) in its memory for 5 runs: it must have a row for each run; keep constants in the "
            "plugin",
        ),
        (
            weighs,
            lambda self, x: np.linspace(0.5, 1.0, 2),
            "Bad keeps an array of shape (2,) in its memory for 5 runs: it must have a row for each run; keep constants in the plugin",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * memory[0] * point.gradient, memory),
            lambda self, x: np.linspace(0.5, 1.0, 5),
            "Bad keeps an array of shape (5,) in its memory for 1 run: it must have a row for each run; keep constants in the plugin",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * point.gradient, point.gradient - point.gradient.mean(axis=0)),
            None,
            "Bad remembers of a run alone other numbers than of the same run in a batch of 5",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * memory.scale, Hidden(point.gradient)),
            lambda self, x: Hidden(np.zeros_like(x)),
            "Bad loses its memory when other runs leave the batch: memory must be an array with a leading axis of runs, or a "
            "tuple, list or dict of such",
        ),
    ],
)
def test_a_broken_optimizer_is_told_what_is_wrong(step: Any, init: Any, complaint: str) -> None:
    assert broken(check_optimizer, optimizer(step, init)) == complaint


def test_an_optimizer_that_gets_nowhere_is_told_so() -> None:
    climbs = optimizer(lambda self, point, memory: (point.x + self.rate * point.gradient, memory))
    assert broken(check_optimizer, climbs, steps=50).startswith(
        "Bad does not converge on the bowl of runner.testing: within 50 steps f falls only from ["
    )


# broken executors


def test_an_executor_that_drops_or_repeats_results_is_caught() -> None:
    @dataclass(frozen=True)
    class Lossy(Executor):
        """Drops the last."""

        def map(self, function: Callable[[Any], Any], items: Iterable[Any], limit: Any) -> Iterator[Any]:
            return iter([function(item) for item in items][:-1])

    assert broken(check_executor, Lossy()) == "Lossy.map yields [] for the doubles of 1 items, not [0]"

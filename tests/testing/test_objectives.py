"""The checks of an objective notice each way to break the contract."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner import Array, LayerGradient, Minimum, Objective
from runner.testing import check_objective
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.broken_plugins import NOT_BATCH_SAFE, Sound, broken


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
    """Return the sound methods of a chain of two layers, in which each coordinate is the weight of one layer."""

    def backpropagation(self: Any, x: Array) -> tuple[LayerGradient, ...]:
        slopes = gradient * np.abs(self.gradient(x))
        made = ((name, 0, np.ones(reaching)), ("c", 1, np.ones(len(x))))
        return tuple(
            LayerGradient(each, slice(place, place + 1), np.full(len(x), jacobian), arrived, slopes[:, place])
            for each, place, arrived in made
        )

    weights = {"a": slice(0, 1), "c": slice(1, 2)}
    return {"backpropagation": backpropagation, "layer_weights": property(lambda self: weights)}


NOT_SWEPT = (
    "{} is not batch-safe if scale is swept: scale is then a column of shape (runs, 1); combine it with arrays of shape (runs, n) "
    "before they are reduced to (runs,)"
)


@pytest.mark.parametrize(
    ("methods", "complaint"),
    [
        ({"dimension": 0}, "Bad.dimension must be a whole number of at least 1, not 0"),
        ({"value": lambda self, x: self.scale * x * x}, "Bad.value must return shape (5,) for x of shape (5, 2), not (5, 2)"),
        ({"value": lambda self, x: x[:, 0].astype(np.float32)}, "Bad.value must return float64, not float32"),
        ({"value": lambda self, x: float(x.sum())}, "Bad.value must return a NumPy array, not float"),
        ({"value": writes}, "Bad.value writes into its argument x; copy it first"),
        ({"value": growing()}, "Bad.value returns different numbers when it is called twice with the same x"),
        ({"value": lambda self, x: (x * x).sum(axis=-1) - x.mean()}, NOT_BATCH_SAFE.format("Bad.value")),
        ({"value": lambda self, x: np.ravel(self.scale) * (x * x).sum(axis=-1) * 1.0}, None),
        ({"value": lambda self, x: np.max(self.scale) * (x * x).sum(axis=-1)}, NOT_SWEPT.format("Bad.value")),
        ({"gradient": lambda self, x: np.max(self.scale) * 2.0 * x}, NOT_SWEPT.format("Bad.gradient")),
        ({"hessian": lambda self, x: np.tile([[2.0, 1.0], [0.0, 2.0]], (len(x), 1, 1))}, "Bad.hessian is not symmetric"),
        ({"minimum": Minimum(np.zeros((1, 2)), 0.0)}, "Bad.minimum.x must have shape (2,), not (1, 2)"),
        ({"minimum": Minimum(np.zeros(2), 1.0)}, "Bad.minimum.value is 1.0, but f at minimum.x is 0.0"),
        (
            {"value_and_gradient": lambda self, x: (self.value(x) + 1.0, self.gradient(x))},
            "Bad.value_and_gradient and Bad.value return different numbers",
        ),
        (
            {"value_and_gradient": lambda self, x: (self.value(x), self.gradient(x) + 1.0)},
            "Bad.value_and_gradient and Bad.gradient return different numbers",
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
            "Bad.draw_starts draws different starts from two generators with the same seed",
        ),
        (
            {"draw_starts": lambda self, generator, count: np.zeros((count, 2))},
            "Bad.draw_starts draws the same starts from generators with different seeds; take all random numbers from the generator",
        ),
        (layers(), None),
        (
            layers(name="b"),
            "Bad.backpropagation and Bad.layer_weights must have the same layers, with the same weights and in the same order",
        ),
        (layers(reaching=(1,)), "reaching of Bad.backpropagation must return shape (5,) for x of shape (5, 2), not (1,)"),
        (layers(gradient=2.0), "Bad.backpropagation and Bad.gradient differ in layer a"),
        (layers(jacobian=0.5), "Bad.backpropagation: reaching of layer a exceeds reaching times jacobian_norm of layer c"),
    ],
)
def test_fault_of_an_objective_is_named(methods: dict[str, Any], complaint: str | None) -> None:
    if complaint is None:
        check_objective(variant(**methods))
    else:
        assert broken(check_objective, variant(**methods)) == complaint


@pytest.mark.parametrize(
    ("methods", "pattern"),
    [
        (
            {"gradient": lambda self, x: 2.001 * self.scale * x},
            r"Bad\.gradient does not agree with central differences of Bad\.value: it returns \S+ where the differences give \S+, at x = \[.*\]",
        ),
        (
            {"hessian": lambda self, x: np.tile(np.diag([2.0, 2.1]), (len(x), 1, 1))},
            r"Bad\.hessian does not agree with central differences of Bad\.gradient: it returns 2\.1 where the differences give 2, at x = \[.*\]",
        ),
        (
            {"minimum": property(lambda self: Minimum(np.full(2, 0.5), float(self.value(np.full((1, 2), 0.5))[0])))},
            r"Bad\.minimum is not a minimum: f is \S+, lower than 0\.5, at x = \[.*\]",
        ),
    ],
)
def test_wrong_mathematics_is_located(methods: dict[str, Any], pattern: str) -> None:
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
    assert broken(check_objective, shifted) == "Bad.minimum.x differs from that of single runs if scale is swept"


def test_parameters_that_do_not_fit_are_named() -> None:
    assert broken(check_objective, Quadratic(condition_number=3.0)) == (
        "Quadratic: condition_number = 3 needs dimension >= 2: with dimension = 1 there is one curvature, so "
        "condition_number must be 1"
    )
    assert broken(check_objective, GradientDescent()) == "GradientDescent must be a subclass of runner.Objective"


@pytest.mark.parametrize("period", [3, 4, 6])
def test_a_value_that_changes_now_and_then_is_not_called_unsafe_in_batches(period: int):
    calls = itertools.count()

    def value(self: Any, x: Array) -> Array:
        return (x * x).sum(axis=-1) + 1e-3 * (next(calls) // period)

    said = broken(check_objective, variant(value=value))
    assert "batch-safe" not in said
    assert "Bad.value" in said

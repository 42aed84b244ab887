"""The checks of a gradient backend notice each way to break the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner import GradientBackend, Objective, Quantity
from runner.testing import check_gradient_backend
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from tests.support.broken_plugins import NOT_BATCH_SAFE, broken


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
        ({"gradient": lambda self, objective, x: objective.gradient(x) * (1 + len(x))}, NOT_BATCH_SAFE.format("Bad.gradient")),
        (
            {"value_and_gradient": lambda self, objective, x: (objective.value(x) + 1, objective.gradient(x))},
            "Bad.value_and_gradient and Quadratic.value return different values",
        ),
        (
            {"value_and_gradient": lambda self, objective, x: (objective.value(x), objective.gradient(x) + 1)},
            "Bad.value_and_gradient and Bad.gradient return different gradients",
        ),
        ({"hessian": lambda self, objective, x: np.tile([[20.0, 1], [0, 2]], (len(x), 1, 1))}, "Bad.hessian is not symmetric"),
    ],
)
def test_fault_of_a_backend_is_named(methods: dict[str, Any], complaint: str) -> None:
    assert broken(check_gradient_backend, backend(**methods), Quadratic(2, 10.0)) == complaint


def test_wrong_numbers_of_a_backend_are_located() -> None:
    wrong = backend(gradient=lambda self, objective, x: 1.1 * objective.gradient(x))
    assert broken(check_gradient_backend, wrong, Quadratic(2, 10.0)).startswith(
        "Bad.gradient does not agree with central differences of Quadratic.value: "
    )
    wrong = backend(jacobian=lambda self, objective, x: 1.1 * objective.jacobian(x))
    assert broken(check_gradient_backend, wrong, LinearRegression()).startswith(
        "Bad.jacobian does not agree with central differences of LinearRegression.residuals: "
    )

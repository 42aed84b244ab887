"""The complex step: no cancellation, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner import Objective
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from tests.support.smooth_objectives import ValueOnly, close, labelled, points


@labelled
def test_every_formula_agrees_with_the_complex_step(objective: Any) -> None:
    x = points(objective)
    exact, stepped = Analytic(), ComplexStep()
    assert close(exact.gradient(objective, x), stepped.gradient(objective, x), 1e-12)
    assert close(exact.hessian(objective, x), stepped.hessian(objective, x), 1e-12)
    if hasattr(objective, "residuals"):
        assert close(exact.jacobian(objective, x), stepped.jacobian(objective, x), 1e-12)


def test_complex_step_has_no_cancellation_where_differences_lose_all_digits() -> None:
    x = np.array([[1e-9, 2e-9, 3e-9]])
    steep = ValueOnly(lambda x: 1e8 + (x * x * x).sum(axis=-1))
    np.testing.assert_allclose(ComplexStep().gradient(steep, x), 3 * x * x, rtol=1e-15)
    assert not np.allclose(FiniteDifference().gradient(steep, x), 3 * x * x, rtol=0.5, atol=0)


LOST = "because ValueOnly.value loses the imaginary part of complex numbers; use gradient backend finite_difference"


@pytest.mark.parametrize(
    ("function", "refusal"),
    [
        (lambda x: (np.abs(x) ** 2).sum(axis=-1), LOST),
        (lambda x: np.vecdot(x, x), LOST),
        (lambda x: (x * x).sum(axis=-1) + np.abs(x).sum(axis=-1), LOST),
        (lambda x: x.astype(np.float64).sum(axis=-1), LOST),
        (lambda x: np.abs(x - 0.5).sum(axis=-1), LOST),
        (
            lambda x: np.cbrt(x).sum(axis=-1),
            "because ValueOnly.value does not accept complex numbers (TypeError: ufunc 'cbrt' not supported for the input types, "
            "and the inputs could not be safely coerced to any supported types according to the casting rule ''safe''); "
            "use gradient backend finite_difference",
        ),
        (lambda x: 0.0 * x.sum(axis=-1) + 3.0, None),
        (lambda x: 1e8 + np.sin(x).sum(axis=-1), None),
        (lambda x: np.sin(1e6 * x).sum(axis=-1), None),
        (lambda x: np.exp(x).sum(axis=-1), None),
    ],
    ids=["abs", "vecdot", "partly abs", "cast", "slopes that cancel", "cbrt", "constant", "offset", "wild", "exp"],
)
def test_complex_step_refuses_objectives_without_complex_numbers(function: Any, refusal: str | None) -> None:
    assert ComplexStep().refusal(ValueOnly(function), "gradient") == refusal


@labelled
def test_the_complex_step_serves_every_objective_here(objective: Objective) -> None:
    assert ComplexStep().refusal(objective, "gradient") is None
    assert ComplexStep().refusal(objective, "hessian") is None

"""Properties of every gradient backend: agreement, evaluations, batches, and refusals."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from runner import GradientBackend, Objective, Quantity
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from tests.support.smooth_objectives import KnownValley, Valley, ValueOnly, labelled, points


@pytest.mark.parametrize("evaluations", [("central", 1 + 6), ("forward", 1 + 3)], ids=lambda pair: pair[0])
def test_value_and_gradient_evaluates_f_no_more_than_needed(evaluations: tuple[Literal["central", "forward"], int]) -> None:
    calls = []
    objective = ValueOnly(lambda x: calls.append(1) or (x * x).sum(axis=-1))
    backend = FiniteDifference(evaluations[0])
    value, gradient = backend.value_and_gradient(objective, np.ones((2, 3)))
    assert len(calls) == evaluations[1]
    assert value.tolist() == [3, 3]
    assert gradient.tobytes() == backend.gradient(objective, np.ones((2, 3))).tobytes()


@pytest.mark.parametrize("runs", [2, 257])
@labelled
@pytest.mark.parametrize(
    "backend",
    [Analytic(), FiniteDifference(), FiniteDifference("forward"), FiniteDifference(spacing=1e-4), ComplexStep()],
    ids=lambda backend: type(backend).__name__,
)
def test_a_batch_has_the_bits_of_its_rows(backend: Any, objective: Any, runs: int) -> None:
    x = points(objective, runs)
    gradient, hessian, value = backend.gradient(objective, x), backend.hessian(objective, x), objective.value(x)
    for run in (0, 1, runs - 1):
        row = slice(run, run + 1)
        assert value[row].tobytes() == objective.value(x[row]).tobytes()
        assert gradient[row].tobytes() == backend.gradient(objective, x[row]).tobytes()
        assert hessian[row].tobytes() == backend.hessian(objective, x[row]).tobytes()


NO_RESIDUALS = "is no sum of squared residuals; use a least-squares objective such as linear_regression"
NUMERIC = "use gradient backend finite_difference or complex_step"


@pytest.mark.parametrize(
    ("backend", "objective", "quantity", "refusal"),
    [
        (Analytic(), Valley(), "gradient", f"because Valley offers no gradient; {NUMERIC}"),
        (Analytic(), KnownValley(), "hessian", f"because KnownValley offers no Hessian; {NUMERIC}"),
        (Analytic(), Quadratic(), "jacobian", f"because Quadratic {NO_RESIDUALS}"),
        (FiniteDifference(), Quadratic(), "jacobian", f"because Quadratic {NO_RESIDUALS}"),
        (ComplexStep(), Quadratic(), "jacobian", f"because Quadratic {NO_RESIDUALS}"),
        (Analytic(), KnownValley(), "gradient", None),
        (Analytic(), Quadratic(), "hessian", None),
        (Analytic(), LinearRegression(), "jacobian", None),
        (FiniteDifference(), Valley(), "gradient", None),
        (FiniteDifference(), Valley(), "hessian", None),
        (FiniteDifference(), LinearRegression(), "jacobian", None),
        (ComplexStep(), Valley(), "gradient", None),
        (ComplexStep(), Valley(), "hessian", None),
        (ComplexStep(), LinearRegression(features=3), "jacobian", None),
    ],
)
def test_refusals_of_each_backend(
    backend: GradientBackend, objective: Objective, quantity: Quantity, refusal: str | None
) -> None:
    assert backend.refusal(objective, quantity) == refusal

"""The gradient backends against formulas, against each other, and at their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from runner import Array, GradientBackend, Objective, Quantity
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic

EPSILON = float(np.finfo(np.float64).eps)
SMOOTH = [
    Quadratic(),
    Quadratic(2, 10.0),
    Quadratic(5, 1e6),
    Quadratic(33, 1e3),
    SinQuadratic(),
    SinQuadratic(-7.0, 3.0),
    LinearRegression(),
    LinearRegression(features=4, samples=20),
]
labelled = pytest.mark.parametrize("objective", SMOOTH, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}")


@dataclass(frozen=True)
class Valley(Objective):
    """f(x) = exp(x₁) sin(x₂) + x₁² x₂³: values only, with third and fourth derivatives that do not vanish."""

    @property
    def dimension(self) -> int:
        return 2

    def value(self, x: Array) -> Array:
        one, two = x[..., 0], x[..., 1]
        total: Array = np.exp(one) * np.sin(two) + one * one * two * two * two
        return total


def valley_gradient(x: Array) -> Array:
    one, two = x.T
    return np.stack([np.exp(one) * np.sin(two) + 2 * one * two**3, np.exp(one) * np.cos(two) + 3 * one**2 * two**2], axis=-1)


def valley_hessian(x: Array) -> Array:
    one, two = x.T
    mixed = np.exp(one) * np.cos(two) + 6 * one * two**2
    pure = np.exp(one) * np.sin(two)
    return np.array([[pure + 2 * two**3, mixed], [mixed, -pure + 6 * one**2 * two]]).transpose(2, 0, 1)


@dataclass(frozen=True)
class KnownValley(Valley):
    """The same, with its gradient."""

    def gradient(self, x: Array) -> Array:
        return np.stack(
            [
                np.exp(x[..., 0]) * np.sin(x[..., 1]) + 2 * x[..., 0] * x[..., 1] ** 3,
                np.exp(x[..., 0]) * np.cos(x[..., 1]) + 3 * x[..., 0] ** 2 * x[..., 1] ** 2,
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class ValueOnly(Objective):
    """Any function of x as an objective."""

    function: Any

    @property
    def dimension(self) -> int:
        return 3

    def value(self, x: Array) -> Array:
        result: Array = self.function(x)
        return result


def points(objective: Objective, runs: int = 40) -> Array:
    return np.random.default_rng(7).uniform(-2.0, 2.0, (runs, objective.dimension))


def close(actual: Array, expected: Array, tolerance: float) -> bool:
    return bool(np.abs(actual - expected).max() <= tolerance * np.abs(expected).max())


@labelled
def test_every_formula_agrees_with_the_complex_step(objective: Any) -> None:
    x = points(objective)
    exact, stepped = Analytic(), ComplexStep()
    assert close(exact.gradient(objective, x), stepped.gradient(objective, x), 1e-12)
    assert close(exact.hessian(objective, x), stepped.hessian(objective, x), 1e-12)
    if hasattr(objective, "residuals"):
        assert close(exact.jacobian(objective, x), stepped.jacobian(objective, x), 1e-12)


@labelled
@pytest.mark.parametrize("backend", [FiniteDifference(), FiniteDifference("forward")], ids=["central", "forward"])
def test_finite_differences_reach_the_accuracy_their_docstring_promises(objective: Any, backend: FiniteDifference) -> None:
    x = points(objective)
    size = np.abs(objective.value(x)).max() + np.abs(objective.hessian(x)).max()
    promised = 20 * size * EPSILON ** (2 / 3 if backend.scheme == "central" else 1 / 2)
    assert np.abs(backend.gradient(objective, x) - objective.gradient(x)).max() <= promised
    assert np.abs(backend.hessian(objective, x) - objective.hessian(x)).max() <= promised
    if hasattr(objective, "residuals"):
        assert np.abs(backend.jacobian(objective, x) - objective.jacobian(x)).max() <= promised


@pytest.mark.parametrize(("scheme", "order"), [("forward", 1), ("central", 2)])
def test_the_error_of_finite_differences_falls_at_the_order_of_their_scheme(
    scheme: Literal["central", "forward"], order: int
) -> None:
    x = points(Valley())
    spacings = 2.0 ** -np.arange(5, 11)
    errors = [
        np.abs(FiniteDifference(scheme, spacing=float(h)).gradient(Valley(), x) - valley_gradient(x)).max() for h in spacings
    ]
    np.testing.assert_allclose(np.diff(np.log2(errors)), -order, atol=0.1)


def test_the_error_of_second_differences_falls_at_second_order() -> None:
    x = points(Valley())
    backends = [FiniteDifference(second_spacing=float(h)) for h in 2.0 ** -np.arange(4, 8)]
    errors = [np.abs(backend.hessian(Valley(), x) - valley_hessian(x)).max() for backend in backends]
    np.testing.assert_allclose(np.diff(np.log2(errors)), -2, atol=0.1)


@pytest.mark.parametrize("scheme", ["forward", "central"])
def test_the_default_spacing_is_near_the_best(scheme: Literal["central", "forward"]) -> None:
    x = points(Valley(), 200)
    exact = valley_gradient(x)

    def error(spacing: float | None) -> float:
        return float(np.abs(FiniteDifference(scheme, spacing=spacing).gradient(Valley(), x) - exact).max())

    assert error(None) <= 10 * min(error(float(h)) for h in np.logspace(-14, -1, 40))


def test_spacing_grows_with_the_coordinate() -> None:
    asked: list[Array] = []

    def watched(x: Array) -> Array:
        asked.append(x.copy())
        return x.sum(axis=-1)

    FiniteDifference(spacing=2.0**-10).gradient(ValueOnly(watched), np.array([[0.5, 8.0, -64.0]]))
    moved = np.abs(np.concatenate(asked) - [0.5, 8.0, -64.0]).max(axis=0) * 2**10
    assert moved.tolist() == [1, 8, 64]
    assert len(asked) == 6
    assert all(x.shape == (1, 3) for x in asked)


def test_hessians_from_values_alone() -> None:
    x = points(Valley())
    assert close(FiniteDifference().hessian(Valley(), x), valley_hessian(x), 1e-7)
    assert close(ComplexStep().hessian(Valley(), x), valley_hessian(x), 1e-9)


def test_hessians_from_a_known_gradient_are_better() -> None:
    x = points(Valley())
    assert close(FiniteDifference().hessian(KnownValley(), x), valley_hessian(x), 1e-9)
    assert close(ComplexStep().hessian(KnownValley(), x), valley_hessian(x), 1e-14)


@pytest.mark.parametrize("backend", [FiniteDifference(), FiniteDifference("forward"), ComplexStep()], ids=str)
@pytest.mark.parametrize("objective", [Valley(), KnownValley()], ids=["values", "gradient"])
def test_numeric_hessians_are_exactly_symmetric(backend: Any, objective: Objective) -> None:
    hessian = backend.hessian(objective, points(objective))
    assert (hessian == hessian.swapaxes(1, 2)).all()


def test_the_complex_step_has_no_cancellation_where_differences_have_nothing_left() -> None:
    x = np.array([[1e-9, 2e-9, 3e-9]])
    steep = ValueOnly(lambda x: 1e8 + (x * x * x).sum(axis=-1))
    np.testing.assert_allclose(ComplexStep().gradient(steep, x), 3 * x * x, rtol=1e-15)
    assert not np.allclose(FiniteDifference().gradient(steep, x), 3 * x * x, rtol=0.5, atol=0)


@pytest.mark.parametrize("evaluations", [("central", 1 + 6), ("forward", 1 + 3)], ids=lambda pair: pair[0])
def test_value_and_gradient_evaluates_f_no_more_than_needed(evaluations: tuple[Literal["central", "forward"], int]) -> None:
    calls = []
    objective = ValueOnly(lambda x: calls.append(1) or (x * x).sum(axis=-1))
    backend = FiniteDifference(evaluations[0])
    value, gradient = backend.value_and_gradient(objective, np.ones((2, 3)))
    assert len(calls) == evaluations[1]
    assert value.tolist() == [3, 3]
    assert gradient.tobytes() == backend.gradient(objective, np.ones((2, 3))).tobytes()


def test_analytic_uses_the_shared_work_of_an_objective() -> None:
    class Shared(Quadratic):
        def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
            return np.full(len(x), 7.0), np.full_like(x, 8.0)

    value, gradient = Analytic().value_and_gradient(Shared(), np.ones((2, 1)))
    assert (value.tolist(), gradient.tolist()) == ([7, 7], [[8], [8]])
    value, gradient = Analytic().value_and_gradient(Quadratic(), np.ones((2, 1)))
    assert (value.tolist(), gradient.tolist()) == ([1, 1], [[2], [2]])


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
def test_what_each_backend_refuses(
    backend: GradientBackend, objective: Objective, quantity: Quantity, refusal: str | None
) -> None:
    assert backend.refusal(objective, quantity) == refusal


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
def test_the_complex_step_refuses_what_does_not_compute_with_complex_numbers(function: Any, refusal: str | None) -> None:
    assert ComplexStep().refusal(ValueOnly(function), "gradient") == refusal


@labelled
def test_the_complex_step_serves_every_objective_here(objective: Objective) -> None:
    assert ComplexStep().refusal(objective, "gradient") is None
    assert ComplexStep().refusal(objective, "hessian") is None

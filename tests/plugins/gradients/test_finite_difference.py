"""Finite differences: accuracy, order and spacing."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from runner import Array, Objective
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.gradients.finite_difference import FiniteDifference
from tests.support.smooth_objectives import KnownValley, Valley, ValueOnly, close, labelled, points

EPSILON = float(np.finfo(np.float64).eps)


def valley_gradient(x: Array) -> Array:
    one, two = x.T
    return np.stack([np.exp(one) * np.sin(two) + 2 * one * two**3, np.exp(one) * np.cos(two) + 3 * one**2 * two**2], axis=-1)


def valley_hessian(x: Array) -> Array:
    one, two = x.T
    mixed = np.exp(one) * np.cos(two) + 6 * one * two**2
    pure = np.exp(one) * np.sin(two)
    return np.array([[pure + 2 * two**3, mixed], [mixed, -pure + 6 * one**2 * two]]).transpose(2, 0, 1)


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

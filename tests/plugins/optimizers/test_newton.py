"""Newton's method, at minima, saddles and singular points."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from runner import Array
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.newton import Newton
from tests.support.optimizer_points import on, stepped

Indefinite = Literal["absolute", "gradient", "plain"]
CHOICES: tuple[Indefinite, ...] = ("absolute", "gradient", "plain")


@pytest.mark.parametrize("indefinite", CHOICES)
@pytest.mark.parametrize(
    "objective",
    [Quadratic(), Quadratic(2, 1e8), Quadratic(5, 100.0), Quadratic(33, 1e6), LinearRegression(), LinearRegression(features=4)],
    ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}",
)
def test_newton_solves_a_convex_quadratic_in_one_step(objective: Any, indefinite: Indefinite) -> None:
    start = np.random.default_rng(0).uniform(-3, 3, (20, objective.dimension))
    after = on(objective, Newton(indefinite=indefinite), start)
    np.testing.assert_allclose(after, np.broadcast_to(objective.minimum.x, after.shape), rtol=0, atol=1e-13)


def test_a_damped_newton_step_goes_that_fraction_of_the_way() -> None:
    np.testing.assert_allclose(on(Quadratic(3, 10.0), Newton(0.25), np.ones((1, 3)), 2), np.full((1, 3), 0.75**2), rtol=1e-15)


def test_newton_converges_quadratically() -> None:
    root = SinQuadratic().minimum.x[0]
    errors = [abs(float(on(SinQuadratic(), Newton(), np.array([[0.5]]), steps)[0, 0] - root)) for steps in range(6)]
    for before, after in itertools.pairwise(errors[1:5]):
        assert after <= 0.5 * before**2
    assert errors[5] <= 1e-15


def rotated(eigenvalues: list[float], seed: int = 0) -> tuple[Array, Array]:
    """Return a symmetric matrix with these eigenvalues, and its eigenvectors in columns."""
    directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))[0]
    matrix = directions @ np.diag(eigenvalues) @ directions.T
    return 0.5 * (matrix + matrix.T), directions


@pytest.mark.parametrize(
    ("indefinite", "scales"),
    [("absolute", (1 / 2, 1 / 4, 1 / 3)), ("gradient", (1 / 4, 1 / 4, 1 / 4)), ("plain", (1 / 2, -1 / 4, 1 / 3))],
)
def test_newton_along_negative_curvature(indefinite: Indefinite, scales: tuple[float, float, float]) -> None:
    hessian, directions = rotated([2.0, -4.0, 3.0])
    gradient = np.array([1.0, 2.0, -1.5])
    step = -stepped(Newton(indefinite=indefinite), np.zeros((1, 3)), gradient[None], hessian[None])
    np.testing.assert_allclose(step[0], directions @ (np.array(scales) * (directions.T @ gradient)), rtol=1e-13)


def test_plain_newton_uses_the_pseudo_inverse_of_a_singular_hessian() -> None:
    hessian, _ = rotated([2.0, 0.0, -5.0], seed=1)
    gradient = np.array([1.0, 2.0, 3.0])
    step = -stepped(Newton(indefinite="plain"), np.zeros((1, 3)), gradient[None], hessian[None])
    np.testing.assert_allclose(step[0], np.linalg.pinv(hessian, rcond=1e-12) @ gradient, rtol=1e-12)


def test_absolute_newton_floors_the_curvature() -> None:
    hessian = np.diag([4.0, 0.0, 1e-3])[None]
    step = -stepped(Newton(floor=0.25), np.zeros((1, 3)), np.ones((1, 3)), hessian)
    np.testing.assert_allclose(step, [[0.25, 1.0, 1.0]], rtol=1e-15)


def test_saddle_points_repel_absolute_newton_and_attract_plain_newton() -> None:
    @dataclass(frozen=True)
    class Saddle:
        """x₁² − x₂² + x₂⁴, with minima at x₂ = ±1/√2."""

        def gradient(self, x: Array) -> Array:
            return np.stack([2 * x[:, 0], -2 * x[:, 1] + 4 * x[:, 1] ** 3], axis=-1)

        def hessian(self, x: Array) -> Array:
            diagonal = np.stack([np.full(len(x), 2.0), -2 + 12 * x[:, 1] ** 2], axis=-1)
            return diagonal[:, :, None] * np.eye(2)

    start = np.array([[1.0, 0.1], [1.0, -0.1]])
    np.testing.assert_allclose(on(Saddle(), Newton(), start, 40), [[0, math.sqrt(0.5)], [0, -math.sqrt(0.5)]], atol=1e-12)
    np.testing.assert_allclose(on(Saddle(), Newton(indefinite="gradient"), start, 40)[:, 1] ** 2, [0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(on(Saddle(), Newton(indefinite="plain"), start, 40), np.zeros((2, 2)), atol=1e-12)


@pytest.mark.parametrize("indefinite", CHOICES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dimension", [1, 3])
def test_run_without_a_finite_hessian_gets_nan_alone(indefinite: Indefinite, bad: float, dimension: int) -> None:
    rng = np.random.default_rng(1)
    gradient, hessian = rng.normal(size=(3, dimension)), rng.normal(size=(3, dimension, dimension))
    hessian = hessian + hessian.swapaxes(1, 2)
    newton, x = Newton(indefinite=indefinite), np.zeros((3, dimension))
    well = stepped(newton, x, gradient, hessian)
    hessian[1, 0, 0] = bad
    ill = stepped(newton, x, gradient, hessian)
    assert np.isnan(ill[1]).all()
    assert ill[[0, 2]].tobytes() == well[[0, 2]].tobytes()


@pytest.mark.parametrize("indefinite", CHOICES)
@pytest.mark.parametrize("dimension", [1, 2])
def test_newton_stays_in_place_without_curvature(indefinite: Indefinite, dimension: int) -> None:
    x = np.ones((2, dimension))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = stepped(Newton(indefinite=indefinite), x, np.ones((2, dimension)), np.zeros((2, dimension, dimension)))
    np.testing.assert_array_equal(after, x)

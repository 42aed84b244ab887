"""The optimizers against what theory says of their iterates."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array, Optimizer
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.clipped_gradient_descent import ClippedGradientDescent
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.newton import Newton

Indefinite = Literal["absolute", "gradient", "plain"]
CHOICES: tuple[Indefinite, ...] = ("absolute", "gradient", "plain")
HUGE = float(np.finfo(np.float64).max)


@dataclass
class Given:
    """A point whose derivatives are given."""

    x: Array
    gradient: Array
    hessian: Any = None


def stepped(optimizer: Optimizer, x: Array, gradient: Array, hessian: Any = None) -> Array:
    return optimizer.step(Given(x, gradient, hessian), optimizer.init(x))[0]  # type: ignore[arg-type]


def on(objective: Any, optimizer: Optimizer, x: Array, steps: int = 1) -> Array:
    for _ in range(steps):
        x = stepped(optimizer, x, objective.gradient(x), objective.hessian(x))
    return x


# gradient_descent


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.5, 0.75, 0.999, 1.0, 1.001])
def test_gradient_descent_on_x_squared_follows_its_closed_form(rate: float) -> None:
    start = np.array([[3.0], [-0.7], [1e-5]])
    for steps in (1, 2, 10, 300):
        expected = (1 - 2 * rate) ** steps * start
        np.testing.assert_allclose(
            on(Quadratic(), GradientDescent(rate), start, steps), expected, rtol=4e-16 * (2 + steps * 2 / abs(1 - 2 * rate or 1))
        )


def test_gradient_descent_shrinks_the_error_by_the_best_rate_theory_allows() -> None:
    kappa = 9.0
    start = np.array([[1.0, 1.0]])
    after = on(Quadratic(2, kappa), GradientDescent(1 / (1 + kappa)), start, 20)
    np.testing.assert_allclose(np.abs(after), ((kappa - 1) / (kappa + 1)) ** 20 * start, rtol=1e-13)


# clipped_gradient_descent

finite = st.floats(-HUGE, HUGE)
rates = st.floats(1e-6, 1e3)
bounds = st.floats(1e-100, 1e100)


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=finite), rates, bounds)
def test_no_clipped_step_is_longer_than_the_bound(gradient: Array, rate: float, bound: float) -> None:
    step = stepped(ClippedGradientDescent(rate, max_norm=bound), np.zeros_like(gradient), gradient)
    for row, own in zip(step, gradient, strict=True):
        assert math.hypot(*row) <= rate * bound * (1 + 1e-15)
        exceeds = math.hypot(*own) > bound * (1 + 1e-14)
        if exceeds:
            assert math.hypot(*row) == pytest.approx(rate * bound, rel=1e-14)


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=finite), rates, bounds)
def test_no_clipped_step_moves_a_coordinate_beyond_its_bound(gradient: Array, rate: float, bound: float) -> None:
    step = stepped(ClippedGradientDescent(rate, max_norm=None, max_value=bound), np.zeros_like(gradient), gradient)
    assert (np.abs(step) <= rate * bound).all()
    within = np.abs(gradient) <= bound
    np.testing.assert_array_equal(step[within], 0.0 - rate * gradient[within])
    both = stepped(ClippedGradientDescent(rate, bound, bound), np.zeros_like(gradient), gradient)
    assert (np.abs(both) <= rate * bound * (1 + 1e-15)).all()
    assert all(math.hypot(*row) <= rate * bound * (1 + 1e-15) for row in both)


def test_clipping_the_length_keeps_the_direction_and_leaves_short_gradients_alone() -> None:
    gradient = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [1e300, -1e300], [5e-324, 0.0]])
    step = -stepped(ClippedGradientDescent(0.5, max_norm=1.0), np.zeros((5, 2)), gradient)
    expected = [[0.3, 0.4], [0.15, 0.2], [0, 0], [math.sqrt(0.125), -math.sqrt(0.125)], [0, 0]]
    np.testing.assert_allclose(step, expected, rtol=4e-16)


def test_clipping_by_value_comes_before_clipping_by_length() -> None:
    step = -stepped(ClippedGradientDescent(1.0, max_norm=1.0, max_value=2.0), np.zeros((1, 2)), np.array([[100.0, 2.0]]))
    np.testing.assert_allclose(step, [[math.sqrt(0.5), math.sqrt(0.5)]], rtol=4e-16)


def test_an_infinite_bound_does_nothing() -> None:
    gradient = np.array([[1e300, 3.0], [0.0, 0.0]])
    clipped = ClippedGradientDescent(0.5, max_norm=math.inf, max_value=math.inf)
    assert (
        stepped(clipped, np.ones((2, 2)), gradient).tobytes()
        == stepped(GradientDescent(0.5), np.ones((2, 2)), gradient).tobytes()
    )


@pytest.mark.parametrize("bound", [None, math.inf])
def test_clipping_nothing_is_refused(bound: float | None) -> None:
    with pytest.raises(ValueError, match="max_norm") as refusal:
        ClippedGradientDescent(max_norm=bound, max_value=None).validate()
    assert str(refusal.value) == "max_norm or max_value must be a finite number: without a bound this is gradient_descent"
    ClippedGradientDescent(max_norm=bound, max_value=2.0).validate()
    ClippedGradientDescent().validate()


# newton


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
def test_what_newton_does_along_negative_curvature(indefinite: Indefinite, scales: tuple[float, float, float]) -> None:
    hessian, directions = rotated([2.0, -4.0, 3.0])
    gradient = np.array([1.0, 2.0, -1.5])
    step = -stepped(Newton(indefinite=indefinite), np.zeros((1, 3)), gradient[None], hessian[None])
    np.testing.assert_allclose(step[0], directions @ (np.array(scales) * (directions.T @ gradient)), rtol=1e-13)


def test_plain_newton_is_the_pseudo_inverse_of_a_singular_hessian() -> None:
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
def test_a_run_without_a_finite_hessian_gets_nan_and_its_neighbours_do_not_notice(
    indefinite: Indefinite, bad: float, dimension: int
) -> None:
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
def test_newton_stays_where_there_is_no_curvature(indefinite: Indefinite, dimension: int) -> None:
    x = np.ones((2, dimension))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = stepped(Newton(indefinite=indefinite), x, np.ones((2, dimension)), np.zeros((2, dimension, dimension)))
    np.testing.assert_array_equal(after, x)


# every optimizer


@pytest.mark.parametrize("dimension", [1, 2, 5, 33])
@pytest.mark.parametrize(
    "make",
    [
        lambda column: GradientDescent(0.2 * column),
        lambda column: ClippedGradientDescent(0.2 * column, 0.7 * column, None),
        lambda column: ClippedGradientDescent(0.2, None, 0.3 * column),
        lambda column: ClippedGradientDescent(0.2, 0.7 * column, 0.3),
        lambda column: Newton(0.5 * column),
        lambda column: Newton(0.5, "gradient", 0.1 * column),
        lambda column: Newton(0.5, "plain", 0.1 * column),
    ],
)
def test_a_swept_batch_has_the_bits_of_its_runs(make: Any, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    x, gradient = rng.normal(size=(2, 37, dimension))
    hessian = rng.normal(size=(37, dimension, dimension))
    hessian = hessian + hessian.swapaxes(1, 2)
    column = rng.uniform(0.5, 1.5, (37, 1))
    together = stepped(make(column), x, gradient, hessian)
    for run in range(37):
        row = slice(run, run + 1)
        alone = stepped(make(float(column[run, 0])), x[row], gradient[row], hessian[row])
        assert together[row].tobytes() == alone.tobytes()

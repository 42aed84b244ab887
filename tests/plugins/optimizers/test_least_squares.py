"""Gauss–Newton and Levenberg–Marquardt, against SciPy, NumPy and Nielsen's algorithm."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import Array, LeastSquares, Optimizer
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.optimizers.gauss_newton import GaussNewton
from runner_plugins.optimizers.levenberg_marquardt import LevenbergMarquardt
from tests.support.optimizer_paths import Rosenbrock, starts, take_steps
from tests.support.optimizer_points import GivenResiduals


@dataclass(frozen=True)
class Decay(LeastSquares):
    """Σ (a exp(−b tᵢ) + c − yᵢ)²: an exponential decay fitted to data that it does not fit exactly."""

    dimension: int = 3

    def residuals(self, x: Array) -> Array:
        a, b, c = x[:, :1], x[:, 1:2], x[:, 2:]
        return a * np.exp(-b * TIMES) + c - DECAYED

    def jacobian(self, x: Array) -> Array:
        a, b = x[:, :1], x[:, 1:2]
        fall = np.exp(-b * TIMES)
        return np.stack([fall, -a * TIMES * fall, np.ones_like(fall)], axis=-1)


TIMES = np.linspace(0.0, 4.0, 15)
DECAYED = 2.5 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.sin(40 * TIMES)


@pytest.mark.parametrize(
    "objective",
    [LinearRegression(), LinearRegression(features=4, samples=9), LinearRegression(features=32, samples=200)],
    ids=lambda objective: str(objective.dimension),
)
def test_gauss_newton_solves_a_linear_least_squares_problem_in_one_step(objective: Any) -> None:
    start = np.random.default_rng(0).uniform(-3, 3, (4, objective.dimension))
    expected = np.broadcast_to(objective.minimum.x, start.shape)
    way = take_steps(objective, GaussNewton(), start, 1)
    np.testing.assert_allclose(way.x[1], expected, rtol=0, atol=1e-13)
    assert {name: set(each) for name, each in way.counts.items()} == {"value": {2}, "gradient": {2}, "hessian": {0}}
    half = take_steps(objective, GaussNewton(0.5), start, 1).x[1]
    np.testing.assert_allclose(half, 0.5 * (start + expected), rtol=0, atol=1e-13)


def test_gauss_newton_converges_quadratically_where_the_residuals_vanish() -> None:
    way = take_steps(Rosenbrock(), GaussNewton(), [[-1.2, 1.0]], 3)
    np.testing.assert_allclose(way.x[2], [[1.0, 1.0]], atol=1e-12)


FIT = scipy.optimize.least_squares(
    lambda z: Decay().residuals(z[None])[0],
    [1.0, 1.0, 0.0],
    jac=lambda z: Decay().jacobian(z[None])[0],
    method="lm",
    xtol=1e-15,
    ftol=1e-15,
    gtol=1e-15,
)


@pytest.mark.parametrize("optimizer", [GaussNewton(), LevenbergMarquardt(), LevenbergMarquardt(1e3)], ids=str)
def test_nonlinear_fit_agrees_with_scipy(optimizer: Optimizer) -> None:
    way = take_steps(Decay(), optimizer, [[1.0, 1.0, 0.0], [2.0, 0.5, 1.0], [3.0, 2.0, 0.0]], 30)
    np.testing.assert_allclose(way.x[-1], np.broadcast_to(FIT.x, (3, 3)), rtol=1e-7)
    np.testing.assert_allclose(Decay().value(way.x[-1]), 2 * FIT.cost, rtol=1e-13)


def step_from_residuals(optimizer: Optimizer, x: Array, residuals: Array, jacobian: Array) -> Array:
    with np.errstate(all="ignore"):
        return optimizer.step(GivenResiduals(x, residuals, jacobian), optimizer.init(x))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(6, 3), (3, 3), (2, 5), (1, 1), (4, 1)])
def test_gauss_newton_agrees_with_numpy_at_any_rank(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    rank = min(shape) - 1
    jacobian, residuals = rng.normal(size=(4, *shape)), rng.normal(size=(4, shape[0]))
    jacobian[1] = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    jacobian[2] = 0.0
    step = step_from_residuals(GaussNewton(), np.zeros((4, shape[1])), residuals, jacobian)
    for run in range(4):
        np.testing.assert_allclose(step[run], np.linalg.lstsq(jacobian[run], -residuals[run], rcond=1e-12)[0], atol=1e-12)
    assert not step[2].any()


def test_gauss_newton_does_not_square_the_condition_number() -> None:
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in (8, 3))
    jacobian = u @ np.diag([1.0, 1e-5, 1e-10]) @ v.T
    exact = np.array([1.0, -2.0, 3.0])
    step = step_from_residuals(GaussNewton(), np.zeros((1, 3)), -(jacobian @ exact)[None], jacobian[None])
    np.testing.assert_allclose(step[0], exact, rtol=1e-4)
    np.testing.assert_allclose(step_from_residuals(GaussNewton(floor=1e-3), np.zeros((1, 3)), -(jacobian @ exact)[None], jacobian[None])[0],
                               v[:, 0] * (v[:, 0] @ exact), atol=1e-9)  # fmt: skip


@pytest.mark.parametrize("optimizer", [GaussNewton(), LevenbergMarquardt()], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["residuals", "jacobian"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_run_without_finite_residuals_gets_nan_alone(optimizer: Optimizer, bad: float, where: str, dimension: int) -> None:
    rng = np.random.default_rng(1)
    x, given = (
        rng.normal(size=(3, dimension)),
        {"residuals": rng.normal(size=(3, 5)), "jacobian": rng.normal(size=(3, 5, dimension))},
    )
    well = step_from_residuals(optimizer, x, **given)
    given[where][1, 0] = bad
    ill = step_from_residuals(optimizer, x, **given)
    assert np.isnan(ill[1]).all()
    assert ill[[0, 2]].tobytes() == well[[0, 2]].tobytes()
    assert np.isfinite(well).all()


def nielsen(objective: Any, x: Array, steps: int, tau: float) -> list[Array]:
    """Levenberg and Marquardt's method for one run, from the normal equations, as in Nielsen's report."""
    mu, nu, xs = math.nan, 2.0, [x]
    for _ in range(steps):
        r, j = objective.residuals(x[None])[0], objective.jacobian(x[None])[0]
        a, g = j.T @ j, j.T @ r
        if math.isnan(mu):
            mu = tau * float(np.linalg.eigvalsh(a)[-1])
        for _ in range(100):
            h = np.linalg.solve(a + mu * np.eye(len(x)), -g)
            if (x + h == x).all():
                break
            new = objective.residuals((x + h)[None])[0]
            ratio = (r @ r - new @ new) / (r @ r - (r + j @ h) @ (r + j @ h))
            if ratio > 0:
                x, mu, nu = x + h, mu * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 2.0
                break
            mu, nu = mu * nu, 2 * nu
        xs.append(x)
    return xs


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("start", [[-1.2, 1.0], [0.0, 0.5], [3.0, -2.0]])
def test_levenberg_marquardt_agrees_with_nielsen(start: list[float], tau: float) -> None:
    steps = 8
    expected = nielsen(Rosenbrock(), np.array(start), steps, tau)
    way = take_steps(Rosenbrock(), LevenbergMarquardt(tau), [start], steps)
    np.testing.assert_allclose(np.concatenate(way.x), expected, rtol=0, atol=1e-10)


@settings(max_examples=25)
@given(starts, st.floats(1e-8, 1e4))
def test_f_falls_at_every_step_of_levenberg_marquardt(x: Array, damping: float) -> None:
    for objective in (Rosenbrock(), Rosenbrock(3), Decay()):
        start = np.concatenate([x, x[:, :1]], axis=-1)[:, : objective.dimension]
        way = take_steps(objective, LevenbergMarquardt(damping), start, 25)
        for here, there in itertools.pairwise(way.x):
            moved = (here != there).any(axis=-1)
            assert (objective.value(there)[moved] < objective.value(here)[moved]).all()


def test_levenberg_marquardt_converges_where_gauss_newton_diverges() -> None:
    @dataclass(frozen=True)
    class Arctan(LeastSquares):
        """arctan²(x): Gauss-Newton diverges from |x| > 1.3918."""

        dimension: int = 1

        def residuals(self, x: Array) -> Array:
            return np.arctan(x)

        def jacobian(self, x: Array) -> Array:
            return (1 / (1 + x * x))[:, :, None]

    start = [[1.3], [1.5], [-3.0]]
    away = np.abs(take_steps(Arctan(), GaussNewton(), start, 6).x[-1])
    assert (away[0] < 1e-3, *(away[1:, 0] > 1e3)) == (True, True, True)
    np.testing.assert_allclose(take_steps(Arctan(), LevenbergMarquardt(), start, 30).x[-1], 0.0, atol=1e-9)


def test_levenberg_marquardt_stays_in_place_if_no_trial_is_lower() -> None:
    one = take_steps(Rosenbrock(), LevenbergMarquardt(1e-9, max_trials=1), [[-1.2, 1.0]], 1)
    np.testing.assert_array_equal(one.x[1], one.x[0])
    assert one.counts["value"].tolist() == [1 + 1 + 1]  # for the loop, the residuals and the trial
    assert float(one.memory.growth[0, 0]) == 4.0
    there = take_steps(Rosenbrock(), LevenbergMarquardt(), [[1.0, 1.0]], 3)
    assert there.counts["value"].tolist() == [3 * 2]
    long = take_steps(Decay(), LevenbergMarquardt(), FIT.x[None], 60)
    at_rest = take_steps(Decay(), LevenbergMarquardt(), FIT.x[None], 50)
    assert (long.counts["value"] - at_rest.counts["value"]).tolist() == [10 * 2]

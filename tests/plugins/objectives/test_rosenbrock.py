"""Rosenbrock's function, against SciPy and published points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from runner_plugins.objectives.rosenbrock import Rosenbrock
from tests.support.objectives import at, points


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_rosenbrock_agrees_with_scipy(dimension: int) -> None:
    objective = Rosenbrock(dimension)
    x = points(objective)
    np.testing.assert_allclose(objective.value(x), optimize.rosen(x.T), rtol=1e-14)
    np.testing.assert_allclose(objective.gradient(x), optimize.rosen_der(x.T).T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(objective.hessian(x), [optimize.rosen_hess(row) for row in x], rtol=1e-13, atol=1e-13)


def test_rosenbrock_at_published_points() -> None:
    # The standard start (-1.2, 1) of Rosenbrock (1960), f = 24.2: Moré, Garbow and Hillstrom (1981), number 1.
    assert at(Rosenbrock(), -1.2, 1.0) == pytest.approx(24.2, rel=1e-15)
    assert Rosenbrock().minimum.x.tolist() == [1, 1]
    assert Rosenbrock(a=3.0).minimum.x.tolist() == [3, 9]
    assert Rosenbrock(4, 0.0).minimum.x.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(
        np.linalg.eigvalsh(Rosenbrock().hessian(np.ones((1, 2)))[0]), [0.39936077, 1001.60063923], rtol=1e-8
    )


def test_rosenbrock_residuals_agree_with_more_garbow_and_hillstrom() -> None:
    x = points(Rosenbrock())
    np.testing.assert_allclose(
        Rosenbrock().residuals(x), np.stack([10 * (x[:, 1] - x[:, 0] ** 2), 1 - x[:, 0]], axis=-1), rtol=1e-13
    )


@pytest.mark.parametrize(("dimension", "height"), [(2, 0), (3, 0), (4, 3.7014286), (7, 3.9836005)])
def test_rosenbrock_has_a_second_minimum_from_four_coordinates_on(dimension: int, height: float) -> None:
    # Shang and Qiu (2006): near (-1, 1, ..., 1). Short steps do not leave its valley.
    objective, start = Rosenbrock(dimension), np.ones(dimension)
    start[0] = -1
    found = optimize.minimize(
        lambda x: at(objective, *x),
        start,
        jac=lambda x: objective.gradient(x[None])[0],
        hess=lambda x: objective.hessian(x[None])[0],
        method="trust-exact",
        options={"initial_trust_radius": 0.05, "max_trust_radius": 0.06, "gtol": 1e-8},
    )
    assert found.success
    assert np.linalg.eigvalsh(objective.hessian(found.x[None])[0])[0] > 0.1
    assert found.fun == pytest.approx(height, abs=1e-7)
    assert (found.x[0] < -0.7) == (height > 0)


def test_rosenbrock_states_no_minimum_where_it_is_unknown() -> None:
    assert Rosenbrock(3, 2.5).minimum is None
    for known in (Rosenbrock(2, 2.5), Rosenbrock(3, 0.0), Rosenbrock(3)):
        assert known.minimum is not None
    # With a = 2, (a, a, a²) is not stationary.
    assert np.abs(Rosenbrock(3, 2.0).gradient(np.array([[2.0, 2.0, 4.0]]))).max() > 1

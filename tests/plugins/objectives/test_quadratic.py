"""The quadratic, against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner_plugins.objectives.quadratic import Quadratic
from tests.support.objectives import random_points

SAFE = st.floats(-1e150, 1e150)


@given(SAFE)
def test_quadratic_in_one_dimension_is_exactly_x_squared(x: float) -> None:
    point = np.array([[x]])
    assert Quadratic().value(point)[0] == x * x
    assert Quadratic().gradient(point)[0, 0] == 2 * x
    assert Quadratic().hessian(point)[0, 0, 0] == 2


def test_quadratic_curvatures_are_log_spaced_from_one_to_the_condition_number() -> None:
    hessian = Quadratic(dimension=5, condition_number=16.0).hessian(random_points(5))
    np.testing.assert_allclose(hessian, np.broadcast_to(2 * np.diag([1.0, 2.0, 4.0, 8.0, 16.0]), (50, 5, 5)), rtol=1e-15)


def test_quadratic_value_is_the_weighted_sum_of_squares() -> None:
    x = random_points(3)
    expected = [math.fsum([a * a, 10 * b * b, 100 * c * c]) for a, b, c in x]
    np.testing.assert_allclose(Quadratic(dimension=3, condition_number=100.0).value(x), expected, rtol=1e-14)


def test_quadratic_swept_condition_number_gives_the_bits_of_each_alone() -> None:
    kappas = np.logspace(0, 8, 50)[:, None]
    x, swept = random_points(5), Quadratic(5, kappas)  # type: ignore[arg-type]
    for run, kappa in enumerate(kappas[:, 0]):
        alone, row = Quadratic(5, float(kappa)), slice(run, run + 1)
        for method in ("value", "gradient", "hessian"):
            assert getattr(swept, method)(x)[row].tobytes() == getattr(alone, method)(x[row]).tobytes()
    assert swept.minimum.x.shape == (50, 5)


def test_quadratic_refuses_a_condition_number_in_one_dimension() -> None:
    with pytest.raises(ValueError, match="condition_number") as refusal:
        Quadratic(condition_number=10.0).validate()
    assert str(refusal.value) == (
        "condition_number = 10 needs dimension >= 2: with dimension = 1 there is one curvature, so condition_number must be 1"
    )
    Quadratic().validate()
    Quadratic(dimension=2, condition_number=10.0).validate()

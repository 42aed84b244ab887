"""The rippled parabola, against its closed form and its own docstring."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from runner_plugins.objectives.sin_quadratic import SinQuadratic


def test_sin_quadratic_minimiser_of_the_classic_case_is_the_nearest_double() -> None:
    getcontext().prec = 50
    root = Decimal("-0.45")
    for _ in range(8):
        squared, cosine, sine, term = root * root, Decimal(1), root, Decimal(1)
        for order in range(1, 40):
            term *= -squared / ((2 * order - 1) * (2 * order))
            cosine += term
            sine += term * root / (2 * order + 1)
        root -= (cosine + 2 * root) / (2 - sine)
    minimum = SinQuadratic().minimum
    assert minimum.x.tolist() == [float(root)]
    assert minimum.value == math.sin(float(root)) + float(root) ** 2


@given(st.floats(-60, 60), st.floats(-30, 30))
def test_sin_quadratic_minimum_is_the_lowest_of_all_stationary_points(a: float, omega: float) -> None:
    minimum = SinQuadratic(a, omega).minimum
    reach = abs(a * omega) / 2
    grid = np.linspace(-reach, reach, 20_001)
    values = a * np.sin(omega * grid) + grid**2
    best = int(np.argmin(values))
    assert minimum.x.shape == (1,)
    assert minimum.value <= values[best] + 1e-13 * (1 + abs(a))
    if reach > 1e-3 and grid[1] - grid[0] < 0.1 / abs(omega):

        def slope(x: float) -> float:
            return a * omega * math.cos(omega * x) + 2 * x

        inside = grid[max(best - 2, 0)], grid[min(best + 2, len(grid) - 1)]
        root = optimize.brentq(slope, *inside, xtol=1e-300, rtol=8.9e-16)
        np.testing.assert_allclose(minimum.x, [root], rtol=4e-15)


@pytest.mark.parametrize(("a", "omega"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_sin_quadratic_without_ripple_has_its_minimum_at_zero(a: float, omega: float) -> None:
    minimum = SinQuadratic(a, omega).minimum
    assert minimum.x.tolist() == [0.0]
    assert minimum.value == 0.0


def test_sin_quadratic_swept_minima_are_the_bits_of_each_alone() -> None:
    a, omega = np.linspace(-50, 50, 40)[:, None], np.linspace(20, -20, 40)[:, None]
    for fields in ({"a": a}, {"omega": omega}, {"a": a, "omega": omega}):
        swept = SinQuadratic(**fields).minimum
        assert swept.x.shape == (40, 1)
        assert np.shape(swept.value) == (40,)
        for run in range(40):
            alone = SinQuadratic(**{name: float(column[run, 0]) for name, column in fields.items()}).minimum
            assert swept.x[run].tobytes() == alone.x.tobytes()
            assert np.asarray(swept.value)[run] == alone.value


@pytest.mark.parametrize(("a", "omega", "convex"), [(1, 1, True), (1.9, 1, True), (2.1, 1, False), (0.4, 2.3, False)])
def test_sin_quadratic_is_convex_exactly_where_its_docstring_says(a: float, omega: float, convex: bool) -> None:
    x = np.linspace(-3, 3, 10_001)[:, None]
    smallest = SinQuadratic(a, omega).hessian(x).min()
    assert smallest == pytest.approx(2 - abs(a) * omega**2, abs=1e-5)
    assert bool(smallest > 0) is convex is (abs(a) * omega**2 < 2)

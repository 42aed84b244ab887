"""Eigenvalues of Hessians and the stability limit of gradient descent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import stability_limit
from runner.analysis.curvature import hessian_spectrum

INF, NAN = math.inf, math.nan


def test_hessian_spectrum() -> None:
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert hessian_spectrum(rotation @ np.diag([-1.0, 4.0]) @ rotation.T) == pytest.approx((-1, 4))
    assert hessian_spectrum(np.array([[2.0, 1e-9], [0.0, 2.0]])) == pytest.approx((2, 2))
    assert hessian_spectrum(np.diag([1e308, 1.5e308])) == pytest.approx((1e308, 1.5e308))
    assert hessian_spectrum(np.array([[NAN]])) is None
    assert hessian_spectrum(np.array([[1.0, INF], [INF, 1.0]])) is None
    for shape in ((2,), (2, 3), (0, 0)):
        with pytest.raises(ValueError, match="has the shape"):
            hessian_spectrum(np.ones(shape))


@given(st.floats(1e-6, 1e6), st.floats(0.01, 1.99))
def test_gradient_descent_settles_exactly_below_the_stability_limit(curvature: float, share: float) -> None:
    limit = stability_limit(curvature)
    assert limit is not None
    start = x = 1.0
    for _ in range(10):
        x -= share * limit * curvature * x
    assert (abs(x) < start) == (share < 1) or share == 1


@pytest.mark.parametrize("curvature", [0.0, -1.0, NAN, INF, -INF, 5e-324])
def test_stability_limit_needs_a_positive_finite_curvature(curvature: float) -> None:
    assert stability_limit(curvature) is None

"""The best spacing, and the slope of an error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.differentiation import SPACINGS, best_spacing, best_spacing_index, fitted_slope, truncation_slope


@given(st.floats(0.3, 5), st.floats(-6, 6))
def test_the_slope_of_a_power_is_its_exponent(exponent: float, scale: float):
    slope = fitted_slope(SPACINGS, 10**scale * SPACINGS**exponent)
    assert slope is not None
    assert slope.value == pytest.approx(exponent, rel=1e-9)
    assert slope.uncertainty < 1e-6


@given(st.sampled_from([1, 2]), st.floats(-3, 3), st.floats(-18, -14))
def test_the_best_spacing_minimises_the_sum(order: int, truncation: float, rounding: float):
    t, r = 10**truncation, 10**rounding
    best = best_spacing(order, t, r)
    total = t * SPACINGS**order + r / SPACINGS
    assert best is not None
    assert t * best**order + r / best <= total.min() * (1 + 1e-12)
    if 1e-14 < best < 1e-2:
        assert abs(math.log10(SPACINGS[best_spacing_index(total)] / best)) <= 0.5
        slope = truncation_slope(SPACINGS, total, r / SPACINGS)
        if best < 1e-4:
            assert slope.value == pytest.approx(order, abs=0.02)


def test_no_fit_from_few_points():
    assert fitted_slope(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) is None
    assert fitted_slope(np.arange(1.0, 9.0), np.zeros(8)) is None
    assert best_spacing_index(np.full(57, np.nan)) is None

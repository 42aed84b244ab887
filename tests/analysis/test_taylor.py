"""The window in which a remainder can be measured."""

from __future__ import annotations

import numpy as np
import pytest

from runner.analysis.taylor import asymptotic_window, coefficients_on_circles, next_order


def test_next_order_is_that_of_the_next_measurable_coefficient():
    found = coefficients_on_circles(np.sin, 0.0, 8)
    assert found is not None
    assert [next_order(found, n) for n in range(8)] == [1, 3, 3, 5, 5, 7, 7, None]


def test_a_remainder_that_is_rounding_has_no_window():
    t = np.geomspace(1e-4, 1, 50)
    assert not asymptotic_window(t, np.full(50, 1e-16), np.full(50, 1e-16), 1.0).any()


def test_window_ends_halfway_to_the_radius_of_convergence():
    t = np.geomspace(1e-2, 1, 201)
    window = asymptotic_window(t, t**2, np.full(201, 1e-18), 0.08)
    assert t[window].min() == t[0]
    assert t[window].max() == pytest.approx(0.04, rel=0.03)


def test_remainder_measurable_only_beyond_the_radius_has_no_window():
    t = np.geomspace(1e-4, 1, 50)
    assert not asymptotic_window(t, np.where(t > 0.1, 1.0, 0.0), np.full(50, 1e-16), 0.01).any()

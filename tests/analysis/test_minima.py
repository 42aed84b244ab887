"""The grouping of runs by the minimum that they reached, and the interval of a share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from runner import find_minima, wilson_interval


class TestWilson:
    @pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (1, 1), (57, 300), (0, 1)])
    def test_interval_agrees_with_scipy(self, successes: int, trials: int):
        expected = binomtest(successes, trials).proportion_ci(method="wilson")
        assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)

    def test_interval_without_trials_is_zero_to_one(self):
        assert wilson_interval(0, 0) == (0.0, 1.0)


class TestGrouping:
    def test_nearby_ends_are_one_minimum_and_the_lowest_comes_first(self):
        x = np.array([[1.0, 0.0], [1.0001, 0.0], [-2.0, 1.0], [5.0, 5.0], [1.0, 2e-4]])
        minima = find_minima(x, np.array([2.0, 2.0 + 1e-9, -1.0, 0.0, 2.0]), np.array([True, True, True, False, True]), span=10.0)
        assert minima.reached.tolist() == [1, 1, 0, -1, 1]
        np.testing.assert_array_equal(minima.value, [-1.0, 2.0])
        assert minima.lowest().tolist() == [True, False]
        assert minima.lowest(-3.0).tolist() == [False, False]

    def test_no_run_settled(self):
        minima = find_minima(np.zeros((3, 1)), np.zeros(3), np.zeros(3, dtype=bool), span=1.0)
        assert minima.reached.tolist() == [-1, -1, -1]
        assert minima.lowest().tolist() == []

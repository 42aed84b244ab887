"""Clipped gradient descent: bounds on steps and coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array
from runner_plugins.optimizers.clipped_gradient_descent import ClippedGradientDescent
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.optimizer_points import stepped

HUGE = float(np.finfo(np.float64).max)
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

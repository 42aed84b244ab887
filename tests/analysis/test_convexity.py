"""Counterexamples to convexity are never rounding errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.analysis.chords import try_chords
from runner.analysis.convexity import smallest_curvature


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


class TestRounding:
    @pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
    @pytest.mark.parametrize("offset", [0.0, 1e6])
    def test_rounding_is_never_taken_for_a_counterexample(self, scale: float, offset: float):
        flat = [
            lambda x: np.full(len(x), offset),
            lambda x: scale * x.sum(axis=-1) + offset,
            lambda x: scale * (x @ np.ones(3)) - offset,
        ]
        for function in flat:
            assert try_chords(function, -3, 3, 3, 5000, generator()).result().worst is None

    @pytest.mark.parametrize("offset", [1e3, 1e6, 1e9, 1e12])
    def test_noise_of_the_function_is_allowed_for(self, offset: float):
        def noisy(x):
            return (offset + x[:, 0] ** 2) - offset

        search = try_chords(noisy, -1, 1, 1, 5000, generator()).result()
        assert search.worst is None
        assert 1 <= search.sag < 1.01
        assert 1e-17 * offset < search.hidden < 1e-14 * offset

    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 4), st.integers(0, 4), st.floats(-6, 6), st.floats(-1e6, 1e6), st.integers(0, 2**32 - 1))
    def test_no_convex_parabola_is_ever_refuted(self, dimension: int, rank: int, power: float, offset: float, seed: int):
        drawn = np.random.Generator(np.random.PCG64(seed))
        root = 10.0**power * drawn.standard_normal((min(rank, dimension), dimension))
        slope = drawn.standard_normal(dimension)

        def function(x):
            return ((x @ root.T) ** 2).sum(axis=-1) + x @ slope + offset

        def hessian(x):
            return np.broadcast_to(2 * root.T @ root, (len(x), dimension, dimension))

        search = try_chords(function, -3, 3, dimension, 1000, drawn)
        found = smallest_curvature(hessian, -3, 3, dimension, 20, drawn)
        search.try_across(found.place[None], found.direction[None])
        assert search.result().worst is None

    def test_chords_where_f_is_not_finite_are_ignored(self):
        search = try_chords(lambda x: np.where(x[:, 0] > 0, x[:, 0] ** 2, np.nan), -1, 1, 1, 2000, generator()).result()
        assert search.worst is None
        assert 0 < search.unknown < search.tried

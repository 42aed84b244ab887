"""Norms of rows, against the standard library's `math.hypot`, which is exact whatever the scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from runner import Array, norm

ROWS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-1e307, 1e307))


@given(ROWS)
def test_norm_is_right_at_every_scale(rows: Array):
    with np.errstate(over="ignore"):
        assert norm(rows).tolist() == pytest.approx([math.hypot(*row) for row in rows.tolist()], rel=1e-15, abs=0)


@given(ROWS)
def test_row_has_the_same_bits_alone_and_among_others(rows: Array):
    with np.errstate(over="ignore"):
        assert norm(rows).tobytes() == b"".join(norm(row[None]).tobytes() for row in rows)


@pytest.mark.parametrize("scale", [1.0, 2.0**600, 2.0**-600])
def test_nan_and_infinity_stay_in_their_own_row(scale: float):
    rows = scale * np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.nan], [0.0, 0.0], [3.0, 4.0]])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(norm(rows), [np.nan, np.inf, np.nan, 0.0, 5.0 * scale])


def test_empty_array_has_no_norms():
    assert norm(np.empty((0, 3))).shape == (0,)

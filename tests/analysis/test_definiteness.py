"""The shape of a function by the eigenvalues of its Hessian."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.definiteness import Shape, curvature_of


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.floats(-8, 8))
def test_shape_follows_from_the_signs_of_the_eigenvalues(signs: list[int], seed: int, power: float):
    generator = np.random.Generator(np.random.PCG64(seed))
    basis = np.linalg.qr(generator.standard_normal((len(signs), len(signs))))[0]
    hessian = (basis * (10.0**power * np.array(signs, dtype=float))) @ basis.T
    low, high, flat = min(signs) < 0, max(signs) > 0, 0 in signs
    expected = {
        (True, True): Shape.SADDLE,
        (False, True): Shape.VALLEY if flat else Shape.BOWL,
        (True, False): Shape.RIDGE if flat else Shape.DOME,
        (False, False): Shape.FLAT,
    }[low, high]
    # Turned into another basis and back, the matrix itself carries rounding of a few ε‖H‖.
    curvature = curvature_of(hessian, exact=False, scale=0.0)
    assert curvature is not None
    assert curvature.shape == expected
    assert curvature.signs == (sum(s < 0 for s in signs), sum(s == 0 for s in signs), sum(s > 0 for s in signs))


@given(st.integers(2, 8), st.integers(0, 99), st.floats(-100, 100))
def test_outer_product_has_one_nonzero_eigenvalue(dimension: int, seed: int, power: float):
    vector = 10.0**power * np.random.default_rng(seed).standard_normal(dimension)
    curvature = curvature_of(np.outer(vector, vector), exact=True, scale=0.0)
    assert curvature is not None
    assert curvature.signs == (0, dimension - 1, 1)
    assert curvature.shape == Shape.VALLEY

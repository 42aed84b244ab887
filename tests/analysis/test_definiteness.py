"""The shape of a function by the eigenvalues of its Hessian and their errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.definiteness import Shape, curvature_of

ROUNDING = 1e-14


def shape_of(signs: list[int]) -> Shape:
    low, high, flat = min(signs) < 0, max(signs) > 0, 0 in signs
    return {
        (True, True): Shape.SADDLE,
        (False, True): Shape.VALLEY if flat else Shape.BOWL,
        (True, False): Shape.RIDGE if flat else Shape.DOME,
        (False, False): Shape.FLAT,
    }[low, high]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.floats(-8, 8))
def test_shape_follows_from_the_signs_of_the_eigenvalues(signs: list[int], seed: int, power: float):
    generator = np.random.Generator(np.random.PCG64(seed))
    basis = np.linalg.qr(generator.standard_normal((len(signs), len(signs))))[0]
    hessian = (basis * (10.0**power * np.array(signs, dtype=float))) @ basis.T
    # The change of basis leaves rounding errors of a few ε‖H‖ in the matrix itself.
    curvature = curvature_of(hessian, np.full(len(signs), ROUNDING * 10.0**power * max(map(abs, signs))))
    assert curvature is not None
    assert curvature.shape == shape_of(signs)
    assert curvature.reason == ""
    assert curvature.signs == (sum(s < 0 for s in signs), sum(s == 0 for s in signs), sum(s > 0 for s in signs))


@given(st.lists(st.sampled_from([-2, -1, 0, 1, 2]), min_size=1, max_size=5), st.floats(1e-9, 0.9))
def test_errors_beyond_rounding_leave_zero_eigenvalues_open(signs: list[int], error: float):
    curvature = curvature_of(np.diag(np.array(signs, dtype=float)), np.full(len(signs), error))
    assert curvature is not None
    expected = shape_of(signs)
    if 0 in signs and expected != Shape.SADDLE:
        assert curvature.shape == Shape.UNKNOWN
        assert curvature.words == f"cannot be determined: {curvature.reason}"
        assert curvature.reason.endswith("; a formula of the Hessian would decide it")
        assert math.isnan(curvature.condition_number)
    else:
        assert curvature.shape == expected


@given(st.integers(2, 8), st.integers(0, 99), st.floats(-100, 100))
def test_outer_product_has_one_nonzero_eigenvalue(dimension: int, seed: int, power: float):
    vector = 10.0**power * np.random.default_rng(seed).standard_normal(dimension)
    curvature = curvature_of(np.outer(vector, vector), np.full(dimension, ROUNDING * float(vector @ vector)))
    assert curvature is not None
    assert curvature.signs == (0, dimension - 1, 1)
    assert curvature.shape == Shape.VALLEY
    assert math.isinf(curvature.condition_number)


def test_contradiction_leaves_the_shape_open():
    curvature = curvature_of(np.eye(2), np.zeros(2), "another computation gives 3; try a third")
    assert curvature is not None
    assert (curvature.shape, curvature.contradicted) == (Shape.UNKNOWN, True)
    assert curvature.words == "cannot be determined: another computation gives 3; try a third"


@pytest.mark.parametrize(
    ("eigenvalues", "errors", "reason"),
    [
        ([0.5], [1.0], "the eigenvalue is not larger than the error (0.5 ± 1)"),
        ([0.5], [math.inf], "the eigenvalue is not larger than the error (0.5, which no two spacings confirm)"),
        ([0.5, 2.0], [1.0, 1.0], "1 of 2 eigenvalues is not larger than the error (0.5 ± 1)"),
        ([0.1, 0.5, 2.0], [1.0, 1.0, 1.0], "2 of 3 eigenvalues are not larger than the error (up to 0.5 ± 1)"),
    ],
)
def test_reason_names_the_eigenvalue_and_its_error(eigenvalues: list[float], errors: list[float], reason: str):
    curvature = curvature_of(np.diag(eigenvalues), np.array(errors))
    assert curvature is not None
    assert curvature.reason == f"{reason}; a formula of the Hessian would decide it"


def test_hessian_that_is_not_finite_has_no_curvature():
    assert curvature_of(np.array([[np.nan]]), np.zeros(1)) is None

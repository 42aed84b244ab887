"""Ackley's function, against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runner_plugins.objectives.ackley import Ackley
from tests.support.objectives import at, bits, points


def test_ackley_agrees_with_its_formula() -> None:
    objective = Ackley(4, 11.0, 0.3, 5.0)
    x = points(objective)
    root, mean = np.sqrt((x**2).mean(axis=-1)), np.cos(5 * x).mean(axis=-1)
    np.testing.assert_allclose(objective.value(x), -11 * np.exp(-0.3 * root) - np.exp(mean) + 11 + np.e, rtol=1e-13)


def test_ackley_at_published_points() -> None:
    # f(1, 1) = 20 - 20 exp(-0.2), since cos 2π = 1; f(0.5, 0.5) = 20 - 20 exp(-0.1) + e - 1/e.
    assert at(Ackley(), 1.0, 1.0) == pytest.approx(20 - 20 * math.exp(-0.2), rel=1e-14)
    assert at(Ackley(), 0.5, 0.5) == pytest.approx(20 - 20 * math.exp(-0.1) + math.e - 1 / math.e, rel=1e-14)
    assert at(Ackley(), 1e9, 1e9) == pytest.approx(20 + math.e - math.exp(math.cos(2e9 * math.pi)), rel=1e-6)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_ackley_has_no_derivative_at_its_minimum(dimension: int) -> None:
    objective, origin = Ackley(dimension), np.zeros((1, dimension))
    assert objective.value(origin).tolist() == [0]
    assert objective.gradient(origin).tolist() == [[0] * dimension]
    np.testing.assert_array_equal(objective.hessian(origin)[0], np.diag([np.inf] * dimension))
    for distance in (1e-4, 1e-8, 1e-100, 1e-150):
        near = origin.copy()
        near[0, -1] = distance
        # On the axis r = |x|/√d, so f ≈ a b |x|/√d.
        assert objective.value(near)[0] == pytest.approx(4 * distance / math.sqrt(dimension), rel=50 * distance + 1e-14)
        assert np.linalg.norm(objective.gradient(near)) == pytest.approx(4 / math.sqrt(dimension), rel=50 * distance + 1e-14)
        assert np.isfinite(objective.hessian(near)).all()
    for subnormal in (1e-170, 5e-324):
        tiny = np.full((1, dimension), subnormal)
        assert not np.isnan(objective.hessian(tiny)).any()
        assert objective.gradient(tiny).tolist() == [[0] * dimension]


def test_ackley_near_its_minimum_in_a_batch() -> None:
    x = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, -0.0]])
    gradient, hessian = Ackley().gradient(x), Ackley().hessian(x)
    assert np.isinf(hessian[[0, 2]]).any(axis=(1, 2)).all()
    assert bits(gradient[1:2]) == bits(Ackley().gradient(x[1:2]))
    assert bits(hessian[1:2]) == bits(Ackley().hessian(x[1:2]))

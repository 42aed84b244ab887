"""The function of Styblinski and Tang, and its stationary points."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest

from runner_plugins.objectives.styblinski_tang import StyblinskiTang
from tests.support.objectives import at, stationary_points


def test_styblinski_tang_minimiser_is_the_nearest_double() -> None:
    getcontext().prec = 50
    root = Decimal("-2.9")
    for _ in range(10):
        root -= (4 * root**3 - 32 * root + 5) / (12 * root**2 - 32)
    minimum = StyblinskiTang(3).minimum
    assert minimum.x.tolist() == [float(root)] * 3
    assert str(root).startswith("-2.903534027771177")
    lowest = (root**4 - 16 * root**2 + 5 * root) / 2
    assert minimum.value == pytest.approx(3 * float(lowest), rel=1e-15)
    # -78.332 for two coordinates, as published.
    assert StyblinskiTang().minimum.value == pytest.approx(-78.332, abs=5e-4)


def test_styblinski_tang_has_the_stationary_points_of_its_docstring() -> None:
    for dimension in (1, 2):
        objective = StyblinskiTang(dimension)
        found = stationary_points(objective)
        curvatures = np.linalg.eigvalsh(objective.hessian(found))
        assert len(found) == 3**dimension
        assert (curvatures[:, 0] > 0).sum() == 2**dimension
        assert (curvatures[:, -1] < 0).sum() == 1
    np.testing.assert_allclose(np.sort(stationary_points(StyblinskiTang(1))[:, 0]), [-2.903534, 0.156731, 2.746803], atol=1.1e-6)
    assert at(StyblinskiTang(1), 2.7468027709908367) == pytest.approx(-25.029446, abs=1e-6)
    assert at(StyblinskiTang(), 1.0, 2.0) == (1 - 16 + 5) / 2 + (16 - 64 + 10) / 2

"""Beale's function, at published points."""

from __future__ import annotations

import numpy as np
import pytest

from runner_plugins.objectives.beale import Beale
from tests.support.objectives import at, points


def test_beale_at_published_points() -> None:
    # Moré, Garbow and Hillstrom (1981), number 5: start (1, 1); minimum (3, 0.5).
    assert at(Beale(), 1.0, 1.0) == 14.203125
    assert at(Beale(), 3.0, 0.5) == 0
    assert at(Beale(), 0.0, 0.0) == 1.5**2 + 2.25**2 + 2.625**2
    x = points(Beale())
    a, b = x.T
    expected = (1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2
    np.testing.assert_allclose(Beale().value(x), expected, rtol=1e-12)


def test_beale_has_the_saddle_and_the_valley_to_infinity_of_its_docstring() -> None:
    saddle = np.array([[0.0, 1.0]])
    assert Beale().gradient(saddle).tolist() == [[0, 0]]
    assert Beale().value(saddle).tolist() == [14.203125]
    np.testing.assert_array_equal(np.linalg.eigvalsh(Beale().hessian(saddle)[0]), [-27.75, 27.75])
    x = -np.logspace(1, 6, 6)
    heights = Beale().value(np.stack([x, 1 - (111 / 112) / x], axis=-1))
    assert (np.diff(heights) < 0).all()
    targets, k = np.array([1.5, 2.25, 2.625]), np.array([1.0, 2.0, 3.0])
    limit = targets @ targets - (k @ targets) ** 2 / (k @ k)
    assert (k @ targets) / (k @ k) == pytest.approx(111 / 112, rel=1e-15)
    assert heights[-1] == pytest.approx(limit, rel=1e-4)
    assert limit == pytest.approx(0.452, abs=5e-4)
    assert heights[-1] > limit

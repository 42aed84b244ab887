"""Himmelblau's function and its nine stationary points."""

from __future__ import annotations

import numpy as np
import pytest

from runner_plugins.objectives.himmelblau import Himmelblau
from tests.support.objectives import at, stationary_points

HIMMELBLAU_MINIMA = [(3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)]


def test_himmelblau_has_the_nine_stationary_points_of_its_docstring() -> None:
    objective = Himmelblau()
    found = stationary_points(objective)
    signs = np.sign(np.linalg.eigvalsh(objective.hessian(found))).sum(axis=-1)
    assert [int((signs == sign).sum()) for sign in (2, 0, -2)] == [4, 4, 1]
    np.testing.assert_allclose(sorted(map(tuple, found[signs == 2])), sorted(HIMMELBLAU_MINIMA), atol=1.1e-6)
    np.testing.assert_allclose(found[signs == -2], [[-0.270845, -0.923039]], atol=1.1e-6)
    assert at(objective, *found[signs == -2][0]) == pytest.approx(181.616522, abs=1e-5)
    assert objective.value(found[signs == 2]).max() < 1e-9


def test_himmelblau_at_published_points() -> None:
    assert at(Himmelblau(), 3.0, 2.0) == 0
    assert at(Himmelblau(), 0.0, 0.0) == 11**2 + 7**2
    assert at(Himmelblau(), 1.0, 1.0) == 9**2 + 5**2
    assert Himmelblau().gradient(np.array([[0.0, 0.0]])).tolist() == [[-14, -22]]

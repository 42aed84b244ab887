"""Rastrigin's function, against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runner_plugins.objectives.rastrigin import Rastrigin
from tests.support.objectives import at, points


def test_rastrigin_agrees_with_its_formula() -> None:
    objective = Rastrigin(4, 7.0)
    x = points(objective)
    expected = [math.fsum([28.0, *(value * value - 7 * math.cos(2 * math.pi * value) for value in row)]) for row in x]
    np.testing.assert_allclose(objective.value(x), expected, rtol=1e-13)


def test_rastrigin_keeps_its_digits_near_the_minimum() -> None:
    x = np.array([[1e-9, 0.0]])
    assert Rastrigin().value(x)[0] == pytest.approx((1 + 20 * math.pi**2) * 1e-18, rel=1e-14)


def test_rastrigin_at_published_points() -> None:
    # At whole numbers the cosine is 1, at halves -1: the highest point of the usual region has |xᵢ| near 4.52.
    assert at(Rastrigin(), 1.0, -2.0) == pytest.approx(5, rel=1e-14)
    assert at(Rastrigin(3), 0.5, 0.5, -0.5) == pytest.approx(3 * 20.25, rel=1e-14)
    assert at(Rastrigin(), 4.52299366, 4.52299366) == pytest.approx(80.7065804, rel=1e-8)


def test_rastrigin_has_one_minimum_near_each_whole_number() -> None:
    objective, whole = Rastrigin(1), np.arange(-5.0, 6.0)[:, None]
    x = whole.copy()
    for _ in range(20):
        x = x - objective.gradient(x) / objective.hessian(x)[..., 0]
    assert (objective.hessian(x) > 0).all()
    assert (np.abs(x - whole) < 0.03).all()
    assert (np.abs(x) <= np.abs(whole)).all()
    fine = np.linspace(-5.12, 5.12, 100_000)[:, None]
    turns = np.diff(np.sign(objective.gradient(fine)[:, 0]))
    assert (turns > 0).sum() == 11
    assert len(np.unique(objective.value(x).round(9))) == 6


@pytest.mark.parametrize(("amplitude", "convex"), [(0.0506, True), (0.0507, False)])
def test_rastrigin_is_convex_exactly_where_its_docstring_says(amplitude: float, convex: bool) -> None:
    curvature = Rastrigin(1, amplitude).hessian(np.linspace(-1, 1, 1001)[:, None])
    assert bool((curvature >= 0).all()) is convex

"""Gradient descent, against its closed form and its best rate."""

from __future__ import annotations

import numpy as np
import pytest

from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.optimizer_points import on


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.5, 0.75, 0.999, 1.0, 1.001])
def test_gradient_descent_on_x_squared_follows_its_closed_form(rate: float) -> None:
    start = np.array([[3.0], [-0.7], [1e-5]])
    for steps in (1, 2, 10, 300):
        expected = (1 - 2 * rate) ** steps * start
        np.testing.assert_allclose(
            on(Quadratic(), GradientDescent(rate), start, steps), expected, rtol=4e-16 * (2 + steps * 2 / abs(1 - 2 * rate or 1))
        )


def test_gradient_descent_shrinks_the_error_by_the_best_rate_theory_allows() -> None:
    kappa = 9.0
    start = np.array([[1.0, 1.0]])
    after = on(Quadratic(2, kappa), GradientDescent(1 / (1 + kappa)), start, 20)
    np.testing.assert_allclose(np.abs(after), ((kappa - 1) / (kappa + 1)) ** 20 * start, rtol=1e-13)

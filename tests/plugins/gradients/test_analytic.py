"""The analytic backend."""

from __future__ import annotations

import numpy as np

from runner import Array
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.quadratic import Quadratic


def test_analytic_uses_the_shared_work_of_an_objective() -> None:
    class Shared(Quadratic):
        def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
            return np.full(len(x), 7.0), np.full_like(x, 8.0)

    value, gradient = Analytic().value_and_gradient(Shared(), np.ones((2, 1)))
    assert (value.tolist(), gradient.tolist()) == ([7, 7], [[8], [8]])
    value, gradient = Analytic().value_and_gradient(Quadratic(), np.ones((2, 1)))
    assert (value.tolist(), gradient.tolist()) == ([1, 1], [[2], [2]])

"""The check of an objective's bounds on its curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import runner
from runner.inspection.inspected_objective import make_inspected_objective
from runner.registry.registry import Registry
from runner.testing import checks

REGISTRY = Registry()


@dataclass(frozen=True)
class Stating(runner.Objective):
    """f(x) = s x²."""

    s: float = 1.0
    dimension = 1
    curvature_bounds = (2.0, 2.0)

    def value(self, x):
        return (self.s * x * x)[..., 0]

    def gradient(self, x):
        return 2.0 * self.s * x

    def hessian(self, x):
        return (2.0 * self.s + 0.0 * x)[..., None]


class TestCurvatureBounds:
    def finding(self, objective: runner.Objective) -> str:
        (check,) = [each for each in checks(objective) if each.name == "curvature bounds"]
        return str(check.finding)

    def test_bounds_that_hold(self):
        assert self.finding(make_inspected_objective("sin_quadratic", (), REGISTRY).objective) == "ok       curvature bounds"

    def test_bounds_that_a_sweep_changes(self):
        text = "failed   curvature bounds: Stating.curvature_bounds are 2 to 2, but its Hessian has eigenvalues from 6 to 6"
        assert self.finding(Stating(3.0)) == text

    def test_impossible_bounds(self):
        class Wrong(Stating):
            curvature_bounds = (3.0, 1.0)

        text = "failed   curvature bounds: Wrong.curvature_bounds must be a tuple of the lowest and the highest curvature, not (3.0, 1.0)"
        assert self.finding(dataclass(frozen=True)(Wrong)(1.0)) == text

    def test_bounds_that_follow_another_parameter_in_a_sweep(self):
        class Swept(Stating):
            @property
            def curvature_bounds(self):
                return 2.0 * np.max(self.s), 2.0 * np.max(self.s)

        text = "failed   curvature bounds: Swept.curvature_bounds differ from those of single runs if s is swept"
        assert self.finding(dataclass(frozen=True)(Swept)(1.0)) == text

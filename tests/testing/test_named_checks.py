"""The checks of a contract as named tests."""

from __future__ import annotations

import unittest

import pytest

from runner.testing import check_figure, checks
from runner.testing.check import Check
from runner.testing.samples import Hills
from runner_plugins.executors.serial import Serial
from runner_plugins.figures.outcomes import Outcomes
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent


class TestAsTests:
    @pytest.mark.parametrize(
        ("plugin", "first", "last"),
        [
            (SinQuadratic(), "docstring", "data"),
            (Analytic(), "docstring", "values alone"),
            (GradientDescent(), "docstring", "convergence"),
            (Serial(), "docstring", "same bits"),
            (Outcomes(), "docstring", "lost runs"),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
    )
    def test_every_kind_has_named_checks(self, plugin, first: str, last: str):
        made = checks(plugin)
        names = [str(check) for check in made]
        assert (names[0], names[-1]) == (first, last)
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize("check", checks(GradientDescent(0.2)), ids=str)
    def test_checks_can_be_parameters_of_a_test(self, check: Check):
        check()

    def test_check_that_does_not_apply_is_skipped(self):
        (minimum,) = [check for check in checks(Hills()) if check.name == "minimum"]
        with pytest.raises(unittest.SkipTest, match="because it offers no minimum"):
            minimum()

    def test_object_that_is_no_plugin_has_no_checks(self):
        with pytest.raises(TypeError, match=r"checks are for an instance of runner\.Objective, .*, not 3"):
            checks(3)  # type: ignore[arg-type]

    def test_a_figure_keeps_the_contract(self):
        check_figure(Outcomes())

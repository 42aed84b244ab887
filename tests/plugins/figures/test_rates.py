"""The rates figure, on quadratics with known rates of convergence."""

from __future__ import annotations

import numpy as np

from runner_plugins.figures.rates import Rates
from tests.support.figures import descend, draw, lines, results, sweep


class TestFigure:
    def test_dots_lie_on_the_curve_of_theory(self):
        drawing = draw(Rates(), results(sweep([0.01, 0.1, 0.35, 0.7, 0.9, 1.0, 1.1])))
        found = lines(drawing)
        dots = found["measured, median over the starts"]
        np.testing.assert_allclose(
            np.asarray(dots.get_ydata())[:5], 1 - np.abs(1 - 2 * np.array([0.01, 0.1, 0.35, 0.7, 0.9])), rtol=1e-9
        )
        assert np.isnan(np.asarray(dots.get_ydata())[5:]).all()
        assert np.asarray(found["some run did not settle"].get_xdata()).tolist() == [1.0, 1.1]
        assert {"2/L = 1", "2/(μ + L) = 0.5", "theory, 1 − max |1 − γλ|"} <= set(found)
        assert (
            "On quadratic, the best learning rate tried is 0.35, with q = 0.3. The theoretical best, 2/(μ + L) = 0.5 with q = "
            "(κ − 1)/(κ + 1) = 0, lies between the neighbours of the best one tried."
        ) in drawing.caption
        assert (
            "The limit up to which all runs settle is in the interval from 0.9 to 1, which contains the theoretical limit 2/L = 1."
            in drawing.caption
        )
        assert "At the 5 learning rates with a measured q, theory and measurement agree to within rounding." in drawing.caption

    def test_theory_keeps_its_label_if_the_measured_mark_is_out_of_sight(self):
        found = lines(draw(Rates(), results(sweep([0.1, 0.2, 0.32]))))
        assert [label for label in found if "2/" in label] == ["2/(μ + L) = 0.5"]

    def test_nothing_is_drawn_without_rates(self):
        assert Rates().draw(results([])) is None
        assert Rates().draw(results(sweep([0.1]), {"gradient_descent": ()})) is None

    def test_several_methods_share_a_panel(self):
        runs = [
            descend(rate, start, optimizer=name)
            for name in ("gradient_descent", "adam")
            for rate in (0.1, 0.3)
            for start in range(2)
        ]
        drawing = draw(Rates(), results(runs, {"gradient_descent": ("learning_rate",), "adam": ("learning_rate",)}))
        assert {"gradient_descent", "adam"} <= set(lines(drawing))
        assert "No limit was found among these learning rates; the theoretical limit is 2/L = 1." in drawing.caption
        assert "No limit was found among these learning rates." in drawing.caption

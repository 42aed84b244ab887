"""The rates figure, on quadratics with known rates of convergence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runner import Outcome, Series, StoredRun
from runner_plugins.figures.rates import Rates
from tests.support.figures import descend, draw, lines, results, sweep


def climb(rate: float, start: float) -> tuple[StoredRun, Series]:
    """Return 300 steps of gradient descent on −x², which has no minimum."""
    x = start * (1.0 + 2.0 * rate) ** np.arange(301 if start else 1)
    run = replace(
        descend(rate, 0)[0],
        outcome=Outcome.MAX_STEPS if start else Outcome.CONVERGED,
        steps=len(x) - 1,
        final_value=float(-(x[-1] ** 2)),
        minimum_value=None,
        curvature=None,
    )
    return run, Series(-(x**2), 2.0 * x, None)


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
            "(κ − 1)/(κ + 1) = 0, lies between the learning rates tried on both sides of the best one."
        ) in drawing.caption
        assert (
            "The limit up to which all runs settle is in the interval from 0.9 to 1, which contains the theoretical limit 2/L = 1."
            in drawing.caption
        )
        agreement = "At the 5 learning rates with a measured q, the 1 − q of theory and of measurement agree to within rounding."
        assert agreement in drawing.caption

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
        none = "No limit was found among these learning rates: every run settles at the largest learning rate tried, 0.3"
        assert f"{none}; the theoretical limit is 2/L = 1." in drawing.caption
        assert f"{none}." in drawing.caption

    def test_a_factor_that_cannot_be_told_is_hollow(self):
        """With γ = 0.001, 300 steps shrink the error to 55 %; with γ = 0.1 and 0.2 they reach the minimum."""
        drawing = draw(Rates(), results(sweep([0.001, 0.1, 0.2], steps=300)))
        dots = [line for line in drawing.figure.axes[0].lines if line.get_marker() == "o" and len(np.asarray(line.get_xdata()))]
        heights = {line.get_markerfacecolor(): np.asarray(line.get_ydata()) for line in dots}
        assert np.isfinite(heights.pop("white")).tolist() == [True, False, False]
        ((_, filled),) = heights.items()
        assert np.isfinite(filled).tolist() == [False, True, True]
        assert "cannot tell: mean over the fitted steps" in lines(drawing)
        assert "A hollow dot does not show such a q" in drawing.caption
        assert "the best learning rate tried, of the 2 with a measured q, is 0.2, with q = 0.6" in drawing.caption

    def test_no_picture_where_every_error_grows(self):
        """On −x², every step moves away from the maximum, so no learning rate is best."""
        assert Rates().draw(results([climb(rate, start) for rate in (0.001, 0.01) for start in (0.0, 1.0, 5.0, 20.0)])) is None

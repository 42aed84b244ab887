"""The landscape figure: curves, contours and the paths of runs over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runner import frame_of
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.landscape import Landscape
from runner_plugins.figures.regression_fit import RegressionFit
from tests.support.experiments import compute, reported
from tests.support.figures import ResultsInMemory, draw, lines, results, sweep

FIGURES = (("landscape", Landscape()), ("regression_fit", RegressionFit()))
EXPERIMENT = """\
name = "ground"
objective = [{{ name = "{objective}" }}]
gradient = [{{ name = "analytic" }}]
optimizer = [{optimizers}]
start = {{ points = {points} }}
stop = {{ max_steps = 100, gradient_norm = 1e-8 }}
"""
SWEPT = '{ name = "gradient_descent", learning_rate = { values = [1e-4, 0.2, 0.45, 1.3] } }'
NARROW = """\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Narrow(runner.Objective):
    dimension = 1
    def value(self, x):
        if (np.abs(x) > 0.5).any():
            raise ValueError("left the domain")
        return x[:, 0] ** 2
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"narrow": Narrow}
"""


class TestLandscape:
    def stored(self, write: Callable[..., Path], objective: str, points: str, optimizers: str = SWEPT) -> StoredResults:
        return compute(write(EXPERIMENT.format(objective=objective, points=points, optimizers=optimizers)))

    def test_a_curve_with_one_run_of_each_behaviour(self, write: Callable[..., Path]):
        stored = self.stored(write, "sin_quadratic", "[2.0, -1.0]")
        drawing = draw(Landscape(), stored)
        found = lines(drawing)
        for behaviour, rate in (("crawling", "0.0001"), ("monotone", "0.2"), ("oscillating", "0.45"), ("diverging", "1.3")):
            path = found[f"{behaviour}: learning_rate = {rate}"]
            x, f = np.asarray(path.get_xdata()), np.asarray(path.get_ydata())
            assert x[0] == 2.0
            np.testing.assert_allclose(f, np.sin(x) + x * x, rtol=1e-12)
        star = next(line for line in drawing.figure.axes[0].lines if line.get_marker() == "*")
        assert star.get_xdata() == pytest.approx(-0.45018361129487355)
        assert "monotone with learning_rate = 0.2 ended as converged after" in drawing.caption
        assert "over the curve of f" in drawing.caption

    def test_contours_with_the_best_setting_of_each_optimizer(self, write: Callable[..., Path]):
        optimizers = '{ name = "gradient_descent", learning_rate = 0.01 }, { name = "newton" }'
        stored = self.stored(write, "himmelblau", "[[1.0, 1.0], [-4.0, 3.0], [4.0, -3.0], [0.5, 3.0]]", optimizers)
        drawing = draw(Landscape(), stored)
        assert {"gradient_descent", "newton"} <= set(lines(drawing))
        assert "The best setting of each optimizer is drawn, from at most 3 starts." in drawing.caption
        assert "bright where it is low" in drawing.caption

    def test_methods_with_the_same_result_share_a_sentence(self, write: Callable[..., Path]):
        """Newton's method takes one step on a quadratic with each choice of `indefinite`."""
        newton = '{ name = "newton", indefinite = { values = ["plain", "absolute"] } }'
        optimizers = '{ name = "gradient_descent", learning_rate = 0.45 }, ' + newton
        stored = self.stored(write, "quadratic", "[2.0, -1.0]", optimizers)
        assert draw(Landscape(), stored).caption == (
            "The paths of some runs over the curve of f: each dot is an iterate, and the open dot is the start. The star is the "
            "known minimum. The best setting of each optimizer is drawn, from at most 3 starts. Where paths coincide, the one "
            "drawn last hides the others.\n"
            "On quadratic: gradient_descent ended as converged after 9 steps at the minimum, f = 0; "
            "newton(indefinite=plain) and newton(indefinite=absolute) ended as converged after 1 step at the minimum, f = 0."
        )

    def test_caption_says_how_each_panel_was_chosen(self, write: Callable[..., Path]):
        text = EXPERIMENT.format(objective="quadratic", points="[2.0, -1.0]", optimizers=SWEPT + ', { name = "newton" }')
        text = text.replace(
            'objective = [{ name = "quadratic" }]', 'objective = [{ name = "quadratic" }, { name = "sin_quadratic" }]'
        )
        stored = compute(write(text + '[[exclude]]\nobjective = "quadratic"\noptimizer = "newton"\n'))
        assert (
            "On quadratic, for each behaviour, the run with the middle learning rate from the first start is drawn; elsewhere the "
            "best setting of each optimizer is drawn, from at most 3 starts."
        ) in draw(Landscape(), stored).caption

    def test_objective_that_cannot_be_drawn_loses_only_its_own_panel(self, write: Callable[..., Path], tmp_path: Path):
        (tmp_path / "narrow.py").write_text(NARROW, encoding="utf-8")
        text = EXPERIMENT.format(objective="narrow", points="[0.5]", optimizers='{ name = "gradient_descent" }')
        text = text.replace("objective = [", 'plugins = ["narrow.py"]\nobjective = [{ name = "quadratic" }, ')
        panels = draw(Landscape(), compute(write(text))).figure.axes
        assert [panel.get_title(loc="left") for panel in panels] == ["quadratic", "narrow"]
        assert panels[0].lines
        assert [text.get_text() for text in panels[1].texts] == ["ValueError: left the domain"]
        assert not panels[1].lines

    def test_an_objective_that_cannot_be_made_again_is_not_drawn(self):
        assert isinstance(results(sweep([0.1])), ResultsInMemory)
        assert Landscape().draw(results(sweep([0.1]))) is None

    def test_figure_drawn_again_has_the_same_bytes(self, write: Callable[..., Path], tmp_path: Path, regression: StoredResults):
        for number, stored in enumerate((regression, self.stored(write, "rosenbrock", "[[-1.2, 1.0]]"))):
            once, again = (reported(stored, tmp_path / f"{number}{name}", *FIGURES) for name in "ab")
            pictures = sorted(path.relative_to(once) for path in once.rglob("*.*g"))
            assert pictures
            for picture in pictures:
                assert (once / picture).read_bytes() == (again / picture).read_bytes()

    def test_frame_holds_the_points_and_is_not_too_narrow(self):
        low, high = frame_of([np.array([[0.0, 0.0], [10.0, 0.1]]), np.array([[np.nan, 1.0]])])
        assert (low < 0).all()
        assert (high > [10.0, 0.1]).all()
        assert (high - low)[1] >= (high - low)[0] / 4

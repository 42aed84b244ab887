"""Pictures of the ground that runs cover: curves, contours, paths, and a line on its way to the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runner import HasData, frame_of, one_of_each_behaviour
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.landscape import Landscape
from runner_plugins.figures.regression_fit import RegressionFit
from runner_plugins.objectives.linear_regression import LinearRegression
from tests.support.experiments import compute, reported
from tests.support.figures import Memory, draw, lines, results, sweep
from tests.support.paths import ROOT

FIGURES = (("landscape", Landscape()), ("regression_fit", RegressionFit()))


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> StoredResults:
    path = tmp_path_factory.mktemp("regression") / "r.toml"
    path.write_bytes((ROOT / "experiments" / "linear_regression.toml").read_bytes())
    return compute(path)


def least_squares() -> tuple[np.ndarray, float]:
    """Weight, bias and mean squared error by LAPACK."""
    features, y = LinearRegression().data
    table = np.column_stack([features, np.ones(len(y))])
    x, squares = np.linalg.lstsq(table, y)[:2]
    return x, float(squares[0]) / len(y)


class TestRegression:
    def test_the_model_of_linear_regression_says_what_its_loss_is_made_of(self):
        objective = LinearRegression(features=3, samples=20)
        assert isinstance(objective, HasData)
        features, y = objective.data
        x = np.random.default_rng(0).normal(size=(5, 4))
        predicted = objective.predict(x, features)
        np.testing.assert_allclose(predicted, x[:, :3] @ features.T + x[:, 3:], rtol=1e-12)
        np.testing.assert_allclose(((predicted - y) ** 2).mean(axis=-1), objective.value(x), rtol=1e-12)

    def test_descent_ends_at_the_least_squares_solution(self, regression: StoredResults):
        best, value = least_squares()
        converged = [run for run in regression.runs if run.outcome == "converged"]
        assert converged
        for run, series in regression.series(converged):
            assert series.x is not None
            np.testing.assert_allclose(series.x[-1], best, atol=1e-8)
            assert run.final_value == pytest.approx(value, rel=1e-12)

    def test_a_row_for_each_behaviour_with_the_lines_of_its_steps(self, regression: StoredResults):
        drawing = draw(RegressionFit(), regression)
        titles = [axes.get_title(loc="left") for axes in drawing.figure.axes[::2]]
        assert [title.replace("\n", " ").rsplit(" ", 1)[1] for title in titles] == [
            "crawling",
            "monotone",
            "oscillating",
            "diverging",
        ]
        (run,) = [run for run in one_of_each_behaviour(regression.runs) if run.behaviour == "monotone"]
        ((_, series),) = regression.series([run])
        assert series.x is not None
        found = lines(drawing, panel=2)
        for step in (0, 1, 2, 4, 8, 16, 28):
            across, up = (np.asarray(values) for values in (found[f"step {step}"].get_xdata(), found[f"step {step}"].get_ydata()))
            weight, bias = series.x[step]
            np.testing.assert_allclose(up, weight * across + bias, rtol=1e-9, atol=1e-9)
        assert len([name for name in found if name.startswith("step")]) == 7

    def test_the_caption_says_where_it_ended_and_where_it_should(self, regression: StoredResults):
        caption = draw(RegressionFit(), regression).caption
        assert "learning_rate = 0.7: monotone; after 28 steps x = (1.99, -1.01), where f = 0.00940." in caption
        assert caption.endswith("\nThe best fit is x = (1.99, -1.01), where f = 0.00940.")
        assert "The star is the known minimum." in caption

    def test_the_path_lies_on_the_contours(self, regression: StoredResults):
        panel = draw(RegressionFit(), regression).figure.axes[3]
        star = next(line for line in panel.lines if line.get_marker() == "*")
        np.testing.assert_allclose(np.concatenate([star.get_xdata(), star.get_ydata()]), least_squares()[0])
        assert panel.collections, "there are contours"

    def test_rows_of_several_objectives_name_theirs_and_what_there_is_no_room_for_is_counted(self, tmp_path: Path):
        path = tmp_path / "two.toml"
        text = (ROOT / "experiments" / "linear_regression.toml").read_text(encoding="utf-8")
        path.write_text(text.replace('"linear_regression" }', '"linear_regression" }, { name = "linear_regression", seed = 5 }'))
        drawing = draw(RegressionFit(), compute(path))
        titles = [panel.get_title(loc="left") for panel in drawing.figure.axes[::2]]
        assert len(titles) == 4
        assert all(title.startswith("linear_regression(") for title in titles)
        assert " such rows, the first 4 are drawn." in drawing.caption

    def test_without_data_there_is_nothing_to_fit(self):
        assert RegressionFit().draw(results(sweep([0.1]))) is None


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
        assert "Drawn is the best setting of each optimizer, from 3 starts at most." in drawing.caption
        assert "bright where it is low" in drawing.caption

    def test_methods_that_fare_alike_are_told_in_one_go(self, write: Callable[..., Path]):
        """Newton's method takes one step on a quadratic, whatever it does where the Hessian is indefinite."""
        newton = '{ name = "newton", indefinite = { values = ["plain", "absolute"] } }'
        optimizers = '{ name = "gradient_descent", learning_rate = 0.45 }, ' + newton
        stored = self.stored(write, "quadratic", "[2.0, -1.0]", optimizers)
        assert draw(Landscape(), stored).caption == (
            "Some runs over the curve of f: a dot is an iterate, an open one the start. The star is the known minimum. "
            "Drawn is the best setting of each optimizer, from 3 starts at most. Where paths are alike, the last hides the others.\n"
            "On quadratic: gradient_descent ended as converged after 9 steps at the minimum, f = 0; "
            "newton(indefinite=plain) and newton(indefinite=absolute) ended as converged after 1 step at the minimum, f = 0."
        )

    def test_each_panel_is_told_as_it_was_chosen(self, write: Callable[..., Path]):
        text = EXPERIMENT.format(objective="quadratic", points="[2.0, -1.0]", optimizers=SWEPT + ', { name = "newton" }')
        text = text.replace(
            'objective = [{ name = "quadratic" }]', 'objective = [{ name = "quadratic" }, { name = "sin_quadratic" }]'
        )
        stored = compute(write(text + '[[exclude]]\nobjective = "quadratic"\noptimizer = "newton"\n'))
        assert (
            "On quadratic, of the runs that moved alike, the one with the middle learning rate is drawn, from the first start; "
            "elsewhere drawn is the best setting of each optimizer, from 3 starts at most."
        ) in draw(Landscape(), stored).caption

    def test_an_objective_that_cannot_be_drawn_costs_its_own_panel_alone(self, write: Callable[..., Path], tmp_path: Path):
        (tmp_path / "narrow.py").write_text(NARROW, encoding="utf-8")
        text = EXPERIMENT.format(objective="narrow", points="[0.5]", optimizers='{ name = "gradient_descent" }')
        text = text.replace("objective = [", 'plugins = ["narrow.py"]\nobjective = [{ name = "quadratic" }, ')
        panels = draw(Landscape(), compute(write(text))).figure.axes
        assert [panel.get_title(loc="left") for panel in panels] == ["quadratic", "narrow"]
        assert panels[0].lines
        assert [text.get_text() for text in panels[1].texts] == ["ValueError: left the domain"]
        assert not panels[1].lines

    def test_an_objective_that_cannot_be_made_again_is_not_drawn(self):
        assert isinstance(results(sweep([0.1])), Memory)
        assert Landscape().draw(results(sweep([0.1]))) is None

    def test_redrawn_it_is_the_same_bytes(self, write: Callable[..., Path], tmp_path: Path, regression: StoredResults):
        for number, stored in enumerate((regression, self.stored(write, "rosenbrock", "[[-1.2, 1.0]]"))):
            once, again = (reported(stored, tmp_path / f"{number}{name}", *FIGURES) for name in "ab")
            pictures = sorted(path.relative_to(once) for path in once.rglob("*.*g"))
            assert pictures
            for picture in pictures:
                assert (once / picture).read_bytes() == (again / picture).read_bytes()

    def test_the_frame_holds_the_points_and_is_not_a_slit(self):
        low, high = frame_of([np.array([[0.0, 0.0], [10.0, 0.1]]), np.array([[np.nan, 1.0]])])
        assert (low < 0).all()
        assert (high > [10.0, 0.1]).all()
        assert (high - low)[1] >= (high - low)[0] / 4

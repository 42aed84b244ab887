"""The regression-fit figure: lines on their way to the least-squares solution."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from runner import HasData, one_of_each_behaviour
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.regression_fit import RegressionFit
from runner_plugins.objectives.linear_regression import LinearRegression
from tests.support.experiments import compute
from tests.support.figures import draw, lines, results, sweep
from tests.support.paths import ROOT


def least_squares() -> tuple[np.ndarray, float]:
    """Return weight, bias and mean squared error, computed by LAPACK."""
    features, y = LinearRegression().data
    table = np.column_stack([features, np.ones(len(y))])
    x, squares = np.linalg.lstsq(table, y)[:2]
    return x, float(squares[0]) / len(y)


class TestRegression:
    def test_model_of_linear_regression_gives_its_loss(self):
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

    def test_caption_gives_the_end_and_the_solution(self, regression: StoredResults):
        caption = draw(RegressionFit(), regression).caption
        assert "learning_rate = 0.7: monotone; after 28 steps w = 1.99 and b = -1.01, where f = 0.00940." in caption
        assert caption.endswith("\nThe best fit is w = 1.99 and b = -1.01, where f = 0.00940.")
        assert "The star is the known minimum." in caption

    def test_the_path_lies_on_the_contours(self, regression: StoredResults):
        panel = draw(RegressionFit(), regression).figure.axes[3]
        assert (panel.get_xlabel(), panel.get_ylabel()) == ("w", "b")
        star = next(line for line in panel.lines if line.get_marker() == "*")
        np.testing.assert_allclose(np.concatenate([star.get_xdata(), star.get_ydata()]), least_squares()[0])
        assert panel.collections, "there are contours"

    def test_rows_name_their_objective_and_omitted_rows_are_counted(self, tmp_path: Path):
        path = tmp_path / "two.toml"
        text = (ROOT / "experiments" / "linear_regression.toml").read_text(encoding="utf-8")
        path.write_text(text.replace('"linear_regression" }', '"linear_regression" }, { name = "linear_regression", seed = 5 }'))
        drawing = draw(RegressionFit(), compute(path))
        titles = [panel.get_title(loc="left") for panel in drawing.figure.axes[::2]]
        assert len(titles) == 4
        assert all(title.startswith("linear_regression(") for title in titles)
        assert re.search(r"The first 4 of \d+ such rows are drawn\.", drawing.caption)

    def test_nothing_is_drawn_without_data(self):
        assert RegressionFit().draw(results(sweep([0.1]))) is None

"""The basins figure: the minimum that each run reached, on functions whose minima are known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from runner_plugins.figures.basins import HEADER, Basins
from runner_plugins.figures.effort import Effort
from runner_plugins.figures.landscape import Landscape
from tests.support.experiments import compute, reported
from tests.support.figures import draw, results, sweep

EXPERIMENT = """\
name = "minima"
objective = [{{ {objective} }}]
gradient = [{{ name = "analytic" }}]
optimizer = [{{ {optimizer} }}]
start = {{ {start} }}
stop = {{ max_steps = 800, gradient_norm = 1e-8 }}
"""
DESCENT = 'name = "gradient_descent", learning_rate = 0.004'
INFLECTION = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Inflection(runner.Objective):
    dimension = 1
    def value(self, x):
        return x[:, 0] ** 4 / 4 - x[:, 0] ** 3 / 3
    def gradient(self, x):
        return x**3 - x**2
    def hessian(self, x):
        return (3 * x**2 - 2 * x)[..., None]

@runner.hookimpl
def runner_objectives():
    return {"inflection": Inflection}
"""
FAILS = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Fails(runner.Objective):
    border: float
    dimension = 2
    def value(self, x):
        if (x[:, 0] < self.border).any():
            raise ValueError("f is not defined")
        return (x**2).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"fails": Fails}
"""
ONE_AT_A_TIME = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Wells(runner.Objective):
    dimension = 1
    def value(self, x):
        assert len(x) == 1
        return (x[..., 0] ** 2 - 1) ** 2
    def gradient(self, x):
        assert len(x) == 1
        return 4 * x * (x**2 - 1)
    def hessian(self, x):
        assert len(x) == 1
        return (12 * x**2 - 4)[..., None]

@runner.hookimpl
def runner_objectives():
    return {"wells": Wells}
"""


def row(write: Callable[..., Path], tmp_path: Path, **parts: str) -> tuple[dict[str, str], str]:
    """Return the row of the table in the report, and the caption."""
    stored = compute(write(EXPERIMENT.format(**parts)))
    folder = reported(stored, tmp_path / "report", ("basins", Basins()))
    with (folder / "figures" / "basins.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert tuple(line) == HEADER
    page = (folder / "index.html").read_text("utf-8")
    assert '<th scope="col">95 % interval</th>' in page, "the table is on the page too"
    return line, draw(Basins(), stored).caption


class TestBasins:
    def test_the_two_wells_of_styblinski_and_tang(self, write, tmp_path):
        """In one dimension, descent from the left of the maximum at 0.156731 ends in the global minimum; from the right, in the other."""
        starts = np.linspace(-4.5, 4.5, 40)
        line, caption = row(
            write,
            tmp_path,
            objective='name = "styblinski_tang", dimension = 1',
            optimizer=DESCENT,
            start=f"points = {starts.tolist()}",
        )
        found = int((starts < 0.156731).sum())
        assert line["found the global minimum"] == f"{100 * found / 40:.1f} %"
        assert (line["came to rest"], line["minima reached"], line["at no minimum"]) == ("40", "2", "0")
        assert f"the global minimum, f = -39.2, was found by gradient_descent from {found} of 40 starts (" in caption

    def test_all_four_minima_of_himmelblau_are_global(self, write, tmp_path):
        line, caption = row(
            write, tmp_path, objective='name = "himmelblau"', optimizer=DESCENT, start="uniform = { count = 60, seed = 1 }"
        )
        assert (line["minima reached"], line["found the global minimum"], line["95 % interval"]) == (
            "4",
            "100.0 %",
            "94.0 % to 100.0 %",
        )
        assert "from all 60 starts (94 to 100 %; all came to rest, at 4 minima)." in caption

    def test_plain_newton_comes_to_rest_at_saddles_and_maxima(self, write, tmp_path):
        """Each coordinate of a stationary point is a root of 2x³ − 16x + 5/2: four minima, four saddles, one maximum."""
        optimizer = 'name = "newton", indefinite = "plain"'
        line, caption = row(
            write,
            tmp_path,
            objective='name = "styblinski_tang"',
            optimizer=optimizer,
            start="uniform = { low = -4.0, high = 4.0, count = 120, seed = 3 }",
        )
        assert line["minima reached"] == "4"
        assert int(line["at no minimum"]) > 20
        assert f"and {line['at no minimum']} at saddles or maxima)" in caption

    def test_a_run_that_crawls_did_not_come_to_rest(self, write, tmp_path):
        slow = 'name = "gradient_descent", learning_rate = 1e-5'
        line, _ = row(write, tmp_path, objective='name = "rastrigin"', optimizer=slow, start="uniform = { count = 12, seed = 0 }")
        assert (line["came to rest"], line["found the global minimum"]) == ("0", "0.0 %")

    def test_figure_drawn_again_has_the_same_bytes(self, write, tmp_path):
        stored = compute(
            write(EXPERIMENT.format(objective='name = "himmelblau"', optimizer=DESCENT, start="uniform = { count = 30 }"))
        )
        figures = (("basins", Basins()), ("effort", Effort()), ("landscape", Landscape()))
        once, again = (reported(stored, tmp_path / name, *figures) for name in "ab")
        files = sorted(path.relative_to(once) for path in (once / "figures").iterdir())
        assert len(files) == 8
        assert all((once / file).read_bytes() == (again / file).read_bytes() for file in files)

    def test_a_minimum_has_one_colour_whatever_the_optimizer(self, write):
        """Plain Newton also ends at maxima, which are grey."""
        optimizers = f'{DESCENT} }}, {{ name = "newton", indefinite = "plain"'
        objective, start = (
            'name = "sin_quadratic", a = 4.0, omega = 4.0',
            "uniform = { low = -2.5, high = 2.5, count = 40, seed = 2 }",
        )
        stored = compute(write(EXPERIMENT.format(objective=objective, optimizer=optimizers, start=start)))
        colours: dict[float, set[str]] = {}
        for panel, optimizer in zip(draw(Basins(), stored).figure.axes, ("gradient_descent", "newton"), strict=True):
            runs = [run for run in stored.runs if run.optimizer == optimizer]
            for run, ink in zip(runs, panel.collections[-1].get_facecolors(), strict=True):
                colours.setdefault(round(run.final_value, 3), set()).add(to_hex(ink))
        minima = [colours[height] for height in (-3.85, -2.654, -0.262, 3.325)]
        assert all(len(colour) == 1 for colour in minima)
        assert len(set.union(*minima)) == 4
        assert colours[4.159] == colours[5.433] == {"#bbbbbb"}, "of maxima"

    @pytest.mark.parametrize(
        ("objective", "told"),
        [
            ('name = "sin_quadratic"', "f is strongly convex, so it has exactly one local minimum."),
            ('name = "linear_regression"', "f is strongly convex, so it has exactly one local minimum."),
            ('name = "sin_quadratic", a = 2.0', "f is convex, so every local minimum is global."),
            ('name = "sin_quadratic", a = 2.1', ""),
            ('name = "himmelblau"', ""),
        ],
    )
    def test_what_convexity_guarantees_is_said_of_convex_objectives_only(self, write, objective, told):
        start = "uniform = { low = -2.0, high = 2.0, count = 12, seed = 0 }"
        stored = compute(write(EXPERIMENT.format(objective=objective, optimizer=DESCENT.replace("0.004", "0.01"), start=start)))
        caption = draw(Basins(), stored).caption
        assert ("curvature" in caption) == (told != "")
        assert caption.endswith(told)

    def test_many_minima_are_coloured_by_their_values(self, write):
        start = "uniform = { count = 60, seed = 0 }"
        stored = compute(write(EXPERIMENT.format(objective='name = "ackley"', optimizer=DESCENT, start=start)))
        drawing = draw(Basins(), stored)
        panel, scale = drawing.figure.axes
        assert scale.get_ylabel() == "f at the minimum reached"
        heights = np.array([run.final_value for run in stored.runs])
        brightness = panel.collections[-1].get_facecolors()[:, :3].sum(axis=1)
        low, high = heights.argmin(), heights.argmax()
        assert brightness[low] < np.median(brightness) < brightness[high]
        assert not any(line.get_marker() == "*" and len(line.get_xdata()) for line in panel.lines), "none of them is global"
        assert (
            "Where runs reach more than 12 minima, each minimum has the colour of its height, and only a global minimum has a star."
            in drawing.caption
        )

    def test_an_inflection_is_not_called_a_minimum(self, write, tmp_path):
        """On x⁴/4 − x³/3, descent from the left comes to rest at 0, where the Hessian is zero; the minimum is at 1."""
        (tmp_path / "inflection.py").write_text(INFLECTION, encoding="utf-8")
        fast, starts = DESCENT.replace("0.004", "0.1"), np.linspace(-1.0, 2.0, 12)
        text = EXPERIMENT.format(objective='name = "inflection"', optimizer=fast, start=f"points = {starts.tolist()}")
        text = text.replace("gradient_norm = 1e-8", "gradient_norm = 1e-4")
        caption = draw(Basins(), compute(write(text + 'plugins = ["inflection.py"]\n'))).caption
        assert "came to rest, at 1 minimum and at 1 place that may or may not be a minimum)" in caption
        assert "A place may or may not be a minimum if the Hessian is missing or has an eigenvalue near zero there" in caption

    def test_the_setting_and_the_backend_are_named(self, write):
        optimizer = 'name = "gradient_descent", learning_rate = { values = [0.002, 0.01] }'
        text = EXPERIMENT.format(objective='name = "himmelblau"', optimizer=optimizer, start="uniform = { count = 12, seed = 1 }")
        text = text.replace('{ name = "analytic" }', '{ name = "analytic" }, { name = "finite_difference" }')
        drawing = draw(Basins(), compute(write(text)))
        assert [panel.get_title(loc="left").replace("\n", " ") for panel in drawing.figure.axes] == [
            "himmelblau, gradient_descent × analytic",
            "himmelblau, gradient_descent × finite_difference",
        ]
        assert "The panels show the best setting of each optimizer, which is named below." in drawing.caption
        assert "gradient_descent × analytic with learning_rate = 0.01 from all 12 starts" in drawing.caption

    def test_too_few_starts_for_basins(self):
        assert Basins().draw(results(sweep([0.1]))) is None


def test_an_objective_on_which_no_run_rests_is_drawn_beside_others(write):
    """In one dimension, the panel has no star then. The curve of f and the starts remain."""
    slow, start = DESCENT.replace("0.004", "1e-5"), "uniform = { low = -4.0, high = 4.0, count = 12, seed = 0 }"
    objective = 'name = "styblinski_tang", dimension = 1'
    text = EXPERIMENT.format(objective=objective, optimizer=f'{slow} }}, {{ name = "newton"', start=start)
    drawing = draw(Basins(), compute(write(text)))
    stars = [[len(line.get_xdata()) for line in panel.lines if line.get_marker() == "*"] for panel in drawing.figure.axes]
    assert len(stars) == 2
    assert stars[0] == [0]
    assert stars[1][0] > 0
    assert "was found by gradient_descent from none of the 12 starts (0 to 24 %; 0 came to rest)" in drawing.caption


def test_runs_that_fail_at_their_starts_count_among_the_starts_and_are_not_drawn(runner_cli, write, tmp_path):
    (tmp_path / "fails.py").write_text(FAILS, encoding="utf-8")
    starts = [[x, 1.0] for x in (-2, -1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
    objectives = 'name = "fails", border = 9.0 }, { name = "fails", border = 0.0'
    optimizer = DESCENT.replace("0.004", "0.1")
    text = EXPERIMENT.format(objective=objectives, optimizer=optimizer, start=f"points = {starts}")
    write(text + 'plugins = ["fails.py"]\nreport = { figures = ["basins"] }\n')
    done = runner_cli("run", "small.toml")
    assert "12 failed" in done.out
    assert "could not be drawn" not in done.err
    folder = tmp_path / "results" / "minima"
    with (folder / "figures" / "basins.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["objective"], line["runs"], line["came to rest"]) == ("fails(border=0)", "10", "8")
    assert "by gradient_descent from 8 of 10 starts (49 to 94 %; 8 came to rest" in (folder / "index.html").read_text("utf-8")


def test_an_objective_that_takes_one_point_at_a_time_is_drawn(runner_cli, write, tmp_path):
    (tmp_path / "wells.py").write_text(ONE_AT_A_TIME, encoding="utf-8")
    starts = "uniform = { low = -2.0, high = 2.0, count = 20, seed = 0 }"
    text = EXPERIMENT.format(objective='name = "wells"', optimizer='name = "newton"', start=starts)
    write(text + 'plugins = ["wells.py"]\nreport = { figures = ["basins", "effort", "landscape"] }\n')
    done = runner_cli("run", "small.toml")
    assert done.code == 0
    assert "could not be drawn" not in done.err
    figures = tmp_path / "results" / "minima" / "figures"
    assert {path.name for path in figures.glob("*.png")} == {"basins.png", "effort.png", "landscape.png"}

"""Properties of every figure that draws stored results: all cases, no global state, the same bytes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runner import Figure, Outcome, Series, StoredRun
from runner.report.page import Section, Table, write_report
from runner.report.style import house_style
from runner_plugins.figures.convergence import Convergence
from runner_plugins.figures.learning_rate import LearningRate
from runner_plugins.figures.outcomes import Outcomes
from tests.support.figures import draw, results, sweep

FIGURES = (Convergence(), LearningRate(), Outcomes())


def failed(run: StoredRun, series: Series) -> tuple[StoredRun, Series]:
    nothing = np.array([math.nan])
    run = replace(
        run, outcome=Outcome.FAILED, steps=0, final_value=math.nan, final_gradient_norm=math.nan, error="ValueError: no"
    )
    return run, Series(nothing, nothing, None)


def without_steps(run: StoredRun, series: Series) -> tuple[StoredRun, Series]:
    return failed(run, series)[0], Series(np.empty(0), np.empty(0), None)


def unknown(run: StoredRun, series: Series) -> tuple[StoredRun, Series]:
    return replace(run, minimum_value=None, curvature=None), series


def infinite(run: StoredRun, series: Series) -> tuple[StoredRun, Series]:
    value = np.append(series.value[:-1], -math.inf)
    return replace(run, outcome=Outcome.NON_FINITE, final_value=-math.inf), Series(value, series.gradient_norm, None)


CASES: Mapping[str, Sequence[tuple[StoredRun, Series]]] = {
    "one run": sweep([0.3], starts=1),
    "exact minimum": sweep([0.5]),
    "negative minimum": sweep([0.3, 0.4], shift=-7.0),
    "failed": [failed(*pair) for pair in sweep([0.3, 0.4])],
    "failed before the first value": [without_steps(*pair) for pair in sweep([0.3, 0.4])],
    "minus infinity": [infinite(*pair) for pair in sweep([0.3, 0.4])],
    "unknown minimum": [unknown(*pair) for pair in sweep([0.3, 1.4])],
    "all diverged": sweep([1.2, 1.4]),
    "one of many failed": [failed(*sweep([0.3])[0]), *sweep([0.3, 0.4])],
    "twelve objectives": [
        pair for n in range(12) for pair in sweep([0.3, 1.2], starts=2, objective=f"objective $number$ {n} " * 3)
    ],
    "unknown outcome": [(replace(run, outcome="abandoned"), series) for run, series in sweep([0.3])],
    "seven optimizers": [pair for name in "abcdefg" for pair in sweep([0.3, 1.2], starts=2, optimizer=name)],
}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: type(figure).__name__)
@pytest.mark.parametrize("case", CASES)
def test_every_case_is_drawn_without_a_warning(figure: Figure, case: str) -> None:
    optimizers = {run.optimizer for run, _ in CASES[case]}
    drawing = draw(figure, results(CASES[case], dict.fromkeys(optimizers, ("learning_rate",))))
    with house_style():
        drawing.figure.draw_without_rendering()
    assert "nan" not in drawing.caption.split()
    assert "unknown" not in drawing.caption.split()
    assert len(drawing.figure.axes) == len({run.objective for run, _ in CASES[case]})


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: type(figure).__name__)
def test_nothing_is_drawn_without_runs(figure: Figure) -> None:
    assert figure.draw(results([])) is None


def test_drawing_leaves_no_global_figure_behind() -> None:
    draw(Convergence(), results(sweep([0.3])))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_two_processes_draw_the_same_bytes(tmp_path: Path) -> None:
    style = tmp_path / "matplotlibrc"
    style.write_text("font.size: 30\nsvg.fonttype: none\naxes.facecolor: red\nsavefig.bbox: tight\n")
    pages = []
    for seed, configuration in (("1", {}), ("2", {"MATPLOTLIBRC": str(style)})):
        folder = tmp_path / seed
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path), **configuration}
        subprocess.run([sys.executable, __file__, str(folder)], check=True, env=environment)
        pages.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert pages[0] == pages[1]
    assert {path.suffix for path in pages[0]} == {".html", ".csv", ".svg", ".png"}
    assert len(pages[0]) == 8


if __name__ == "__main__":
    named = [(type(figure).__name__, figure) for figure in FIGURES]
    write_report(
        Path(sys.argv[1]),
        results(sweep([0.01, 0.4, 1.2])),
        named,
        [Section("summary", "Summary", "Read.", Table(("a",), [("b",)]), Table(("a",), [("b",)]))],
        "runner run x",
    )

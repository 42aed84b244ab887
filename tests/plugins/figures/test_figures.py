"""The figures, drawn from iterates known in closed form: gradient descent on x² + c multiplies x by 1 − 2γ."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from runner import PALETTE, Drawing, Figure, Outcome, Series, StoredRun, wrapped
from runner.report.page import Section, Table, write_report
from runner.report.style import OUTCOME_COLOURS, house_style
from runner_plugins.figures.convergence import Convergence
from runner_plugins.figures.learning_rate import LearningRate
from runner_plugins.figures.outcomes import Outcomes
from tests.support.figures import STARTS, draw, lines, results, sweep

FIGURES = (Convergence(), LearningRate(), Outcomes())


def test_a_line_whose_runs_are_all_lost_leaves_through_the_top():
    gone = [(replace(run, outcome=Outcome.FAILED), series) for run, series in sweep([0.25], steps=2)]
    drawing = draw(Convergence(), results([*gone, *sweep([0.3])]))
    (line,) = (line for name, line in lines(drawing).items() if "5 of 5 lost" in name)
    assert data(line)[0] == [0, 1, 2, 3]
    assert data(line)[1][-1] > drawing.figure.axes[0].get_ylim()[1] > data(line)[1][-2]


def data(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def texts(drawing: Drawing) -> list[str]:
    return [text.get_text() for axes in drawing.figure.axes for text in axes.texts]


def dots(drawing: Drawing, panel: int = 0) -> list[PathCollection]:
    return [found for found in drawing.figure.axes[panel].collections if isinstance(found, PathCollection)]


# Convergence


def test_convergence_draws_the_median_over_the_starts() -> None:
    drawing = draw(Convergence(), results(sweep([0.25])))
    steps, gaps = data(lines(drawing)["gradient_descent"])
    # Each step halves x; the middle one of the five starts, by size, is 2.
    expected = np.maximum(4.0 * 0.25 ** np.arange(len(steps)), np.finfo(float).eps)
    assert steps == list(range(31))
    assert gaps[:28] == pytest.approx(expected[:28])
    assert drawing.figure.axes[0].get_yscale() == "log"
    assert drawing.figure.axes[0].get_ylabel() == "gap to the minimum, f − f*"


def test_convergence_band_holds_the_middle_half() -> None:
    drawing = draw(Convergence(), results(sweep([0.25])))
    (band,) = drawing.figure.axes[0].collections
    heights = np.asarray(band.get_paths()[0].vertices)
    assert set(heights[heights[:, 0] == 0][:, 1]) == {1.0, 9.0}


def test_convergence_chooses_a_few_of_many_settings() -> None:
    drawing = draw(Convergence(), results(sweep(np.linspace(0.01, 1.2, 120).tolist(), starts=2)))
    assert [label for label in lines(drawing) if not label.startswith("_")] == [
        "best: learning_rate = 0.5",
        "smallest: learning_rate = 0.01",
        "largest with none lost: learning_rate = 1.01",
        "smallest that loses a run\nlearning_rate = 1.02 (2 of 2 lost)",
    ]


def test_convergence_draws_all_of_a_few_settings() -> None:
    found = lines(draw(Convergence(), results(sweep([0.1, 0.2, 0.4, 0.8]))))
    assert [label for label in found if not label.startswith("_")] == [
        "best: learning_rate = 0.4",
        "smallest: learning_rate = 0.1",
        "largest with none lost: learning_rate = 0.8",
        "learning_rate = 0.2",
    ]


def test_convergence_caption_in_full() -> None:
    drawing = draw(Convergence(), results(sweep([0.001, 0.002, 0.25, 0.5, 1.25, 1.5])))
    assert drawing.caption.split("\n") == [
        "Each line is the median gap f − f* to the known minimum over the starting points after each step, on a logarithmic "
        "axis, and the band around it holds at least the middle half of the runs. A run that has stopped stays at its last "
        "value; one that is lost counts as infinite from then on. A line that leaves through the top has grown beyond the "
        "picture; it does so where half of the runs are lost. What lies below the rounding level, 2.22e-16, exact zeros "
        "included, is drawn at it.",
        "Of 6 settings, 3 are drawn, chosen for each optimizer: the best, smallest and smallest that loses a run. Best is the "
        "one with the most converged runs, then the fewest lost, then the fewest steps, then the smallest last value.",
        "On quadratic: gradient_descent at learning_rate = 0.5 (best), all 5 runs converged in a median of 1 step; at "
        "learning_rate = 0.001 (smallest), none of the 5 runs converged and the median gap at the end was 0.540; at "
        "learning_rate = 1.25 (smallest that loses a run), all 5 runs were lost.",
    ]


def test_convergence_caption_of_one_run() -> None:
    drawing = draw(Convergence(), results(sweep([0.4], starts=1)))
    assert drawing.caption == (
        "Each line is the median gap f − f* to the known minimum over the starting points after each step, on a logarithmic "
        "axis. A straight line falling to the right means that every step shrinks it by the same factor. What lies below the "
        "rounding level, 2.22e-16, exact zeros included, is drawn at it.\n"
        "On quadratic: gradient_descent, the only run converged in 13 steps."
    )
    assert not drawing.figure.axes[0].collections


def test_an_exact_minimum_is_drawn_at_the_rounding_level() -> None:
    drawing = draw(Convergence(), results(sweep([0.5], shift=-8.0)))
    _, gaps = data(lines(drawing)["gradient_descent"])
    assert gaps == [4, 2.0**-49]
    assert "rounding level" in texts(drawing)
    low, high = drawing.figure.axes[0].get_ylim()
    assert low < 2.0**-49 < 9 < high


def test_without_a_known_minimum_the_gradient_norm_is_drawn() -> None:
    stored = [(replace(run, minimum_value=None), series) for run, series in sweep([0.25, 0.45])]
    drawing = draw(Convergence(), results(stored))
    assert drawing.figure.axes[0].get_ylabel() == "gradient norm, ‖∇f‖"
    assert data(lines(drawing)["best: learning_rate = 0.45"])[1][0] == 4
    assert drawing.caption.startswith("Each line is the median gradient norm ‖∇f‖ over")
    assert "gap" not in drawing.caption
    mixed = draw(Convergence(), results([*stored, *sweep([0.25], objective="known")]))
    assert "The minimum of quadratic is not known, so the gradient norm ‖∇f‖ takes the gap's place there." in mixed.caption


def test_convergence_says_so_if_the_minimum_is_none() -> None:
    stored = [(replace(run, minimum_value=1.0), series) for run, series in sweep([0.25], starts=3)]
    caption = draw(Convergence(), results(stored)).caption
    assert caption.endswith("On quadratic, 3 runs ended below the stated minimum, by up to 1: that is not the minimum.")


def test_every_optimizer_gets_its_best_setting_and_no_role_is_given_to_one_alone() -> None:
    stored = [pair for name in "abcd" for pair in sweep([0.1, 0.4, 1.1], optimizer=name)]
    drawing = draw(Convergence(), results(stored, dict.fromkeys("abcd", ("learning_rate",))))
    assert [label for label in lines(drawing) if not label.startswith("_")] == [
        f"{name}, best: learning_rate = 0.4" for name in "abcd"
    ]
    assert len({line.get_color() for label, line in lines(drawing).items() if "best" in label}) == 4


def test_the_smallest_setting_that_loses_one_run_is_shown_with_its_count() -> None:
    stored = sweep([0.1, 0.2, 0.4, 1.2])
    stored[5] = (replace(stored[5][0], outcome=Outcome.DIVERGED), stored[5][1])
    drawing = draw(Convergence(), results(stored))
    assert "smallest that loses a run\nlearning_rate = 0.2 (1 of 5 lost)" in lines(drawing)
    assert (
        "at learning_rate = 0.2 (smallest that loses a run), 4 of 5 runs converged in a median of 38.5 steps and 1 was lost"
        in (drawing.caption)
    )


def test_runs_lost_at_the_best_setting_are_told() -> None:
    stored = sweep([0.4])
    stored[0] = (replace(stored[0][0], outcome=Outcome.FAILED), stored[0][1])
    drawing = draw(Convergence(), results(stored))
    assert "gradient_descent (1 of 5 lost)" in lines(drawing)
    assert "4 of 5 runs converged in a median of 12.5 steps and 1 was lost." in drawing.caption
    assert "4 of 5 runs converged in a median of 12.5 steps and 1 was lost." in draw(LearningRate(), results(stored)).caption


# Learning rate


def damped(rates: Sequence[float], dampings: Sequence[float]) -> list[tuple[StoredRun, Series]]:
    """Gradient descent with a second parameter that divides the learning rate by 1 + damping."""
    return [
        (replace(run, parameters={"optimizer.learning_rate": rate, "optimizer.damping": damping}), series)
        for damping in dampings
        for rate in rates
        for run, series in sweep([rate / (1 + damping)])
    ]


def test_each_combination_of_the_other_swept_parameters_has_its_own_median() -> None:
    stored = results(damped([0.01, 0.02, 0.03], [0.0, 1.0]), {"gradient_descent": ("learning_rate", "damping")})
    drawing = draw(LearningRate(), stored)
    found = lines(drawing)
    assert data(found["damping = 0"])[1][0] == pytest.approx(4 * 0.98**1000)
    assert data(found["damping = 1"])[1][0] == pytest.approx(4 * 0.99**1000)
    assert found["damping = 0"].get_color() != found["damping = 1"].get_color()
    assert drawing.figure.axes[0].get_legend() is not None
    assert "a line for each combination of the other swept parameters: the median over the starting points" in drawing.caption


def test_many_combinations_share_a_line_that_says_so() -> None:
    stored = results(damped([0.01, 0.02], [0.0, 0.5, 1.0, 1.5, 2.0]), {"gradient_descent": ("learning_rate", "damping")})
    drawing = draw(LearningRate(), stored)
    label = "gradient_descent, median over the starts and\ndamping"
    # Of the 25 runs at 0.01 the middle one; all numbers are known.
    gaps = sorted(x**2 * (1 - 0.02 / (1 + d)) ** 1000 for x in STARTS for d in (0.0, 0.5, 1.0, 1.5, 2.0))
    assert data(lines(drawing)[label])[1][0] == pytest.approx(gaps[12])
    assert drawing.figure.axes[0].get_legend() is not None
    assert "the line is the median over the starting points and over the other swept parameter, damping." in drawing.caption


def test_parameters_that_move_together_are_one_line() -> None:
    stored = [pair for rate in (0.1, 0.2) for pair in damped([rate], [10 * rate])]
    drawing = draw(LearningRate(), results(stored, {"gradient_descent": ("learning_rate", "damping")}))
    assert drawing.figure.axes[0].get_legend() is None
    assert "the line is the median over the starting points. " in drawing.caption


def test_several_optimizers_have_a_colour_each_and_the_outcome_as_shape() -> None:
    stored = [pair for name in "abc" for pair in sweep([0.01, 0.4, 1.2], optimizer=name)]
    drawing = draw(LearningRate(), results(stored, dict.fromkeys("abc", ("learning_rate",))))
    colours = [str(lines(drawing)[name].get_color()) for name in "abc"]
    assert colours == list(PALETTE[:3])
    found = dots(drawing)
    assert {to_hex(np.asarray(group.get_facecolor())[0]) for group in found} == {colour.lower() for colour in colours}
    assert len({np.asarray(group.get_paths()[0].vertices).tobytes() for group in found}) == 3
    assert "Its shape is the outcome, and its colour is that of its line. There is a line for each optimizer:" in drawing.caption


def test_a_rate_just_above_the_limit_is_told_from_it() -> None:
    stored = results(sweep([0.5, 1.00052, 1.2]))
    for figure in (Convergence(), LearningRate()):
        caption = draw(figure, stored).caption
        assert "1.00 " not in caption
    assert "learning_rate = 1.001" in "".join(lines(draw(Convergence(), stored)))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: type(figure).__name__)
def test_objectives_left_out_of_a_caption_are_counted(figure: Figure) -> None:
    stored = [pair for place in range(9) for pair in sweep([0.3, 1.2], starts=1, objective=f"o{place}")]
    caption = draw(figure, results(stored)).caption
    left = sum(f"On o{place}" not in caption for place in range(9))
    assert re.search(rf"For {left} other (objective|panel)s, the summary table says [^.]*\.$", caption)


def test_a_long_title_breaks_before_its_bracket_and_keeps_its_digits() -> None:
    assert wrapped("quadratic(condition_number=3.16228)", 31) == "quadratic\n(condition_number=3.16228)"
    assert wrapped("quadratic(condition_number=10)", 31) == "quadratic(condition_number=10)"
    title = "quadratic(condition_number=3.16228, dimension=12, rotation=0.333333)"
    stored = [pair for name in (title, "b", "c") for pair in sweep([0.3, 1.2], objective=name)]
    for figure in FIGURES:
        shown = draw(figure, results(stored)).figure.axes[0].get_title("left")
        assert shown.replace("\n(", "(").replace("\n", " ") == title


def test_learning_rate_draws_every_run_in_its_outcome_s_colour() -> None:
    stored = results(sweep([0.001, 0.01, 0.1, 0.9, 1.2]))
    found = dots(draw(LearningRate(), stored))
    drawn = [tuple(point) for group in found for point in np.asarray(group.get_offsets())]
    assert sorted(rate for rate, _ in drawn) == sorted(
        float(run.parameters["optimizer.learning_rate"] or 0) for run in stored.runs
    )
    colours = {to_hex(np.asarray(group.get_facecolor())[0]): len(np.asarray(group.get_offsets())) for group in found}
    counts = {outcome: sum(run.outcome == outcome for run in stored.runs) for outcome in Outcome}
    assert colours == {OUTCOME_COLOURS[outcome].lower(): count for outcome, count in counts.items() if count}


def test_learning_rate_keeps_lost_runs_in_a_strip_above_all_gaps() -> None:
    drawing = draw(LearningRate(), results(sweep([0.1, 0.2, 1.2])))
    converged, diverged = (np.asarray(group.get_offsets())[:, 1] for group in dots(drawing))
    low, high = drawing.figure.axes[0].get_ylim()
    assert low < converged.min() <= converged.max() < diverged.min() <= diverged.max() < high < 1e12
    assert len(set(diverged)) == 5
    assert max(drawing.figure.axes[0].get_yticks()) < diverged.min()
    assert "diverged" in texts(drawing)


def test_the_median_line_breaks_where_the_median_run_is_lost() -> None:
    drawing = draw(LearningRate(), results(sweep([0.01, 0.1, 1.2])))
    rates, medians = data(drawing.figure.axes[0].lines[0])
    assert rates == [0.01, 0.1, 1.2]
    assert medians[0] == pytest.approx(4 * 0.98**1000)
    assert math.isnan(medians[2])


def test_the_stability_limit_stands_at_two_over_the_largest_curvature() -> None:
    drawing = draw(LearningRate(), results(sweep([0.1, 0.5, 1.2])))
    (limit,) = [line for line in drawing.figure.axes[0].lines if line.get_linestyle() == "--"]
    assert data(limit)[0] == [1.0, 1.0]
    assert "2/L = 1" in texts(drawing)


def test_learning_rate_caption_in_full() -> None:
    drawing = draw(LearningRate(), results(sweep([0.001, 0.01, 0.1, 0.5, 1.2])))
    assert drawing.caption.split("\n") == [
        "Each dot is one run: its last gap f − f* to the known minimum against learning_rate. Its colour is the outcome, and "
        "the line is the median over the starting points. Runs that were lost, because they diverged, became non-finite or "
        "failed, stand in the strip on top. What lies below the rounding level, 2.22e-16, exact zeros included, is drawn at it. "
        "The dashed line is theory: with L the largest eigenvalue of the Hessian at the known minimiser, plain gradient descent "
        "is stable near it if the learning rate is below 2/L, and unstable above.",
        "On quadratic, gradient_descent did best at learning_rate = 0.5, where all 5 runs converged in a median of 1 step. For "
        "gradient_descent, 2/L is 1: below it, 10 of 20 runs converged and none was lost; above it, all 5 runs were lost. No "
        "run is at odds with the theory. 10 runs below it, at learning_rate from 0.001 to 0.01, had not converged after 500 "
        "steps: every learning rate that converged is larger, and too small a one crawls.",
    ]


def test_learning_rate_caption_states_exceptions() -> None:
    stored = sweep([0.4, 0.999, 1.2], starts=1)
    stored[0] = (replace(stored[0][0], outcome=Outcome.DIVERGED), stored[0][1])
    stored[2] = (replace(stored[2][0], outcome=Outcome.CONVERGED, steps=1), stored[2][1])
    caption = draw(LearningRate(), results(stored)).caption
    assert "1 run diverged below it, which theory does not exclude far from the minimiser." in caption
    assert (
        "1 run converged above it, which theory allows only elsewhere than at that minimiser, or from points that lead exactly to it."
        in caption
    )
    stored[0] = (replace(stored[0][0], outcome=Outcome.NON_FINITE), stored[0][1])
    other = draw(LearningRate(), results(stored)).caption
    assert "1 run below it met a number that is not finite, of which theory says nothing." in other
    assert caption.endswith("1 run below it, at learning_rate = 0.999, had not converged after 500 steps.")
    assert "at odds" not in caption


def test_a_failed_run_says_nothing_about_stability() -> None:
    stored = sweep([0.4, 0.5, 1.2], starts=1)
    stored[0] = (replace(stored[0][0], outcome=Outcome.FAILED), stored[0][1])
    assert "No run is at odds with the theory." in draw(LearningRate(), results(stored)).caption


def test_a_limit_far_from_the_values_tried_is_told_and_not_drawn() -> None:
    drawing = draw(LearningRate(), results(sweep([0.01, 0.02, 0.04])))
    assert not texts(drawing)
    assert max(drawing.figure.axes[0].get_xlim()) < 0.1
    assert " Theory: with L " in drawing.caption
    assert "For gradient_descent, 2/L is 1: below it, 10 of 15 runs converged and none was lost." in drawing.caption


def test_a_run_at_the_limit_is_on_neither_side() -> None:
    caption = draw(LearningRate(), results(sweep([0.5, 1.0, 1.2]))).caption
    assert "below it, all 5 runs converged; at it, none of the 5 runs converged and none was lost; above it, all" in caption


def test_other_optimizers_are_not_held_to_the_theory_of_gradient_descent() -> None:
    stored = [*sweep([0.1, 1.2]), *sweep([0.1, 1.2], optimizer="momentum")]
    drawing = draw(LearningRate(), results(stored, {"gradient_descent": ("learning_rate",), "momentum": ("learning_rate",)}))
    assert "2/L = 1\nlimit of plain\ngradient descent" in texts(drawing)
    assert "momentum is not plain gradient descent, and 2/L = 1 is no promise for it: below it, all 5 runs" in drawing.caption
    assert "For momentum" not in drawing.caption


def test_another_swept_parameter_has_no_stability_limit() -> None:
    stored = [
        (replace(run, parameters={"optimizer.damping": run.parameters["optimizer.learning_rate"]}), series)
        for run, series in sweep([0.1, 0.2, 0.3])
    ]
    drawing = draw(LearningRate(), results(stored, {"gradient_descent": ("damping",)}))
    assert drawing.figure.axes[0].get_xlabel() == "damping"
    assert drawing.figure.axes[0].get_xscale() == "linear"
    assert "2/L" not in drawing.caption
    assert not texts(drawing)


@pytest.mark.parametrize(
    ("rates", "scale"),
    [([0.01, 0.1, 1.0], "log"), ([0.1, 0.2, 0.3, 0.4], "linear"), ([0.01, 0.9], "log"), ([0.4, 0.5], "linear")],
)
def test_the_axis_is_spaced_as_the_sweep_is(rates: list[float], scale: str) -> None:
    assert draw(LearningRate(), results(sweep(rates))).figure.axes[0].get_xscale() == scale


def test_learning_rate_draws_nothing_without_a_sweep() -> None:
    assert LearningRate().draw(results(sweep([0.1]), {"gradient_descent": ()})) is None


# Outcomes


def test_outcomes_draws_shares_and_counts() -> None:
    drawing = draw(Outcomes(), results(sweep([0.001, 0.1, 0.2, 1.2])))
    patches = [patch for patch in drawing.figure.axes[0].patches if isinstance(patch, Rectangle)]
    bars = [(patch.get_x(), patch.get_width(), to_hex(patch.get_facecolor())) for patch in patches]
    assert bars == [(0, 0.5, "#009e73"), (0.5, 0.25, "#56b4e9"), (0.75, 0.25, "#d55e00")]
    assert texts(drawing) == ["10", "5", "5", "20 runs"]
    assert drawing.caption == (
        "Each bar is all runs of one optimizer on one objective, split by how they ended; the numbers are counts of runs.\n"
        "In all, 10 of 20 runs converged; 5 ended as max_steps and 5 ended as diverged. "
        "On quadratic, gradient_descent converged in 10 of 20 runs."
    )


def test_a_segment_too_narrow_for_its_count_is_counted_behind_the_bar() -> None:
    stored = sweep(np.linspace(0.1, 0.9, 20).tolist())
    stored.append((replace(stored[0][0], outcome=Outcome.FAILED), stored[0][1]))
    assert texts(draw(Outcomes(), results(stored))) == ["100", "101 runs, 1 failed"]


def test_outcomes_names_the_gradient_backend_where_there_are_several() -> None:
    stored = sweep([0.1], starts=1)
    stored.append((replace(stored[0][0], gradient="forward", optimizer="a $b$"), stored[0][1]))
    (axes,) = draw(Outcomes(), results(stored)).figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gradient_descent × analytic", r"a \$b\$ × forward"]


# All of them


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
def test_nothing_stored_is_nothing_drawn(figure: Figure) -> None:
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

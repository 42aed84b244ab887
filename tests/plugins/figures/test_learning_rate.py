"""The learning-rate figure, drawn from iterates known in closed form."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from runner import PALETTE, Figure, Outcome, Series, StoredRun, wrapped
from runner.report.style import OUTCOME_COLOURS
from runner_plugins.figures.convergence import Convergence
from runner_plugins.figures.learning_rate import LearningRate
from runner_plugins.figures.outcomes import Outcomes
from tests.support.figures import STARTS, data, dots, draw, lines, results, sweep, texts

FIGURES = (Convergence(), LearningRate(), Outcomes())


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
    assert "Each combination of the other swept parameters has a line: the median over the starting points" in drawing.caption


def test_many_combinations_share_a_line_that_says_so() -> None:
    stored = results(damped([0.01, 0.02], [0.0, 0.5, 1.0, 1.5, 2.0]), {"gradient_descent": ("learning_rate", "damping")})
    drawing = draw(LearningRate(), stored)
    label = "gradient_descent, median over the starts and\ndamping"
    # The middle one of the 25 runs at 0.01; all numbers are known.
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
    assert "The shape of a dot is its outcome, and its colour is that of its line. Each optimizer has a line:" in drawing.caption


def test_rate_just_above_the_limit_is_distinguished_from_it() -> None:
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
        "Each dot shows the last gap f − f* to the known minimum of one run against learning_rate. The colour of a dot is its "
        "outcome, and the line is the median over the starting points. Runs that were lost, because they diverged, became "
        "non-finite or failed, are drawn in the strip at the top. Values below the rounding level (2.22e-16), exact zeros "
        "included, are drawn at that level. "
        "The dashed line is theory: with L the largest eigenvalue of the Hessian at the known minimiser, plain gradient descent "
        "is stable near it if the learning rate is below 2/L, and unstable above.",
        "On quadratic, gradient_descent did best at learning_rate = 0.5 (chosen on starts 0, 2, 4, judged on starts 1, 3), where "
        "all 2 runs came within 1e-6 of f*, for 4 evaluations per success. For "
        "gradient_descent, 2/L is 1: below it, 10 of 20 runs converged and none was lost; above it, all 5 runs were lost. No "
        "run contradicts the theory. 10 runs below it, at learning_rate from 0.001 to 0.01, had not converged after 500 "
        "steps: all converged runs have larger learning rates, and a run crawls if its learning rate is too small.",
    ]


def test_learning_rate_caption_states_exceptions() -> None:
    stored = sweep([0.4, 0.999, 1.2], starts=1)
    stored[0] = (replace(stored[0][0], outcome=Outcome.DIVERGED), stored[0][1])
    stored[2] = (replace(stored[2][0], outcome=Outcome.CONVERGED, steps=1), stored[2][1])
    caption = draw(LearningRate(), results(stored)).caption
    assert "1 run diverged below it, which the theory does not exclude far from the minimiser." in caption
    assert (
        "1 run converged above it, which the theory allows only away from that minimiser, or from points that lead exactly to it."
        in caption
    )
    stored[0] = (replace(stored[0][0], outcome=Outcome.NON_FINITE), stored[0][1])
    other = draw(LearningRate(), results(stored)).caption
    assert "1 run below it became non-finite, which the theory does not cover." in other
    assert caption.endswith("1 run below it, at learning_rate = 0.999, had not converged after 500 steps.")
    assert "at odds" not in caption


def test_failed_run_does_not_count_for_stability() -> None:
    stored = sweep([0.4, 0.5, 1.2], starts=1)
    stored[0] = (replace(stored[0][0], outcome=Outcome.FAILED), stored[0][1])
    assert "No run contradicts the theory." in draw(LearningRate(), results(stored)).caption


def test_limit_far_from_the_rates_is_in_the_caption_only() -> None:
    drawing = draw(LearningRate(), results(sweep([0.01, 0.02, 0.04])))
    assert not texts(drawing)
    assert max(drawing.figure.axes[0].get_xlim()) < 0.1
    assert " Theory: with L " in drawing.caption
    assert "For gradient_descent, 2/L is 1: below it, 10 of 15 runs converged and none was lost." in drawing.caption


def test_a_run_at_the_limit_is_on_neither_side() -> None:
    caption = draw(LearningRate(), results(sweep([0.5, 1.0, 1.2]))).caption
    assert "below it, all 5 runs converged; at it, none of the 5 runs converged and none was lost; above it, all" in caption


def test_no_stability_limit_for_other_optimizers() -> None:
    stored = [*sweep([0.1, 1.2]), *sweep([0.1, 1.2], optimizer="momentum")]
    drawing = draw(LearningRate(), results(stored, {"gradient_descent": ("learning_rate",), "momentum": ("learning_rate",)}))
    assert "2/L = 1\nlimit of plain\ngradient descent" in texts(drawing)
    assert "momentum is not plain gradient descent, so 2/L = 1 guarantees nothing for it: below it, all 5 runs" in drawing.caption
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

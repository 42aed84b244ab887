"""The convergence figure, drawn from iterates known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runner import Outcome
from runner_plugins.figures.convergence import Convergence
from runner_plugins.figures.learning_rate import LearningRate
from tests.support.figures import data, draw, lines, results, sweep, texts


def test_line_of_lost_runs_leaves_through_the_top():
    gone = [(replace(run, outcome=Outcome.FAILED), series) for run, series in sweep([0.25], steps=2)]
    drawing = draw(Convergence(), results([*gone, *sweep([0.3])]))
    (line,) = (line for name, line in lines(drawing).items() if "5 of 5 lost" in name)
    assert data(line)[0] == [0, 1, 2, 3]
    assert data(line)[1][-1] > drawing.figure.axes[0].get_ylim()[1] > data(line)[1][-2]


def test_convergence_draws_the_median_over_the_starts() -> None:
    drawing = draw(Convergence(), results(sweep([0.25])))
    steps, gaps = data(lines(drawing)["gradient_descent"])
    # Each step halves x, and |x| at the middle one of the five starts is 2.
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
        "largest that loses no run\nlearning_rate = 1.01",
        "smallest that loses a run\nlearning_rate = 1.02 (2 of 2 lost)",
    ]


def test_convergence_draws_all_of_a_few_settings() -> None:
    found = lines(draw(Convergence(), results(sweep([0.1, 0.2, 0.4, 0.8]))))
    assert [label for label in found if not label.startswith("_")] == [
        "best: learning_rate = 0.4",
        "smallest: learning_rate = 0.1",
        "largest that loses no run: learning_rate = 0.8",
        "learning_rate = 0.2",
    ]


def test_convergence_caption_in_full() -> None:
    drawing = draw(Convergence(), results(sweep([0.001, 0.002, 0.25, 0.5, 1.25, 1.5])))
    assert drawing.caption.split("\n") == [
        "Each line is the median gap f − f* to the known minimum over the starting points after each step, on a logarithmic "
        "axis, and the band around it holds at least the middle half of the runs. After a run stops, its last value is kept; a "
        "lost run counts as infinite. A line leaves through the top if it grows beyond the picture, or when half of its runs "
        "are lost. Values below the rounding level (2.22e-16), exact zeros included, are drawn at that level.",
        "3 of 6 settings are drawn, chosen for each optimizer: the best, smallest and smallest that loses a run. The best "
        "setting of each optimizer is chosen as for the summary table, but the numbers here cover all of its runs, including "
        "those it was chosen on.",
        "On quadratic: gradient_descent at learning_rate = 0.5 (best), all 5 runs came within 1e-6 of f*, for 4 evaluations per success; at "
        "learning_rate = 0.001 (smallest), none of the 5 runs came within 1e-6 of f* and the median gap at the end was 0.540; at "
        "learning_rate = 1.25 (smallest that loses a run), all 5 runs were lost.",
    ]


def test_convergence_caption_of_one_run() -> None:
    drawing = draw(Convergence(), results(sweep([0.4], starts=1)))
    assert drawing.caption == (
        "Each line is the median gap f − f* to the known minimum over the starting points after each step, on a logarithmic "
        "axis. A straight line that falls to the right means that every step shrinks this value by the same factor. Values "
        "below the rounding level (2.22e-16), exact zeros included, are drawn at that level.\n"
        "On quadratic: gradient_descent, the only run came within 1e-6 of f*, for 28 evaluations."
    )
    assert not drawing.figure.axes[0].collections


def test_an_exact_minimum_is_drawn_at_the_rounding_level() -> None:
    drawing = draw(Convergence(), results(sweep([0.5], shift=-8.0)))
    _, gaps = data(lines(drawing)["gradient_descent"])
    assert gaps == [4, 2.0**-49]
    assert "rounding level" in texts(drawing)
    low, high = drawing.figure.axes[0].get_ylim()
    assert low < 2.0**-49 < 9 < high


def test_without_a_known_minimum_the_smallest_f_stands_for_it() -> None:
    stored = [(replace(run, minimum_value=None), series) for run, series in sweep([0.25, 0.45])]
    smallest = min(run.best_value for run, _ in stored)
    drawing = draw(Convergence(), results(stored))
    assert drawing.figure.axes[0].get_ylabel() == "f − smallest f of all runs"
    assert data(lines(drawing)["best: learning_rate = 0.45"])[1][0] == 4 - smallest
    assert drawing.caption.startswith("Each line is the median difference between f and the smallest f of all runs over")
    assert "gap" not in drawing.caption
    mixed = draw(Convergence(), results([*stored, *sweep([0.25], objective="known")]))
    assert "The minimum of quadratic is not known, so the smallest f of all its runs stands for f*." in mixed.caption


def test_runs_that_rest_above_the_smallest_f_are_counted_if_the_minimum_is_unknown() -> None:
    (high, path), *others = sweep([0.25, 0.45])
    changed = [(replace(run, minimum_value=None), series) for run, series in others]
    changed.append((replace(high, minimum_value=None, final_value=0.5, at_rest=True), path))
    caption = draw(Convergence(), results(changed)).caption
    assert "On quadratic, 1 run came to rest above the smallest f, by up to 0.5." in caption


def test_runs_without_a_line_are_counted_among_those_that_rest_above_the_smallest_f() -> None:
    *others, (best, lowest) = sweep([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.45], starts=1)
    changed = [(replace(run, minimum_value=None, final_value=0.5, at_rest=True), series) for run, series in others]
    caption = draw(Convergence(), results([*changed, (replace(best, minimum_value=None), lowest)])).caption
    assert "of 8 settings are drawn" in caption
    assert "On quadratic, 7 runs came to rest above the smallest f, by up to 0.5." in caption


def test_caption_says_if_the_minimum_is_unknown() -> None:
    stored = [(replace(run, minimum_value=1.0), series) for run, series in sweep([0.25], starts=3)]
    caption = draw(Convergence(), results(stored)).caption
    assert caption.endswith(
        "On quadratic, 3 runs found values below the stated minimum, by up to 1, so the stated minimum is wrong."
    )


def test_best_setting_of_every_optimizer_is_shown() -> None:
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
        "at learning_rate = 0.2 (smallest that loses a run), 4 of 5 runs came within 1e-6 of f*, for 99.5 evaluations per success and 1 was lost"
        in (drawing.caption)
    )


def test_runs_lost_at_the_best_setting_are_reported() -> None:
    stored = sweep([0.4])
    stored[0] = (replace(stored[0][0], outcome=Outcome.FAILED), stored[0][1])
    drawing = draw(Convergence(), results(stored))
    assert "gradient_descent (1 of 5 lost)" in lines(drawing)
    assert "4 of 5 runs came within 1e-6 of f*, for 34 evaluations per success and 1 was lost." in drawing.caption
    assert (
        "4 of 5 runs came within 1e-6 of f*, for 34 evaluations per success, and 1 was lost."
        in draw(LearningRate(), results(stored)).caption
    )

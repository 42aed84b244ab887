"""The outcomes figure, drawn from iterates known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from runner import Outcome
from runner_plugins.figures.outcomes import Outcomes
from tests.support.figures import draw, results, sweep, texts


def test_outcomes_draws_shares_and_counts() -> None:
    drawing = draw(Outcomes(), results(sweep([0.001, 0.1, 0.2, 1.2])))
    patches = [patch for patch in drawing.figure.axes[0].patches if isinstance(patch, Rectangle)]
    bars = [(patch.get_x(), patch.get_width(), to_hex(patch.get_facecolor())) for patch in patches]
    assert bars == [(0, 0.5, "#009e73"), (0.5, 0.25, "#56b4e9"), (0.75, 0.25, "#d55e00")]
    assert texts(drawing) == ["10", "5", "5", "20 runs"]
    assert drawing.caption == (
        "Each bar is split by how the runs of one optimizer on one objective ended; the numbers are counts of runs.\n"
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

"""The effort figure, on Newton's method and gradient descent."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runner import Outcome, Series, StoredRun
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.effort import HEADER, Effort
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from tests.support.experiments import compute, reported
from tests.support.figures import descend, draw, results, sweep
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def newton(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredResults, dict[tuple[str, str], dict[str, str]]]:
    """The results of the experiment on the page, and the rows of its report by objective and optimizer."""
    path = tmp_path_factory.mktemp("newton") / "newton.toml"
    text = (ROOT / "experiments" / "newton.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("max_steps = 1500", "max_steps = 300"), encoding="utf-8")
    stored = compute(path)
    folder = reported(stored, path.parent / "report", ("effort", Effort()))
    with (folder / "figures" / "effort.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    return stored, {(row["objective"], row["optimizer"]): row for row in rows}


class TestNewton:
    @pytest.mark.parametrize("objective", ["sin_quadratic", "himmelblau", "styblinski_tang"])
    def test_newton_has_order_two_and_gradient_descent_order_one(self, newton, objective: str):
        """The order agrees with theory to a tenth; for `plain` on styblinski_tang, to its uncertainty."""
        table = newton[1]
        for method in ("absolute", "gradient"):
            assert float(table[objective, f"newton(indefinite={method})"]["order"]) == pytest.approx(2.0, abs=0.1)
        assert float(table[objective, "gradient_descent"]["order"]) == pytest.approx(1.0, abs=0.01)
        plain = table[objective, "newton(indefinite=plain)"]
        assert abs(float(plain["order"]) - 2) <= max(0.1, 2 * float(plain["uncertainty"]))

    def test_newton_takes_one_step_on_a_quadratic_and_has_no_order(self, newton):
        row = newton[1]["quadratic", "newton(indefinite=plain)"]
        assert (row["converged"], row["median steps"], row["order"]) == ("10", "1", "")

    def test_newton_takes_fewer_and_more_expensive_steps(self, newton):
        table = newton[1]
        for objective in ("sin_quadratic", "himmelblau", "styblinski_tang"):
            ours, theirs = table[objective, "newton(indefinite=absolute)"], table[objective, "gradient_descent"]
            assert float(ours["median steps"]) < float(theirs["median steps"]) / 3
            assert float(ours["evaluations a step"]) > float(theirs["evaluations a step"])

    def test_plain_newton_goes_to_saddles_and_modified_newton_does_not(self, newton):
        """The Hessian is indefinite at most starts of these two objectives."""
        stored, table = newton
        for objective in ("himmelblau", "styblinski_tang"):
            assert int(table[objective, "newton(indefinite=plain)"]["at no minimum"]) >= 5
            for method in ("absolute", "gradient"):
                assert table[objective, f"newton(indefinite={method})"]["at no minimum"] == "0"
        caption = draw(Effort(), stored).caption
        assert "runs converged at a saddle or a maximum" in caption
        alike = "newton(indefinite=plain), newton(indefinite=absolute) and newton(indefinite=gradient)"
        assert f"{alike}: all 10 runs came within 1e-6 of f*, for 6 evaluations per success" in caption

    def test_axes_are_steps_times_their_cost(self, newton):
        stored, table = newton
        axes = draw(Effort(), stored).figure.axes
        cost = float(table["sin_quadratic", "newton(indefinite=plain)"]["evaluations a step"])
        for_steps, for_evaluations = (
            next(line for line in panel.lines if line.get_label() == "newton(indefinite=plain)") for panel in axes[3:5]
        )
        np.testing.assert_allclose(np.asarray(for_evaluations.get_xdata()), cost * np.asarray(for_steps.get_xdata()))
        np.testing.assert_array_equal(for_evaluations.get_ydata(), for_steps.get_ydata())

    def test_nothing_is_drawn_without_iterates(self, write: Callable[..., Path]):
        assert Effort().draw(results([])) is None
        drawing = draw(Effort(), results(sweep([0.25])))
        assert "gradient_descent: all 5 runs came within 1e-6 of f*, for" in drawing.caption
        assert SinQuadratic().dimension == 1

    def test_a_method_has_one_colour_even_where_another_has_no_runs(self):
        stored = [*sweep([0.25], optimizer="newton"), *sweep([0.25]), *sweep([0.25], objective="other")]
        panels = draw(Effort(), results(stored)).figure.axes
        colours = [{line.get_label(): line.get_color() for line in panel.lines} for panel in panels]
        assert colours[3]["gradient_descent"] == colours[0]["gradient_descent"] != colours[0]["newton"]

    def test_backends_are_distinguished(self):
        other = [(replace(run, gradient="autodiff"), series) for run, series in sweep([0.4])]
        drawing = draw(Effort(), results([*sweep([0.25]), *other]))
        names = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
        assert names == ["gradient_descent × analytic", "gradient_descent × autodiff"]
        assert "On quadratic: gradient_descent × analytic: all 5 runs" in drawing.caption
        assert [row[1] for row in drawing.table[1:]] == ["analytic", "autodiff"]

    def test_runs_that_converged_at_the_start_count(self):
        stored = results([*sweep([0.25], starts=2), at_rest()])
        assert "all 3 runs came within 1e-6 of f*, for 40.7 evaluations per success" in draw(Effort(), stored).caption
        assert Effort().draw(results([at_rest()])) is None

    def test_evaluations_of_all_runs_are_paid_for(self):
        """Runs of 1 and 12 steps pay for 4 and 26 evaluations, and only the second reaches f* = 0 up to 1e-6."""
        runs = [
            (replace(run, outcome=Outcome.CONVERGED), series)
            for run, series in (descend(0.25, 0, steps=1), descend(0.25, 1, steps=12))
        ]
        assert "1 of 2 runs came within 1e-6 of f*, for 30 evaluations per success" in draw(Effort(), results(runs)).caption

    def test_a_method_that_took_no_step_has_no_cost_to_draw(self):
        resting, series = at_rest()
        drawing = draw(Effort(), results([*sweep([0.25]), (replace(resting, optimizer="newton"), series)]))
        assert drawing.table[2][8:10] == ("", "")
        assert "newton: the only run came within 1e-6 of f*, for 2 evaluations" in drawing.caption


def at_rest() -> tuple[StoredRun, Series]:
    """A run that began at the minimum."""
    run, _ = descend(0.25, 0, steps=0)
    nothing = np.zeros(1)
    return replace(run, outcome=Outcome.CONVERGED, final_value=0.0, best_value=0.0), Series(nothing, nothing, None)

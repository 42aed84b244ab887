"""The order of convergence, and what a method's speed costs: on sequences of known order and on Newton's method."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import runner
from runner import (
    Array,
    Outcome,
    Series,
    StoredRun,
    before_noise,
    curving_downwards,
    curving_upwards,
    order_of_convergence,
    polished,
)
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.effort import HEADER, Effort
from runner_plugins.objectives.himmelblau import Himmelblau
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.objectives.styblinski_tang import StyblinskiTang
from tests.support.experiments import compute, reported
from tests.support.figures import descend, draw, results, sweep
from tests.support.paths import ROOT


def sequence(power: float, factor: float, first: float, limit: float = 0.0, steps: int = 60) -> tuple[Array, Array]:
    errors = [first]
    while len(errors) <= steps and errors[-1] > 1e-20:
        errors.append(factor * errors[-1] ** power)
    return np.array(errors)[:, None] + limit, np.array([limit])


class Flat(runner.Objective):
    """f = x⁴."""

    @property
    def dimension(self) -> int:
        return 1

    def value(self, x: Array) -> Array:
        return x[:, 0] ** 4

    def gradient(self, x: Array) -> Array:
        return 4.0 * x**3

    def hessian(self, x: Array) -> Array:
        return 12.0 * x[:, :, None] ** 2


class TestOrder:
    @pytest.mark.parametrize("power", [1.0, 1.5, (1 + 5**0.5) / 2, 2.0, 3.0])
    def test_sequences_of_known_order(self, power: float):
        runs = [sequence(power, 0.5, first) for first in (9e-3, 7e-3, 5e-3, 2e-3, 9e-4)]
        order = order_of_convergence(runs)
        assert order is not None
        assert order.power == pytest.approx(power, abs=1e-6)
        assert order.factor == pytest.approx(0.5, rel=1e-6)
        assert order.uncertainty < 1e-6

    def test_what_is_far_or_rounding_does_not_count(self):
        x, limit = sequence(2.0, 1.0, 5e-3, limit=3.0)
        order = order_of_convergence([(np.concatenate([np.linspace(9, 4, 30)[:, None], x, x[-1:]]), limit)] * 2)
        assert order is not None
        assert order.power == pytest.approx(2.0, abs=0.01)
        assert order.pairs == 4

    def test_scatter_is_uncertainty(self):
        """The standard error is sound: over many draws the truth lies within two of it nearly always."""
        generator = np.random.default_rng(0)
        within = 0
        for _ in range(200):
            before = np.exp(generator.uniform(np.log(1e-6), np.log(9e-3), 30))
            runs = [(np.array([[e], [3 * e**1.5 * np.exp(generator.normal(0, 0.3))]]), np.zeros(1)) for e in before]
            order = order_of_convergence(runs)
            assert order is not None
            within += abs(order.power - 1.5) <= 2 * order.uncertainty
        assert within >= 180

    @pytest.mark.parametrize("runs", [[], [sequence(2.0, 1.0, 5e-3)], [(np.full((5, 1), 0.005), np.zeros(1))]])
    def test_too_little_to_tell(self, runs: list[tuple[Array, Array]]):
        assert order_of_convergence(runs) is None

    @pytest.mark.parametrize(("start", "end"), [([2.9, 2.1], [3.0, 2.0]), ([-0.27, -0.92], [-0.270845, -0.923039])])
    def test_polishing_finds_the_stationary_point_beside(self, start: list[float], end: list[float]):
        point = polished(Himmelblau(), np.array(end) + 1e-3)
        assert np.abs(Himmelblau().gradient(point[None])).max() < 1e-12
        np.testing.assert_allclose(point, end, atol=1e-5)

    def test_polishing_tells_nothing_where_it_cannot(self):
        """Without an objective or its Hessian, far from a stationary point, and where the Hessian is singular at it."""
        assert polished(None, np.zeros(2)) is None
        assert polished(Himmelblau(), np.array([2.0, 1.0])) is None
        assert polished(Flat(), np.array([1e-3])) is None

    def test_the_pairs_of_one_run_count_as_one(self):
        """Runs with errors that hang together: the standard error of many such runs is that of their spread."""
        generator = np.random.default_rng(0)
        within = 0
        for _ in range(200):
            runs = []
            for _ in range(12):
                steps = np.log(0.7) + np.repeat(generator.normal(0, 0.2, 5), 4)
                runs.append((9e-3 * np.exp(np.cumsum(steps))[:, None], np.zeros(1)))
            order = order_of_convergence(runs)
            assert order is not None
            within += abs(order.power - 1.0) <= 2 * order.uncertainty
        assert within >= 170

    def test_where_a_run_stands_still_for_noise_says_nothing_of_its_order(self):
        x, limit = sequence(2.0, 1.0, 5e-3, limit=3.0)
        noisy = np.concatenate([x[:2], limit + np.array([[3e-8], [2e-8]])])
        assert before_noise(noisy, limit).tolist() == x[:2].tolist()
        assert before_noise(x, limit) is x
        assert len(before_noise(limit + np.array([[2e-8], [3e-8]]), limit)) == 0

    def test_one_run_has_an_order_without_uncertainty(self):
        order = order_of_convergence([sequence(1.0, 0.5, 9e-3)])
        assert order is not None
        assert order.power == pytest.approx(1.0)
        assert np.isnan(order.uncertainty)

    def test_saddles_and_maxima_are_told_from_minima(self):
        one, two, three = -2.903534, 0.156731, 2.746803
        x = np.array([[one, one], [one, three], [one, two], [two, two]])
        assert curving_downwards(StyblinskiTang(2), x).tolist() == [False, False, True, True]
        assert curving_downwards(Quadratic(2), np.zeros((1, 2))).tolist() == [False]
        assert curving_downwards(None, x).tolist() == [False] * 4
        assert curving_upwards(StyblinskiTang(2), x).tolist() == [True, True, False, False]
        assert curving_upwards(None, x).tolist() == [False] * 4
        assert curving_upwards(Flat(), np.array([[0.0], [0.1]])).tolist() == [False, True], "an eigenvalue of zero tells nothing"


@pytest.fixture(scope="module")
def newton(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredResults, dict[tuple[str, str], dict[str, str]]]:
    """The experiment of the page, with the table of its report by objective and optimizer."""
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
    def test_newtons_order_is_two_and_descents_is_one(self, newton, objective: str):
        """Within a tenth, and of `plain` on styblinski_tang, whose runs end at places of several kinds, within its uncertainty."""
        table = newton[1]
        for method in ("absolute", "gradient"):
            assert float(table[objective, f"newton(indefinite={method})"]["order"]) == pytest.approx(2.0, abs=0.1)
        assert float(table[objective, "gradient_descent"]["order"]) == pytest.approx(1.0, abs=0.01)
        plain = table[objective, "newton(indefinite=plain)"]
        assert abs(float(plain["order"]) - 2) <= max(0.1, 2 * float(plain["uncertainty"]))

    def test_a_quadratic_takes_one_step_and_leaves_no_order_to_measure(self, newton):
        row = newton[1]["quadratic", "newton(indefinite=plain)"]
        assert (row["converged"], row["median steps"], row["order"]) == ("10", "1", "")

    def test_fewer_steps_dearer_steps(self, newton):
        table = newton[1]
        for objective in ("sin_quadratic", "himmelblau", "styblinski_tang"):
            ours, theirs = table[objective, "newton(indefinite=absolute)"], table[objective, "gradient_descent"]
            assert float(ours["median steps"]) < float(theirs["median steps"]) / 3
            assert float(ours["evaluations a step"]) > float(theirs["evaluations a step"])

    def test_as_it_is_it_goes_to_saddles_and_maxima_and_modified_it_does_not(self, newton):
        """Where the Hessian is indefinite at the start, which it is for most starts of these two."""
        stored, table = newton
        for objective in ("himmelblau", "styblinski_tang"):
            assert int(table[objective, "newton(indefinite=plain)"]["at no minimum"]) >= 5
            for method in ("absolute", "gradient"):
                assert table[objective, f"newton(indefinite={method})"]["at no minimum"] == "0"
        caption = draw(Effort(), stored).caption
        assert "of them at saddles or maxima, with order" in caption
        alike = "newton(indefinite=plain), newton(indefinite=absolute) and newton(indefinite=gradient)"
        assert f"{alike}: all 10 runs converged in a median of 1 step and 6 evaluations" in caption

    def test_the_axes_are_steps_times_their_cost(self, newton):
        stored, table = newton
        axes = draw(Effort(), stored).figure.axes
        cost = float(table["sin_quadratic", "newton(indefinite=plain)"]["evaluations a step"])
        for_steps, for_evaluations = (
            next(line for line in panel.lines if line.get_label() == "newton(indefinite=plain)") for panel in axes[3:5]
        )
        np.testing.assert_allclose(np.asarray(for_evaluations.get_xdata()), cost * np.asarray(for_steps.get_xdata()))
        np.testing.assert_array_equal(for_evaluations.get_ydata(), for_steps.get_ydata())

    def test_nothing_to_show_and_runs_without_iterates(self, write: Callable[..., Path]):
        assert Effort().draw(results([])) is None
        drawing = draw(Effort(), results(sweep([0.25])))
        assert "gradient_descent: all 5 runs converged in" in drawing.caption
        assert SinQuadratic().dimension == 1

    def test_a_method_has_one_colour_even_where_another_has_no_runs(self):
        stored = [*sweep([0.25], optimizer="newton"), *sweep([0.25]), *sweep([0.25], objective="other")]
        panels = draw(Effort(), results(stored)).figure.axes
        colours = [{line.get_label(): line.get_color() for line in panel.lines} for panel in panels]
        assert colours[3]["gradient_descent"] == colours[0]["gradient_descent"] != colours[0]["newton"]

    def test_backends_are_told_apart(self):
        other = [(replace(run, gradient="autodiff"), series) for run, series in sweep([0.4])]
        drawing = draw(Effort(), results([*sweep([0.25]), *other]))
        names = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
        assert names == ["gradient_descent × analytic", "gradient_descent × autodiff"]
        assert "On quadratic: gradient_descent × analytic: all 5 runs" in drawing.caption
        assert [row[1] for row in drawing.table[1:]] == ["analytic", "autodiff"]

    def test_runs_that_converged_at_the_start_count(self):
        stored = results([*sweep([0.25], starts=2), at_rest()])
        assert "all 3 runs converged in a median of 28 steps and 58 evaluations" in draw(Effort(), stored).caption
        assert Effort().draw(results([at_rest()])) is None

    def test_evaluations_are_counted(self):
        """One step and nine: the median of 4 and 20 evaluations, and not 5 steps at what one costs in the median."""
        quick, slow = (
            replace(run, outcome=Outcome.CONVERGED) for run, _ in (descend(0.25, 0, steps=1), descend(0.25, 1, steps=9))
        )
        stored = results([(quick, descend(0.25, 0, steps=1)[1]), (slow, descend(0.25, 1, steps=9)[1])])
        assert "all 2 runs converged in a median of 5 steps and 12 evaluations" in draw(Effort(), stored).caption

    def test_a_method_that_took_no_step_has_no_cost_to_draw(self):
        resting, series = at_rest()
        drawing = draw(Effort(), results([*sweep([0.25]), (replace(resting, optimizer="newton"), series)]))
        assert drawing.table[2][8:10] == ("", "")
        assert "newton: the only run converged in 0 steps and 2 evaluations" in drawing.caption


def at_rest() -> tuple[StoredRun, Series]:
    """A run that began at the minimum."""
    run, _ = descend(0.25, 0, steps=0)
    nothing = np.zeros(1)
    return replace(run, outcome=Outcome.CONVERGED, final_value=0.0, best_value=0.0), Series(nothing, nothing, None)

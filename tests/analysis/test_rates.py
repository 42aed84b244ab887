"""Rates of convergence: closed forms of the theory, and rates measured on quadratics."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import linregress

from runner import Series, best_learning_rate, contraction
from runner.analysis.learning_rates import RateSweep, interval, is_plain, rate_sweeps, rates_export, rates_table, with_uncertainty
from runner.analysis.rates import fitted_rate, linear_rate
from runner.store.reading.stored_results import StoredResults
from runner_plugins.figures.rates import Rates
from tests.support.experiments import compute, reported
from tests.support.figures import descend, draw, results, sweep

EXPERIMENT = """\
name = "conditions"
gradient = [{ name = "analytic" }]
start = { points = [[1.5, -2.0, 0.7], [-0.4, 1.0, 2.5]] }
stop = { max_steps = 9000, gap = 1e-15 }
record = { x = false }
report = { figures = ["rates"] }
"""


def geometric(factor: float, steps: int = 40) -> np.ndarray:
    return 3.0 * factor ** np.arange(steps + 1)


class TestTheory:
    @pytest.mark.parametrize("condition", [1.0, 10.0, 1000.0])
    def test_the_best_learning_rate_is_where_the_factor_is_least(self, condition: float):
        curvature = (2.0, 2.0 * condition)
        best = best_learning_rate(curvature)
        assert best is not None
        rate, factor = best
        assert factor == pytest.approx((condition - 1) / (condition + 1))
        tried = np.linspace(0.5, 1.5, 1001) * rate
        factors = contraction(tried, curvature)
        assert tried[factors.argmin()] == pytest.approx(rate)
        assert factors.min() == pytest.approx(factor, abs=1e-12)
        assert contraction(np.array([2 / curvature[1]]), curvature)[0] == pytest.approx(1.0)

    @pytest.mark.parametrize("curvature", [(0.0, 1.0), (-1.0, 1.0), (1.0, math.inf), (math.nan, 1.0)])
    def test_best_learning_rate_needs_positive_curvature(self, curvature: tuple[float, float]):
        assert best_learning_rate(curvature) is None


class TestManyMinima:
    TEXT = """\
name = "many_minima"
gradient = [{ name = "analytic" }]
objective = [{ name = "styblinski_tang" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.002, 0.02] } }]
start = { points = [POINTS] }
stop = { max_steps = 1500, gradient_norm = 1e-11 }
"""

    def test_runs_that_settle_in_another_minimum_are_left_out_and_counted(self, tmp_path: Path):
        """f″ is the same along both axes, λ = 6x² − 16 at x* = −2.9035, so the factor is 1 − γλ."""
        sweep = self.measured(tmp_path, "[-2.0, -1.0], [2.0, 2.0], [1.5, -2.0]")
        place = sweep.measured_best
        assert place is not None
        best = sweep.points[place]
        curvature = 6 * 2.903534**2 - 16
        assert best.rate is not None
        assert best.rate.factor == pytest.approx(abs(1 - best.learning_rate * curvature), abs=1e-3)
        assert rates_table([sweep])[1][0][-1].endswith(" (2 of 3 runs led elsewhere)")

    def test_nothing_is_measured_where_all_runs_settle_elsewhere(self, tmp_path: Path):
        sweep = self.measured(tmp_path, "[2.0, 2.0], [1.5, -2.0]")
        assert rates_table([sweep])[1][0][-1] == "not measured (4 of 4 runs led elsewhere)"

    def test_a_run_thrown_into_another_minimum_has_not_settled(self, tmp_path: Path):
        """Beyond 2/34.58 = 0.0578 no run stays at x* = −2.9035; from −4.5 it comes to rest at 2.7468, where f″ = 29.27."""
        text = self.TEXT.replace("[0.002, 0.02]", "[0.02, 0.06, 0.08]").replace('_tang" }', '_tang", dimension = 1 }')
        (own,) = rate_sweeps(self.stored(tmp_path, text, "-4.5"))
        assert own.measured_limit == (0.02, 0.06)

    def test_a_steeper_minimum_as_low_does_not_count(self, tmp_path: Path):
        """Himmelblau's four minima are all at 0; that at (3, 2) has L = 82.28, that at (−3.78, −3.28) has L = 133.8."""
        text = self.TEXT.replace("[0.002, 0.02]", "[0.002, 0.01, 0.02, 0.03]").replace("styblinski_tang", "himmelblau")
        (found,) = rate_sweeps(self.stored(tmp_path, text, "[3.2, 1.9], [-3.8, -3.3]"))
        assert found.limit == pytest.approx(2 / 82.28, rel=1e-3)
        assert found.measured_limit == (0.02, 0.03)
        assert rates_table([found])[1][0][-1].endswith(" (1 of 2 runs led elsewhere)")

    def stored(self, folder: Path, text: str, points: str) -> StoredResults:
        path = folder / "many_minima.toml"
        path.write_text(text.replace("POINTS", points), encoding="utf-8")
        return compute(path)

    def measured(self, folder: Path, points: str) -> RateSweep:
        (sweep,) = rate_sweeps(self.stored(folder, self.TEXT, points))
        return sweep


class TestFit:
    @pytest.mark.parametrize("factor", [0.01, 0.5, 0.998, 1.0, 1.05])
    def test_a_geometric_series(self, factor: float):
        rate = fitted_rate(geometric(factor), 1e-9)
        assert rate is not None
        assert rate.factor == pytest.approx(factor, rel=1e-12)
        assert rate.uncertainty < 1e-12
        assert rate.shrinks == (factor < 1)

    def test_early_steps_and_steps_at_the_rounding_floor_are_left_out(self):
        curve = np.concatenate([geometric(0.1, 9), geometric(0.8, 60)[1:] * 1e-9, np.full(50, 1.3e-16)])
        rate = fitted_rate(curve, 1e-14)
        assert rate is not None
        assert rate.factor == pytest.approx(0.8, rel=1e-9)
        assert curve[rate.last] > 1e-14 >= curve[rate.last + 1]

    def test_a_rate_that_still_changes_is_uncertain(self):
        slow, fast = 0.99 ** np.arange(100), 0.95 ** np.arange(100)
        rate = fitted_rate(slow + 10 * fast, 0.0)
        assert rate is not None
        assert abs(rate.factor - 0.99) > 0.004
        assert abs(rate.factor - 0.99) < 2 * rate.uncertainty

    def test_noise_gives_the_standard_error_of_the_slope(self):
        """The slope and its error agree with SciPy's, fitted to the latter half."""
        noise = np.random.default_rng(1).normal(0, 1e-3, 41)
        curve = geometric(0.9) * np.exp(noise)
        rate = fitted_rate(curve, 0.0)
        assert rate is not None
        line = linregress(np.arange(20, 41), np.log(curve[20:]))
        assert rate.factor == pytest.approx(math.exp(line.slope), rel=1e-12)
        assert rate.uncertainty >= rate.factor * line.stderr * 0.999

    @pytest.mark.parametrize("curve", [[], [1.0], [1.0, 0.5, 0.25], [math.nan, 1.0, 1.0, 1.0, 1.0], [0.0] * 9])
    def test_too_few_steps_to_fit(self, curve: list[float]):
        assert fitted_rate(np.array(curve), 1e-9) is None

    def test_one_step_to_the_bottom_bounds_the_factor(self):
        rate = fitted_rate(np.array([2.0, 0.0]), 1e-6)
        assert rate is not None
        assert (rate.factor - rate.uncertainty, rate.factor + rate.uncertainty) == (0.0, 5e-7)

    def test_rate_is_fitted_to_the_gap_or_the_gradient_norm(self):
        run, series = descend(0.1, 0)
        expected = linear_rate(run, series)
        elsewhere = linear_rate(run, Series(series.value + 1e9, series.gradient_norm, None))
        assert expected is not None
        assert expected.factor == pytest.approx(0.8, rel=1e-6)
        assert elsewhere is None, "a gap that stays says nothing of the known minimum"
        unknown = linear_rate(replace(run, minimum_value=None), series)
        assert unknown is not None
        assert unknown.factor == pytest.approx(0.8, rel=1e-9)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Quadratics of condition number 10, 100 and 1000 with learning rates around the best and the limit, through the pipeline."""
    folder = tmp_path_factory.mktemp("rates")
    fractions = (0.2, 0.5, 0.9, 1.0, 1.5, 1.9, 1.99, 2.01, 2.2)
    tables = []
    for condition in (10.0, 100.0, 1000.0):
        best = 2 / (2 + 2 * condition)
        rates = [*(fraction / (2 * condition) for fraction in fractions), best]
        tables.append((condition, sorted(rates)))
    found = {}
    for condition, rates in tables:
        grid = f'[[objective]]\nname = "quadratic"\ndimension = 3\ncondition_number = {condition}\n'
        grid += f'[[optimizer]]\nname = "gradient_descent"\nlearning_rate = {{ values = {rates} }}\n'
        path = folder / f"c{condition:g}.toml"
        path.write_text(EXPERIMENT + grid, encoding="utf-8")
        stored = compute(path)
        found[condition] = (stored, reported(stored, folder / f"c{condition:g}", ("rates", Rates())))
    return found


@pytest.mark.parametrize("condition", [10.0, 100.0, 1000.0])
class TestQuadratics:
    def test_every_rate_is_within_a_hundredth_of_theory(self, measured: Any, condition: float):
        """Both the factor q and −ln q are compared; for q = 0.998, −ln q needs the fifth digit of q."""
        (found,) = rate_sweeps(measured[condition][0])
        rates = [point for point in found.points if point.rate is not None]
        assert len(rates) == len(found.points) == 10
        for point in rates:
            theory = float(contraction(np.array(point.learning_rate), (2.0, 2 * condition)))
            assert point.rate.factor == pytest.approx(theory, rel=0.01)
            assert math.log(point.rate.factor) == pytest.approx(math.log(theory), rel=0.01)

    def test_measured_limit_and_best_are_shown_beside_theory(self, measured: Any, condition: float):
        (found,) = rate_sweeps(measured[condition][0])
        assert found.limit == pytest.approx(1 / condition)
        low, high = found.measured_limit
        assert 0.995 - 1e-9 <= low * condition < 1 < high * condition == pytest.approx(1.005)
        rate, factor = found.best
        best = found.points[found.measured_best]
        assert best.learning_rate == pytest.approx(rate)
        assert best.rate.factor == pytest.approx(factor, rel=1e-3)
        assert found.beside_best[0] < rate < found.beside_best[1]

    def test_report_has_the_rates_in_a_table_and_a_file(self, measured: Any, condition: float):
        folder: Path = measured[condition][1]
        with (folder / "rates.csv").open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        assert float(row["limit_theory"]) == pytest.approx(1 / condition)
        assert float(row["limit_low"]) < float(row["limit_theory"]) < float(row["limit_high"])
        assert float(row["factor_measured"]) == pytest.approx(float(row["factor_theory"]), rel=0.01)
        page = (folder / "index.html").read_text("utf-8")
        assert '<h2 id="rates">Learning rates</h2>' in page
        assert 'href="rates.csv"' in page


class TestSweeps:
    def test_other_optimizers_have_no_theory(self):
        runs = [descend(rate, start, optimizer="momentum") for rate in (0.1, 0.3, 1.2) for start in range(2)]
        (found,) = rate_sweeps(results(runs, {"momentum": ("learning_rate",)}))
        assert (found.limit, found.best) == (None, None)
        header, rows = rates_table([found])
        assert dict(zip(header, rows[0], strict=True)) == {
            "objective": "quadratic",
            "gradient": "analytic",
            "optimizer": "momentum",
            "limit, theory": "unknown",
            "limit, measured": "0.3 to 1.2",
            "best, theory": "unknown",
            "best, measured": "0.3 (0.1 to 1.2)",
            "factor, theory": "unknown",
            "factor, measured": "0.4",
        }
        columns, (cells,) = rates_export([found])
        assert dict(zip(columns, cells, strict=True))["limit_theory"] == "nan"

    def test_parameter_that_is_not_swept_has_no_row(self):
        assert rate_sweeps(results(sweep([0.1]), {"gradient_descent": ()})) == []
        assert rate_sweeps(results(sweep([0.1]))) == []

    def test_each_value_of_another_swept_parameter_has_its_own_row(self):
        runs = []
        for power, shrinks in ((0.5, 1.0), (0.9, 0.5)):
            for rate in (0.1, 0.3):
                run, series = descend(rate * shrinks, 0, optimizer="momentum")
                parameters = {"optimizer.learning_rate": rate, "optimizer.momentum": power}
                runs.append((replace(run, parameters=parameters), series))
        found = rate_sweeps(results(runs, {"momentum": ("learning_rate", "momentum")}))
        assert [sweep.optimizer for sweep in found] == ["momentum(momentum=0.5)", "momentum(momentum=0.9)"]
        factors = [[point.rate and round(point.rate.factor, 6) for point in sweep.points] for sweep in found]
        assert factors == [[0.8, 0.4], [0.9, 0.7]]

    def test_runs_that_oscillate_for_ever_do_not_settle(self):
        (found,) = rate_sweeps(results(sweep([0.5, 0.9, 1.0, 1.1])))
        assert found.measured_limit == (0.9, 1.0)

    def test_best_rate_is_one_at_which_all_runs_settle(self):
        """One start of the fastest learning rate is lost, so that rate cannot be the best."""
        runs = sweep([0.1, 0.3, 0.45], starts=3)
        run, series = runs[-1]
        runs[-1] = replace(run, outcome="diverged"), series
        (found,) = rate_sweeps(results(runs))
        assert found.points[found.measured_best].learning_rate == 0.3
        assert found.measured_limit == (0.3, 0.45)

    def test_no_limit_if_all_runs_settle_or_none(self):
        assert rate_sweeps(results(sweep([0.1, 0.2])))[0].measured_limit is None
        assert rate_sweeps(results(sweep([1.1, 1.2])))[0].measured_limit is None

    @pytest.mark.parametrize(
        ("label", "plain"),
        [
            ("gradient_descent", True),
            ("gradient_descent(x=1)", True),
            ("gradient_descent_2", False),
            ("clipped_gradient_descent", False),
        ],
    )
    def test_theory_applies_to_gradient_descent_alone(self, label: str, plain: bool):
        assert is_plain(label) == plain

    def test_runs_too_short_to_judge_count_as_neither(self):
        """x² with γ = 1 goes 1, −1, 1 for ever, which two steps do not show."""
        (found,) = rate_sweeps(results([descend(0.5, 0), descend(1.0, 0, steps=2), descend(1.05, 0)]))
        assert [point.settles for point in found.points] == [True, None, False]
        assert found.measured_limit == (0.5, 1.05)
        (unknown,) = rate_sweeps(results([descend(1.0, 0, steps=2), descend(1.05, 0)]))
        assert unknown.measured_limit is None

    def test_best_rate_may_lie_beyond_the_last_rate_tried(self):
        (found,) = rate_sweeps(results(sweep([0.01, 0.1, 0.4])))
        header, rows = rates_table([found])
        assert dict(zip(header, rows[0], strict=True))["best, measured"] == "0.4 (the largest tried)"
        caption = draw(Rates(), results(sweep([0.01, 0.1, 0.4]))).caption
        assert "The theoretical best, 2/(μ + L) = 0.5 with q = (κ − 1)/(κ + 1) = 0, lies outside the range tried." in caption

    def test_numbers_are_printed_with_their_uncertainty(self):
        assert interval(0.9, 1.0) == "0.9 to 1"
        assert interval(1e-300, 5e299) == "1e-300 to 5e299"
        assert with_uncertainty(5e299, 5e299) == "5e+299 ± 5e+299"
        assert with_uncertainty(0.98019, 0.0003) == "0.98019 ± 0.00030"
        assert with_uncertainty(0.5, 0.0) == "0.5"
        assert with_uncertainty(12.0, 3.0) == "12 ± 3"
        assert with_uncertainty(1e-9, 1e-9) == "1e-09 ± 1e-09"

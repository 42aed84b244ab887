"""Rates of convergence: closed forms of the theory, and rates measured on quadratics."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

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
        assert rates_table([sweep])[1][0][-1] == "cannot tell (4 of 4 runs led elsewhere)"

    def test_a_run_thrown_into_another_minimum_has_not_settled(self, tmp_path: Path):
        """Beyond 2/34.58 = 0.0578 no run stays at x* = −2.9035; the run from −4.5 comes to rest at 2.7468, where f″ = 29.27."""
        text = self.TEXT.replace("[0.002, 0.02]", "[0.02, 0.06, 0.08]").replace('_tang" }', '_tang", dimension = 1 }')
        (own,) = rate_sweeps(self.stored(tmp_path, text, "-4.5"))
        assert own.measured_limit == (0.02, 0.06)

    def test_a_steeper_minimum_as_low_does_not_count(self, tmp_path: Path):
        """All four minima of Himmelblau's function have f = 0. L is 82.28 at (3, 2), and 133.8 at (−3.78, −3.28)."""
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
    @pytest.mark.parametrize("factor", [0.01, 0.5, 0.8, 1.3])
    def test_a_geometric_series(self, factor: float):
        for theory, uncertainty in ((None, 1e-7), (factor, 1e-12)):
            rate = fitted_rate(geometric(factor), 1e-9, theory)
            assert rate.factor == pytest.approx(factor, rel=1e-12)
            assert rate.uncertainty < uncertainty
            assert (rate.shrinks, rate.grows) == (factor < 1, factor > 1)

    @pytest.mark.parametrize("factor", [0.95, 0.998, 1.002, 1.05])
    def test_a_short_series_has_no_rate_before_the_missing_steps(self, factor: float):
        short = fitted_rate(geometric(factor), 1e-9)
        assert not short.shrinks
        assert not short.grows
        assert short.more_steps is not None
        assert short.reason.startswith("within the fitted steps, the error " + ("shrank" if factor < 1 else "grew"))
        whole = fitted_rate(geometric(factor, 40 + short.more_steps), 1e-9)
        assert whole.factor == pytest.approx(factor, rel=1e-9)
        assert (whole.shrinks, whole.grows) == (factor < 1, factor > 1)

    @pytest.mark.parametrize("seed", range(3))
    def test_an_error_above_a_floor_of_noise_may_have_settled(self, seed: int):
        """The runs reached the noise of their gradients. Their swings there are no evidence against the learning rate."""
        noise = 1e-6 * (1.0 + np.random.default_rng(seed).random(2000))
        for curve in (np.hypot(geometric(0.9, 1999), noise), np.hypot(geometric(0.5, 1999), 1e-6)):
            rate = fitted_rate(curve, 1e-12)
            assert not rate.constant
            assert rate.doubt
            assert fitted_rate(curve / curve * 3.0, 1e-12).constant

    def test_a_constant_error_neither_shrinks_nor_grows(self):
        rate = fitted_rate(geometric(1.0), 1e-9)
        assert rate.constant
        assert not rate.shrinks
        assert not rate.grows

    def test_early_steps_and_steps_at_the_rounding_floor_are_left_out(self):
        curve = np.concatenate([geometric(0.1, 9), geometric(0.8, 60)[1:] * 1e-9, np.full(50, 1.3e-16)])
        rate = fitted_rate(curve, 1e-14)
        assert rate.factor == pytest.approx(0.8, rel=1e-9)
        assert curve[rate.last] > 1e-14 >= curve[rate.last + 1]

    def test_a_rate_that_still_changes_is_uncertain(self):
        slow, fast = 0.99 ** np.arange(100), 0.95 ** np.arange(100)
        rate = fitted_rate(slow + 10 * fast, 0.0)
        assert abs(rate.factor - 0.99) > 0.004
        assert abs(rate.factor - 0.99) < 2 * rate.uncertainty

    def test_noise_gives_the_standard_error_of_the_slope(self):
        """The slope over the latter half and its error agree with those of SciPy."""
        noise = np.random.default_rng(1).normal(0, 1e-3, 41)
        curve = geometric(0.9) * np.exp(noise)
        rate = fitted_rate(curve, 0.0)
        line = linregress(np.arange(20, 41), np.log(curve[20:]))
        assert rate.factor == pytest.approx(math.exp(line.slope), rel=1e-12)
        assert rate.uncertainty >= rate.factor * line.stderr * 0.999

    @pytest.mark.parametrize("curve", [[], [1.0], [1.0, 0.5, 0.25], [math.nan, 1.0, 1.0, 1.0, 1.0], [0.0] * 9])
    def test_too_few_steps_to_fit(self, curve: list[float]):
        rate = fitted_rate(np.array(curve), 1e-9)
        assert math.isnan(rate.factor)
        assert rate.reason.endswith("steps above rounding are too few")

    def test_one_step_to_the_bottom_bounds_the_factor(self):
        rate = fitted_rate(np.array([2.0, 0.0]), 1e-6, 0.0)
        assert (rate.factor - rate.uncertainty, rate.factor + rate.uncertainty) == (0.0, 5e-7)

    def test_one_step_to_the_bottom_may_be_chance(self):
        """The first step of the heavy-ball method may land on the minimum, and the next steps leave it again."""
        for curve, floor in ((np.array([2.0, 0.0]), 1e-6), (np.array([2.0, 0.1, 0.0]), 1e-6)):
            assert fitted_rate(curve, floor).reason.endswith("above rounding are too few")
            assert fitted_rate(np.append(curve, [1.0, 0.5]), floor).reason == "the error falls to rounding and rises again"

    def test_an_error_that_shrinks_faster_and_faster(self):
        """On sin(x) + x² with γ = 1/L, theory's factor is 0. Without theory, a slower component may follow."""
        curve = 0.1 ** (2.0 ** np.arange(8))
        assert fitted_rate(curve, 1e-30).reason == "the error shrinks faster and faster"
        rate = fitted_rate(curve, 1e-30, 0.0)
        assert not rate.reason
        assert rate.factor == rate.uncertainty < 0.01

    def test_rate_is_fitted_to_the_gap_or_the_gradient_norm(self):
        run, series = descend(0.1, 0)
        expected = linear_rate(run, series)
        elsewhere = linear_rate(run, Series(series.value + 1e9, series.gradient_norm, None))
        assert expected is not None
        assert expected.factor == pytest.approx(0.8, rel=1e-6)
        assert elsewhere is None, "a constant gap says nothing about the known minimum"
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


class TestWhatCannotBeTold:
    """Sweeps that earlier led to false limits and best rates: long valleys, growing errors, and hidden slow components."""

    def swept(self, folder: Path, objective: str, optimizer: str, stop: str, start: str, plugins: str = "") -> RateSweep:
        path = folder / "sweep.toml"
        path.write_text(
            f'name = "sweep"\n{plugins}\nobjective = [{{ {objective} }}]\ngradient = [{{ name = "analytic" }}]\n'
            f"optimizer = [{{ {optimizer} }}]\nstart = {{ {start} }}\nstop = {{ {stop} }}\n",
            encoding="utf-8",
        )
        (found,) = rate_sweeps(compute(path))
        return found

    def valley(self, folder: Path, steps: int, name: str = "gradient_descent") -> RateSweep:
        rates = f'name = "{name}", learning_rate = {{ values = [0.001, 0.0015, 0.0019, 0.002, 0.0021, 0.0025] }}'
        start = "uniform = { low = -2, high = 2, count = 10, seed = 1 }"
        return self.swept(folder, 'name = "rosenbrock"', rates, f"max_steps = {steps}, gradient_norm = 1e-11", start)

    def test_a_crawl_along_a_valley_supports_no_limit(self, tmp_path: Path):
        """2/L = 0.0019968 on Rosenbrock's function. After 1500 steps, no run has come near the minimiser."""
        found = self.valley(tmp_path, 1500)
        assert (found.measured_limit, found.measured_best) == (None, None)
        assert found.limit_answer[0] == found.best_answer[0] == "cannot tell"
        assert [point.settles for point in found.points[:3]] == [None] * 3
        header, (row,) = rates_table([found])
        cells = dict(zip(header, row, strict=True))
        assert re.fullmatch(r"cannot tell: at 0\.0021, .*; at least about [\d,]+ more steps are needed", cells["limit, measured"])
        assert cells["factor, measured"] == "cannot tell"
        columns, (exported,) = rates_export([found])
        assert dict(zip(columns, exported, strict=True))["limit_answer"] == "cannot tell"

    def test_enough_steps_show_the_limit_and_the_best_within_it(self, tmp_path: Path):
        found = self.valley(tmp_path, 20_000)
        low, high = found.measured_limit
        assert (low, high) in ((0.0019, 0.002), (0.0019, 0.0021))
        assert found.points[found.measured_best].learning_rate == 0.0019
        assert found.contradiction == ""
        assert within(found)

    @pytest.mark.parametrize("steps", [100, 700, 4000])
    @pytest.mark.parametrize("name", ["gradient_descent", "momentum", "nesterov"])
    def test_the_best_never_lies_beyond_a_rate_that_does_not_settle(self, tmp_path: Path, steps: int, name: str):
        found = self.valley(tmp_path, steps, name)
        assert found.measured_best is None or found.measured_best < found.restless
        assert found.measured_limit is None or found.limit is None or found.measured_limit[0] < found.limit

    def test_adam_far_from_the_minimiser_has_no_limit(self, tmp_path: Path):
        optimizer = 'name = "adam", learning_rate = { logspace = [1e-3, 1], num = 10 }'
        start = "uniform = { low = -3, high = 3, count = 5, seed = 0 }"
        found = self.swept(tmp_path, 'name = "logistic_regression"', optimizer, "max_steps = 300, gradient_norm = 1e-8", start)
        assert found.measured_limit is None
        assert found.limit_answer in (("none", "every run settles at the largest learning rate tried, 1"), ("cannot tell", ANY))
        assert found.measured_best is None
        assert found.best_answer[0] == "cannot tell"

    def test_a_rate_that_is_not_asymptotic_is_not_told(self, tmp_path: Path):
        """At γ = 0.001, the mean of 1 − q over 300 steps is 1.5e-4; in the long run it is γμ = 5e-5."""
        optimizer = 'name = "gradient_descent", learning_rate = { logspace = [1e-3, 10], num = 10 }'
        start = "uniform = { low = -3, high = 3, count = 5, seed = 0 }"
        found = self.swept(tmp_path, 'name = "logistic_regression"', optimizer, "max_steps = 300, gradient_norm = 1e-8", start)
        assert found.points[0].factor is None
        assert "more steps are needed" in found.points[0].doubt
        assert found.measured_limit[0] < found.limit < found.measured_limit[1]
        assert within(found)

    @pytest.mark.parametrize(
        ("dimension", "condition", "rate"), [(20, 100, 0.0099), (20, 100, 0.0097), (8, 1000, 0.00099), (30, 40, 0.02)]
    )
    def test_the_uncertainty_covers_slower_components(self, tmp_path: Path, dimension: int, condition: int, rate: float):
        """Near γ = 2/(μ + L) the fast and the slow components shrink at almost the same rate."""
        found = self.swept(
            tmp_path,
            f'name = "quadratic", dimension = {dimension}, condition_number = {condition}.0',
            f'name = "gradient_descent", learning_rate = {{ values = [{0.5 * rate}, {rate}] }}',
            "max_steps = 4000, gradient_norm = 1e-11",
            "uniform = { low = -3, high = 3, count = 4, seed = 0 }",
        )
        assert found.points[1].factor is not None
        assert within(found)

    def test_gradients_that_disagree_with_the_hessian_are_a_contradiction(self):
        """The error is multiplied by 0.8 in each step, but L = μ = 8 predicts 0.2."""
        runs = [(replace(run, curvature=(8.0, 8.0)), series) for run, series in sweep([0.1, 0.15])]
        (found,) = rate_sweeps(results(runs))
        assert found.contradiction.startswith("at 0.1, the measured factor 0.8 is larger than that of theory, 0.2")
        header, (row,) = rates_table([found])
        assert row[header.index("factor, measured")].startswith("contradiction: at 0.1, ")

    def test_runs_that_settle_beyond_the_limit_of_theory_are_doubted(self):
        """With L = 20, γ = 0.3 is beyond 2/L = 0.1; the runs do not touch the steep direction."""
        runs = [(replace(run, curvature=(2.0, 20.0)), series) for run, series in sweep([0.05, 0.3])]
        (found,) = rate_sweeps(results(runs))
        assert [point.settles for point in found.points] == [True, None]
        reason = "at 0.3, a run approaches the minimiser, although a component of the error grows by the factor 5 in theory"
        assert found.limit_answer == found.best_answer == ("cannot tell", reason)

    def test_the_best_is_open_where_an_undetermined_rate_may_be_faster(self):
        """With γ = 0.45, each step multiplies the error by 0.1, but 2 steps are too few to determine this; with γ = 0.2, by 0.6."""
        runs = [*sweep([0.05, 0.2]), *sweep([0.45], steps=2)]
        (found,) = rate_sweeps(results(runs))
        assert found.measured_best is None
        assert found.best_answer == ("cannot tell", f"at 0.45, {found.points[2].doubt}")
        (found,) = rate_sweeps(results([*sweep([0.001], steps=100), *sweep([0.05, 0.2])]))
        assert found.points[0].doubt
        assert found.points[found.measured_best].learning_rate == 0.2

    @pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", "momentum", "nesterov"])
    @pytest.mark.parametrize("objective", ["logistic_regression", "styblinski_tang", "quadratic"])
    def test_factors_of_short_runs_are_those_of_long_runs(self, tmp_path: Path, objective: str, optimizer: str):
        rates = f'name = "{optimizer}", learning_rate = {{ logspace = [1e-3, 1], num = 6 }}'
        start = "uniform = { low = -4, high = -2, count = 3, seed = 0 }"
        short, long = (self.swept(tmp_path, f'name = "{objective}"', rates, f"max_steps = {n}", start) for n in (200, 2000))
        for point, truth in zip(short.points, long.points, strict=True):
            if point.factor and truth.factor:
                both = 2 * (point.factor.uncertainty + truth.factor.uncertainty)
                assert abs(point.factor.factor - truth.factor.factor) <= both + 1e-9
            assert not (point.settles and truth.settles is False)

    def test_runs_that_settle_at_larger_rates_again_have_no_limit(self):
        runs = sweep([0.1, 0.2, 0.3], starts=2)
        run, series = runs[2]
        runs[2] = replace(run, outcome="diverged"), series
        (found,) = rate_sweeps(results(runs))
        assert found.measured_limit is None
        assert found.limit_answer == ("cannot tell", "some run does not settle at 0.2, but every run settles at 0.3")
        assert found.points[found.measured_best].learning_rate == 0.1

    def test_a_run_that_rests_far_above_the_others_may_not_have_settled(self):
        """Without f*, a network with dead units looks converged: the gradient vanishes, but f is high."""
        runs = [(replace(run, minimum_value=None, curvature=None), series) for run, series in sweep([0.1, 0.2, 0.3])]
        (found,) = rate_sweeps(results(runs))
        assert [point.settles for point in found.points] == [True, True, True]
        run, series = runs[-1]
        runs[-1] = replace(run, final_value=0.69), Series(np.maximum(series.value, 0.69), series.gradient_norm, None)
        (found,) = rate_sweeps(results(runs))
        assert [point.settles for point in found.points] == [True, True, None]
        assert re.fullmatch(r"at 0\.3, a run ends at f = 0\.69, but another one at [\d.e-]+", found.limit_answer[1])
        assert found.best_answer[0] == "cannot tell"

    def test_a_failed_run_says_nothing_about_a_limit(self):
        runs = sweep([0.1, 0.2], starts=2)
        run, series = runs[-1]
        runs[-1] = replace(run, outcome="failed"), series
        (found,) = rate_sweeps(results(runs))
        assert found.points[1].settles is None
        assert found.limit_answer == ("cannot tell", "at 0.2, a run failed")

    @pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "adam"])
    @pytest.mark.parametrize("formula", ["-(x**2)", "np.exp(-x)", "x**3", "x**4", "x", "-np.sqrt(1 + x**2)", "np.sqrt(1 + x**2)"])
    def test_errors_that_grow_or_shrink_without_a_factor_have_no_best(self, tmp_path: Path, formula: str, optimizer: str):
        """Only √(1 + x²) has a minimum with curvature; with the learning rate 0.05, a run needs more than 60 steps."""
        slopes = {
            "-(x**2)": "-2 * x",
            "np.exp(-x)": "-np.exp(-x)",
            "x**3": "3 * x**2",
            "x**4": "4 * x**3",
            "x": "np.ones_like(x)",
            "-np.sqrt(1 + x**2)": "-x / np.sqrt(1 + x**2)",
            "np.sqrt(1 + x**2)": "x / np.sqrt(1 + x**2)",
        }
        (tmp_path / "formula.py").write_text(
            "from dataclasses import dataclass\nimport numpy as np\nimport runner\n\n"
            "@dataclass(frozen=True)\nclass Formula(runner.Objective):\n    'A formula in one coordinate.'\n    dimension = 1\n"
            f"    def value(self, x): return ({formula})[..., 0]\n    def gradient(self, x): return {slopes[formula]}\n\n"
            "@runner.hookimpl\ndef runner_objectives(): return {'formula': Formula}\n",
            encoding="utf-8",
        )
        rates = f'name = "{optimizer}", learning_rate = {{ values = [0.001, 0.01, 0.05] }}'
        found = self.swept(
            tmp_path,
            'name = "formula"',
            rates,
            "max_steps = 60",
            "points = [0.5, 1.0, 2.0]",
            f'plugins = ["{(tmp_path / "formula.py").as_posix()}"]',
        )
        assert found.measured_best is None
        assert found.best_answer[0] in ("none", "cannot tell")
        assert found.best_answer[1]

    @pytest.mark.parametrize("tried", [[0.1, 0.1000001, 0.1000002], [0.3, 0.2999999, 1.1], [0.1, 0.10001, 0.100011, 0.9]])
    def test_close_learning_rates_are_printed_differently(self, tried: list[float]):
        (found,) = rate_sweeps(results(sweep(tried)))
        header, (row,) = rates_table([found])
        cell = dict(zip(header, row, strict=True))["best, measured"]
        numbers = re.findall(r"[\d.]+", cell)
        assert len(numbers) == len(set(numbers))
        best = found.points[found.measured_best].learning_rate
        assert min(tried, key=lambda rate: abs(rate - float(numbers[0]))) == best
        caption = draw(Rates(), results(sweep(tried))).caption
        assert f"the best learning rate tried is {numbers[0]}, with q" in caption

    def test_a_neighbour_is_never_printed_like_the_value(self):
        tried = [0.005, 0.0099, 0.0099009900990099]
        (found,) = rate_sweeps(results(sweep([rate * 40 for rate in tried], steps=3000)))
        header, (row,) = rates_table([found])
        assert dict(zip(header, row, strict=True))["best, measured"] == "0.39604 (the largest tried)"
        assert interval(0.005, 0.0099009900990099, tried) == "0.005 to 0.009901"


def within(found: RateSweep) -> bool:
    """Return true if every stated factor differs from theory by at most twice its uncertainty."""
    told = [
        (point.factor, float(contraction(np.array(point.learning_rate), found.curvature)))
        for point in found.points
        if point.factor
    ]
    return bool(told) and all(abs(rate.factor - theory) <= 2 * rate.uncertainty + 1e-9 for rate, theory in told)


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
        """On x² with γ = 1, the iterates alternate between 1 and −1 without end, which two steps cannot show."""
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
        assert with_uncertainty(0.99999925, 1e-9) == "0.99999925"
        assert with_uncertainty(1.0, 0.0) == "1"
        assert with_uncertainty(0.1 + 0.2, 0.0) == "0.3"
        assert with_uncertainty(math.nan, math.nan) == "nan"
        assert with_uncertainty(12.0, 3.0) == "12 ± 3"
        assert with_uncertainty(1e-9, 1e-9) == "1e-09 ± 1e-09"

"""The effort figure, on Newton's method and gradient descent."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runner import Array, Objective, Outcome, Series, StoredRun
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
            row = table[objective, f"newton(indefinite={method})"]
            assert float(row["order"]) == pytest.approx(2.0, abs=0.1)
            assert abs(float(row["order"]) - 2.0) <= 2.0 * float(row["uncertainty"])
        assert float(table[objective, "gradient_descent"]["order"]) == pytest.approx(1.0, abs=0.01)
        plain = table[objective, "newton(indefinite=plain)"]["order"]
        assert plain in ("superlinear", "cannot tell") or float(plain) == pytest.approx(2.0, abs=0.1)

    def test_newton_takes_one_step_on_a_quadratic_and_has_no_order(self, newton):
        row = newton[1]["quadratic", "newton(indefinite=plain)"]
        assert (row["converged"], row["median steps"], row["order"]) == ("10", "1", "cannot tell")

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
        """The runs take 1 and 12 steps, and 4 and 26 evaluations; only the second comes within 1e-6 of f* = 0."""
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


class TestThingsThatCannotBeTold:
    def drawn(
        self, folder: Path, objective: str, optimizers: str, start: tuple[float, float] = (0.5, 1.5)
    ) -> dict[str, dict[str, str]]:
        path = folder / "told.toml"
        path.write_text(
            f'name = "told"\nobjective = [{{ {objective} }}]\ngradient = [{{ name = "analytic" }}]\n'
            f"optimizer = [{optimizers}]\n"
            f"start = {{ uniform = {{ low = {start[0]}, high = {start[1]}, count = 8, seed = 1 }} }}\n"
            "stop = { max_steps = 1500, gradient_norm = 1e-11 }\n",
            encoding="utf-8",
        )
        drawing = draw(Effort(), compute(path))
        rows = [dict(zip(HEADER, row, strict=True)) for row in drawing.table[1:]]
        return {row["optimizer"]: row | {"caption": drawing.caption} for row in rows}

    def test_methods_without_an_order_have_none(self, tmp_path: Path):
        """Adam oscillates, RMSprop speeds up, backtracking has a ratio that jumps, and BFGS in 1-D is a secant method."""
        names = '{ name = "rmsprop", learning_rate = 0.01 }, { name = "adam", learning_rate = 0.1 }, { name = "backtracking" }'
        rows = self.drawn(tmp_path, 'name = "sin_quadratic"', names + ', { name = "bfgs" }, { name = "newton" }')
        assert {name: row["order"] for name, row in rows.items() if name != "newton"} == {
            "rmsprop": "cannot tell",
            "adam": "cannot tell",
            "backtracking": "cannot tell",
            "bfgs": "superlinear",
        }
        assert abs(float(rows["newton"]["order"]) - 2.0) <= 2.0 * float(rows["newton"]["uncertainty"])
        assert "bfgs: all 8 runs came within 1e-6 of f*" in rows["bfgs"]["caption"]
        assert ", faster than linear" in rows["bfgs"]["caption"]

    @pytest.mark.parametrize(
        ("objective", "start"),
        [
            ("sin_quadratic", (-3.0, 3.0)),
            ("himmelblau", (2.0, 4.0)),
            ("rosenbrock", (0.5, 1.5)),
            ("styblinski_tang", (-4.0, -2.0)),
            ("logistic_regression", (-2.0, 2.0)),
        ],
    )
    def test_stated_orders_are_those_of_the_methods(self, tmp_path: Path, objective: str, start: tuple[float, float]):
        """First-order methods have order 1. Newton's method has order 2, and so does Gauss-Newton where the residuals vanish."""
        truths = {"newton": 2.0, "gauss_newton": 2.0, "levenberg_marquardt": None, "bfgs": None, "l_bfgs": None}
        first_order = ("gradient_descent", "momentum", "nesterov", "adagrad", "adam", "rmsprop")
        names = [f'{{ name = "{name}", learning_rate = 0.01 }}' for name in first_order]
        residuals = objective in ("himmelblau", "rosenbrock")
        need_residuals = ("gauss_newton", "levenberg_marquardt")
        names += [f'{{ name = "{name}" }}' for name in ("backtracking", *truths) if residuals or name not in need_residuals]
        rows = self.drawn(tmp_path, f'name = "{objective}"', ", ".join(names), start=start)
        stated = {name: row for name, row in rows.items() if row["order"] not in ("superlinear", "cannot tell")}
        for name, row in stated.items():
            truth = truths.get(name.partition("(")[0], 1.0)
            assert truth is not None, (name, row["order"])
            assert abs(float(row["order"]) - truth) <= 2.0 * float(row["uncertainty"]), (name, row["order"], row["uncertainty"])
        assert objective == "rosenbrock" or stated
        superlinear = {name.partition("(")[0] for name, row in rows.items() if row["order"] == "superlinear"}
        assert superlinear <= {"newton", "gauss_newton", "levenberg_marquardt", "bfgs", "l_bfgs"}

    def test_a_damping_that_falls_in_each_step_has_no_order(self, tmp_path: Path):
        rows = self.drawn(tmp_path, 'name = "rosenbrock"', '{ name = "levenberg_marquardt" }, { name = "bfgs" }')
        assert {row["order"] for row in rows.values()} <= {"superlinear", "cannot tell"}

    def test_without_a_hessian_it_is_unknown_whether_runs_ended_at_a_minimum(self, tmp_path: Path):
        """One start lies on the maximum of −x², where it converges in 0 steps."""
        (tmp_path / "cap.py").write_text(CAP, encoding="utf-8")
        path = tmp_path / "cap.toml"
        path.write_text(
            'name = "cap"\nplugins = ["cap.py"]\nobjective = [{ name = "cap" }]\ngradient = [{ name = "analytic" }]\n'
            'optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.001, 0.01] } }]\n'
            "start = { points = [0.0, 1.0, 5.0, 20.0] }\nstop = { max_steps = 300, gradient_norm = 1e-8 }\n",
            encoding="utf-8",
        )
        (row,) = draw(Effort(), compute(path)).table[1:]
        assert dict(zip(HEADER, row, strict=True))["at no minimum"] == "unknown"

    @pytest.mark.parametrize(("objective", "cell"), [("quadratic", "0"), ("quartic", "unknown"), ("saddle", "1")])
    def test_a_singular_hessian_leaves_it_open(self, monkeypatch: pytest.MonkeyPatch, objective: str, cell: str):
        hessian = {"quadratic": 2.0, "quartic": 0.0, "saddle": -2.0}[objective]
        run, _ = at_rest()
        series = Series(np.zeros(2), np.zeros(2), np.zeros((2, 1)))
        stored = results([(replace(run, steps=1), series)])
        monkeypatch.setattr(type(stored), "objective", lambda self, run: Bent(hessian))
        (row,) = draw(Effort(), stored).table[1:]
        assert dict(zip(HEADER, row, strict=True))["at no minimum"] == cell


CAP = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Cap(runner.Objective):
    "f = −x²."
    dimension = 1
    def value(self, x): return -(x**2).sum(-1)
    def gradient(self, x): return -2 * x

@runner.hookimpl
def runner_objectives(): return {"cap": Cap}
"""


class Bent(Objective):
    """An objective that is known only by its Hessian at 0."""

    dimension = 1

    def __init__(self, bend: float):
        self.bend = bend

    def value(self, x: Array) -> Array:
        return 0.5 * self.bend * x[:, 0] ** 2

    def hessian(self, x: Array) -> Array:
        return np.full((len(x), 1, 1), self.bend)


def at_rest() -> tuple[StoredRun, Series]:
    """A run that began at the minimum."""
    run, _ = descend(0.25, 0, steps=0)
    nothing = np.zeros(1)
    return replace(run, outcome=Outcome.CONVERGED, final_value=0.0, best_value=0.0), Series(nothing, nothing, None)

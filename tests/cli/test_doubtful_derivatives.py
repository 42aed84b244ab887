"""A sweep over an objective whose complex step is wrong names the setting, the place and both slopes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import Done
from tests.support.databases import opened
from tests.support.objective_texts import ONE

HUBER = "np.where(abs(x[..., 0]) <= 1, x[..., 0] ** 2 / 2, abs(x[..., 0]) - 0.5)"
EXPERIMENT = """\
name = "doubtful"
plugins = ["mine.py"]
objective = [{{ name = "mine" }}]
gradient = [{gradients}]
optimizer = [{{ name = "gradient_descent", learning_rate = {{ values = [{rates}] }} }}]
start = {{ points = [{starts}] }}
stop = {{ max_steps = 50, gradient_norm = 1e-8 }}
"""
COMPLEX = '{ name = "complex_step" }'


@pytest.fixture
def sweep(tmp_path: Path, call: Callable[..., Done]) -> Callable[..., Done]:
    """A function that computes runs of an objective with a given formula."""

    def run(formula: str, starts: str, rates: str = "0.5", gradients: str = COMPLEX) -> Done:
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=formula), encoding="utf-8")
        text = EXPERIMENT.format(gradients=gradients, rates=rates, starts=starts)
        (tmp_path / "doubtful.toml").write_text(text, encoding="utf-8")
        return call("run", "doubtful.toml", "--no-report")

    return run


def warnings(done: Done) -> list[str]:
    return [line for line in done.err.splitlines() if line.startswith("warning: ")]


def stored(folder: Path) -> list[tuple[str, str]]:
    with opened(folder / "results" / "runner.db") as connection:
        return connection.execute("SELECT outcome, error FROM run ORDER BY id").fetchall()


def test_wrong_start_fails_alone_and_is_named_in_one_line(sweep, tmp_path):
    done = sweep(HUBER, "3.0, 0.5")
    assert done.code == 1
    (warning,) = warnings(done)
    assert warning.startswith(
        "warning: derivatives are doubtful in 1 of 2 runs of mine × complex_step; mine × complex_step × gradient_descent, at step 0, "
        "ComplexStep.gradient and central differences of Mine.value disagree at x = [3.]: along coordinate 1, the slope is 0 by "
        "ComplexStep and 1"
    )
    (failed, error), (outcome, none) = sorted(stored(tmp_path), reverse=True)
    assert (failed, outcome, none) == ("failed", "converged", "")
    assert error in warning


@pytest.mark.parametrize(
    "formula",
    [HUBER, "np.abs(x[..., 0]) ** 2", "(x[..., 0] * np.conj(x[..., 0])).real", "1e8 + 100 * np.hypot(x[..., 0].real, 1)"],
)
def test_combination_without_a_right_start_is_named_and_the_others_are_computed(sweep, tmp_path, formula):
    done = sweep(formula, "3.0, -2.0", rates="0.001", gradients=COMPLEX + ', { name = "finite_difference" }')
    assert done.code in (0, 1)
    # The backend may notice the fault by itself.
    assert "complex_step" in done.out + done.err
    outcomes = [outcome for outcome, _ in stored(tmp_path)]
    assert outcomes.count("failed") in (0, 2)
    assert len(outcomes) - outcomes.count("failed") == 2
    assert len(warnings(done)) <= 1


def test_wrong_derivative_along_the_way_is_warned_of_with_its_setting(sweep, tmp_path):
    done = sweep(HUBER, "0.9, 0.1", rates="0.5, 3.0")
    (warning,) = warnings(done)
    assert warning.startswith(
        "warning: derivatives are doubtful in 2 of 4 runs of mine × complex_step; mine × complex_step × "
        "gradient_descent(learning_rate=3), at step 1, "
    )
    assert "disagree at x = [-1.8]: along coordinate 1, the slope is 0 by ComplexStep and -1" in warning
    assert sorted(outcome for outcome, _ in stored(tmp_path)) == ["converged"] * 2 + ["failed"] * 2


def test_remark_is_stored_shown_and_exported(sweep, call, tmp_path):
    sweep(HUBER, "0.9, 0.1", rates="0.5, 3.0")
    rows = call("runs", "--format", "json").json
    remarks = {row["id"]: row["remark"] for row in rows if row["optimizer.learning_rate"] == 3.0}
    assert {row["remark"] for row in rows if row["optimizer.learning_rate"] == 0.5} == {""}
    assert len(remarks) == 2
    for number, remark in remarks.items():
        assert "ComplexStep.gradient and central differences of Mine.value disagree at x = [" in remark
        assert f"remark         {remark}" in call("show", number).out
        assert call("show", number, "--format", "json").json["remark"] == remark
    selected = call("runs", "--where", 'remark != ""', "--columns", "id,remark", "--format", "json").json
    assert {row["id"]: row["remark"] for row in selected} == remarks
    assert call("export", "runs", "runs.csv").code == 0
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        exported = {int(row["id"]): row["remark"] for row in csv.DictReader(file) if row["remark"]}
    assert exported == remarks


def test_failure_at_a_start_names_the_backend(sweep, call):
    sweep(HUBER, "3.0, 0.5")
    (failed,) = call("runs", "--where", 'outcome = "failed"', "--format", "json").json
    assert (failed["failed_plugin"], failed["failed_method"]) == ("ComplexStep", "gradient")
    assert failed["error"] == failed["remark"]
    assert failed["steps"] == 0


def test_right_derivatives_are_not_warned_of(sweep):
    for formula in ("x[..., 0] ** 2", "(1e12 + x[..., 0]) ** 2 - 1e24 - 2e12 * x[..., 0]", "np.cosh(x[..., 0])"):
        assert warnings(sweep(formula, "3.0, 0.5", rates="0.01")) == []


def test_inspection_draws_no_conclusion_from_a_wrong_derivative(sweep, call):
    sweep(HUBER, "3.0")
    out = call("inspect", "mine", "--plugin", "mine.py", "--at", "3").out
    assert "the gradient is zero" not in out
    assert "flat" not in out
    done = call("plugins", "check", "mine.py")
    assert done.code == 3
    assert "failed   complex numbers: Mine.value loses the imaginary part of complex numbers at " in done.out

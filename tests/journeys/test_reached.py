"""The place that a run reached, on the terminal, in tables and in reports."""

from __future__ import annotations

from pathlib import Path

WRONG = """
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Sinking(runner.Objective):
    '''f(x) = x₁² − x₁⁴/100 + x₂², which has no minimum, although it states one.'''
    dimension = 2
    def value(self, x):
        return x[:, 0] ** 2 - x[:, 0] ** 4 / 100 + x[:, 1] ** 2
    @property
    def minimum(self):
        return runner.Minimum(np.zeros(2), 0.0)

@runner.hookimpl
def runner_objectives():
    return {"sinking": Sinking}
"""
SINKING = """
name = "sinking"
plugins = ["sinking.py"]
objective = [{ name = "sinking" }]
gradient = [{ name = "finite_difference" }]
optimizer = [{ name = "bfgs" }, { name = "gradient_descent", learning_rate = 0.1 }]
start = { points = [[9.0, 1.0], [1.0, 1.0]] }
stop = { max_steps = 200, gap = 1e-6 }
"""
HILLS = """
name = "hills"
objective = [{ name = "himmelblau" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "newton", indefinite = { values = ["plain", "absolute"] } }]
start = { uniform = { low = -0.5, high = 0.5, count = 10, seed = 0 } }
stop = { max_steps = 100, gradient_norm = 1e-8 }
"""


def test_a_wrong_minimum_is_said_at_once_with_the_setting(runner_cli, write) -> None:
    write(WRONG, "sinking.py")
    write(SINKING)
    done = runner_cli("run", "small.toml", "--db", "r.db", "--no-report")
    assert "objective sinking: the stated minimum 0.0 is wrong: a run with bfgs from start 0 found f = -" in done.err
    assert done.err.count("the stated minimum") == 1
    found = runner_cli("runs", "--db", "r.db", "--where", 'reached = "below"', "--format", "json").json
    assert {(run["optimizer"], run["start_id"]) for run in found} >= {("bfgs", 1)}
    shown = runner_cli("show", str(found[0]["id"]), "--db", "r.db").out
    assert "below: the best value lies" in shown
    assert runner_cli("runs", "--db", "r.db", "--where", 'reached = "minimum"', "--format", "json").json
    assert not runner_cli(
        "runs", "--db", "r.db", "--where", 'reached = "below" and outcome = "converged"', "--format", "json"
    ).json


def test_a_run_on_a_maximum_is_no_success(runner_cli, write) -> None:
    write(HILLS)
    runner_cli("run", "small.toml", "--db", "r.db", "--no-report")
    rows = runner_cli(
        "sql", "SELECT optimizer, reached, count(*) FROM runs GROUP BY 1, 2 ORDER BY 2", "--db", "r.db", "--format", "json"
    ).json
    assert [(row["reached"], row["count(*)"]) for row in rows] == [("maximum", 10), ("minimum", 10)]
    shown = runner_cli("show", "1", "--db", "r.db").out
    assert "maximum: ‖∇f‖ is small, but f − f* = 181.617 is above the target 1e-6" in shown
    assert runner_cli("show", "1", "--db", "r.db", "--format", "json").json["reached"] == "maximum"


def test_the_target_of_an_experiment_decides_without_new_runs(runner_cli, write, tmp_path: Path) -> None:
    write(HILLS)
    runner_cli("run", "small.toml", "--db", "r.db", "--no-report")
    write(HILLS + "report = { target = 200.0 }\n")
    done = runner_cli("run", "small.toml", "--db", "r.db", "--no-report", "--format", "json").json
    assert sum(done["computed"].values()) == 0
    assert runner_cli("runs", "--db", "r.db", "--where", 'reached = "minimum"', "--format", "json").json.__len__() == 20


def test_an_impossible_target_is_refused(runner_cli, write) -> None:
    for value in ("-1.0", "inf", "nan", "true", '"small"'):
        write(HILLS + f"report = {{ target = {value} }}\n")
        done = runner_cli("run", "small.toml", "--db", "r.db", "--no-report")
        assert done.code == 2
        assert "report.target: must be a finite number >= 0" in done.err
    assert not (Path("r.db").exists())

"""`runner show`, as a process on a real file."""

from __future__ import annotations

import math
import shutil

import pytest

import runner
from runner.cli.show import sparkline
from tests.support.databases import opened
from tests.support.paths import ROOT


def test_show(ask, stored):
    with runner.open(str(stored)) as database:
        run = database.run(3)
        ((_, series),) = database.trajectories(3)
    done = ask("show", run.identity[:9])
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"run 3  {run.identity}"
    told = {line[2:15].strip(): line[17:] for line in lines[1:] if line.startswith("  ")}
    assert told["objective"] == "quadratic  condition_number = 1, dimension = 1"
    assert told["optimizer"] == "gradient_descent  learning_rate = 0.3"
    assert told["outcome"].startswith(run.outcome)
    assert told["final value"].startswith(repr(run.final_value))
    assert "fifty (1), place 2" in done.out
    steps = [line.split()[0] for line in lines if line.split() and line.split()[0].isdigit()]
    assert steps[:3] == ["0", "1", "2"]
    assert steps[-1] == str(run.steps)
    assert f"{series.value[0]:.6g}" in done.out
    assert "f − f* (log)" in done.out
    as_json = ask("show", 3, "--format", "json").json
    assert (as_json["identity"], as_json["final_value"]) == (run.identity, run.final_value)
    assert as_json["optimizer"]["parameters"] == {"learning_rate": 0.3}


def test_points_have_the_names_of_their_coordinates(tmp_path, runner_cli):
    runner_cli("run", ROOT / "experiments" / "linear_regression.toml", "--no-report", cwd=tmp_path)
    lines = runner_cli("show", 3).out.splitlines()
    assert "  start          (w, b) = (-2, 2.5)" in lines
    assert [line.split()[-2:] for line in lines if line.split()[:1] == ["step"]] == [["(w,", "b)"]]
    assert runner_cli("steps", 3, "--limit", 1).out.split()[:8] == [
        "run",
        "step",
        "value",
        "gradient_norm",
        "x0",
        "(w)",
        "x1",
        "(b)",
    ]
    assert runner_cli("steps", 3, 4, "--series", "x").out.splitlines()[0].split() == ["run", "step", "x0", "(w)", "x1", "(b)"]
    assert runner_cli("steps", 3, "--format", "csv").out.splitlines()[0] == "run,step,value,gradient_norm,x0,x1"
    with opened(tmp_path / "results" / "runner.db") as connection:
        connection.execute("UPDATE setting SET fingerprint = 'other' WHERE name = 'linear_regression'")
    assert "  start          (-2, 2.5)" in runner_cli("show", 3).out.splitlines(), "the code has changed"
    assert "x0 (w)" not in runner_cli("steps", 3).out


def test_run_without_steps_is_shown(tmp_path, stored, runner_cli):
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE run SET outcome = 'failed', error = 'ZeroDivisionError: x', steps = 0 WHERE id = 1")
        connection.execute("DELETE FROM chunk WHERE run_id = 1")
    done = runner_cli("show", 1, "--db", "c.db")
    assert (done.code, done.err) == (0, "")
    assert "ZeroDivisionError: x" in done.out
    assert done.out.endswith("no step is stored\n")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], (False, "▁▂▃▄▅▆▇█")),
        ([1, 10, 100, 1000], (True, "▁▃▆█")),
        ([0, 1, 1000], (True, "▁▁█")),
        ([5, 5], (False, "▁▁")),
        ([math.nan, -math.inf, 1.0], (False, "××▁")),
        ([-1.7e308, 1.7e308], (False, "▁█")),
        ([], (False, "")),
    ],
)
def test_sparklines(values, expected):
    assert sparkline([float(value) for value in values], 60) == expected


def test_a_long_sparkline_ends_with_the_last_value():
    assert sparkline([float(each) for each in range(1000)], 8)[1] == "▁▂▃▄▅▆▇█"

"""`runner run`: its output, the files that it writes, and runs that it does not compute again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command_line import Done
from tests.support.databases import opened
from tests.support.experiment_texts import SMALL

COMMAND = [sys.executable, "-c", "from runner.cli import main; main()"]
STORED = "results/runner.db"

LOCAL = '''
"""A plugin of one's own."""
import os
from dataclasses import dataclass
from runner import Objective, hookimpl


@dataclass(frozen=True)
class Wall(Objective):
    """x², but nothing lies beyond the wall."""

    dimension = 1

    def value(self, x):
        if (abs(x) > 10.0).any() and "REPAIRED" not in os.environ:
            raise ArithmeticError("beyond the wall")
        return 0.5 * (x * x).sum(axis=-1)


@hookimpl
def runner_objectives():
    return {"wall": Wall}
'''
WALLED = """\
plugins = ["my.py"]

[[objective]]
name = "wall"

[[gradient]]
name = "complex_step"

[[optimizer]]
name = "gradient_descent"
learning_rate = { values = [3.0, 0.5, 0.7] }

[start]
points = [1.0, 2.0]

[stop]
max_steps = 100
gradient_norm = 1e-6
"""


def rows(database: Path) -> list[tuple[object, ...]]:
    """The stored numbers of each run, including superseded runs."""
    with opened(database) as connection:
        return connection.execute("SELECT id, identity, outcome, steps, superseded_by, seconds FROM run ORDER BY id").fetchall()


class TestDryRun:
    GRID = (
        'plugins = ["my.py"]\n'
        + SMALL.replace('name = "linear_regression"\nsamples = 20', 'name = "wall"').replace("0.3, 1.1", "0.3, 0.3, 1.1")
        + '[[exclude]]\noptimizer = { learning_rate = 1.1 }\nobjective = "quadratic"\n'
    )

    def test_dry_run_counts_stored_runs_and_names_skipped_ones(self, tmp_path, write, call):
        write(LOCAL, "my.py")
        write(self.GRID)
        before = sorted(tmp_path.rglob("*"))
        skipped = (
            "  skipped     2: quadratic × analytic × gradient_descent: excluded by the experiment\n"
            "  skipped     8: wall × analytic × gradient_descent: because Wall offers no gradient; use gradient backend "
            "finite_difference or complex_step\n"
        )
        size = "(2 objectives × 1 gradient backend × 4 optimizer settings × 2 starts)"
        done = call("run", "small.toml", "--dry-run")
        assert done == Done(
            0,
            f"small: 4 runs {size}\n"
            f"  stored      0 in {STORED}\n"
            "  to compute  4\n"
            "  repeated    2 grid points that repeat others\n" + skipped,
            "",
        )
        assert sorted(tmp_path.rglob("*")) == before, "a dry run writes nothing"
        assert call("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")
        again = call("run", "small.toml", "--dry-run")
        assert again.out.splitlines()[:3] == [f"small: 4 runs {size}", f"  stored      4 in {STORED}", "  to compute  0"]

    def test_set_option_changes_the_grid(self, write, call):
        write()
        options = ("--set", "optimizer.gradient_descent.learning_rate=0.1,0.2,0.3,0.4", "--set", "start.uniform.count=5")
        done = call("run", "small.toml", "--dry-run", *options)
        expected = "small: 40 runs (2 objectives × 1 gradient backend × 4 optimizer settings × 5 starts)"
        assert (done.code, done.out.splitlines()[0]) == (0, expected)


class TestOutput:
    def test_sweep_with_report(self, tmp_path, write, runner_cli):
        write()
        done = runner_cli("run", "small.toml")
        assert done.code == 0
        table, closing = done.out.split("\n\n")
        header, *lines = table.splitlines()
        assert header.split()[:4] == ["objective", "optimizer", "runs", "outcomes"]
        assert [line.split()[:3] for line in lines if line.strip()[0].isalpha()][:2] == [
            ["quadratic", "gradient_descent", "6"],
            ["linear_regression", "gradient_descent", "6"],
        ]
        counts, closing = closing.split("\n", 1)
        assert counts == "12 runs: 3 converged, 5 max_steps, 4 diverged"
        assert closing == (
            f"12 runs computed, 0 already stored; database: {STORED}\nreport: {Path('results', 'small', 'index.html')}\n"
        )
        first, last = done.err.splitlines()
        assert first == "12 runs to compute, 0 already stored"
        assert re.fullmatch(r"12/12 runs: 3 converged, 5 max_steps, 4 diverged \([\d,]+ runs/s, 0 s left\)", last)
        page = (tmp_path / "results" / "small" / "index.html").read_text(encoding="utf-8")
        assert "runner run small.toml" in page

        stored = rows(tmp_path / STORED)
        again = runner_cli("run", "small.toml", "--no-report")
        assert again.out.split("\n\n") == [table, f"{counts}\n0 runs computed, 12 already stored; database: {STORED}\n"]
        assert again.err == "0 runs to compute, 12 already stored\n"
        assert rows(tmp_path / STORED) == stored

    def test_json_output_holds_nothing_else(self, tmp_path, write, runner_cli):
        write()
        done = runner_cli("run", "small.toml", "--format", "json", "--results", "reports")
        assert (done.code, done.err) == (0, "")
        summary = done.json["summary"]
        told = {key: value for key, value in done.json.items() if key not in ("summary", "rates")}
        (square, _) = done.json["rates"]
        assert {key: square[key] for key in ("objective", "limit_theory", "limit_low", "limit_high")} == {
            "objective": "quadratic", "limit_theory": 1.0, "limit_low": 0.3, "limit_high": 1.1
        }  # fmt: skip
        assert told == {
            "experiment": "small",
            "database": STORED,
            "runs": 12,
            "stored_before": 0,
            "to_compute": 12,
            "repeated": 0,
            "skipped": [],
            "changed": {},
            "computed": {"max_steps": 5, "converged": 3, "diverged": 4},
            "warnings": [],
            "surprises": [],
            "report": str(Path("reports", "small", "index.html")),
        }
        assert (tmp_path / told["report"]).exists()
        assert [(row["objective"], row["optimizer"], row["runs"]) for row in summary] == [
            ("quadratic", "gradient_descent", 6),
            ("linear_regression", "gradient_descent", 6),
        ]
        best = summary[0]["best"]
        assert best["setting"] == {"optimizer.learning_rate": 0.3}
        assert best["converged"] == 2
        assert best["median_gap"] == best["median_value"] < 1e-12

    def test_quiet_prints_nothing_and_no_report_writes_no_report(self, tmp_path, write, runner_cli):
        write()
        assert runner_cli("run", "small.toml", "--quiet", "--no-report") == Done(0, "", "")
        assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["runner.db"]

    def test_location_of_the_database(self, tmp_path, write, call):
        write()
        around = {"RUNNER_DB": str(tmp_path / "named" / "in.db")}
        assert call("run", "small.toml", "--quiet", "--no-report", **around) == Done(0, "", "")
        assert (tmp_path / "named" / "in.db").exists()
        options = ("--quiet", "--no-report", "--db", "given.db")
        assert call("run", "small.toml", *options, **around) == Done(0, "", "")
        assert len(rows(tmp_path / "given.db")) == 12, "--db goes before RUNNER_DB"
        assert not (tmp_path / "results").exists()

    def test_experiment_is_named_after_its_file(self, write, call):
        write(SMALL.replace('name = "small"\n', "", 1), "my_sweep.toml")
        assert call("run", "my_sweep.toml", "--dry-run", "--format", "json").json["experiment"] == "my_sweep"

    def test_file_in_place_of_the_results_folder(self, tmp_path, write, call):
        write()
        write("", "file")
        done = call("run", "small.toml", "--results", "file", "--db", "r.db", "--quiet")
        assert (done.code, done.out) == (5, "")
        assert re.fullmatch(
            r"error: file/small/[\w.]+ cannot be written: file is a file, not a folder; move it away or choose another folder\n",
            done.err,
        )
        assert len(rows(tmp_path / "r.db")) == 12, "what was computed is kept"


class TestRunningAgain:
    def test_rerun_computes_all_runs_and_keeps_the_old_ones(self, tmp_path, write, call):
        write()
        call("run", "small.toml", "--no-report")
        old = rows(tmp_path / STORED)
        done = call("run", "small.toml", "--no-report", "--rerun", "--format", "json")
        assert (done.json["stored_before"], sum(done.json["computed"].values())) == (12, 12)
        kept, new = rows(tmp_path / STORED)[:12], rows(tmp_path / STORED)[12:]
        assert [row[:4] for row in kept] == [row[:4] for row in old]
        assert {row[4] for row in kept} == {row[0] for row in new}, "each old run names the one that took its place"
        assert sorted(row[1:4] for row in new) == sorted(row[1:4] for row in old), "the same runs come out the same"

    def test_changed_code_is_run_again_but_changed_comments_are_not(self, tmp_path, monkeypatch, write, call):
        def values() -> list[float]:
            with opened(tmp_path / STORED) as connection:
                query = "SELECT best_value FROM run WHERE superseded_by IS NULL AND steps = 1 ORDER BY best_value"
                return [value for (value,) in connection.execute(query)]

        # The interpreter may keep bytecode beside the plugin, and would use it for an edited plugin of the same length and time.
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        short = WALLED.replace("max_steps = 100", "max_steps = 1").replace("3.0, 0.5, 0.7", "0.5")
        write(LOCAL, "my.py")
        write(short)
        assert call("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")
        assert values() == [0.125, 0.5], "0.5 (1 − 0.5)² and four times that"

        write(LOCAL.replace('"""x², but nothing lies beyond the wall."""', '"""Another text."""\n\n    # a remark'), "my.py")
        assert call("run", "small.toml", "--dry-run").out.splitlines()[1:] == [f"  stored      2 in {STORED}", "  to compute  0"]

        write(LOCAL.replace("return 0.5 *", "return 0.8 *"), "my.py")
        changed = "the code of objective wall has changed: 2 stored runs will be computed again and superseded"
        assert call("run", "small.toml", "--dry-run").out.splitlines()[1:] == [
            f"  stored      2 in {STORED}",
            "  to compute  2",
            f"  {changed}",
        ]
        done = call("run", "small.toml", "--no-report")
        assert (done.code, done.err.splitlines()[0]) == (0, changed)
        assert values() == pytest.approx([0.8 * 0.2**2, 0.8 * 0.4**2], rel=1e-12), "the new code, and not the old one's bytecode"
        assert len(rows(tmp_path / STORED)) == 4
        assert not (tmp_path / "__pycache__").exists()


class TestFailedRuns:
    FAILED = "2 runs failed; the errors are stored; to compute these runs again, use --retry-failed"

    def test_failed_runs_are_stored_with_their_error(self, tmp_path, write, call):
        write(LOCAL, "my.py")
        write(WALLED)
        done = call("run", "small.toml", "--no-report")
        assert done.code == 1
        assert done.out.splitlines()[-2:] == [f"6 runs computed, 0 already stored; database: {STORED}", self.FAILED]
        (warning,) = [line for line in done.err.splitlines() if line.startswith("warning: ")]
        assert warning.startswith(
            "warning: Wall.value raised ArithmeticError: beyond the wall. Some runs raise it when computed alone too, so its "
        )
        with opened(tmp_path / STORED) as connection:
            query = "SELECT outcome, error, count(*), count(DISTINCT steps) FROM run GROUP BY outcome, error ORDER BY outcome"
            stored = connection.execute(query).fetchall()
        assert [row[:3] for row in stored] == [("converged", "", 4), ("failed", "ArithmeticError: beyond the wall", 2)]

        again = call("run", "small.toml", "--no-report", REPAIRED="1")
        assert again.code == 1, "what failed is a result, and stays one until somebody asks"
        assert again.err == "0 runs to compute, 6 already stored\n"
        assert again.out.splitlines()[-1] == self.FAILED

        retried = call("run", "small.toml", "--no-report", "--retry-failed", "--format", "json", REPAIRED="1")
        assert (retried.code, retried.json["stored_before"], retried.json["computed"]) == (0, 6, {"diverged": 2})
        assert call("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")

    def test_fail_fast_stops_after_the_first_batch_with_a_failed_run(self, tmp_path, write, call):
        write(LOCAL, "my.py")
        write(WALLED + "[execution]\nmax_batch = 1\n")
        done = call("run", "small.toml", "--no-report", "--fail-fast")
        assert done.code == 1
        assert done.out.splitlines()[-3:] == [
            f"1 run computed, 0 already stored; database: {STORED}",
            "5 runs still to compute; to compute the rest, repeat the command",
            "1 run failed; the errors are stored; to compute these runs again, use --retry-failed",
        ]
        assert [row[2] for row in rows(tmp_path / STORED)] == ["failed"]
        rest = call("run", "small.toml", "--no-report", "--format", "json")
        assert (rest.code, rest.json["computed"]) == (1, {"failed": 1, "converged": 4})


LONG = """\
[[objective]]
name = "quadratic"

[[gradient]]
name = "analytic"

[[optimizer]]
name = "gradient_descent"
learning_rate = { logspace = [1e-9, 1e-8], num = 8 }

[start]
points = [1.0]

[stop]
max_steps = 15_000

[record]
x = false

[execution]
max_batch = 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for another process")
def test_interrupted_sweep_can_be_continued(tmp_path, write, runner_cli):
    write(LONG, "long.toml")
    process = subprocess.Popen(
        [*COMMAND, "run", "long.toml", "--no-report"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    database = tmp_path / STORED
    deadline = time.monotonic() + 60
    while (not database.exists() or not rows(database)) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert database.exists(), err
    stored = len(rows(database))
    assert 1 <= stored < 8, "the signal must fall into the sweep"
    assert (process.returncode, out) == (130, "")
    message = f"interrupted: {stored} of 8 runs are stored; the same command again computes the rest"
    assert err.splitlines()[-1].removeprefix("error: ") == message
    assert "Traceback" not in err

    rest = runner_cli("run", "long.toml", "--no-report", "--format", "json")
    assert (rest.code, rest.json["stored_before"], rest.json["computed"]) == (0, stored, {"max_steps": 8 - stored})
    assert len(rows(database)) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_terminal_shows_a_progress_bar(tmp_path, write):
    import pexpect

    write()
    terminal = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "run", "small.toml", "--no-report"], cwd=str(tmp_path), dimensions=(40, 160), encoding="utf-8",
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "LANG": "C.UTF-8"}, timeout=60,
    )  # fmt: skip
    screen = terminal.read()
    terminal.close()
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", screen)
    assert terminal.exitstatus == 0
    assert "━" in text
    assert re.search(r"12/12 runs [\d,]+ runs/s in 0:00:\d\d 3 converged, 5 max_steps, 4 diverged", text)
    assert "\x1b[?25h" in screen, "the cursor is given back"
    assert "runs to compute" not in text, "the bar takes the place of the lines"
    assert f"12 runs computed, 0 already stored; database: {STORED}" in text


@pytest.mark.parametrize(("options", "where"), [((), "the report shows all"), (("--no-report",), "--format json shows all")])
def test_long_table_is_cut_only_on_a_terminal(tmp_path, write, call, options, where):
    """The table shows the first 24 of 27 rows, in the order of the grid."""
    dimensions = ", ".join(str(dimension) for dimension in range(1, 28))
    write(
        'name = "many"\ngradient = [{ name = "analytic" }]\noptimizer = [{ name = "gradient_descent" }]\n'
        f'objective = [{{ name = "quadratic", dimension = {{ values = [{dimensions}] }} }}]\n'
        "start = { uniform = { low = -1.0, high = 1.0, count = 1, seed = 0 } }\nstop = { max_steps = 2 }\nreport = { figures = [] }\n",
        "many.toml",
    )
    done = call("run", "many.toml", *options)
    head, _, rest = done.out.partition(f"\n… and 3 more rows; {where}\n\n27 runs: ")
    assert rest
    assert [f"dimension={dimension})" in line for dimension, line in enumerate(head.splitlines())] == [False, *[True] * 24]
    assert len(call("run", "many.toml", "--format", "json").json["summary"]) == 27
    assert (tmp_path / "results/many/summary.csv").read_text().count("\n") == 28

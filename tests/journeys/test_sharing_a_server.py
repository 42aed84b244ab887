"""Several `runner run` on one PostgreSQL database: each finishes, each run is computed once, and a killed process blocks no other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import runner
from tests.support.databases import psycopg_connection, run_into
from tests.support.experiment_texts import ONE_BY_ONE, SMALL
from tests.support.sweep_processes import BLOCKED, ON_BLOCKED, rates, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no server for tests, and no SIGKILL")
COMMAND = [sys.executable, "-c", "from runner.cli import main; main()", "run"]
PROCESSES = ["--executor", "processes", "--jobs", "2"]


@pytest.fixture
def url(server_database: Callable[[], str]) -> str:
    return server_database()


def start(folder: Path, url: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a sweep and its worker processes in a process group of their own."""
    command = [*COMMAND, *arguments, "--db", url, "--no-report"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, text=True, start_new_session=True, **pipes)


def number(url: str, query: str) -> int:
    """Return the number that a query gives; 0 before the tables exist."""
    with psycopg_connection(url) as connection:
        if connection.execute("SELECT to_regclass('claim')").fetchone() == (None,):
            return 0
        return int(connection.execute(query).fetchone()[0])


def bits(name: str) -> dict[str, tuple[str, bytes]]:
    """Return the outcome and every bit of each trajectory, by the identity of the run."""
    with runner.open(name) as database:
        found = {
            run.identity: (
                run.outcome,
                np.ascontiguousarray(np.column_stack([series.value, series.gradient_norm, series.x])).tobytes(),
            )
            for run, series in database.trajectories()
        }
        assert len(found) == len(database.runs())
        return found


def assert_whole(url: str, runner_cli: Callable[..., object], computed_alone: Path) -> None:
    """Check that the database is sound, holds no claims, and has the same bits as a sweep in one process."""
    done = runner_cli("verify", "--db", url)
    assert (done.code, done.err) == (0, ""), done
    assert number(url, "SELECT (SELECT count(*) FROM claim) + (SELECT count(*) FROM worker)") == 0
    assert bits(url) == bits(str(computed_alone))


def test_two_sweeps_in_worker_processes_compute_each_run_once(tmp_path, write, url, runner_cli):
    for first, name in ((1, "one"), (4, "two")):
        text = SMALL.replace("[0.1, 0.3, 1.1]", rates(first, 6)).replace('"small"', f'"{name}"')
        run_into(write(text + "[execution]\nmax_batch = 2\n", f"{name}.toml"), tmp_path / "alone.db")
    processes = [start(tmp_path, url, f"{name}.toml", "--format", "json", *PROCESSES) for name in ("one", "two")]
    endings = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [(told, code) for _, told, code in endings] == [("", 0)] * 2
    computed = [sum(json.loads(out)["computed"].values()) for out, *_ in endings]
    assert sum(computed) == number(url, "SELECT count(*) FROM run") == 36
    assert_whole(url, runner_cli, tmp_path / "alone.db")


def test_claims_of_a_killed_sweep_are_taken_over_by_a_waiting_one(tmp_path, write, url, runner_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(BLOCKED, "blocked.py")
    path = write(ON_BLOCKED, "blocked.toml")
    first = start(tmp_path, url, "blocked.toml", *PROCESSES)
    second = None
    try:
        wait_for(lambda: number(url, "SELECT count(*) FROM claim") == 4)
        second = start(tmp_path, url, "blocked.toml", *PROCESSES)
        assert second.stderr is not None
        assert second.stderr.readline() == "4 runs to compute, 0 already stored\n"
        assert second.stderr.readline() == f"waiting for 4 runs that process {first.pid} is computing\n"
        first.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        out, told = second.communicate(timeout=60)
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()
    assert second.returncode == 0, told
    assert out.splitlines()[-1].startswith("4 runs computed, 0 already stored; database: ")
    run_into(path, tmp_path / "alone.db")
    assert_whole(url, runner_cli, tmp_path / "alone.db")


@pytest.mark.slow
def test_sweep_killed_in_the_middle_is_finished_by_the_next(tmp_path, write, url, runner_cli):
    path = write(ONE_BY_ONE)
    run_into(path, tmp_path / "alone.db")
    process = start(tmp_path, url, "small.toml", *PROCESSES)
    try:
        wait_for(lambda: number(url, "SELECT count(*) FROM run") >= 2)
    finally:
        process.kill()
        process.communicate()
    stored = bits(url)
    assert 2 <= len(stored) <= 12
    assert runner_cli("verify", "--db", url).code == 0
    done = runner_cli("run", "small.toml", "--db", url, "--no-report", "--format", "json", *PROCESSES)
    assert done.code == 0, done.err
    assert sum(done.json["computed"].values()) == 12 - len(stored)
    assert stored.items() <= bits(url).items()
    assert_whole(url, runner_cli, tmp_path / "alone.db")

"""kill -9 at any instant: no acknowledged run is lost or doubled, and the same command finishes with the same bits."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.databases import damage, run_into, stored_bits, stored_runs
from tests.support.experiment_texts import ONE_BY_ONE
from tests.support.sweep_processes import RUN_TELLING_EACH_BATCH

TESTS, KILLS = 8, 13


def finish(folder: Path) -> float:
    """Let the sweep end; return its duration in seconds."""
    begun = time.monotonic()
    subprocess.run(RUN_TELLING_EACH_BATCH, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - begun


def start_and_kill(folder: Path, seconds: float) -> int:
    """Kill the sweep some seconds after its start; return the number of runs that it reported as stored."""
    with (folder / "told").open("w") as told:
        process = subprocess.Popen(RUN_TELLING_EACH_BATCH, cwd=folder, stderr=told, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    lines = re.findall(r"^(\d+)/\d+ runs: .*\n", (folder / "told").read_text(), re.MULTILINE)
    return int(lines[-1]) if lines else 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("seed", range(TESTS))
def test_killed_sweeps_lose_nothing_and_are_finished_by_the_same_command(tmp_path, write, seed):
    path = write(ONE_BY_ONE)
    whole = tmp_path / "whole.db"
    run_into(path, whole)
    expected = stored_bits(whole)
    database = tmp_path / "results" / "runner.db"
    life = finish(tmp_path)
    assert stored_bits(database) == expected
    forget(database)
    rng = random.Random(seed)
    before = acknowledged = 0
    for _ in range(KILLS):
        acknowledged += start_and_kill(tmp_path, rng.uniform(0.0, life))
        if not database.exists():
            assert acknowledged == 0
            continue
        stored = stored_bits(database)
        runs = len({identity for identity, *_ in stored})
        assert runs == stored_runs(database), "nothing is stored twice"
        assert max(before, acknowledged) <= runs, "all runs that were reported as stored, or were stored before, are stored"
        assert set(stored) <= set(expected), "each stored run is complete, and has the same bits"
        assert damage(database) == []
        before = runs
        if len(stored) == len(expected):
            forget(database)
            before = acknowledged = 0
    finish(tmp_path)
    assert stored_bits(database) == expected


def forget(database: Path) -> None:
    for file in database.parent.glob("runner.db*"):
        file.unlink()

"""kill -9 at any instant: nothing acknowledged is lost, nothing is doubled, and the same command finishes with the same bits."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import SMALL
from .test_store import contents, opened, run_into

COMMAND = [sys.executable, "-c", "from runner.cli import main; main()", "run", "small.toml", "--no-report"]
# Each run takes a few hundredths of a second, so that kills fall between them.
SLOW = SMALL.replace("max_steps = 50", "max_steps = 1500").replace("gradient_norm = 1e-6", "divergence_limit = inf")
ONE_BY_ONE = SLOW + "[execution]\nmax_batch = 1\n"


def kill_when(folder: Path, database: Path, stored: int, delay: float) -> None:
    """Start the sweep, and kill it `delay` seconds after so many runs are in the database, unless it is done before."""
    process = subprocess.Popen(COMMAND, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and stored_runs(database) < stored:
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()


def stored_runs(database: Path) -> int:
    if not database.exists():
        return 0
    with opened(database) as connection:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_sweep_is_finished_by_the_same_command(tmp_path, write):
    path = write(ONE_BY_ONE)
    run_into(path, tmp_path / "whole.db")
    database = tmp_path / "results" / "runner.db"
    rng = random.Random(0)
    counts = [0]
    while counts[-1] < 12:
        kill_when(tmp_path, database, counts[-1] + rng.randint(1, 2), rng.uniform(0.0, 0.01))
        counts.append(stored_runs(database))
    assert counts == sorted(counts), "what was stored once stays stored"
    assert len(counts) > 3, "the kills must fall into the sweep"
    assert contents(database) == contents(tmp_path / "whole.db")
    subprocess.run(COMMAND, cwd=tmp_path, check=True, capture_output=True)
    assert contents(database) == contents(tmp_path / "whole.db")
    with opened(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

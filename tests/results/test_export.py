"""Exports hold only a part of the trajectories in memory at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.store.reading import trajectories as series
from tests.support.databases import stored_in

# 8,000 runs × 1,001 iterates × 3 numbers: 192 MB of trajectories.
LONG = """\
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { linspace = [0.001, 0.002], num = 800 } }]
start = { uniform = { low = 1.0, high = 2.0, count = 10, seed = 0 } }
stop = { max_steps = 1000 }
"""
# Half of the runs have many columns, and so has the table of all runs.
WIDE = """\
objective = [{ name = "quadratic" }, { name = "quadratic", dimension = 100 }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { linspace = [0.001, 0.002], num = 20 } }]
start = { points = [1.0] }
stop = { max_steps = 9 }
"""
# 20 runs × 101 iterates × 3,002 numbers: 48 MB of trajectories.
VERY_WIDE = """\
objective = [{ name = "quadratic", dimension = 3000 }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { linspace = [0.001, 0.002], num = 20 } }]
start = { points = [1.0] }
stop = { max_steps = 100 }
"""
# Measured in a new process, because the peak of this process includes all earlier tests.
MEASURE = """\
import sys
import runner

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

database, file, few, where = sys.argv[1:]
with runner.open(database) as opened:
    opened.export_steps(file, where=few)
    before = peak()
    opened.export_steps(file, where=where)
print(peak() - before)
"""


@pytest.fixture(scope="module")
def long_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_in(tmp_path_factory.mktemp("long"), LONG)


def grown(database: Path, file: Path, where: str, few: str = "id <= 40") -> float:
    """Return the additional MB that an export needs at its peak, compared with a small export."""
    command = [sys.executable, "-c", MEASURE, str(database), str(file), few, where]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc reports the peak of a process")
@pytest.mark.parametrize("suffix", ["npz", "parquet", "csv"])
def test_memory_stays_bounded(long_runs, tmp_path, suffix):
    file = tmp_path / f"steps.{suffix}"
    half, whole = (grown(long_runs, file, where) for where in ("id <= 4000", "id > 0"))
    assert whole < 1.25 * half + 8, "twice the runs take no more memory"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc reports the peak of a process")
def test_a_very_wide_table_takes_little_more_memory_than_its_parts(tmp_path):
    stored = stored_in(tmp_path, VERY_WIDE)
    assert grown(stored, tmp_path / "steps.parquet", "id > 0", few="id <= 0") < 250


def test_a_part_of_a_wide_table_is_no_larger(tmp_path, monkeypatch):
    stored = stored_in(tmp_path, WIDE)
    monkeypatch.setattr(series, "BYTES_AT_ONCE", 2**15)
    with runner.open(str(stored)) as database:
        parts = list(database.step_frames())
    assert sum(len(part) for part in parts) == 400
    assert max(8 * len(part) * len(part.names) for part in parts) <= 2**15

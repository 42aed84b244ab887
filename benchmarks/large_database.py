"""A database of 100,000 runs × 100 steps: the time to find runs in it, to read steps, and to delete runs.

Each time is compared with that of a reference task, measured in turn on one core. README.md describes the references.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

import runner

EXPERIMENT = Path(__file__).with_name("large_database.toml")
RUNNER = str(Path(sys.executable).with_name("runner"))
SOME_RUNS = 1000
FILTER = 'optimizer = "momentum" and learning_rate < 0.1 and not outcome in ("diverged", "failed")'
DELETE_SECONDS = 2.0
TARGETS = {"find": 3.0, "read": 3.0}
Row = tuple[str, float, str, float]
"""The name of a task, its seconds, the name of its reference, and the seconds of the reference."""


def make(path: Path) -> float:
    """Compute and store every run in a separate process, so that this one inherits no memory; return the seconds that it took."""
    return seconds(process([RUNNER, "run", str(EXPERIMENT), "--db", str(path), "--no-report"]))


def seconds(body: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    body()
    return time.perf_counter() - begun


def process(command: Sequence[str]) -> Callable[[], object]:
    """Return a function that runs a command as a separate process."""
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def chosen() -> list[int]:
    """Return the row numbers of some runs, chosen at random."""
    return sorted(np.random.default_rng(0).choice(np.arange(1, 100_001), SOME_RUNS, replace=False).tolist())


def read_blobs(path: Path, runs: Sequence[int]) -> int:
    """Read the bytes of some trajectories with plain sqlite3; return their number."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        marks = ",".join("?" * len(runs))
        query = f"SELECT data FROM chunk WHERE run_id IN ({marks}) ORDER BY run_id, first_step"
        return sum(len(data) for (data,) in connection.execute(query, runs))


def read_arrays(path: Path, runs: Sequence[int]) -> int:
    """Read the same trajectories as arrays, checked and joined; return the number of bytes of the arrays."""
    with runner.open(str(path)) as database:
        return sum(
            series.value.nbytes + series.gradient_norm.nbytes + (0 if series.x is None else series.x.nbytes)
            for _, series in database.trajectories(runs)
        )


def pairs(path: Path) -> Iterator[tuple[str, str, Callable[[], object], str, Callable[[], object]]]:
    """Yield for each task its key, its name and its function, and the name and the function of its reference."""
    find = [RUNNER, "runs", "--db", str(path), "--where", FILTER, "--limit", "20"]
    runs = chosen()
    assert read_blobs(path, runs) == read_arrays(path, runs)
    yield (
        "find",
        "runner runs --where … --limit 20",
        process(find),
        "python -c 'import sqlalchemy'",
        process([sys.executable, "-c", "import sqlalchemy"]),
    )
    yield (
        "read",
        f"{SOME_RUNS:,} trajectories as arrays",
        lambda: read_arrays(path, runs),
        "the same bytes by sqlite3",
        (lambda: read_blobs(path, runs)),
    )


def measured(path: Path, repeats: int) -> Mapping[str, Row]:
    """Measure the tasks and their references in turn; return the medians."""
    found = {}
    for key, name, body, other_name, other in pairs(path):
        # The first turn fills the file cache.
        turns = [(seconds(body), seconds(other)) for _ in range(repeats + 1)][1:]
        found[key] = (name, statistics.median(one for one, _ in turns), other_name, statistics.median(two for _, two in turns))
    return found


def deleting(path: Path, repeats: int) -> float:
    """Return the median time, in seconds, to delete some runs from a fresh copy of the database."""
    took = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copy(path, folder))
            with runner.open(str(copy)) as database:
                took.append(seconds(lambda database=database: database.delete(database.plan_deletion(chosen()))))
    return statistics.median(took)


def main() -> int:
    """Measure and report; with `--check`, return 1 if a target is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, help="the file of the database; it is created if it is missing, and kept")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = options.database or folder / "large.db"
        made = None if path.exists() else make(path)
        found = measured(path, options.repeats)
        deleted = deleting(path, min(options.repeats, 3))
        size = path.stat().st_size
    ratios = {key: one / other for key, (_, one, _, other) in found.items()}
    if options.json:
        print(json.dumps({"made": made, "bytes": size, "seconds": found, "delete": deleted, "ratios": ratios}, indent=2))
    else:
        say(made, size, found, deleted)
    missed = deleted > DELETE_SECONDS or any(ratio > TARGETS[key] for key, ratio in ratios.items())
    return 1 if options.check and missed else 0


def say(made: float | None, size: int, found: Mapping[str, Row], deleted: float) -> None:
    """Print a line for each task."""
    print(f"{size / 1e6:,.0f} MB" + ("" if made is None else f", made in {made:.1f} s"))
    for key, (name, one, other_name, other) in found.items():
        print(f"{name:36}{one:8.3f} s   {other_name:32}{other:8.3f} s   ratio {one / other:.2f}, target <= {TARGETS[key]:g}")
    print(f"{f'deleting {SOME_RUNS:,} runs':36}{deleted:8.3f} s   target <= {DELETE_SECONDS:g} s")


if __name__ == "__main__":
    sys.exit(main())

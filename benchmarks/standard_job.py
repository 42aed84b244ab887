"""The standard job, three ways: a hand-written loop, the limit of the machine, and runner.

The job is 3,000 runs of 500 steps of plain gradient descent. Step, x, f and ‖∇f‖ of every iterate are stored durably, then read
back. Each measurement of a row runs in a new process, in turn, on one core. README.md describes the rows and what is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from runner import Array
from runner.engine.trajectories import Trajectory
from runner.experiment.model import Experiment
from runner.experiment.reader import read_experiment
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, Plan, make_plan, read
from runner.registry.registry import Registry
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store

EXPERIMENT = Path(__file__).with_name("standard_job.toml")
OBJECTIVES = ("quadratic", "sin_quadratic", "linear_regression")
READ_BACK = "linear_regression"
PAGE_BYTES = 65536
PHASES = {"write": "committed", "close": "then closed", "read final": "final f", "read trajectories": "trajectories"}

Figures = dict[str, list[dict[str, Any]]]
Numbers = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Job:
    """The numbers of the job, from the experiment file.

    Attributes:
        rates: the learning rates.
        starts: for each objective its starts, `(starts, dimension)`.
        samples: X and y of the regression, each `(samples,)`.
        steps: the number of steps of each run.
    """

    rates: tuple[float, ...]
    starts: tuple[Array, ...]
    samples: tuple[Array, Array]
    steps: int

    @classmethod
    def of(cls, experiment: Experiment) -> Job:
        """Return the numbers of an experiment."""
        assert tuple(objective.name for objective in experiment.objectives) == OBJECTIVES
        features, y = cast(Any, experiment.objectives[-1].plugin).data
        return cls(
            tuple(cast(float, optimizer.parameters["learning_rate"]) for optimizer in experiment.optimizers),
            tuple(np.array([start.x for start in starts]) for starts in experiment.starts),
            (features[:, 0].copy(), y),
            experiment.rules.stop.max_steps,
        )

    @property
    def raw_bytes(self) -> int:
        """The size of all iterates as bare float64: f, ‖∇f‖ and each coordinate of x."""
        iterates = len(self.rates) * (self.steps + 1)
        return sum(8 * (2 + starts.shape[1]) * len(starts) * iterates for starts in self.starts)


@dataclass
class Measured:
    """One measurement of one row.

    Attributes:
        final: f at the last iterate of every run, in the order of the grid.
        trajectories: f, ‖∇f‖ and x of every run of one objective, `(runs, 2 + dimension, iterates)`.
        seconds: by phase: `write` up to the commit, `close` (the file complete, its log folded in), `read final`,
            `read trajectories`.
    """

    final: Array
    trajectories: Array
    seconds: dict[str, float]


class Clock:
    """A clock that adds up the seconds of each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the body to a phase."""
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun


def hand_written(job: Job, database: Path, _: Registry) -> Measured:
    """Run the job as a simple hand-written loop: one run after another, one row for each step, one commit."""
    features, y = job.samples

    def quadratic(x: Array) -> tuple[float, Array]:
        return float(x @ x), 2 * x

    def sin_quadratic(x: Array) -> tuple[float, Array]:
        return float(np.sin(x[0]) + x[0] ** 2), np.cos(x) + 2 * x

    def mean_squared_error(x: Array) -> tuple[float, Array]:
        residual = x[0] * features + x[1] - y
        return float(residual @ residual) / len(y), np.array([residual @ features, residual.sum()]) * (2 / len(y))

    clock = Clock()
    with clock.phase("write"):
        connection = sqlite3.connect(database)
        connection.execute("CREATE TABLE steps (run INTEGER, step INTEGER, x0 REAL, x1 REAL, f REAL, gradient_norm REAL)")
        run = 0
        for objective, starts in zip((quadratic, sin_quadratic, mean_squared_error), job.starts, strict=True):
            for rate in job.rates:
                for start in starts:
                    x = start.copy()
                    rows = []
                    for step in range(job.steps + 1):
                        f, gradient = objective(x)
                        rows.append((run, step, *x.tolist(), *[None] * (2 - len(x)), f, float(np.linalg.norm(gradient))))
                        x = x - rate * gradient
                    connection.executemany("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?)", rows)
                    run += 1
        connection.commit()
    with clock.phase("close"):
        connection.close()
    connection = sqlite3.connect(database)
    with clock.phase("read final"):
        final = np.array(connection.execute("SELECT f FROM steps WHERE step = ? ORDER BY run", (job.steps,)).fetchall())
    first = sum(len(starts) for starts in job.starts[:-1]) * len(job.rates)
    with clock.phase("read trajectories"):
        query = "SELECT f, gradient_norm, x0, x1 FROM steps WHERE run >= ? ORDER BY run, step"
        table = np.array(connection.execute(query, (first,)).fetchall())
        trajectories = table.reshape(-1, job.steps + 1, 4).transpose(0, 2, 1)
    connection.close()
    return Measured(final[:, 0], trajectories, clock.seconds)


def descend_compiled(kind: int, rates: Array, starts: Array, r: Array, z: Array, rho: float, iterates: Array) -> None:
    """Compute every run of an objective into an array `(runs, 2 + dimension, steps + 1)`; numba compiles this function."""
    run = 0
    for rate in rates:
        for start in starts:
            series = iterates[run]
            x, b = start[0], start[-1]
            for step in range(series.shape[1]):
                slope_b = 0.0
                if kind == 0:
                    f, slope = x * x, 2.0 * x
                elif kind == 1:
                    f, slope = np.sin(x) + x * x, np.cos(x) + 2.0 * x
                else:
                    upper, lower = r[0, 0] * x + r[0, 1] * b - z[0], r[1, 1] * b - z[1]
                    f = upper * upper + lower * lower + rho * rho
                    slope, slope_b = 2.0 * r[0, 0] * upper, 2.0 * (r[0, 1] * upper + r[1, 1] * lower)
                series[0, step] = f
                series[1, step] = abs(slope) if kind < 2 else np.sqrt(slope * slope + slope_b * slope_b)
                series[2, step] = x
                if kind == 2:
                    series[3, step] = b
                    b -= rate * slope_b
                x -= rate * slope
            run += 1


def limit(job: Job, database: Path, _: Registry) -> Measured:
    """Run the job as fast as one core can: a compiled loop, one BLOB per run, one transaction; no metadata, no checks."""
    # Optional, and slow to import.
    import numba

    compiled = numba.njit(cache=True)(descend_compiled)
    compiled(0, np.zeros(1), np.zeros((1, 2)), np.zeros((2, 2)), np.zeros(2), 0.0, np.zeros((1, 4, 1)))
    rates = np.array(job.rates)
    clock = Clock()
    with clock.phase("write"):
        features, y = job.samples
        table: Array = np.asarray(np.linalg.qr(np.column_stack([features, np.ones_like(y), y]) / np.sqrt(len(y)), mode="r"))
        r, z, rho = np.ascontiguousarray(table[:2, :2]), np.ascontiguousarray(table[:2, 2]), float(table[2, 2])
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE run (id INTEGER PRIMARY KEY, objective INTEGER, final_f REAL, iterates BLOB)")
        for kind, starts in enumerate(job.starts):
            iterates = np.empty((len(rates) * len(starts), 2 + starts.shape[1], job.steps + 1))
            compiled(kind, rates, starts, r, z, rho, iterates)
            final = iterates[:, 0, -1].tolist()
            rows = ((kind, f, series.data) for f, series in zip(final, iterates, strict=True))
            connection.executemany("INSERT INTO run (objective, final_f, iterates) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    with clock.phase("close"):
        connection.close()
    connection = sqlite3.connect(database)
    with clock.phase("read final"):
        found = np.array([f for (f,) in connection.execute("SELECT final_f FROM run ORDER BY id")])
    with clock.phase("read trajectories"):
        query = "SELECT iterates FROM run WHERE objective = ? ORDER BY id"
        blobs = connection.execute(query, (OBJECTIVES.index(READ_BACK),))
        trajectories = np.array([np.frombuffer(blob).reshape(-1, job.steps + 1) for (blob,) in blobs])
    connection.close()
    return Measured(found, trajectories, clock.seconds)


class Silent:
    """An observer that prints only warnings."""

    def began(self, plan: Plan) -> None:
        """Ignore the beginning."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Ignore a stored batch."""

    def warned(self, warning: str) -> None:
        """Print a warning."""
        print(f"warning: {warning}", file=sys.stderr)

    def stored_elsewhere(self, count: int) -> None:
        """Ignore the runs that another process stored."""

    def waiting(self, count: int, holder: str) -> None:
        """Ignore the wait for other processes."""


def runner(_: Job, database: Path, registry: Registry) -> Measured:
    """Run the job with runner, with everything it does: identities, checks, provenance, summaries, checksums."""
    store, choices = Store(str(database)), Choices()
    experiment = read(EXPERIMENT, registry, choices)
    clock = Clock()
    with clock.phase("write"):
        plan = make_plan(experiment, store, choices)
        execute(plan, store, registry, choices, Silent())
    with clock.phase("close"):
        store.close()
    store = Store(str(database))
    with clock.phase("read final"):
        results = read_results(store.database, plan.experiment.name)
        final = np.array([run.final_value for run in results.runs])
    with clock.phase("read trajectories"):
        runs = [run for run in results.runs if run.objective == READ_BACK]
        series = [series for _, series in results.series(runs)]
        trajectories = np.array([[each.value, each.gradient_norm, *cast(Array, each.x).T] for each in series])
    store.close()
    return Measured(final, trajectories, clock.seconds)


ROWS: dict[str, Callable[[Job, Path, Registry], Measured]] = {"hand-written": hand_written, "limit": limit, "runner": runner}


def measure(row: str, folder: Path) -> None:
    """Measure one row in this process; write the measurements and the computed numbers into a folder."""
    registry = Registry()
    # The clock starts after this line: libraries are imported, plugins are loaded, and the experiment is read.
    job = Job.of(read_experiment(EXPERIMENT, registry))
    measured = ROWS[row](job, folder / "results.db", registry)
    np.savez(folder / "numbers.npz", final=measured.final, trajectories=measured.trajectories)
    size = sum(file.stat().st_size for file in folder.glob("results.db*"))
    figures = {"seconds": measured.seconds, "bytes": size, "raw bytes": job.raw_bytes}
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def measure_in_turn(repeats: Mapping[str, int], folder: Path) -> tuple[Figures, Numbers]:
    """Measure the rows in turn, each time in a new process; return all measurements, and the numbers of the last repeat."""
    figures: Figures = {row: [] for row in repeats}
    numbers: Numbers = {}
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "compiled")}
    for repeat in range(max(repeats.values())):
        for row in repeats:
            if repeat >= repeats[row]:
                continue
            with tempfile.TemporaryDirectory(dir=folder) as own:
                command = [sys.executable, __file__, "--row", row, "--folder", own]
                subprocess.run(command, check=True, env=environment)
                figures[row].append(json.loads(Path(own, "figures.json").read_text(encoding="utf-8")))
                with np.load(Path(own, "numbers.npz")) as found:
                    numbers[row] = dict(found)
    return figures, numbers


def differences(numbers: Numbers) -> dict[str, int]:
    """Return for each row the number of runs whose ends or paths differ from the hand-written loop by more than rounding."""
    expected = numbers["hand-written"]
    return {row: int((~_same(found["final"], expected["final"])).sum()) for row, found in numbers.items()} | {
        f"{row}, trajectories": int((~_same(found["trajectories"][:, 0], expected["trajectories"][:, 0]).all(axis=1)).sum())
        for row, found in numbers.items()
    }


def _same(values: Array, expected: Array) -> NDArray[np.bool_]:
    return np.isclose(values, expected, rtol=1e-9, atol=1e-300) | (~np.isfinite(values) & ~np.isfinite(expected))


def summary(figures: Figures, numbers: Numbers) -> dict[str, Any]:
    """Return the median, the smallest and the largest time of each row, with the ratios and targets that follow."""
    rows = {
        row: {
            "repeats": len(each),
            "seconds": {phase: _spread([one["seconds"][phase] for one in each]) for phase in PHASES},
            "disk / raw": statistics.median(one["bytes"] / one["raw bytes"] for one in each),
        }
        for row, each in figures.items()
    }
    committed = {row: cast(Any, found)["seconds"]["write"]["median"] for row, found in rows.items()}
    finished = {row: committed[row] + cast(Any, found)["seconds"]["close"]["median"] for row, found in rows.items()}
    targets = {
        "hand-written / runner": (finished["hand-written"] / finished["runner"], ">=", 25.0),
        "disk / raw": (rows["runner"]["disk / raw"], "<=", 1.15),
    }
    also = {"hand-written / runner, to the commit only": committed["hand-written"] / committed["runner"]}
    if "limit" in rows:
        targets["runner / limit"] = (finished["runner"] / finished["limit"], "<=", 3.0)
        also["runner / limit, to the commit only"] = committed["runner"] / committed["limit"]
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rows": rows,
        "targets": {
            name: {"value": value, "target": f"{sign} {bound:g}", "met": value >= bound if sign == ">=" else value <= bound}
            for name, (value, sign, bound) in targets.items()
        },
        "also": also,
        "differing runs": differences(numbers),
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}


def _range(spread: Mapping[str, float]) -> str:
    return f"({spread['least']:.3f}–{spread['most']:.3f})"


def show(found: Mapping[str, Any]) -> None:
    """Print the summary as a table."""
    print(f"Python {found['python']}, NumPy {found['numpy']}; medians (least–most) in seconds\n")
    print(f"{'':14}{'repeats':>8}" + "".join(f"{title:>24}" for title in PHASES.values()) + f"{'disk / raw':>12}")
    for row, each in found["rows"].items():
        spreads = (each["seconds"][phase] for phase in PHASES)
        cells = "".join(f"{s['median']:8.3f} {_range(s):15}" for s in spreads)
        print(f"{row:14}{each['repeats']:8}{cells}{each['disk / raw']:12.3f}")
    print()
    for name, target in found["targets"].items():
        print(f"{name:44}{target['value']:8.2f}   target {target['target']}{'' if target['met'] else '   MISSED'}")
    for name, value in found["also"].items():
        print(f"{name:44}{value:8.2f}")
    print()
    for row, runs in found["differing runs"].items():
        print(f"runs that differ from the hand-written loop, {row}: {runs}")


def main() -> int:
    """Measure and report; with `--check`, return 1 if a target is missed or the numbers differ, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="number of measurements of the two fast rows (default 5)")
    parser.add_argument("--slow-repeats", type=int, default=2, help="number of measurements of the hand-written loop (default 2)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed or the numbers differ")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        measure(options.row, options.folder)
        return 0
    repeats = {"hand-written": options.slow_repeats, "limit": options.repeats, "runner": options.repeats}
    if importlib.util.find_spec("numba") is None:
        print("the limit is not measured: numba is not installed; pip install 'gradient-runner[benchmark]'", file=sys.stderr)
        del repeats["limit"]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="runner-benchmark-") as folder:
        found = summary(*measure_in_turn(repeats, Path(folder)))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    missed = not all(target["met"] for target in found["targets"].values()) or any(found["differing runs"].values())
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())

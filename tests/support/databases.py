"""Databases of stored runs: made, opened, read whole, and checked."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.contracts.outcomes import Outcome
from runner.engine.environment import Environment
from runner.engine.trajectories import Chunk, Descent, Evaluations, Trajectory
from runner.experiment.model import Run
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, Plan, make_plan, read
from runner.registry.registry import Registry
from runner.store.connection import Database
from runner.store.verifying.verify import verify
from runner.store.writing.recording import Store

SUPPORTED = (
    "results are kept in an SQLite file or in PostgreSQL: give a path, or a URL such as postgresql+psycopg://user@host/name"
)
ENVIRONMENT = Environment("CPython 3.11.7", "Linux", "a processor", {"numpy": "2.4.0"}, "abc")


class Watcher:
    def __init__(self) -> None:
        self.saved_runs: list[str] = []
        self.warnings: list[str] = []

    def began(self, plan: Plan) -> None:
        pass

    def saved(self, trajectories: tuple[Trajectory, ...]) -> None:
        self.saved_runs += [trajectory.identity for trajectory in trajectories]

    def warned(self, warning: str) -> None:
        self.warnings.append(warning)

    def stored_elsewhere(self, count: int) -> None:
        pass

    def waiting(self, count: int, holder: str) -> None:
        pass


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that is committed and closed at the end."""
    connection = sqlite3.connect(database)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def run_into(path: Path, database: Path, **choices: bool) -> tuple[Plan, list[str]]:
    """Run an experiment into a database; return the plan and the identities of the computed runs."""
    store, catalogue, watcher = Store(str(database)), Registry(), Watcher()
    wanted = Choices(**choices)
    plan = make_plan(read(path, catalogue, wanted), store, wanted)
    execute(plan, store, catalogue, wanted, watcher)
    store.close()
    return plan, watcher.saved_runs


def stored_in(folder: Path, text: str) -> Path:
    """Run an experiment, given as text, into a database in a folder; return the database."""
    (folder / "experiment.toml").write_text(text, encoding="utf-8")
    run_into(folder / "experiment.toml", folder / "r.db")
    return folder / "r.db"


def stored_bits(database: Path) -> list[tuple[object, ...]]:
    """Return the identity, outcome, final value and bytes of every current run."""
    with opened(database) as connection:
        return connection.execute(
            "SELECT identity, outcome, steps, final_value, first_step, count, data FROM run JOIN chunk ON run_id = run.id "
            "WHERE superseded_by IS NULL ORDER BY identity, first_step"
        ).fetchall()


SPECIAL = [math.nan, -math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308, 0.1]


def store_series(database: Path, plan_file: Path, values: list[float], final: float = 0.0) -> Run:
    """Store one run with an invented trajectory."""
    store = Store(str(database))
    plan = make_plan(read(plan_file, Registry(), Choices()), store, Choices())
    run = plan.runs[0]
    data = struct.pack(f">{3 * len(values)}d", *values, *values, *values)
    trajectory = Trajectory(
        run.identity, Outcome.MAX_STEPS, "", len(values) - 1, Evaluations(1, 2, 3), final, final, final, 0, 0.5,
        (Chunk(0, len(values), data),),
    )  # fmt: skip
    recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    recording.save([run], Descent((trajectory,)).trajectories, {})
    store.close()
    return run


WALL = """\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Bowl(runner.Objective):
    '''f(x) = s x², known on the right of zero only.'''
    dimension = 1
    def value(self, x):
        return np.where(x > 0, SCALE * x * x, np.nan).sum(axis=-1)
    def gradient(self, x):
        return SCALE * 2 * x

@runner.hookimpl
def runner_objectives():
    return {"bowl": Bowl}
"""
ON_BOWL = """\
plugins = ["bowl.py"]
objective = [{ name = "bowl" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.1, 0.2] } }]
start = { points = STARTS }
stop = { max_steps = 5 }
"""


def write_bowl_experiment(write, name, scale="1.0", starts="[1.0, 2.0]", end=""):
    write(WALL.replace("SCALE", scale), "bowl.py")
    return write(f'name = "{name}"\n' + ON_BOWL.replace("STARTS", starts) + end, f"{name}.toml")


def trajectory_of(run: Run) -> Trajectory:
    return Trajectory(run.identity, Outcome.MAX_STEPS, "", 0, Evaluations(1, 1, 0), 1, 1, 1, 0, 0, (Chunk(0, 1, b"x" * 24),))


def stored_runs(database: Path) -> int:
    if not database.exists():
        return 0
    with opened(database) as connection:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])


def damage(path: Path) -> list[str]:
    database = Database(str(path))
    found = [problem for check in verify(database) for problem in check.problems]
    database.close()
    return found


def psycopg_connection(url: str) -> Any:
    """Open a plain connection to a PostgreSQL database that commits each statement."""
    psycopg = pytest.importorskip("psycopg")
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)

"""Make the small database of one schema.

Run `python make_database.py FILE` with the version of runner whose schema the database is to have.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.writing.recording import Store

PLUGIN = """\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Wall(runner.Objective):
    '''f(x) = x² up to 3, where it raises, and nothing below zero.'''
    dimension = 1
    def value(self, x):
        if (x > 3).any():
            raise LookupError("there is nothing beyond the wall")
        return np.where(x < 0, np.nan, x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"wall": Wall}
"""
EXPERIMENT = """\
name = "kept"
description = "Small, and with every way to end but stalled and timeout"
plugins = ["wall.py"]
objective = [{ name = "quadratic" }, { name = "wall" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.1, 0.4, 1.1] } }]
start = { points = [2.0, -0.0, -1.0, 4.0] }
stop = { max_steps = 30, gradient_norm = 1e-5, divergence_limit = 1e3 }
"""
AGAIN = """\
name = "again"
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.1 }]
start = { points = [2.0, -1.0] }
stop = { max_steps = 30, gradient_norm = 1e-5, divergence_limit = 1e3 }
"""
PAGE_BYTES = 1024


class Silent:
    """A listener that ignores everything."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


def compute(text: str, folder: Path, database: Path, rerun: bool) -> None:
    """Run an experiment into the database."""
    (folder / "wall.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "experiment.toml").write_text(text, encoding="utf-8")
    store, catalogue, choices = Store(str(database)), Registry(), Choices(rerun=rerun)
    plan = make_plan(read(folder / "experiment.toml", catalogue, choices), store, choices)
    execute(plan, store, catalogue, choices, Silent())
    store.close()


def make(path: Path) -> None:
    """Make the database, with pages as small as possible."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "runner.db")
        compute(EXPERIMENT, Path(folder), database, rerun=False)
        compute(AGAIN, Path(folder), database, rerun=True)
        connection = sqlite3.connect(database)
        for command in (
            "PRAGMA journal_mode = DELETE",
            f"PRAGMA page_size = {PAGE_BYTES}",
            "VACUUM",
            "PRAGMA journal_mode = WAL",
        ):
            connection.execute(command)
        connection.close()
        path.write_bytes(database.read_bytes())


if __name__ == "__main__":
    make(Path(sys.argv[1]))

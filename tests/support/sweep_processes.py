"""Sweeps in separate processes, which a test can start, block, interrupt and kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases import opened

RUN = [sys.executable, "-c", "from runner.cli import main; main()", "run"]
OPTIONS = ["--db", "shared.db", "--no-report"]
BLOCKED = """\
import pathlib, time
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Blocked(runner.Objective):
    '''f(x) = x², and near the minimum, where no rehearsal comes, only once the file `go` is there.'''
    dimension = 1
    def value(self, x):
        while abs(x).min() < 0.01 and not pathlib.Path("go").exists():
            time.sleep(0.01)
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"blocked": Blocked}
"""
ON_BLOCKED = """\
name = "blocked"
plugins = ["blocked.py"]
objective = [{ name = "blocked" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.1, 0.11] } }]
start = { points = [1.0, -1.0] }
stop = { max_steps = 40 }
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*RUN, *arguments, *OPTIONS], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rates(first: int, count: int) -> str:
    return json.dumps([round(0.01 * (first + number), 2) for number in range(count)])


@contextmanager
def blocked_sweep(folder: Path, write: Callable[..., Path]) -> Iterator[subprocess.Popen[str]]:
    """Start a process that claims the runs of `blocked.toml` and waits until a file `go` exists."""
    write(BLOCKED, "blocked.py")
    write(ON_BLOCKED, "blocked.toml")
    process = start(folder, "blocked.toml")
    try:
        wait_for(lambda: claimed(folder / "shared.db") == 4)
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def claimed(database: Path) -> int:
    if not database.exists():
        return 0
    with opened(database) as found:
        return int(found.execute("SELECT count(*) FROM claim").fetchone()[0])


# Progress is printed after every batch, instead of every two seconds.
TELLING = "import runner.cli.terminal.progress as p; p.SECONDS_BETWEEN_LINES = 0.0; from runner.cli import main; main()"
RUN_TELLING_EACH_BATCH = [sys.executable, "-c", TELLING, "run", "small.toml", "--no-report"]

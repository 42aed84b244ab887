"""What the tests share: experiment files on disk, and the command line as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SMALL = """\
name = "small"

[[objective]]
name = "quadratic"

[[objective]]
name = "linear_regression"
samples = 20

[[gradient]]
name = "analytic"

[[optimizer]]
name = "gradient_descent"
learning_rate = { values = [0.1, 0.3, 1.1] }

[start]
uniform = { low = -3.0, high = 3.0, count = 2, seed = 0 }

[stop]
max_steps = 50
gradient_norm = 1e-6
"""


@dataclass(frozen=True)
class Done:
    """A finished process."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an experiment file into the test's folder."""

    def write_file(text: str = SMALL, name: str = "small.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def runner_cli(tmp_path: Path) -> Callable[..., Done]:
    """Call `runner` as a user does: a process, in the test's folder."""

    def call(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        command: Sequence[str] = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
        around = {**os.environ, "COLUMNS": "160", **(env or {})}
        around.pop("RUNNER_DB", None) if env is None or "RUNNER_DB" not in env else None
        done = subprocess.run(command, cwd=cwd or tmp_path, env=around, capture_output=True, text=True, check=False, timeout=120)
        return Done(done.returncode, done.stdout, done.stderr)

    return call

"""Plugins that do not keep their contract, as `runner run` meets them: what it says, what it stores, and that no number is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Done
from .test_bad_input import call_main
from .test_store import contents

WEIGHTED = '''\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Weighted(runner.Optimizer):
    """xₖ₊₁ = xₖ − γ w ∇f(xₖ), with weights kept where they do not belong."""
    learning_rate: float = 0.1
    def init(self, x):
        return np.linspace(0.5, 1.0, x.shape[-1])
    def step(self, point, memory):
        return point.x - self.learning_rate * memory * point.gradient, memory

@runner.hookimpl
def runner_optimizers():
    return {"weighted": Weighted}
'''
TWO_RUNS = """\
name = "two"
plugins = ["weighted.py"]
objective = [{ name = "quadratic", dimension = 2, condition_number = 4.0 }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "weighted" }]
start = { points = [[1e-9, 0.0], [1.0, 1.0]] }
stop = { max_steps = 20, gradient_norm = 1e-8 }
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Call `runner` in this process, in the test's folder."""
    return functools.partial(call_main, tmp_path, monkeypatch, capsys)


def test_a_constant_in_memory_changes_no_bit_where_it_is_as_long_as_the_batch(tmp_path, write, call):
    write(WEIGHTED, "weighted.py")
    write(TWO_RUNS, "together.toml")
    write(TWO_RUNS + "execution = { max_batch = 1 }\n", "alone.toml")
    together, alone = (call("run", f"{each}.toml", "--db", f"{each}.db", "--no-report", "-q") for each in ("together", "alone"))
    assert contents(tmp_path / "together.db") == contents(tmp_path / "alone.db")
    assert (together.code, together.out, alone) == (0, "", Done(0, "", ""))
    assert together.err.startswith("warning: Weighted.step keeps an array in its memory that has no row for each run; ")

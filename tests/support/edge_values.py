"""A plugin and an experiment whose parameters and results hold every kind of unusual number."""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
from pathlib import Path

PLUGIN = '''
import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import runner

ENDS = {
    "zero": -0.0, "nan": np.nan, "odd": struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0],
    "inf": np.inf, "below": -np.inf,
}

@dataclass(frozen=True)
class Edge(runner.Objective):
    """f(x) = x² for x > 0, else the number that `end` names."""
    end: Literal["zero", "nan", "odd", "inf", "below"] = "zero"
    shift: float = 1.5
    bound: float = runner.parameter(1.5, finite=False)
    count: int = 0
    flag: bool = False
    off: bool = True
    level: float | None = None
    weights: tuple[float, ...] = runner.parameter((), finite=False)
    sizes: tuple[int, ...] = ()
    word: str = ""
    dimension = 1
    minimum = runner.Minimum(x=np.array([-0.0]), value=-0.0)
    def value(self, x):
        return np.where(x > 0, x * x, ENDS[self.end]).sum(axis=-1, initial=-0.0)
    def gradient(self, x):
        return np.where(x > 0, 2 * x, ENDS[self.end])

@dataclass(frozen=True)
class Pair(runner.Optimizer):
    """x ← main(x)."""
    main: runner.Optimizer
    aside: runner.Optimizer
    def init(self, x):
        return self.main.init(x)
    def step(self, point, memory):
        return self.main.step(point, memory)

@dataclass(frozen=True)
class Still(runner.Optimizer):
    """x ← x."""
    learning_rate: float = runner.parameter(1.0, finite=False)
    def init(self, x):
        return ()
    def step(self, point, memory):
        return point.x, memory

@runner.hookimpl
def runner_objectives():
    return {"edge": Edge}

@runner.hookimpl
def runner_optimizers():
    return {"pair": Pair, "still": Still}
'''
EXPERIMENT = """
name = "edge"
plugins = ["edge.py"]
gradient = [{ name = "analytic" }]
start = { points = [-0.0, 1.0] }

[[objective]]
name = "edge"
end = { values = ["zero", "nan", "odd", "inf", "below"] }
shift = { values = [-0.0, 0.0] }
bound = -inf
count = 9007199254740993
flag = true
off = false
weights = [-0.0, inf, 0.1]
sizes = [3, 9007199254740993]
word = "0x1.8000000000000p+0"

[[optimizer]]
name = "pair"
main = { name = "gradient_descent", learning_rate = 0.5 }
aside = { name = "still", learning_rate = -0.0 }

[stop]
max_steps = 3
gradient_norm = 1e-9
"""

ONE_NAN = ("json", "jsonl", "csv", "exported csv", "exported jsonl")


def command(folder: Path, *arguments: object) -> str:
    """Call `runner` in a new process."""
    environment = {name: value for name, value in os.environ.items() if name != "RUNNER_DB"}
    call = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def exact(value: object, form: str = "python") -> object:
    """Return a form of a value; two forms are equal only if the values have the same type and the same bits."""
    if isinstance(value, float):
        if math.isnan(value) and form in ONE_NAN:
            return "NaN"
        return struct.pack(">d", value).hex()
    if isinstance(value, list | tuple):
        return [exact(each, form) for each in value]
    return type(value).__name__, value

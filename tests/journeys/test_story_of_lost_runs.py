"""If a run hangs in a worker, or ends its process, its earlier steps are kept, and the other runs are computed whole."""

from __future__ import annotations

import pytest

HANGING = '''\
import os
import signal
import time
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Trap(runner.Optimizer):
    """Gradient descent, until a run that began at 4 has taken `at` steps."""
    how: str = "hang"
    at: int = 10
    learning_rate: float = 0.1
    def init(self, x):
        return np.where(x[:, 0] == 4.0, 0.0, -1e9)
    def step(self, point, memory):
        if (memory >= self.at).any():
            if self.how == "hang":
                time.sleep(60)
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "exit":
                os._exit(7)
        return point.x - self.learning_rate * point.gradient, memory + 1

@dataclass(frozen=True)
class Pit(runner.Objective):
    """f(x) = x², whose evaluation ends the process below 1."""
    dimension = 1
    def value(self, x):
        if (x < 1.0).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"pit": Pit}

@runner.hookimpl
def runner_optimizers():
    return {"trap": Trap}
'''
LOST = """\
name = "lost"
plugins = ["traps.py"]
objective = [{{ name = "{objective}" }}]
gradient = [{{ name = "analytic" }}]
optimizer = [{{ {optimizer} }}]
start = {{ points = {points} }}
stop = {{ max_steps = 30{stop} }}
execution = {{ executor = "processes", jobs = 2 }}
"""
WAYS = {
    "killed": ("kill", 10, "", "failed", "its process was killed by SIGKILL"),
    "exits": ("exit", 3, "", "failed", "its process ended with exit code 7"),
    "killed in the first step": ("kill", 0, "", "failed", "its process was killed by SIGKILL"),
    "hangs": ("hang", 10, ", wall_time = 0.2", "timeout", "gave no sign of life for 2.4 s and was stopped"),
}


@pytest.mark.parametrize(("how", "at", "stop", "outcome", "reason"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("points", [[4.0], [1.0, 2.0, 4.0, 3.0, 5.0]], ids=["alone", "in a batch"])
def test_the_steps_before_are_kept(write, call, how: str, at: int, stop: str, outcome: str, reason: str, points: list[float]):
    write(HANGING, "traps.py")
    trap = f'name = "trap", how = "{how}", at = {at}'
    write(LOST.format(objective="quadratic", optimizer=trap, points=points, stop=stop), "lost.toml")
    done = call("run", "lost.toml", "--no-report", "-q")
    assert done.code == (1 if outcome == "failed" else 0)
    columns = "id,outcome,error,steps,final_value,value_evaluations"
    runs = call("runs", "--columns", columns, "--format", "json").json
    (lost,) = [run for run in runs if run["error"]]
    assert (lost["outcome"], lost["error"], lost["steps"], lost["value_evaluations"]) == (outcome, reason, at, at + 1)
    assert all((run["outcome"], run["steps"]) == ("max_steps", 30) for run in runs if not run["error"])
    steps = call("steps", lost["id"], "--format", "json").json
    assert [step["x0"] for step in steps] == pytest.approx([4.0 * 0.8**k for k in range(at + 1)])
    assert lost["final_value"] == steps[-1]["value"]
    assert call("verify").out.endswith("intact\n")


def test_a_run_whose_objective_ends_the_process_keeps_its_steps(write, call):
    write(HANGING, "traps.py")
    text = LOST.format(objective="pit", optimizer='name = "gradient_descent", learning_rate = 0.1', points=[8.0, 4.0], stop="")
    write(text, "lost.toml")
    assert call("run", "lost.toml", "--no-report", "-q").code == 1
    runs = call("runs", "--columns", "steps,final_value,error", "--format", "json").json
    # 8 · 0.8⁹ = 1.07 and 4 · 0.8⁶ = 1.05 are the last iterates above 1.
    assert sorted((run["steps"], round(run["final_value"] ** 0.5, 2)) for run in runs) == [(6, 1.05), (9, 1.07)]
    assert {run["error"] for run in runs} == {"its process was killed by SIGSEGV"}


def test_a_run_that_ends_the_process_at_its_start_has_no_steps(write, call):
    write(HANGING, "traps.py")
    text = LOST.format(objective="pit", optimizer='name = "gradient_descent"', points=[0.5], stop="")
    write(text, "lost.toml")
    assert call("run", "lost.toml", "--no-report", "-q").code == 1
    (run,) = call("runs", "--columns", "steps,final_value,outcome", "--format", "json").json
    assert run == {"steps": 0, "final_value": "NaN", "outcome": "failed"}


def test_an_executor_that_does_not_know_the_step_loses_the_steps_only(write, call):
    write(HANGING, "traps.py")
    executor = '''
@dataclass(frozen=True)
class Losing(runner.Executor):
    """Loses each batch of one run, and each other batch at first."""
    def map(self, function, items, limit):
        for item in items:
            yield runner.Lost(item, "gone", False) if "descend" in repr(function) else function(item)

@runner.hookimpl
def runner_executors():
    return {"losing": Losing}
'''
    write(HANGING + executor, "traps.py")
    text = LOST.format(objective="quadratic", optimizer='name = "gradient_descent"', points=[1.0, 2.0], stop="")
    write(text.replace('"processes", jobs = 2', '"losing"'), "lost.toml")
    assert call("run", "lost.toml", "--no-report", "-q").code == 1
    runs = call("runs", "--columns", "steps,error", "--format", "json").json
    assert runs == [{"steps": 0, "error": "gone"}] * 2

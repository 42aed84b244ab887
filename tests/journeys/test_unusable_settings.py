"""Settings that cannot be used because of a fault in a plugin: they are named, the plan counts them, and the others are computed."""

from __future__ import annotations

import re

import pytest

from runner.pipeline import first_steps
from tests.support.command_line import Done

WELLS = '''\
import sys
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Well(runner.Objective):
    """f(x) = (x − centre)², with a fault at some values of its parameters."""
    centre: float = 0.0
    fault: str = ""
    scale: int = 1
    dimension = 1
    @property
    def start_region(self):
        return {"nan region": (np.nan, 1.0), "reversed": (2.0, 1.0), "words": ("a", "b")}.get(self.fault, (1.0, 2.0))
    def __post_init__(self):
        if self.fault == "constructor":
            raise KeyError("centre")
        if self.fault == "linear algebra":
            np.linalg.inv(np.zeros((1, 1)))
        if self.fault == "exit":
            sys.exit(4)
    @property
    def minimum(self):
        if self.fault == "minimum exits":
            sys.exit(4)
        if self.fault == "long minimum":
            return runner.Minimum(np.zeros(2), 0.0)
        return runner.Minimum(np.full(1, 1.0) * self.centre, np.nan if self.fault == "nan" else 0.0)
    def draw_starts(self, generator, count):
        if self.fault == "draw":
            raise ValueError("no such law")
        if self.fault == "draw nan":
            return np.full((count, 1), np.nan)
        return generator.normal(size=(count, 1))
    def value(self, x):
        return ((x - self.centre) ** 2).sum(axis=-1)
    def gradient(self, x):
        return 2 * (x - self.centre)
    def hessian(self, x):
        if self.fault == "hessian":
            raise ValueError("no curvature")
        return np.full((len(x), 1, 1), 2.0)

@dataclass(frozen=True)
class Choosy(runner.GradientBackend):
    """∇f, which it cannot compute for every objective."""
    fault: str = ""
    def refusal(self, objective, quantity):
        if self.fault == "refusal" and objective.scale == 3:
            raise RuntimeError("who knows")
        if self.fault == "list" and objective.scale == 3:
            return ["because", "so"]
        if self.fault == "exit" and objective.scale == 3:
            sys.exit(4)
    def gradient(self, objective, x):
        if self.fault == "step" and objective.scale % 7 == 0:
            raise RuntimeError("cannot differentiate this")
        return objective.gradient(x)

@dataclass(frozen=True)
class Outer(runner.Optimizer):
    """Another optimizer's step."""
    inner: runner.Optimizer
    def init(self, x):
        return self.inner.init(x)
    def step(self, point, memory):
        return self.inner.step(point, memory)

@dataclass(frozen=True)
class Inner(runner.Optimizer):
    """Gradient descent, which cannot be made with every learning rate."""
    learning_rate: float = 0.1
    def __post_init__(self):
        if self.learning_rate == 0.3:
            raise RuntimeError("unlucky number")
    def step(self, point, memory):
        return point.x - self.learning_rate * point.gradient, memory

@runner.hookimpl
def runner_objectives():
    return {"well": Well}

@runner.hookimpl
def runner_gradients():
    return {"choosy": Choosy}

@runner.hookimpl
def runner_optimizers():
    return {"outer": Outer, "inner": Inner}
'''
GRID = """\
name = "grid"
plugins = ["wells.py"]
objective = [{{ name = "well", {objective} }}]
gradient = [{{ name = "choosy", {gradient} }}]
optimizer = [{{ {optimizer} }}]
start = {{ {start} }}
stop = {{ max_steps = 5 }}
"""
POINTS = "points = [1.0, 2.0]"


def grid(objective: str = "", gradient: str = "", optimizer: str = 'name = "gradient_descent"', start: str = POINTS) -> str:
    return GRID.format(objective=objective, gradient=gradient, optimizer=optimizer, start=start).replace(",  }", " }")


def faults(*others: str) -> str:
    return f"fault = {{ values = ['', 'none', {', '.join(map(repr, others))}] }}"


UNUSABLE = "minimum cannot be used"
SKIPPED = {
    "nan minimum": (
        faults("nan"),
        "well(fault=nan)",
        "because its minimum cannot be used: its value must be a finite number, not nan; leave minimum out where it is unknown",
    ),
    "minimum exits": (faults("minimum exits"), "well(fault=minimum exits)", "because its minimum cannot be used: SystemExit: 4"),
    "minimum of another dimension": (
        faults("long minimum"),
        "well(fault=long minimum)",
        "because its minimum cannot be used: it has 2 coordinates, and the objective has dimension 1",
    ),
    "constructor": (faults("constructor"), "well(fault=constructor)", "because well cannot be created: KeyError: 'centre'"),
    "constructor with a ValueError": (
        faults("linear algebra"),
        "well(fault=linear algebra)",
        "because LinAlgError: Singular matrix",
    ),
    "constructor exits": (faults("exit"), "well(fault=exit)", "because well cannot be created: SystemExit: 4"),
}


@pytest.mark.parametrize(("objective", "named", "reason"), SKIPPED.values(), ids=SKIPPED)
def test_the_setting_is_skipped_and_the_others_are_computed(write, call, objective: str, named: str, reason: str):
    write(WELLS, "wells.py")
    write(grid(objective), "grid.toml")
    line = f"2: {named} × choosy × gradient_descent: {reason}"
    planned = call("run", "grid.toml", "--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert planned.out.splitlines()[2:] == ["  to compute  4", f"  skipped     {line}"]
    done = call("run", "grid.toml", "--no-report")
    assert (done.code, "warning" in done.err) == (0, False)
    assert f"skipped {line}" in done.out.splitlines()
    assert [run["outcome"] for run in call("runs", "--format", "json").json] == ["max_steps"] * 4


DRAWS = {"draw": "draw_starts raised ValueError: no such law", "draw nan": "drew a start with the coordinate nan"}


@pytest.mark.parametrize(("fault", "said"), DRAWS.items(), ids=DRAWS)
def test_an_objective_that_cannot_draw_its_starts_is_skipped(write, call, fault: str, said: str):
    write(WELLS, "wells.py")
    write(grid(faults(fault), start="initialisation = { count = 2 }"), "grid.toml")
    done = call("run", "grid.toml", "--no-report")
    assert (done.code, "warning" in done.err) == (0, False)
    (skipped,) = [line for line in done.out.splitlines() if line.startswith("skipped")]
    assert skipped.startswith(f"skipped 2: well(fault={fault}) × choosy × gradient_descent: because objective well ")
    assert skipped.endswith(said)
    write(grid(f'fault = "{fault}"', start="initialisation = { count = 2 }"), "alone.toml")
    alone = call("run", "alone.toml")
    assert (alone.code, alone.out) == (2, "")
    assert alone.err.startswith("error: alone.toml: start.initialisation: objective well ")
    assert "do not fit into memory" not in alone.err


REGIONS = {"nan region": "an end must be a finite number", "reversed": "the lowest start lies above", "words": "an end must be"}


@pytest.mark.parametrize(("fault", "said"), REGIONS.items(), ids=REGIONS)
def test_an_objective_whose_start_region_is_none_is_skipped(write, call, fault: str, said: str):
    write(WELLS, "wells.py")
    write(grid(faults(fault), start="uniform = { count = 2 }"), "grid.toml")
    done = call("run", "grid.toml", "--no-report")
    (skipped,) = [line for line in done.out.splitlines() if line.startswith("skipped")]
    assert skipped.startswith(
        f"skipped 2: well(fault={fault}) × choosy × gradient_descent: because the objective's start_region ("
    )
    assert said in skipped
    write(grid(faults(fault), start="uniform = { low = 1.0, high = 2.0 }"), "own.toml")
    assert "skipped" not in call("run", "own.toml", "--no-report").out


REFUSALS = {
    "refusal": "its method refusal raised RuntimeError: who knows",
    "list": "its method refusal must return None or a reason in words, not ['because', 'so']",
    "exit": "its method refusal raised SystemExit: 4",
}


@pytest.mark.parametrize(("fault", "said"), REFUSALS.items(), ids=REFUSALS)
def test_a_refusal_that_fails_skips_one_pair(write, call, fault: str, said: str):
    write(WELLS, "wells.py")
    write(grid("scale = { values = [1, 3, 5] }", f'fault = "{fault}"'), "grid.toml")
    planned = call("run", "grid.toml", "--dry-run", "--format", "json").json
    assert (planned["to_compute"], [each["runs"] for each in planned["skipped"]]) == (4, [2])
    assert (
        planned["skipped"][0]["reason"] == f"because gradient backend choosy cannot say whether it serves objective well: {said}"
    )
    assert call("run", "grid.toml", "--no-report", "-q") == Done(0, "", "")


def test_a_wrapped_plugin_that_cannot_be_created_is_skipped_with_its_wrapper(write, call):
    write(WELLS, "wells.py")
    inner = 'name = "outer", inner = { name = "inner", learning_rate = { values = [0.1, 0.2, 0.3] } }'
    write(
        grid(optimizer=inner) + '[[exclude]]\noptimizer = { name = "outer" }\nobjective = "well"\ngradient = "choosy"\n',
        "all.toml",
    )
    assert "excluded by the experiment" in call("run", "all.toml").err
    write(grid(optimizer=inner), "grid.toml")
    done = call("run", "grid.toml", "--no-report")
    assert (done.code, "warning" in done.err) == (0, False)
    assert (
        "skipped 2: well × choosy × outer(learning_rate=0.3): because inner cannot be created: RuntimeError: unlucky number"
        in done.out
    )
    assert len(call("runs", "--format", "json").json) == 4


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_a_backend_that_cannot_step_on_some_objectives_fails_those_alone(write, call, executor: str):
    write(WELLS, "wells.py")
    write(grid(f"scale = {{ values = {[*range(1, 22)]} }}", 'fault = "step"'), "grid.toml")
    told = (
        "well(scale=7), well(scale=14), well(scale=21) × choosy × gradient_descent: none of 6 runs can take a step: "
        "RuntimeError: cannot differentiate this"
    )
    planned = call("run", "grid.toml", "--dry-run", "--executor", executor)
    assert planned.out.splitlines()[2:] == ["  to compute  42", f"  cannot step 6 of these: {told}"]
    done = call("run", "grid.toml", "--no-report", "-q", "--executor", executor)
    assert done == Done(1, "", f"warning: {told}\n")
    runs = call("runs", "--columns", "scale,outcome,error", "--format", "json").json
    assert len(runs) == 42
    assert {run["scale"] for run in runs if run["outcome"] == "failed"} == {7, 14, 21}
    assert {run["error"] for run in runs if run["outcome"] == "failed"} == {"RuntimeError: cannot differentiate this"}


def test_a_curvature_that_cannot_be_computed_stops_nothing(write, call):
    write(WELLS, "wells.py")
    text = grid('fault = { values = ["hessian", ""] }').replace('"choosy"', '"analytic"')
    write(text, "grid.toml")
    told = "warning: objective well: the curvature at its minimum is not known: ValueError: no curvature\n"
    assert call("run", "grid.toml", "-q") == Done(0, "", told)


def test_runs_that_all_fail_at_their_first_step_are_stored_and_reported(tmp_path, write, call):
    write(WELLS, "wells.py")
    write(grid("scale = 7", 'fault = "step"'), "grid.toml")
    planned = call("run", "grid.toml", "--dry-run", "--format", "json").json
    assert len(planned["warnings"]) == 1
    done = call("run", "grid.toml")
    assert done.code == 1
    told = "warning: well × choosy × gradient_descent: none of 2 runs can take a step: RuntimeError: cannot differentiate this"
    assert [line for line in done.err.splitlines() if line.startswith("warning")] == [told]
    assert "2 runs: 2 failed" in done.out
    page = (tmp_path / "results/grid/index.html").read_text(encoding="utf-8")
    assert "RuntimeError: cannot differentiate this" in page
    again = call("run", "grid.toml", "--no-report")
    assert (again.code, "warning" in again.err) == (1, False)
    assert "0 runs computed, 2 already stored" in again.out
    write(WELLS.replace("% 7 == 0", "% 7 == 8"), "wells.py")
    assert call("run", "grid.toml", "--no-report", "-q").code == 0
    assert [run["outcome"] for run in call("runs", "--format", "json").json] == ["max_steps"] * 2


def test_faults_of_a_few_among_many_settings_are_all_counted(write, call):
    write(WELLS, "wells.py")
    write(grid(f"scale = {{ values = {[*range(1, 221)]} }}", 'fault = "step"'), "grid.toml")
    planned = call("run", "grid.toml", "--dry-run")
    # Every seventh of 220 settings, each with two starts.
    told = (
        "  cannot step 62 of these: well(scale=7), well(scale=14), well(scale=21), well(scale=28), well(scale=35), and 26 more ×"
    )
    assert planned.out.splitlines()[3].startswith(told)
    assert "not tried" not in planned.out


def test_settings_that_are_not_tried_are_counted(write, call, monkeypatch):
    monkeypatch.setattr(first_steps, "MOST_SETTINGS_TRIED", 10)
    monkeypatch.setattr(first_steps, "MOST_SETTINGS_OF_A_FAULTY_PLUGIN", 30)
    write(WELLS, "wells.py")
    write(grid(f"scale = {{ values = {[*range(1, 101)]} }}", 'fault = "step"'), "grid.toml")
    *_, stuck, untried = call("run", "grid.toml", "--dry-run").out.splitlines()
    assert re.match(r"  cannot step (8|10) of these: well\(scale=7\), well\(scale=14\)", stuck)
    assert re.fullmatch(r"  not tried   1\d\d of these, with further settings of these plugins", untried)


def test_a_message_says_how_many_runs_were_tried(write, call):
    write(WELLS, "wells.py")
    write(grid("scale = 7", 'fault = "step"', start="uniform = { low = 1.0, high = 2.0, count = 50 }"), "grid.toml")
    planned = call("run", "grid.toml", "--dry-run")
    assert (
        "cannot step 50 of these: well × choosy × gradient_descent: none of the 17 runs that were tried (of 50) can"
        in planned.out
    )


def test_a_mistake_of_the_user_is_refused_before_anything_is_computed(tmp_path, write, call):
    write(WELLS, "wells.py")
    write(grid(faults("nan"), optimizer='name = "gradient_descent", learning_rate = "much"'), "grid.toml")
    done = call("run", "grid.toml")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: grid.toml: optimizer[0].learning_rate: must be a number > 0, not 'much'\n"
    assert not (tmp_path / "results").exists()

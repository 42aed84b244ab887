"""Plugins that are not reproducible: they are named, and neither the batch nor the database is blamed."""

from __future__ import annotations

import re

import pytest

RANDOM = '''\
import itertools
import time
from dataclasses import dataclass
import numpy as np
import runner

RNG = np.random.default_rng()
CALLS = itertools.count()
KEPT = {}

@dataclass(frozen=True)
class Bowl(runner.Objective):
    """f(x) = x², with noise of some kind."""
    noise: str = "none"
    level: float = 1e-3
    dimension = 1
    def value(self, x):
        value = (x * x).sum(axis=-1)
        if self.noise == "global":
            return value + self.level * RNG.normal()
        if self.noise == "legacy":
            return value + self.level * np.random.random()
        if self.noise == "calls":
            return value + self.level * (next(CALLS) // 7)
        if self.noise == "clock":
            return value + self.level * time.perf_counter()
        if self.noise == "seeded":
            return value + self.level * np.random.default_rng(1).normal()
        if self.noise == "far" and (x < 0.5).any():
            return value + self.level * RNG.normal()
        return value
    def gradient(self, x):
        return 2 * x

@dataclass(frozen=True)
class Noisy(runner.GradientBackend):
    """∇f with noise."""
    def gradient(self, objective, x):
        return objective.gradient(x) + RNG.normal()

@dataclass(frozen=True)
class Walk(runner.Optimizer):
    """Gradient descent, with a fault from the step `late` on."""
    fault: str = "kick"
    late: int = 0
    def init(self, x):
        return np.zeros(len(x))
    def step(self, point, memory):
        x = point.x - 0.1 * point.gradient
        if (memory < self.late).any():
            return x, memory + 1
        if self.fault == "kick":
            return x + 1e-6 * RNG.normal(), memory + 1
        if self.fault == "module":
            x = x + 0.01 * KEPT.get("x", 0.0)
            KEPT["x"] = float(x.sum())
            return x, memory + 1
        if self.fault == "memory":
            return x, memory + RNG.normal()
        if self.fault == "raises" and next(CALLS) == 15:
            raise RuntimeError("only once")
        return x, memory + 1

@runner.hookimpl
def runner_objectives():
    return {"bowl": Bowl}

@runner.hookimpl
def runner_gradients():
    return {"noisy": Noisy}

@runner.hookimpl
def runner_optimizers():
    return {"walk": Walk}
'''
SWEEP = """\
name = "sweep"
plugins = ["random_plugins.py"]
objective = [{{ name = "bowl", noise = "{noise}" }}]
gradient = [{{ name = "{gradient}" }}]
optimizer = [{{ {optimizer} }}]
start = {{ points = {points} }}
stop = {{ max_steps = 30 }}
"""
DESCENT = 'name = "gradient_descent"'
TOGETHER, ALONE = [1.0, 2.0, 3.0], [1.0]
ADVICE = ". Draw random numbers from a generator that a parameter seeds, keep all state in the memory, and do not use the time"


def sweep(noise: str = "none", gradient: str = "analytic", optimizer: str = DESCENT, points: list[float] = TOGETHER) -> str:
    return SWEEP.format(noise=noise, gradient=gradient, optimizer=optimizer, points=points)


def walk(fault: str, late: int = 0) -> str:
    return f'name = "walk", fault = "{fault}", late = {late}'


UNREPEATABLE = {
    "a global generator": (sweep("global"), "Bowl.value", 0),
    "a global generator, one run": (sweep("global", points=ALONE), "Bowl.value", 0),
    "NumPy's legacy generator": (sweep("legacy"), "Bowl.value", 0),
    "calls counted in a module, one run": (sweep("calls", points=ALONE), r"Bowl.value", r"\d+"),
    "the clock": (sweep("clock"), "Bowl.value", 0),
    "noise far from the start": (sweep("far", points=ALONE), "Bowl.value", r"\d"),
    "a backend": (sweep(gradient="noisy"), "Noisy.gradient", 0),
    "an optimizer": (sweep(optimizer=walk("kick")), "Walk.step", 1),
    "an optimizer from the sixth step on": (sweep(optimizer=walk("kick", 5)), "Walk.step", 6),
    "an optimizer from the sixth step on, one run": (sweep(optimizer=walk("kick", 5), points=ALONE), "Walk.step", 6),
    "state in a module": (sweep(optimizer=walk("module")), "Walk.step", 1),
}


@pytest.mark.parametrize(("text", "named", "step"), UNREPEATABLE.values(), ids=UNREPEATABLE)
def test_the_plugin_is_named_and_the_batch_is_not_blamed(write, call, text: str, named: str, step: int | str):
    write(RANDOM, "random_plugins.py")
    write(text, "sweep.toml")
    said = rf"bowl × \w+ × \w+: {named} is not reproducible: the first 10 steps of a run, computed twice, differ at step {step}"
    planned = call("run", "sweep.toml", "--dry-run", "--format", "json").json
    (warning,) = planned["warnings"]
    assert re.fullmatch(said + re.escape(ADVICE), warning)
    done = call("run", "sweep.toml", "--no-report", "-q")
    assert (done.code, done.out) == (0, "")
    assert done.err.count("is not reproducible") == 1, "reported once, although computing the batch finds the fault again"
    assert "batch-safe" not in done.err
    replayed = call("verify", "--replay", "9", "--plugin", "random_plugins.py")
    assert replayed.code == 3
    runs = "3 runs" if "3.0" in text else "1 run"
    *_, first, last = [line for line in replayed.out.splitlines() if "replayed" in line or ".db" in line]
    assert first.endswith(f"{runs} whose computations here differ from each other")
    assert last.endswith(f": intact, but {runs} cannot be reproduced; see above")
    assert "damaged" not in replayed.out
    assert call("verify").code == 0


def test_an_exception_that_does_not_repeat_is_named(write, call):
    write(RANDOM, "random_plugins.py")
    write(sweep(optimizer=walk("raises"), points=ALONE), "sweep.toml")
    planned = call("run", "sweep.toml", "--dry-run")
    assert (
        "Bowl × Analytic × Walk is not reproducible: of two computations, only one raised RuntimeError: only once" in planned.out
    )


def test_random_memory_that_changes_no_iterate_is_not_called_unsafe_in_batches(write, call):
    write(RANDOM, "random_plugins.py")
    write(sweep(optimizer=walk("memory")), "sweep.toml")
    done = call("run", "sweep.toml", "--no-report", "-q")
    told = "warning: Walk.step is not reproducible: the first 2 steps of a run, computed twice, differ at step 1; so its batches "
    assert done.err == f"{told}were computed one run at a time{ADVICE}\n"
    assert call("verify", "--replay", "9", "--plugin", "random_plugins.py").code == 0


@pytest.mark.parametrize("points", [ALONE, TOGETHER])
def test_plugins_that_repeat_themselves_are_not_named(write, call, points: list[float]):
    write(RANDOM, "random_plugins.py")
    write(sweep("seeded", optimizer=walk("none"), points=points), "sweep.toml")
    done = call("run", "sweep.toml", "--no-report", "-q")
    assert (done.code, done.err) == (0, "")
    replayed = call("verify", "--replay", "9", "--plugin", "random_plugins.py")
    assert (replayed.code, replayed.out.splitlines()[-1]) == (0, "results/runner.db: intact")


def test_the_setting_is_named(write, call):
    write(RANDOM, "random_plugins.py")
    text = sweep(optimizer='name = "walk", fault = { values = ["none", "kick"] }')
    write(text.replace('noise = "none"', 'noise = { values = ["none", "seeded", "global"] }'), "sweep.toml")
    first, second = call("run", "sweep.toml", "--dry-run", "--format", "json").json["warnings"]
    assert first.startswith("bowl(noise=none), bowl(noise=seeded) × analytic × walk(fault=kick): Walk.step is not reproducible: ")
    assert second.startswith(
        "bowl(noise=global) × analytic × walk(fault=none), walk(fault=kick): Bowl.value is not reproducible: "
    )


def test_noise_after_the_compared_steps_is_found_by_a_replay(write, call):
    write(RANDOM, "random_plugins.py")
    write(sweep(optimizer=walk("kick", 20)), "sweep.toml")
    assert call("run", "sweep.toml", "--no-report", "-q").err == ""
    replayed = call("verify", "--replay", "1", "--seed", "0", "--plugin", "random_plugins.py")
    assert replayed.code == 3
    (run,) = [line for line in replayed.out.splitlines() if line.startswith("  run")]
    assert re.fullmatch(
        r"  run \d: has different bits from step 21 on; two computations of it here differ from step 21 on too: Walk.step is "
        r"not reproducible: the first 30 steps of a run, computed twice, differ at step 21",
        run,
    )


def test_a_slower_machine_is_not_damage(write, call):
    slow = (
        "if self.noise == 'slow' and __import__('os').environ.get('SLOW'):\n            time.sleep(0.05)\n        return value\n"
    )
    write(RANDOM.replace("return value\n    def gradient(self, x):\n        return 2 * x", slow + "    def gradient(self, x):\n        return 2 * x"),
          "random_plugins.py")  # fmt: skip
    write(sweep("slow", points=ALONE).replace("max_steps = 30", "max_steps = 30, wall_time = 0.3"), "sweep.toml")
    assert call("run", "sweep.toml", "--no-report", "-q").code == 0
    replayed = call("verify", "--replay", "1", "--plugin", "random_plugins.py", SLOW="1")
    assert replayed.code == 0
    assert "1 run that cannot be computed here" in replayed.out
    assert "the rule wall_time = 0.3 ends it at step" in replayed.out

"""A sweep of 1,000 small networks in batches, compared with loops over the same networks one at a time, on one core.

The rows are:

- runner as it is;
- runner with `--executor processes`, the only row that may use all cores;
- runner with `max_batch = 1`;
- a simple loop in NumPy, which keeps f and ‖∇f‖ of each step in a list and stores nothing.

The two loops are slow, so they take only some of the networks (`--of`). All times are milliseconds for one network. The rows take
turns in each repeat, and the ratios are medians over the repeats.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from standard_job import Silent

from runner.contracts.arrays import Array
from runner.engine.batch import batches
from runner.engine.loop import descend
from runner.engine.trajectories import Trajectory
from runner.experiment.grid import expand
from runner.experiment.model import Experiment, Run
from runner.experiment.reader import read_experiment
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan
from runner.registry.registry import Registry
from runner.registry.setting import choose_executor
from runner.store.writing.recording import Store
from runner_plugins.objectives.neural_network import NeuralNetwork

EXPERIMENT = Path(__file__).with_suffix(".toml")
TARGET = 5.0
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
ROWS = ("batched", "batched, all cores", "one at a time", "hand-written")
FAST = ROWS[:2]
COMPARED = 20


def whole(experiment: Experiment) -> float:
    """Run an experiment into a new file, with everything that runner does; return the seconds."""
    with tempfile.TemporaryDirectory(prefix="runner-benchmark-") as folder:
        store, choices = Store(str(Path(folder, "results.db"))), Choices()
        begun = time.perf_counter()
        execute(make_plan(experiment, store, choices), store, Registry(), choices, Silent())
        store.close()
        return time.perf_counter() - begun


def on_all_cores(experiment: Experiment) -> float:
    """Run an experiment with one worker process for each core; return the seconds, including the start of the workers."""
    spread = choose_executor(experiment.executor, Registry(), "processes", len(CORES))
    with affinity(CORES):
        return whole(replace(experiment, executor=spread))


@contextlib.contextmanager
def affinity(cores: set[int]) -> Iterator[None]:
    """Let this process and those that it starts in the body use only these cores, if the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def every(experiment: Experiment, step: int) -> Experiment:
    """Return the experiment with only every `step`-th of its learning rates."""
    return replace(experiment, optimizers=experiment.optimizers[::step])


def rows_of(experiment: Experiment, step: int) -> dict[str, Callable[[], float]]:
    """Return for each row a function that measures the milliseconds for one network."""
    some = every(experiment, step)
    runs = expand(some).runs
    return {
        "batched": lambda: 1e3 * whole(experiment) / len(expand(experiment).runs),
        "batched, all cores": lambda: 1e3 * on_all_cores(experiment) / len(expand(experiment).runs),
        "one at a time": lambda: 1e3 * whole(replace(some, max_batch=1)) / len(runs),
        "hand-written": lambda: (
            1e3 * timed(lambda: [hand_written(run, experiment.rules.stop.max_steps) for run in runs]) / len(runs)
        ),
    }


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def hand_written(run: Run, steps: int) -> list[tuple[float, float]]:
    """Train one network with a simple hand-written loop; return f and ‖∇f‖ at each iterate."""
    network, rate = cast(NeuralNetwork, run.objective.plugin), cast(float, run.optimizer.parameters["learning_rate"])
    features, y = network.examples.features.T.copy(), network.examples.targets.T.copy()
    weights1, bias1, weights2, bias2, weights3, bias3 = parameters = unpacked(network, run.start.x)
    told = []
    for _ in range(steps + 1):
        hidden1 = np.tanh(features @ weights1 + bias1)
        hidden2 = np.tanh(hidden1 @ weights2 + bias2)
        error = hidden2 @ weights3 + bias3 - y
        f = float((error * error).mean())
        delta3 = 2.0 * error / len(y)
        delta2 = (delta3 @ weights3.T) * (1.0 - hidden2 * hidden2)
        delta1 = (delta2 @ weights2.T) * (1.0 - hidden1 * hidden1)
        pairs = ((features, delta1), (hidden1, delta2), (hidden2, delta3))
        gradients = [part for below, delta in pairs for part in (below.T @ delta, delta.sum(axis=0))]
        told.append((f, float(np.sqrt(sum((part * part).sum() for part in gradients)))))
        for array, gradient in zip(parameters, gradients, strict=True):
            np.subtract(array, rate * gradient, out=array)
    return told


def unpacked(network: NeuralNetwork, x: Array) -> list[Array]:
    """Return the matrices and biases of a network, for samples in rows: x @ matrix + bias."""
    parts = []
    for layer in network.layers.layers:
        parts += [x[layer.weights].reshape(layer.units, layer.inputs).T.copy(), x[layer.biases].copy()]
    return parts


def differences(experiment: Experiment) -> dict[str, int]:
    """Count the networks whose bits differ in a batch and alone, and those that differ from the loop by over 1e-9."""
    some = every(experiment, max(1, len(experiment.optimizers) * 5 // COMPARED))
    runs = expand(some).runs
    together = [each for batch, _ in batches(runs, some.rules, len(runs)) for each in descend(batch).trajectories]
    alone = [each for batch, _ in batches(runs, some.rules, 1) for each in descend(batch).trajectories]
    by_hand = [hand_written(run, some.rules.stop.max_steps)[-1][0] for run in runs]
    return {
        "networks compared": len(runs),
        "batched, in any bit of any step": sum(
            content(one) != content(other) for one, other in zip(together, alone, strict=True)
        ),
        "hand-written, in the last f": sum(
            abs(one.final_value - f) > 1e-9 * abs(f) for one, f in zip(together, by_hand, strict=True)
        ),
    }


def content(trajectory: Trajectory) -> list[bytes]:
    """Return the stored bytes of a run."""
    return [bytes(chunk.data) for chunk in trajectory.chunks]


def summary(measured: dict[str, list[float]]) -> dict[str, Any]:
    """Return the medians of the rows, and the medians of the ratios within each repeat."""
    pairs = {f"{slow} / {fast}": zip(measured[slow], measured[fast], strict=True) for fast in FAST for slow in ROWS[len(FAST) :]}
    return {
        "milliseconds": {
            name: {"median": statistics.median(each), "least": min(each), "most": max(each)} for name, each in measured.items()
        },
        "ratios": {name: statistics.median(slow / fast for slow, fast in each) for name, each in pairs.items()},
        "target": f">= {TARGET:g}",
    }


def main() -> int:
    """Measure and report; with `--check`, return 1 if the target is missed or the numbers differ, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--of", type=int, default=20, help="the loops take only every N-th learning rate (default 20)", metavar="N"
    )
    parser.add_argument("--set", action="append", default=[], help="change the experiment, as with runner run --set")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the target is missed or the numbers differ")
    options = parser.parse_args()
    experiment = read_experiment(EXPERIMENT, Registry(), options.set)
    rows = rows_of(experiment, options.of)
    measured: dict[str, list[float]] = {name: [] for name in ROWS}
    with affinity({max(CORES)}):
        for _ in range(options.repeats):
            for name in ROWS:
                measured[name].append(rows[name]())
        found = {**summary(measured), "differing": differences(experiment)}
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    missed = any(ratio < TARGET for ratio in found["ratios"].values())
    wrong = any(count for name, count in found["differing"].items() if name != "networks compared")
    return 1 if options.check and (missed or wrong) else 0


def show(found: dict[str, Any]) -> None:
    """Print the summary as a table."""
    for name, spread in found["milliseconds"].items():
        print(f"{name:24}{spread['median']:8.2f} ms a network ({spread['least']:.2f}–{spread['most']:.2f})")
    for name, ratio in found["ratios"].items():
        print(f"{name:40}{ratio:8.2f}   target {found['target']}{'' if ratio >= TARGET else '   MISSED'}")
    for name, count in found["differing"].items():
        print(f"{name if name == 'networks compared' else 'differ: ' + name:48}{count:4}")


if __name__ == "__main__":
    sys.exit(main())

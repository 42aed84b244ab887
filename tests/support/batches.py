"""Batches of runs, and the results of the loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.engine.batch import Batch
from runner.engine.trajectories import Trajectory
from runner.experiment.model import Rules, StoppingRules
from runner_plugins.gradients.analytic import Analytic


def make_batch(
    objective: Objective,
    optimizer: Optimizer,
    start: Any,
    gradient: GradientBackend | None = None,
    record_x: bool = True,
    **stop: Any,
) -> Batch:
    x = np.array(start, dtype=np.float64)
    identities = tuple(f"run{number}" for number in range(len(x)))
    return Batch(identities, objective, gradient or Analytic(), optimizer, x, Rules(StoppingRules(**stop), record_x))


def series(trajectory: Trajectory) -> np.ndarray:
    """Return all series of a run, `(series, iterates)`."""
    pieces = [np.frombuffer(chunk.data, ">f8").reshape(-1, chunk.count) for chunk in trajectory.chunks]
    return np.concatenate(pieces, axis=1).astype(np.float64)


def column(values: Any) -> Any:
    return np.array(values, dtype=np.float64)[:, None]


def result(trajectory: Trajectory) -> tuple[Any, ...]:
    """Return everything of a run except its timing, with its iterates as bytes."""
    timeless = replace(trajectory, seconds=0.0, chunks=(), best_value=0.0, final_value=0.0, final_gradient_norm=0.0)
    numbers = np.array([trajectory.best_value, trajectory.final_value, trajectory.final_gradient_norm])
    return timeless, numbers.tobytes(), series(trajectory).tobytes()

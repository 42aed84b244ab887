"""What runs leave: their iterates, in chunks, and how they ended."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from runner.contracts.outcomes import Behaviour, Outcome
from runner.experiment.model import Rules

CHUNK_STEPS = 1020
"""No power of two: the runs' chunks lie one after another while they fill, and would share the same few cache lines."""
CHUNK_BYTES = 2**18


@dataclass(frozen=True)
class Evaluations:
    """How often the objective was computed for one run, whoever asked.

    Attributes:
        value: times f.
        gradient: times ∇f.
        hessian: times ∇²f.
    """

    value: int
    gradient: int
    hessian: int


def chunk_steps(dimension: int, rules: Rules) -> int:
    """How many iterates of a run go into one chunk."""
    return max(1, min(rules.stop.max_steps + 1, CHUNK_STEPS, CHUNK_BYTES // (8 * rules.series(dimension))))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive iterates of one run.

    Attributes:
        first_step: the number of its first iterate.
        count: how many iterates.
        data: big-endian float64, series after series, each `count` long: f, ‖∇f‖, then each coordinate of x and each
            component of ∇f, where recorded.
    """

    first_step: int
    count: int
    data: bytes | memoryview

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        data: Any = pickle.PickleBuffer(memoryview(self.data).toreadonly()) if protocol >= 5 else bytes(self.data)
        return Chunk, (self.first_step, self.count, data)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What became of one run.

    Attributes:
        identity: the run's.
        outcome: how it ended.
        error: why it failed, else the empty string.
        steps: how many steps it took.
        evaluations: how often f, ∇f, ∇²f were computed.
        final_value: f at the last iterate, NaN if there is none.
        final_gradient_norm: ‖∇f‖ there.
        best_value: the smallest f seen, NaN if there is none.
        best_step: the iterate where it was first seen.
        seconds: the run's share of its batch's time.
        chunks: its iterates, in order.
        behaviour: how it moved; None if it took no step, or nothing can be told.
    """

    identity: str
    outcome: Outcome
    error: str
    steps: int
    evaluations: Evaluations
    final_value: float
    final_gradient_norm: float
    best_value: float
    best_step: int
    seconds: float
    chunks: tuple[Chunk, ...]
    behaviour: Behaviour | None = None


@dataclass(frozen=True)
class Descent:
    """What came of a batch.

    Attributes:
        trajectories: one for each run, in the order of the batch.
        warnings: what the user should know, in sentences.
    """

    trajectories: tuple[Trajectory, ...]
    warnings: tuple[str, ...] = ()

    @property
    def identities(self) -> tuple[str, ...]:
        """Of the runs."""
        return tuple(trajectory.identity for trajectory in self.trajectories)

"""The results of a computation: the iterates of the runs, in chunks, and their outcomes and costs."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from runner.contracts.outcomes import Behaviour, Outcome
from runner.contracts.reached import CurvatureSign

CHUNK_STEPS = 1020
"""The largest number of iterates in a chunk. A power of two would map the chunks of all runs to the same few cache lines."""
CHUNK_BYTES = 2**18
"""The largest size of a chunk, unless one iterate is larger."""


@dataclass(frozen=True)
class Evaluations:
    """The number of evaluations for one run, by the engine, the optimizer and the gradient backend together.

    Attributes:
        value: the number of evaluations of f.
        gradient: the number of evaluations of ∇f.
        hessian: the number of evaluations of ∇²f.
    """

    value: int
    gradient: int
    hessian: int


def chunk_steps(width: int, max_steps: int) -> int:
    """Return the number of iterates in a full chunk of a run.

    Args:
        width: the number of values that are recorded at each iterate.
        max_steps: the largest number of steps that the run may take.
    """
    return max(1, min(max_steps + 1, CHUNK_STEPS, CHUNK_BYTES // (8 * width)))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive iterates of one run.

    Attributes:
        first_step: the number of its first iterate.
        count: the number of iterates.
        data: big-endian float64, one series after another, each with `count` values: f, ‖∇f‖, then each coordinate of x and
            each component of ∇f, if they are recorded.
    """

    first_step: int
    count: int
    data: bytes | memoryview

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        data: Any = pickle.PickleBuffer(memoryview(self.data).toreadonly()) if protocol >= 5 else bytes(self.data)
        return Chunk, (self.first_step, self.count, data)


@dataclass(frozen=True, slots=True)
class RestingPlace:
    """The facts about the last iterate of a run, which determine the place that the run reached.

    Attributes:
        at_rest: True if ‖∇f‖ is at most the rule `gradient_norm`, or at most 1e-8 of ‖∇f‖ at the start.
        convex_gap_bound: ‖∇f‖ · ‖x − x*‖ plus the rounding error of f. A convex f with this gradient lies at most this far
            above f*. None if x* is unknown, or if the bound is infinite.
        value_error: the rounding error of f; None if f* is unknown, or if the error is not finite.
        curvature_sign: the signs of the eigenvalues of ∇²f; None if they were not measured.
        curvature: the smallest and the largest eigenvalue; None if they were not measured.
        curvature_error: the error of the eigenvalues; None if it was not measured.
    """

    at_rest: bool
    convex_gap_bound: float | None = None
    value_error: float | None = None
    curvature_sign: CurvatureSign | None = None
    curvature: tuple[float, float] | None = None
    curvature_error: float | None = None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The result of one run.

    Attributes:
        identity: the identity of the run.
        outcome: the outcome.
        error: the reason why the run failed, in words, else the empty string.
        steps: the number of steps.
        evaluations: the number of evaluations of f, ∇f and ∇²f.
        final_value: f at the last iterate, NaN without iterates.
        final_gradient_norm: ‖∇f‖ at the last iterate, NaN without iterates.
        best_value: the smallest f, NaN if no iterate has a value below infinity.
        best_step: the number of the first iterate with this value.
        seconds: the run's share of its batch's computing time.
        chunks: the iterates, in order.
        behaviour: the behaviour; None if the run took no step.
        resting_place: the facts about the last iterate; None if they were not measured.
        failed_plugin: the class of the plugin that failed; empty if none failed.
        failed_method: the method of that plugin.
        failed_place: the file and the line of that plugin, as `file:line`.
        traceback: the traceback of the exception.
        remark: what was noticed about the run, e.g. that two ways of differentiation disagree at an iterate; often empty.
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
    resting_place: RestingPlace | None = None
    failed_plugin: str = ""
    failed_method: str = ""
    failed_place: str = ""
    traceback: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Descent:
    """The result of a batch.

    Attributes:
        trajectories: one for each run, in the order of the batch.
        warnings: warnings for the user.
    """

    trajectories: tuple[Trajectory, ...]
    warnings: tuple[str, ...] = ()

    @property
    def identities(self) -> tuple[str, ...]:
        """The identities of the runs."""
        return tuple(trajectory.identity for trajectory in self.trajectories)

"""What the tables hold of one run: its row, and the rows of its trajectory."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.engine.trajectories import Chunk, Trajectory
    from runner.experiment.model import Rules, Run
    from runner.registry.setting import Setting


@dataclass(frozen=True)
class Numbers:
    """Row numbers of what the runs of an experiment share, and their places in it."""

    experiment: int
    environment: int
    rules: int
    settings: Mapping[Setting, int]
    starts: Mapping[str, int]
    positions: Mapping[str, int]


def run_row(numbers: Numbers, rules: Rules, run: Run, trajectory: Trajectory, run_id: int) -> dict[str, Any]:
    """Return what the table of runs holds of a run that has just ended."""
    return {
        "id": run_id,
        "identity": run.identity,
        "objective_id": numbers.settings[run.objective],
        "gradient_id": numbers.settings[run.gradient],
        "optimizer_id": numbers.settings[run.optimizer],
        "rules_id": numbers.rules,
        "start_id": numbers.starts[run.start.canonical],
        "environment_id": numbers.environment,
        "dimension": len(run.start.x),
        "records_x": rules.record_x,
        "records_gradient": rules.record_gradient,
        "outcome": trajectory.outcome.value,
        "behaviour": trajectory.behaviour and trajectory.behaviour.value,
        "error": trajectory.error.replace("\0", "\\0"),  # which PostgreSQL has no place for in a text
        "steps": trajectory.steps,
        "value_evaluations": trajectory.evaluations.value,
        "gradient_evaluations": trajectory.evaluations.gradient,
        "hessian_evaluations": trajectory.evaluations.hessian,
        "final_value": run_number(trajectory.final_value),
        "final_value_class": _number_class(trajectory.final_value),
        "final_gradient_norm": run_number(trajectory.final_gradient_norm),
        "final_gradient_norm_class": _number_class(trajectory.final_gradient_norm),
        "best_value": run_number(trajectory.best_value),
        "best_value_class": _number_class(trajectory.best_value),
        "best_step": trajectory.best_step,
        "seconds": trajectory.seconds,
        "finished_at": time.time(),
    }


def chunk_checksum(identity: str, first_step: int, count: int, data: bytes | memoryview) -> int:
    """Return CRC-32 over a chunk and where it belongs, so that a chunk in the wrong place is noticed too."""
    return zlib.crc32(data, zlib.crc32(f"{identity}:{first_step}:{count}".encode()))


def chunk_row(run_id: int, identity: str, chunk: Chunk) -> dict[str, Any]:
    """Return what the table of trajectories holds of a piece of one."""
    checksum = chunk_checksum(identity, chunk.first_step, chunk.count, chunk.data)
    return {
        "run_id": run_id,
        "first_step": chunk.first_step,
        "count": chunk.count,
        "checksum": checksum,
        "data": chunk.data,
    }


def run_number(value: float) -> float | None:
    """Return what a column of numbers holds, by which runs are found and sorted."""
    # SQLite has no NaN in a column, nor −0.0, and what is stored must not depend on the database.
    return None if math.isnan(value) else value + 0.0


def _number_class(value: float) -> str:
    """Return what a number is where its column does not say it; `float` reads all but `finite`."""
    if math.isfinite(value) and (value != 0.0 or math.copysign(1.0, value) > 0):
        return "finite"
    # The NaN that x86 makes of ∞ − ∞ has a sign.
    return "-nan" if math.isnan(value) and math.copysign(1.0, value) < 0 else str(value)

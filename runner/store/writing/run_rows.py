"""The rows that belong to one run alone: a row of table `run`, and the rows of its trajectory in table `chunk`."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import valid_text

if TYPE_CHECKING:
    from runner.engine.trajectories import Chunk, Trajectory
    from runner.experiment.model import Rules, Run
    from runner.registry.setting import Setting


@dataclass(frozen=True)
class RowNumbers:
    """The numbers of the rows that the runs of an experiment share, and the position of each run in the grid.

    Attributes:
        experiment: the row number of the experiment.
        environment: the row number of the environment that computes the runs.
        rules: the row number of the stopping rules, in table `setting`.
        settings: the row numbers of the plugins' settings.
        starts: the row numbers of the starts, by their canonical text.
        positions: the position of each run in the grid, by its identity.
    """

    experiment: int
    environment: int
    rules: int
    settings: Mapping[Setting, int]
    starts: Mapping[str, int]
    positions: Mapping[str, int]


def run_row(numbers: RowNumbers, rules: Rules, run: Run, trajectory: Trajectory, run_id: int) -> dict[str, Any]:
    """Return the row of table `run` for a run that has just ended."""
    place = trajectory.resting_place
    curvature = (None, None) if place is None or place.curvature is None else place.curvature
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
        "error": valid_text(trajectory.error),
        "failed_plugin": trajectory.failed_plugin,
        "failed_method": trajectory.failed_method,
        "failed_place": valid_text(trajectory.failed_place),
        "traceback": valid_text(trajectory.traceback),
        "remark": valid_text(trajectory.remark),
        "steps": trajectory.steps,
        "value_evaluations": trajectory.evaluations.value,
        "gradient_evaluations": trajectory.evaluations.gradient,
        "hessian_evaluations": trajectory.evaluations.hessian,
        "final_value": sql_number(trajectory.final_value),
        "final_value_class": _number_class(trajectory.final_value),
        "final_gradient_norm": sql_number(trajectory.final_gradient_norm),
        "final_gradient_norm_class": _number_class(trajectory.final_gradient_norm),
        "best_value": sql_number(trajectory.best_value),
        "best_value_class": _number_class(trajectory.best_value),
        "best_step": trajectory.best_step,
        "at_rest": place and place.at_rest,
        "convex_gap_bound": place and place.convex_gap_bound,
        "value_error": place and place.value_error,
        "curvature_sign": place and place.curvature_sign and place.curvature_sign.value,
        "curvature_min": curvature[0],
        "curvature_max": curvature[1],
        "curvature_error": place and place.curvature_error,
        "seconds": trajectory.seconds,
        "finished_at": time.time(),
    }


def chunk_checksum(identity: str, first_step: int, count: int, data: bytes | memoryview) -> int:
    """Return the CRC-32 over a chunk and its place, so that a chunk in the wrong place is noticed too."""
    return zlib.crc32(data, zlib.crc32(f"{identity}:{first_step}:{count}".encode()))


def chunk_row(run_id: int, identity: str, chunk: Chunk) -> dict[str, Any]:
    """Return the row of table `chunk` for a part of a trajectory."""
    checksum = chunk_checksum(identity, chunk.first_step, chunk.count, chunk.data)
    return {"run_id": run_id, "first_step": chunk.first_step, "count": chunk.count, "checksum": checksum, "data": chunk.data}


def sql_number(value: float) -> float | None:
    """Return a number as its column holds it, for filters and sorting."""
    # SQLite stores neither NaN nor −0.0, and the stored value must not depend on the database.
    return None if math.isnan(value) else value + 0.0


def _number_class(value: float) -> str:
    """Return the class of a number: the text from which `float` restores what `sql_number` loses; `finite` if nothing is lost."""
    if math.isfinite(value) and (value != 0.0 or math.copysign(1.0, value) > 0):
        return "finite"
    # On x86, ∞ − ∞ is a NaN with a sign.
    return "-nan" if math.isnan(value) and math.copysign(1.0, value) < 0 else str(value)

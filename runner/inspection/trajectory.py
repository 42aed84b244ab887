"""The calculus along the trajectory of a stored run: curvature, and what the models promised against what happened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.analysis.definiteness import curvature_of
from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import ANALYTIC, InspectedObjective
from runner.registry.registry import Registry
from runner.registry.setting import Setting, restore_setting
from runner.store.reading.run_record import RunRecord, SettingRecord

MOST_STEPS = 200
"""At how many iterates the Hessian is computed, at most."""
LARGEST = 200
"""The largest dimension in which that is done."""
PLAIN = "gradient_descent"


@dataclass(frozen=True)
class InspectedStep:
    """One iterate and the step that left it.

    Attributes:
        step: its number.
        value: f there, as stored.
        smallest: the smallest eigenvalue of the Hessian there; NaN where it is not known.
        largest: the largest.
        shape: what they say together; empty where they are not known.
        newton_descends: whether f goes down along Newton's direction; None where that is not defined.
        step_size: ‖s‖ of the step s that left it.
        first_order: the decrease that the first-order model predicts for that step, −∇f·s.
        second_order: that of the second-order model, −(∇f·s + ½ sᵀ∇²f s); NaN without a Hessian.
        actual: the decrease, as stored.
    """

    step: int
    value: float
    smallest: float
    largest: float
    shape: str
    newton_descends: bool | None
    step_size: float
    first_order: float
    second_order: float
    actual: float


@dataclass(frozen=True)
class TrajectoryInspection:
    """What is known along a run.

    Attributes:
        run: its row number.
        identity: of the run.
        objective: the objective's name.
        optimizer: the optimizer's name.
        steps: how many steps the run took.
        outcome: how it ended.
        learning_rate: of plain gradient descent; None for another optimizer, for which 2/γ is no limit.
        gradient_backend: which computed ∇f.
        hessian_backend: which computed ∇²f; None where none does.
        visits: some iterates, all if they are few, without the last, which no step left.
        changed: whether the objective's code is another than that of the run.
    """

    run: int
    identity: str
    objective: str
    optimizer: str
    steps: int
    outcome: str
    learning_rate: float | None
    gradient_backend: str
    hessian_backend: str | None
    visits: tuple[InspectedStep, ...]
    changed: bool


def restore_objective(record: SettingRecord, registry: Registry) -> Setting:
    """Make the objective of a stored run again, from its stored parameters.

    Raises:
        PluginError: the plugin is not there, or cannot be made again.
    """
    try:
        registry.find("objective", record.name)
    except PluginError as error:
        raise PluginError(f"{error}; if a file offers it, name the file with --plugin") from error
    texts = [value for value in record.parameters.values() if isinstance(value, str)]
    return restore_setting("objective", record.canonical, registry, texts)


def inspect_trajectory(inspected: InspectedObjective, record: RunRecord, series: Series) -> TrajectoryInspection:
    """Compute derivatives along a trajectory.

    Raises:
        ExperimentError: the run has no iterates or no step, or nothing differentiates its objective.
        PluginError: the objective fails.
    """
    if series.x is None and len(series.value):
        raise ExperimentError(f"run {record.id}", ["its iterates are not stored; run the experiment with [record] x = true"])
    if series.x is None or record.steps == 0:
        raise ExperimentError(f"run {record.id}", [f"it took no step (outcome {record.outcome}), so there is no trajectory"])
    gradient = inspected.best("gradient")
    if gradient is None:
        raise ExperimentError(f"run {record.id}", [f"no gradient backend can differentiate {inspected.name}"])
    hessian = inspected.best("hessian") if record.dimension <= LARGEST else None
    places = np.unique(np.linspace(0, record.steps - 1, min(record.steps, MOST_STEPS)).round().astype(int)).tolist()
    visits = tuple(_visit(inspected, series, step, gradient[1], hessian) for step in places)
    rate = record.optimizer.parameters.get("learning_rate") if record.optimizer.name == PLAIN else None
    return TrajectoryInspection(
        run=record.id,
        identity=record.identity,
        objective=record.objective.name,
        optimizer=record.optimizer.name,
        steps=record.steps,
        outcome=record.outcome,
        learning_rate=float(rate) if isinstance(rate, float | int) else None,
        gradient_backend=gradient[0],
        hessian_backend=None if hessian is None else hessian[0],
        visits=visits,
        changed=inspected.setting.fingerprint != record.objective.fingerprint,
    )


def _visit(
    inspected: InspectedObjective,
    series: Series,
    step: int,
    gradient: Callable[[Array], Array],
    hessian: tuple[str, Callable[[Array], Array]] | None,
) -> InspectedStep:
    assert series.x is not None
    x, moved = series.x[step], series.x[step + 1] - series.x[step]
    value, actual = float(series.value[step]), float(series.value[step] - series.value[step + 1])
    slope = gradient(x)
    with np.errstate(all="ignore"):
        first_order = -float(slope @ moved)
        step_size = float(np.linalg.norm(moved))
        if hessian is None:
            return InspectedStep(step, value, math.nan, math.nan, "", None, step_size, first_order, math.nan, actual)
        matrix = hessian[1](x)
        second_order = first_order - 0.5 * float(moved @ matrix @ moved)
    curvature = curvature_of(matrix, hessian[0] == ANALYTIC, inspected.hessian_scale(hessian[0], value, slope))
    if curvature is None:
        return InspectedStep(step, value, math.nan, math.nan, "", None, step_size, first_order, second_order, actual)
    descends = None
    if not curvature.singular and np.isfinite(slope).all() and slope.any():
        descends = bool(slope @ np.linalg.solve(matrix, slope) > 0)
    low, high = float(curvature.eigenvalues[0]), float(curvature.eigenvalues[-1])
    return InspectedStep(step, value, low, high, curvature.shape.value, descends, step_size, first_order, second_order, actual)

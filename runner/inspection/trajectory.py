"""The calculus along the trajectory of a stored run: curvature, and predicted against actual decreases."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from runner.analysis.definiteness import Shape
from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import BackendResult, InspectedObjective
from runner.registry.registry import Registry
from runner.registry.setting import Setting, restore_setting
from runner.store.reading.run_record import RunRecord, SettingRecord

MOST_STEPS = 200
"""The largest number of steps that are inspected."""
LARGEST_DIMENSION = 200
"""The largest dimension in which the Hessian is computed along a trajectory."""
GRADIENT_DESCENT = "gradient_descent"


@dataclass(frozen=True)
class InspectedStep:
    """One iterate x, and the step s that led from it to the next.

    Attributes:
        step: the number of the iterate.
        value: f(x), as stored.
        smallest: the smallest eigenvalue of the Hessian at x; NaN if it is not known.
        largest: the largest eigenvalue; NaN if it is not known.
        shape: the shape of f that the eigenvalues imply, such as `bowl`; `unknown` if their errors leave it open; empty if the
            eigenvalues are not known.
        newton_descends: True if Newton's direction at x is a descent direction; None if it is not defined.
        step_size: ‖s‖.
        first_order: the decrease that the first-order model predicts, −∇f·s.
        second_order: the decrease that the second-order model predicts, −(∇f·s + ½ sᵀ∇²f s); NaN without a Hessian.
        actual: the actual decrease, as stored.
        curvature_error: the largest error of an eigenvalue; NaN if they are not known.
        doubt: the reason why nothing is concluded from derivatives at x, as a sentence; often empty. What is computed from the
            doubtful derivative is then NaN or None.
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
    curvature_error: float = math.nan
    doubt: str = ""


@dataclass(frozen=True)
class TrajectoryInspection:
    """The calculus along a stored run.

    Attributes:
        run: the number of the run in its database.
        identity: the identity of the run.
        objective: the name of the objective.
        optimizer: the name of the optimizer.
        steps: the number of steps that the run took.
        outcome: the outcome of the run.
        learning_rate: the learning rate γ of plain gradient descent; None for another optimizer, for which 2/γ is not a limit.
        gradient_backend: the backend that computed ∇f.
        hessian_backend: the backend that computed ∇²f; None if no backend did.
        visits: the inspected steps: all steps, or `MOST_STEPS` evenly spread steps of a longer run.
        changed: True if the code of the objective has changed since the run.
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
        PluginError: the plugin is missing, or its parameters differ from the stored ones.
    """
    try:
        registry.find("objective", record.name)
    except PluginError as error:
        raise PluginError(f"{error}; if a file offers it, name the file with --plugin") from error
    texts = [value for value in record.parameters.values() if isinstance(value, str)]
    return restore_setting("objective", record.canonical, registry, texts)


def inspect_trajectory(inspected: InspectedObjective, record: RunRecord, series: Series) -> TrajectoryInspection:
    """Compute derivatives along the trajectory of a stored run.

    Args:
        inspected: the objective of the run.
        record: the run.
        series: its trajectory.

    Raises:
        ExperimentError: the run has no stored iterates or took no step, or no backend computes the gradient of its objective.
        PluginError: the objective raises.
    """
    if series.x is None and len(series.value):
        raise ExperimentError(f"run {record.id}", ["its iterates are not stored; run the experiment with [record] x = true"])
    if series.x is None or record.steps == 0:
        raise ExperimentError(f"run {record.id}", [f"it took no step (outcome {record.outcome}), so there is no trajectory"])
    gradient = inspected.most_exact_backend("gradient")
    if gradient is None:
        raise ExperimentError(f"run {record.id}", [f"no gradient backend can differentiate {inspected.name}"])
    hessian = inspected.most_exact_backend("hessian") if record.dimension <= LARGEST_DIMENSION else None
    steps = np.unique(np.linspace(0, record.steps - 1, min(record.steps, MOST_STEPS)).round().astype(int)).tolist()
    rate = record.optimizer.parameters.get("learning_rate") if record.optimizer.name == GRADIENT_DESCENT else None
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
        visits=tuple(_inspect_step(inspected, series, step, gradient, hessian) for step in steps),
        changed=inspected.setting.fingerprint != record.objective.fingerprint,
    )


def _inspect_step(
    inspected: InspectedObjective,
    series: Series,
    step: int,
    gradient: tuple[str, Callable[[Array], Array]],
    hessian: tuple[str, Callable[[Array], Array]] | None,
) -> InspectedStep:
    assert series.x is not None
    x, moved = series.x[step], series.x[step + 1] - series.x[step]
    value, actual = float(series.value[step]), float(series.value[step] - series.value[step + 1])
    with np.errstate(all="ignore"):
        step_size = float(np.linalg.norm(moved))
    inspection = InspectedStep(step, value, math.nan, math.nan, "", None, step_size, math.nan, math.nan, actual)
    backend, differentiate = gradient
    slope = differentiate(x)
    doubts = inspected.gradient_doubts(x, (BackendResult(backend, slope, ""),))
    doubt = doubts.get(backend) or inspected.kink_or_jump(x, slope)
    if doubt:
        return replace(inspection, shape=Shape.UNKNOWN.value, doubt=doubt)
    with np.errstate(all="ignore"):
        inspection = replace(inspection, first_order=-float(slope @ moved))
        if hessian is None:
            return inspection
        backend, compute = hessian
        matrix = compute(x)
        second_order = inspection.first_order - 0.5 * float(moved @ matrix @ moved)
    curvature = inspected.curvature_at(x, backend, matrix)
    if curvature is None:
        return replace(inspection, second_order=second_order)
    if curvature.contradicted:
        return replace(inspection, shape=Shape.UNKNOWN.value, doubt=curvature.reason)
    descends = None
    if not curvature.singular and np.isfinite(slope).all() and slope.any():
        descends = bool(slope @ np.linalg.solve(matrix, slope) > 0)
    return replace(
        inspection,
        smallest=float(curvature.eigenvalues[0]),
        largest=float(curvature.eigenvalues[-1]),
        curvature_error=curvature.tolerance,
        shape=curvature.shape.value,
        newton_descends=descends,
        second_order=second_order,
    )

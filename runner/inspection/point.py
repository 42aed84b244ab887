"""What is known of an objective at one point: value, derivatives by every backend, curvature, Newton's direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.analysis.definiteness import EPSILON, Curvature, curvature_of
from runner.analysis.kinks import Kink, kinks_of
from runner.contracts.arrays import Array
from runner.contracts.objective import HasResiduals
from runner.errors import ExperimentError, PluginError
from runner.inspection.chain_rule import ChainLink, chain_rule
from runner.inspection.inspected_objective import ANALYTIC, BackendResult, InspectedObjective

LARGEST = 1000
"""The largest dimension in which a Hessian is computed."""
GIVEN = "as given"
KNOWN_MINIMUM = "the known minimum"
DRAWN = "a start that it draws itself, seed 0"
CENTRE = "the centre of its start region"
ZEROS = "zeros, for it knows neither a minimum nor a start region"


@dataclass(frozen=True)
class ChosenPoint:
    """A point, and why it was chosen.

    Attributes:
        x: the point, `(dimension,)`.
        why: in a few words.
    """

    x: Array
    why: str


@dataclass(frozen=True)
class SteepestDescent:
    """The slope of f along the direction of steepest descent, −∇f/‖∇f‖.

    Attributes:
        predicted: −‖∇f‖.
        measured: a central difference of f along that direction.
        spacing: of the difference.
    """

    predicted: float
    measured: float
    spacing: float


@dataclass(frozen=True)
class NewtonStep:
    """Newton's step p = −(∇²f)⁻¹∇f.

    Attributes:
        direction: p, `(dimension,)`.
        slope: ∇f·p; below zero, f descends along p.
        predicted: the decrease of the second-order model, −(∇f·p + ½ pᵀ∇²f p).
        actual: f(x) − f(x + p).
    """

    direction: Array
    slope: float
    predicted: float
    actual: float

    @property
    def descends(self) -> bool:
        """Whether f goes down along it."""
        return self.slope < 0


@dataclass(frozen=True)
class GaussNewton:
    """The part of a least-squares Hessian that first derivatives give, 2JᵀJ.

    Attributes:
        backend: which computed J.
        jacobian: J, `(residuals, dimension)`.
        part: 2JᵀJ, `(dimension, dimension)`.
        difference: ‖∇²f − 2JᵀJ‖, the Frobenius norm; NaN where the Hessian is not known.
        relative: the same over ‖∇²f‖.
    """

    backend: str
    jacobian: Array
    part: Array
    difference: float
    relative: float


@dataclass(frozen=True)
class PointInspection:
    """All that is known at a point.

    Attributes:
        objective: its name.
        place: the point.
        value: f.
        gradients: by every backend; the first that answers is what the others are compared with.
        steepest: the slope along the steepest descent; None where there is no gradient, or it is zero or not finite.
        hessians: by every backend, likewise.
        kinks: along which coordinates f looks as if it had no derivative here, so that what backends say of it means little.
        curvature: of the first Hessian; None where there is none, or it is not finite, or f has a kink.
        newton: Newton's step; None where it is not defined.
        without_newton: why there is none, beginning with `because`; empty where there is one.
        gauss_newton: for a sum of squares.
        chain: for a chain of layers, each of them; else empty.
    """

    objective: str
    place: ChosenPoint
    value: float
    gradients: Sequence[BackendResult]
    steepest: SteepestDescent | None
    hessians: Sequence[BackendResult]
    kinks: tuple[Kink, ...]
    curvature: Curvature | None
    newton: NewtonStep | None
    without_newton: str
    gauss_newton: GaussNewton | None
    chain: tuple[ChainLink, ...]

    @property
    def gradient(self) -> Array | None:
        """∇f by the first backend that answers."""
        return first(self.gradients)

    @property
    def hessian(self) -> Array | None:
        """∇²f by the first backend that answers."""
        return first(self.hessians)


def first(answers: Sequence[BackendResult]) -> Array | None:
    """Return the result of the first backend that has one."""
    return next((answer.result for answer in answers if answer.result is not None), None)


def choose_point(inspected: InspectedObjective, coordinates: Sequence[float] | None, option: str) -> ChosenPoint:
    """Return the point that is inspected.

    Args:
        inspected: the objective.
        coordinates: as many as it has, or one for all; without them, its known minimum, else
            a start that it draws, else the centre of its start region.
        option: where they were given, for the error.

    Raises:
        ExperimentError: the count of coordinates is another.
    """
    dimension = inspected.dimension
    if coordinates is not None:
        if len(coordinates) not in (1, dimension):
            raise ExperimentError(inspected.name, [f"{option} gives {len(coordinates)} coordinates, and it has dimension "
                                                 f"{dimension}: give {dimension}, or one for all"])  # fmt: skip
        return ChosenPoint(np.broadcast_to(np.array(coordinates, dtype=np.float64), (dimension,)).copy(), GIVEN)
    minimum = inspected.known_minimum()
    if minimum is not None:
        return ChosenPoint(minimum, KNOWN_MINIMUM)
    drawn = inspected.drawn_start()
    if drawn is not None:
        return ChosenPoint(drawn, DRAWN)
    region = inspected.start_region
    centre = 0.0 if region is None else 0.5 * region[0] + 0.5 * region[1]
    return ChosenPoint(np.full(dimension, centre), ZEROS if region is None else CENTRE)


def inspect_point(inspected: InspectedObjective, place: ChosenPoint) -> PointInspection:
    """Collect what is known of an objective at a point.

    Raises:
        PluginError: the objective cannot compute its value there.
    """
    x = place.x
    value = inspected.value(x)
    gradients = inspected.answers("gradient", x)
    hessians = _hessians(inspected, x)
    gradient, hessian = first(gradients), first(hessians)
    backend = next((answer.backend for answer in hessians if answer.result is not None), "")
    scale = inspected.hessian_scale(backend, value, gradient)
    kinks = kinks_of(inspected.values, x) if len(x) <= LARGEST else ()
    curvature = None if hessian is None or kinks else curvature_of(hessian, backend == ANALYTIC, scale)
    newton = (
        "because f looks as if it had no derivative here" if kinks else _newton(inspected, x, value, gradient, hessian, curvature)
    )
    step, because = (newton, "") if isinstance(newton, NewtonStep) else (None, newton)
    return PointInspection(
        objective=inspected.name,
        place=place,
        value=value,
        gradients=gradients,
        steepest=_steepest(inspected, x, gradient),
        hessians=hessians,
        kinks=kinks,
        curvature=curvature,
        newton=step,
        without_newton=because,
        gauss_newton=_gauss_newton(inspected, x, hessian),
        chain=chain_rule(inspected, x),
    )


def _hessians(inspected: InspectedObjective, x: Array) -> tuple[BackendResult, ...]:
    if len(x) <= LARGEST:
        return inspected.answers("hessian", x)
    because = f"because it has {len(x)} × {len(x)} entries, and inspections stop at {LARGEST} × {LARGEST}"
    return tuple(BackendResult(name, None, because) for name in inspected.backends)


def _steepest(inspected: InspectedObjective, x: Array, gradient: Array | None) -> SteepestDescent | None:
    if gradient is None:
        return None
    length = math.hypot(*gradient)
    if not 0 < length < math.inf:
        return None
    spacing = EPSILON ** (1 / 3) * max(1.0, float(np.abs(x).max()))
    direction = -gradient / length
    rise = inspected.value(x + spacing * direction) - inspected.value(x - spacing * direction)
    return SteepestDescent(-length, rise / (2.0 * spacing), spacing)


def _newton(
    inspected: InspectedObjective,
    x: Array,
    value: float,
    gradient: Array | None,
    hessian: Array | None,
    curvature: Curvature | None,
) -> NewtonStep | str:
    """Return Newton's step, or why there is none."""
    if gradient is None or hessian is None:
        return "because no backend computes the Hessian" if hessian is None else "because no backend computes the gradient"
    if curvature is None or not np.isfinite(gradient).all():
        return "because the derivatives are not finite here"
    if curvature.singular:
        return "because the Hessian is singular here, within rounding"
    direction: Array = -np.linalg.solve(hessian, gradient).astype(np.float64, copy=False)
    slope = float(gradient @ direction)
    predicted = -(slope + 0.5 * float(direction @ hessian @ direction))
    return NewtonStep(direction, slope, predicted, value - inspected.value(x + direction))


def _gauss_newton(inspected: InspectedObjective, x: Array, hessian: Array | None) -> GaussNewton | None:
    chosen = inspected.best("jacobian") if isinstance(inspected.objective, HasResiduals) and len(x) <= LARGEST else None
    if chosen is None:
        return None
    backend, compute = chosen
    try:
        jacobian = compute(x)
    except PluginError:
        return None
    part = 2.0 * jacobian.T @ jacobian
    norm = math.nan if hessian is None else float(np.linalg.norm(hessian))
    difference = math.nan if hessian is None else float(np.linalg.norm(hessian - part))
    return GaussNewton(backend, jacobian, part, difference, difference / norm if norm > 0 else math.nan)

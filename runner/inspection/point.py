"""The calculus at one point: value, derivatives by every backend, curvature, Newton's step and the Gauss–Newton matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.analysis.definiteness import EPSILON, Curvature, Shape
from runner.analysis.kinks import Jump, Kink, jumps_of, kinks_of
from runner.contracts.arrays import Array
from runner.contracts.objective import HasResiduals
from runner.errors import ExperimentError, PluginError
from runner.inspection.chain_rule import ChainLink, chain_rule
from runner.inspection.inspected_objective import BackendResult, InspectedObjective

LARGEST_DIMENSION = 1000
"""The largest dimension in which a Hessian is computed."""
GIVEN = "as given"
KNOWN_MINIMUM = "the known minimum"
DRAWN = "a start drawn by the objective with seed 0"
CENTRE = "the centre of its start region"
ZEROS = "all coordinates zero, because the objective states neither a minimum nor a start region"


@dataclass(frozen=True)
class ChosenPoint:
    """A point, and the reason why it was chosen.

    Attributes:
        x: the point, `(dimension,)`.
        why: the reason in a few words.
    """

    x: Array
    why: str


@dataclass(frozen=True)
class SteepestDescent:
    """The slope of f along the direction of steepest descent, −∇f/‖∇f‖.

    Attributes:
        predicted: the slope by the gradient, −‖∇f‖.
        measured: the slope by a central difference of f along that direction.
        spacing: the spacing of the central difference.
    """

    predicted: float
    measured: float
    spacing: float


@dataclass(frozen=True)
class NewtonStep:
    """Newton's step p = −(∇²f)⁻¹∇f.

    Attributes:
        direction: p, `(dimension,)`.
        slope: ∇f·p, the slope of f along p.
        predicted: the decrease that the second-order model predicts, −(∇f·p + ½ pᵀ∇²f p).
        actual: the actual decrease, f(x) − f(x + p).
    """

    direction: Array
    slope: float
    predicted: float
    actual: float

    @property
    def descends(self) -> bool:
        """True if and only if p is a descent direction: the slope along it is negative."""
        return self.slope < 0


@dataclass(frozen=True)
class GaussNewton:
    """The Gauss–Newton part of a least-squares Hessian, 2JᵀJ, which needs first derivatives only.

    Attributes:
        backend: the gradient backend that computed J.
        jacobian: J, `(residuals, dimension)`.
        part: 2JᵀJ, `(dimension, dimension)`.
        difference: ‖∇²f − 2JᵀJ‖, the Frobenius norm; NaN if the Hessian is not known.
        relative: that norm divided by ‖∇²f‖; NaN if the Hessian is not known or zero.
    """

    backend: str
    jacobian: Array
    part: Array
    difference: float
    relative: float


@dataclass(frozen=True)
class PointInspection:
    """The calculus of an objective at a point.

    Attributes:
        objective: the name of the objective.
        place: the point.
        value: f at the point.
        gradients: ∇f by every backend; the others are compared with the first result.
        steepest: the slope along the steepest descent; None if the gradient is not known, zero or not finite.
        hessians: ∇²f by every backend; the others are compared with the first result.
        gradient_doubts: for each backend whose gradient differs from central differences of f beyond their errors, a sentence.
        doubtful: True if the first gradient is one of them; nothing is then concluded from derivatives.
        kinks: the coordinates along which f appears to have no derivative here. There, the derivatives that backends compute
            mean little.
        jumps: the coordinates along which f appears to be discontinuous here.
        curvature: the eigenvalues of the first Hessian; None if no Hessian is known, if it is not finite, if f has a kink or a
            jump, or if the first gradient is doubtful.
        newton: Newton's step; None if it is not defined.
        without_newton: the reason why `newton` is None, beginning with `because`; empty if there is a step.
        gauss_newton: the Gauss–Newton part; None if f is not a sum of squares, or if no backend computes J.
        chain: the layers of an objective with layers; empty for others.
    """

    objective: str
    place: ChosenPoint
    value: float
    gradients: Sequence[BackendResult]
    steepest: SteepestDescent | None
    hessians: Sequence[BackendResult]
    gradient_doubts: Mapping[str, str]
    doubtful: bool
    kinks: tuple[Kink, ...]
    jumps: tuple[Jump, ...]
    curvature: Curvature | None
    newton: NewtonStep | None
    without_newton: str
    gauss_newton: GaussNewton | None
    chain: tuple[ChainLink, ...]

    @property
    def differentiable(self) -> bool:
        """True if f seems to have a derivative here, and nothing suggests that it was computed wrongly."""
        return not (self.kinks or self.jumps or self.doubtful)

    @property
    def shape(self) -> tuple[Shape, str]:
        """The shape of f at the point, and the reason if it is unknown, else the empty string."""
        if self.curvature is not None:
            return self.curvature.shape, self.curvature.reason
        if self.kinks or self.jumps:
            return Shape.UNKNOWN, "f seems to have no derivative here"
        if self.doubtful:
            return Shape.UNKNOWN, "the gradient is doubtful here"
        return Shape.UNKNOWN, "no backend computes the Hessian" if self.hessian is None else "the Hessian is not finite here"

    @property
    def gradient(self) -> Array | None:
        """The first ∇f, `(dimension,)`; None if no backend computes one."""
        return first_result(self.gradients)

    @property
    def hessian(self) -> Array | None:
        """The first ∇²f, `(dimension, dimension)`; None if no backend computes one."""
        return first_result(self.hessians)


def first_result(results: Sequence[BackendResult]) -> Array | None:
    """Return the result of the first backend that computed the derivative; None if no backend did."""
    return next((each.result for each in results if each.result is not None), None)


def choose_point(inspected: InspectedObjective, coordinates: Sequence[float] | None, option: str) -> ChosenPoint:
    """Return the point at which an objective is inspected.

    Args:
        inspected: the objective.
        coordinates: one number per coordinate, or one number for all. If it is None, the point is the objective's known
            minimum, or else a start that the objective draws, or else the centre of its start region, or else zero.
        option: the command-line option that gave the coordinates, for the message.

    Raises:
        ExperimentError: the number of coordinates is neither 1 nor the dimension.
    """
    dimension = inspected.dimension
    if coordinates is not None:
        if len(coordinates) not in (1, dimension):
            raise ExperimentError(inspected.name, [f"{option} gives {len(coordinates)} coordinates, but the objective has "
                                                   f"dimension {dimension}: give {dimension}, or one for all"])  # fmt: skip
        return ChosenPoint(np.broadcast_to(np.array(coordinates, dtype=np.float64), (dimension,)).copy(), GIVEN)
    minimum = inspected.known_minimum()
    if minimum is not None:
        return ChosenPoint(minimum, KNOWN_MINIMUM)
    start = inspected.drawn_start()
    if start is not None:
        return ChosenPoint(start, DRAWN)
    region = inspected.start_region
    centre = 0.0 if region is None else 0.5 * region[0] + 0.5 * region[1]
    return ChosenPoint(np.full(dimension, centre), ZEROS if region is None else CENTRE)


def inspect_point(inspected: InspectedObjective, place: ChosenPoint) -> PointInspection:
    """Compute the calculus of an objective at a point.

    Raises:
        PluginError: the objective cannot compute its value there, or its backpropagation raises.
    """
    x = place.x
    value = inspected.value(x)
    gradients = inspected.results_of_backends("gradient", x)
    gradient = first_result(gradients)
    doubts = inspected.gradient_doubts(x, gradients)
    first_backend = next((each.backend for each in gradients if each.result is not None), "")
    doubtful = first_backend in doubts
    hessians: tuple[BackendResult, ...]
    if len(x) <= LARGEST_DIMENSION:
        hessians = inspected.results_of_backends("hessian", x)
        kinks, jumps = kinks_of(inspected.values, x), jumps_of(inspected.values, x)
    else:
        limit = f"{LARGEST_DIMENSION} × {LARGEST_DIMENSION}"
        because = f"because it has {len(x)} × {len(x)} entries, and inspections compute at most {limit}"
        hessians = tuple(BackendResult(name, None, because) for name in inspected.backends)
        kinks, jumps = (), ()
    hessian = first_result(hessians)

    curvature, newton, steepest = None, None, None
    if kinks or jumps:
        without_newton = "because f appears to have no derivative here"
    elif doubtful:
        without_newton = "because the gradient is doubtful here"
    else:
        if hessian is not None:
            backend = next(each.backend for each in hessians if each.result is not None)
            curvature = inspected.curvature_at(x, backend, hessian)
        newton, without_newton = _newton_step(inspected, x, value, gradient, hessian, curvature)
        if gradient is not None:
            steepest = _steepest_descent(inspected, x, gradient, first_backend)
    return PointInspection(
        objective=inspected.name,
        place=place,
        value=value,
        gradients=gradients,
        steepest=steepest,
        hessians=hessians,
        gradient_doubts=doubts,
        doubtful=doubtful,
        kinks=kinks,
        jumps=jumps,
        curvature=curvature,
        newton=newton,
        without_newton=without_newton,
        gauss_newton=_gauss_newton(inspected, x, hessian),
        chain=chain_rule(inspected, x),
    )


def _newton_step(
    inspected: InspectedObjective,
    x: Array,
    value: float,
    gradient: Array | None,
    hessian: Array | None,
    curvature: Curvature | None,
) -> tuple[NewtonStep | None, str]:
    """Return Newton's step from x, where f is `value`; or None and the reason, which begins with `because`."""
    if gradient is None or hessian is None:
        return None, f"because no backend computes the {'Hessian' if hessian is None else 'gradient'}"
    if curvature is None or not np.isfinite(gradient).all():
        return None, "because the derivatives are not finite here"
    if curvature.contradicted:
        return None, "because the Hessian is contradicted by differences here"
    if curvature.singular:
        return None, "because the Hessian is singular here, within its error"
    p: Array = -np.linalg.solve(hessian, gradient).astype(np.float64, copy=False)
    slope = float(gradient @ p)
    predicted = -(slope + 0.5 * float(p @ hessian @ p))
    return NewtonStep(p, slope, predicted, actual=value - inspected.value(x + p)), ""


def _steepest_descent(inspected: InspectedObjective, x: Array, gradient: Array, backend: str) -> SteepestDescent | None:
    """Return the slope along −∇f/‖∇f‖, with ∇f by `backend`; None if ∇f is zero or not finite."""
    norm = math.hypot(*gradient)
    if not 0 < norm < math.inf:
        return None
    unit = -gradient / norm
    slope = inspected.measured_slope(x, unit, -norm, backend)
    if slope is not None and slope.agrees:
        return SteepestDescent(predicted=-norm, measured=slope.value, spacing=slope.spacing)
    spacing = EPSILON ** (1 / 3) * max(1.0, float(np.abs(x).max()))
    rise = inspected.value(x + spacing * unit) - inspected.value(x - spacing * unit)
    return SteepestDescent(predicted=-norm, measured=rise / (2.0 * spacing), spacing=spacing)


def _gauss_newton(inspected: InspectedObjective, x: Array, hessian: Array | None) -> GaussNewton | None:
    """Return the Gauss–Newton part of ∇²f; None if f is not a sum of squares, or if no backend computes its Jacobian."""
    if not isinstance(inspected.objective, HasResiduals) or len(x) > LARGEST_DIMENSION:
        return None
    chosen = inspected.most_exact_backend("jacobian")
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

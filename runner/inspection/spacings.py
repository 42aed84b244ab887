"""The error of finite differences and of the complex step against the spacing, at one point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner.analysis.differentiation import EPSILON, SPACINGS, UNIT_ROUNDOFF, Slope, best_place, best_spacing, truncation_slope
from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.parameters import parameters_of
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import FINITE_DIFFERENCE, InspectedObjective, as_plugin_error
from runner.inspection.point import ChosenPoint, choose_point

COMPLEX_STEP = "complex_step"
ORDERS: Mapping[str, int] = {"forward": 1, "central": 2}
RULES: Mapping[str, str] = {"forward": "√ε", "central": "ε^⅓"}
OFF_SYMMETRY = "seven tenths of the way through its start region"
ONES = "ones, for it knows no start region"


@dataclass(frozen=True)
class Scheme:
    """One finite-difference scheme.

    Attributes:
        name: of the scheme.
        errors: at each spacing.
        order: the slope that theory predicts, or None.
        slope: measured where truncation rules; None where rounding rules everywhere.
        best: the spacing of the smallest error, up to half a decade.
        best_error: the error there.
        rule: the best spacing by the rule of thumb, ε^(1/(order + 1)).
        predicted: the best spacing from f and its derivatives at this point; None where there is none.
    """

    name: str
    errors: Array
    order: int | None
    slope: Slope | None
    best: float | None
    best_error: float | None
    rule: float | None
    predicted: float | None


@dataclass(frozen=True)
class SpacingInspection:
    """Errors of ∇f against the spacing.

    Attributes:
        objective: its name.
        place: the point.
        reference: the backend whose ∇f is taken for right.
        gradient: that ∇f.
        relative: whether errors are relative to ‖∇f‖, which they are unless it is zero.
        spacings: relative to max(1, |xᵢ|), falling.
        schemes: those that the backend finite_difference has.
        complex_step: the errors of the complex step, or None.
        without_complex_step: why there are none, beginning with `because`.
    """

    objective: str
    place: ChosenPoint
    reference: str
    gradient: Array
    relative: bool
    spacings: Array
    schemes: tuple[Scheme, ...]
    complex_step: Array | None
    without_complex_step: str


def choose_spacing_point(inspected: InspectedObjective, at: tuple[float, ...] | None) -> ChosenPoint:
    """Return where errors are measured: the point given, else one where nothing vanishes by symmetry."""
    if at is not None:
        return choose_point(inspected, at, "--at")
    region = inspected.start_region
    x = 1.0 if region is None else round(region[0] + 0.7 * (region[1] - region[0]), 9)
    return ChosenPoint(np.full(inspected.dimension, x), ONES if region is None else OFF_SYMMETRY)


def inspect_spacings(inspected: InspectedObjective, place: ChosenPoint) -> SpacingInspection:
    """Measure the error of every scheme at every spacing.

    Raises:
        ExperimentError: no backend gives an exact gradient, f or the gradient is not finite, or there is no finite_difference.
        PluginError: the objective fails.
    """
    reference, compute = _reference(inspected)
    gradient = compute(place.x)
    value = inspected.value(place.x)
    if not (np.isfinite(gradient).all() and math.isfinite(value)):
        what = "it" if np.isfinite(gradient).all() else "its gradient"
        raise ExperimentError(inspected.name, [f"{what} is not finite at x = {place.x.tolist()}; choose another --at"])
    length = math.hypot(*gradient)
    scale = length if length > 0 else 1.0
    rounding = EPSILON * (abs(value) / SPACINGS + length) / scale
    schemes = tuple(_scheme(inspected, name, place.x, gradient, scale, rounding, compute) for name in _names(inspected))
    errors, because = _complex_step(inspected, place.x, gradient, scale)
    return SpacingInspection(
        objective=inspected.name,
        place=place,
        reference=reference,
        gradient=gradient,
        relative=length > 0,
        spacings=SPACINGS,
        schemes=schemes,
        complex_step=errors,
        without_complex_step=because,
    )


def _reference(inspected: InspectedObjective) -> tuple[str, Callable[[Array], Array]]:
    best = inspected.best("gradient")
    if best is None or best[0] == FINITE_DIFFERENCE:
        answers = inspected.answers("gradient", np.ones(inspected.dimension))
        refusals = [f"{answer.backend}, {answer.because}" for answer in answers if answer.result is None]
        told_all = "; none by ".join(refusals)
        raise ExperimentError(inspected.name, [f"there is no exact gradient to measure errors from: none by {told_all}"])
    return best


def _names(inspected: InspectedObjective) -> tuple[str, ...]:
    if FINITE_DIFFERENCE not in inspected.backends:
        because = inspected.unusable.get(FINITE_DIFFERENCE, "because nothing installed offers it")
        raise ExperimentError(inspected.name, [f"there is no gradient backend {FINITE_DIFFERENCE}, {because}"])
    known = parameters_of(type(inspected.backends[FINITE_DIFFERENCE])).get("scheme")
    return tuple(str(choice) for choice in known.choices) if known is not None else ()


def _scheme(
    inspected: InspectedObjective,
    name: str,
    x: Array,
    gradient: Array,
    scale: float,
    rounding: Array,
    compute: Callable[[Array], Array],
) -> Scheme:
    errors = np.array([_error(inspected, name, float(spacing), x, gradient) for spacing in SPACINGS]) / scale
    place = best_place(errors)
    order = ORDERS.get(name)
    return Scheme(
        name=name,
        errors=errors,
        order=order,
        slope=truncation_slope(SPACINGS, errors, rounding),
        best=None if place is None else float(SPACINGS[place]),
        best_error=None if place is None else float(errors[place]),
        rule=None if order is None else float(EPSILON ** (1.0 / (order + 1))),
        predicted=None if order is None else _predicted(inspected, order, x, compute),
    )


def _error(inspected: InspectedObjective, scheme: str, spacing: float, x: Array, gradient: Array) -> float:
    """Return ‖g − ∇f‖ for the gradient g of a scheme; NaN where it cannot be computed."""
    backend = cast(
        GradientBackend, dataclasses.replace(cast(Any, inspected.backends[FINITE_DIFFERENCE]), scheme=scheme, spacing=spacing)
    )
    try:
        with as_plugin_error(f"objective {inspected.name}"):
            found = Evaluator(inspected.objective, backend, 1).gradient(x[None].copy())[0]
    except PluginError:  # x + h may lie where f is not defined
        return math.nan
    return math.hypot(*(found - gradient))


def _predicted(inspected: InspectedObjective, order: int, x: Array, compute: Callable[[Array], Array]) -> float | None:
    """Return the best spacing by the size of f and its derivatives along each coordinate, as the backend scales them."""
    sizes = np.maximum(1.0, np.abs(x))
    spacing = EPSILON ** (1.0 / (2 + order)) * sizes
    derivatives = np.empty_like(x)
    for i, axis in enumerate(np.eye(len(x))):
        ahead, behind = compute(x + spacing * axis)[i], compute(x - spacing * axis)[i]
        if order == 1:
            derivatives[i] = (ahead - behind) / (2.0 * spacing[i])
        else:
            derivatives[i] = (ahead - 2.0 * compute(x)[i] + behind) / spacing[i] ** 2
    truncation = math.hypot(*(derivatives * sizes**order)) / math.factorial(order + 1)
    rounding = UNIT_ROUNDOFF * abs(inspected.value(x)) * math.hypot(*(1.0 / sizes)) * (2.0 if order == 1 else 1.0)
    # Differences of rounding errors are no derivative.
    noise = EPSILON * math.hypot(*compute(x)) / float(spacing.min()) ** order
    return best_spacing(order, truncation, rounding) if truncation > noise else None


def _complex_step(inspected: InspectedObjective, x: Array, gradient: Array, scale: float) -> tuple[Array | None, str]:
    """Return the error of Im f(x + ih eᵢ)/h at each spacing, or why there is none."""
    backend = inspected.backends.get(COMPLEX_STEP)
    missing = "because no backend complex_step is installed"
    refusal = missing if backend is None else backend.refusal(inspected.objective, "gradient")
    if refusal is not None:
        return None, refusal
    sizes = np.maximum(1.0, np.abs(x))
    errors = np.full(len(SPACINGS), math.nan)
    with as_plugin_error(f"objective {inspected.name}"):
        for place, spacing in enumerate(SPACINGS):
            steps = [cast(Array, (x + 1j * spacing * sizes * axis)[None]) for axis in np.eye(len(x))]
            slopes = np.array([float(np.imag(inspected.objective.value(step))[0]) for step in steps]) / (spacing * sizes)
            errors[place] = math.hypot(*(slopes - gradient)) / scale
    return errors, ""

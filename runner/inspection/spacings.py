"""The error of finite differences and of the complex step against their spacing, at one point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner.analysis.differentiation import (
    EPSILON,
    SPACINGS,
    UNIT_ROUNDOFF,
    Slope,
    best_spacing,
    best_spacing_index,
    truncation_slope,
)
from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.parameters import parameters_of
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import COMPLEX_STEP, FINITE_DIFFERENCE, InspectedObjective, as_plugin_error
from runner.inspection.point import ChosenPoint, choose_point

ORDERS: Mapping[str, int] = {"forward": 1, "central": 2}
RULES: Mapping[str, str] = {"forward": "√ε", "central": "ε^⅓"}
OFF_SYMMETRY = "seven tenths of the way through its start region"
ONES = "all coordinates one, because the objective states no start region"


@dataclass(frozen=True)
class Scheme:
    """One finite-difference scheme.

    Attributes:
        name: the name of the scheme.
        errors: the error of the gradient at each spacing; NaN where f is not defined at a point of the difference.
        order: the slope that theory predicts; None for a scheme without an entry in `ORDERS`.
        slope: the slope measured where truncation dominates; None if rounding dominates at every spacing.
        best: the spacing of the smallest error, known to within half a decade; None if no error is finite.
        best_error: the error at that spacing.
        rule: the best spacing by the rule of thumb, ε^(1/(order + 1)).
        predicted: the best spacing in theory, given the sizes of f and of its derivatives at this point; None if the truncation
            error is zero within rounding, or not finite.
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
    """The errors of ∇f against the spacing.

    Attributes:
        objective: the name of the objective.
        place: the point.
        reference: the gradient backend whose ∇f is taken as exact.
        gradient: ∇f by that backend, `(dimension,)`.
        relative: True if errors are divided by ‖∇f‖; False if ‖∇f‖ is zero and they are absolute.
        spacings: the spacings relative to max(1, |xᵢ|), in decreasing order.
        schemes: the schemes that the gradient backend finite_difference offers.
        complex_step: the error of the complex step at each spacing; None if it cannot be computed.
        without_complex_step: the reason why `complex_step` is None, beginning with `because`; empty if there are errors.
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
    """Return the point at which errors are measured: `at`, or a point at which no derivative is likely to vanish by symmetry.

    Raises:
        ExperimentError: the number of coordinates is neither 1 nor the dimension.
    """
    if at is not None:
        return choose_point(inspected, at, "--at")
    region = inspected.start_region
    x = 1.0 if region is None else round(region[0] + 0.7 * (region[1] - region[0]), 9)
    return ChosenPoint(np.full(inspected.dimension, x), ONES if region is None else OFF_SYMMETRY)


def inspect_spacings(inspected: InspectedObjective, place: ChosenPoint) -> SpacingInspection:
    """Measure the error of every finite-difference scheme and of the complex step at every spacing.

    Raises:
        ExperimentError: no backend computes an exact gradient, f or its gradient is not finite, or the gradient backend
            finite_difference is missing.
        PluginError: the objective raises.
    """
    exact = inspected.most_exact_backend("gradient")
    if exact is None or exact[0] == FINITE_DIFFERENCE:
        results = inspected.results_of_backends("gradient", np.ones(inspected.dimension))
        refusals = "; ".join(f"{each.backend} computes none, {each.because}" for each in results if each.result is None)
        raise ExperimentError(inspected.name, [f"errors cannot be measured without an exact gradient: {refusals}"])
    reference, compute = exact
    x, gradient, value = place.x, compute(place.x), inspected.value(place.x)
    if not (np.isfinite(gradient).all() and math.isfinite(value)):
        what = "f" if np.isfinite(gradient).all() else "its gradient"
        raise ExperimentError(inspected.name, [f"{what} is not finite at x = {x.tolist()}; choose another --at"])
    length = math.hypot(*gradient)
    scale = length if length > 0 else 1.0
    rounding = EPSILON * (abs(value) / SPACINGS + length) / scale

    if FINITE_DIFFERENCE not in inspected.backends:
        because = inspected.unusable.get(FINITE_DIFFERENCE, "because no installed plugin offers it")
        raise ExperimentError(inspected.name, [f"the gradient backend {FINITE_DIFFERENCE} is missing, {because}"])
    scheme_parameter = parameters_of(type(inspected.backends[FINITE_DIFFERENCE])).get("scheme")
    schemes = []
    for name in map(str, scheme_parameter.choices if scheme_parameter is not None else ()):
        errors = np.array([_error(inspected, name, float(spacing), x, gradient) for spacing in SPACINGS]) / scale
        best = best_spacing_index(errors)
        order = ORDERS.get(name)
        schemes.append(
            Scheme(
                name=name,
                errors=errors,
                order=order,
                slope=truncation_slope(SPACINGS, errors, rounding),
                best=None if best is None else float(SPACINGS[best]),
                best_error=None if best is None else float(errors[best]),
                rule=None if order is None else float(EPSILON ** (1.0 / (order + 1))),
                predicted=None if order is None else _predicted_spacing(inspected, order, x, compute),
            )
        )
    complex_errors, because = _complex_step_errors(inspected, x, gradient, scale)
    return SpacingInspection(
        objective=inspected.name,
        place=place,
        reference=reference,
        gradient=gradient,
        relative=length > 0,
        spacings=SPACINGS,
        schemes=tuple(schemes),
        complex_step=complex_errors,
        without_complex_step=because,
    )


def _error(inspected: InspectedObjective, scheme: str, spacing: float, x: Array, gradient: Array) -> float:
    """Return ‖g − ∇f‖ for the gradient g by a scheme; NaN if the objective raises."""
    plugin = cast(Any, inspected.backends[FINITE_DIFFERENCE])
    backend = cast(GradientBackend, dataclasses.replace(plugin, scheme=scheme, spacing=spacing))
    try:
        with as_plugin_error(f"objective {inspected.name}"):
            computed = Evaluator(inspected.objective, backend, 1).gradient(x[None].copy())[0]
    except PluginError:  # x + h may lie where f is not defined.
        return math.nan
    return math.hypot(*(computed - gradient))


def _predicted_spacing(inspected: InspectedObjective, order: int, x: Array, compute: Callable[[Array], Array]) -> float | None:
    """Return the best spacing in theory, relative to max(1, |xᵢ|), or None.

    It follows from the sizes of f and of its derivatives along each coordinate. None means that the truncation error is zero
    within rounding, or not finite.
    """
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
    # Below this size, the derivatives are differences of rounding errors.
    noise = EPSILON * math.hypot(*compute(x)) / float(spacing.min()) ** order
    return best_spacing(order, truncation, rounding) if truncation > noise else None


def _complex_step_errors(inspected: InspectedObjective, x: Array, gradient: Array, scale: float) -> tuple[Array | None, str]:
    """Return the error of Im f(x + ih eᵢ)/h at each spacing, or None and the reason, beginning with `because`."""
    backend = inspected.backends.get(COMPLEX_STEP)
    missing = f"because the gradient backend {COMPLEX_STEP} is not installed"
    refusal = missing if backend is None else backend.refusal(inspected.objective, "gradient")
    if refusal is not None:
        return None, refusal
    sizes = np.maximum(1.0, np.abs(x))
    errors = np.full(len(SPACINGS), math.nan)
    with as_plugin_error(f"objective {inspected.name}"):
        for index, spacing in enumerate(SPACINGS):
            steps = [cast(Array, (x + 1j * spacing * sizes * axis)[None]) for axis in np.eye(len(x))]
            slopes = np.array([float(np.imag(inspected.objective.value(step))[0]) for step in steps]) / (spacing * sizes)
            errors[index] = math.hypot(*(slopes - gradient)) / scale
    return errors, ""

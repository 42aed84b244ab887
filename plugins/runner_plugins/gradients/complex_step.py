"""Derivatives from a step into the complex plane, as exact as a formula."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from runner import Array, GradientBackend, HasGradient, HasResiduals, HasStartRegion, Objective, Quantity, hookimpl

STEP = 2.0**-664
"""h ≈ 1e-200: a power of two, so that dividing by it does not round."""
SPACING = float(np.finfo(np.float64).eps) ** (1 / 3)
GOLDEN = 0.6180339887498949

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class ComplexStep(GradientBackend):
    """∂f/∂xᵢ = Im f(x + ih eᵢ) / h, with h ≈ 1e-200.

    Nothing is subtracted, so nothing cancels: the error of the formula, of order h², is far below rounding. The operations that
    compute f must be analytic and accept complex numbers (no |x|, no comparison, no conjugate). A gradient costs one evaluation
    for each coordinate.

    Where the objective offers a gradient, the Hessian is the symmetric part of the same step applied to ∇f. Otherwise it comes
    from central differences of complex steps, with kᵢ = ε^(1/3) max(1, |xᵢ|). Their error is near ε^(2/3), and they cost
    2 d (d + 1) evaluations:

        ∂²f/∂xᵢ∂xⱼ ≈ Im (f(x + ih eⱼ + kᵢeᵢ) − f(x + ih eⱼ − kᵢeᵢ)) / 2hkᵢ.

    The result is NaN where f(x ± kᵢeᵢ) is NaN: beyond the end of a domain, √ and ln have complex values that do not belong to f.

    Source: Martins, Sturdza and Alonso, The complex-step derivative approximation, ACM TOMS 29 (2003) 245-262,
    doi:10.1145/838250.838251; Lai and Crassidis, Extensions of the first and second complex-step derivative approximations,
    J. Comput. Appl. Math. 219 (2008) 276-293, for the second derivatives.
    """

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Refuse an objective that does not compute with complex numbers."""
        name = type(objective).__name__
        if quantity == "jacobian" and not isinstance(objective, HasResiduals):
            return f"because {name} is no sum of squared residuals; use a least-squares objective such as linear_regression"
        if quantity == "jacobian":
            method, function = "residuals", cast(HasResiduals, objective).residuals
        elif quantity == "hessian" and isinstance(objective, HasGradient):
            method, function = "gradient", objective.gradient
        else:
            method, function = "value", objective.value
        problem = _problem(function, _probe(objective))
        return problem and f"because {name}.{method} {problem}; use gradient backend finite_difference"

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return complex steps of f."""
        return _slopes(objective.value, x)

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return complex steps of the residuals."""
        return _slopes(cast(HasResiduals, objective).residuals, x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return complex steps of ∇f where the objective offers it, else differences of complex steps of f."""
        if isinstance(objective, HasGradient):
            slopes = _slopes(objective.gradient, x)
        else:
            slopes = _differences(lambda z: _slopes_inside(objective.value, z), x)
        return 0.5 * (slopes + slopes.swapaxes(-2, -1))


def _slopes(function: Function, x: Array) -> Array:
    """Return ∂function/∂xᵢ on a new last axis, by complex steps."""
    slopes = [function(cast(Array, x + 1j * STEP * axis)).imag / STEP for axis in np.eye(x.shape[-1])]
    return np.ascontiguousarray(np.stack(slopes, axis=-1))


def _slopes_inside(function: Function, x: Array) -> Array:
    """Return ∂function/∂xᵢ like `_slopes`, but NaN where the function is NaN."""
    return np.where(np.isnan(function(x))[..., None], np.nan, _slopes(function, x))


def _differences(function: Function, x: Array) -> Array:
    """Return ∂function/∂xᵢ on a new last axis, by central differences."""
    k = SPACING * np.maximum(1.0, np.abs(x))
    slopes = []
    for i, axis in enumerate(np.eye(x.shape[-1])):
        ahead, behind = x + k * axis, x - k * axis
        slopes.append((function(ahead) - function(behind)) / (ahead - behind)[..., i, None])
    return np.stack(slopes, axis=-1)


def _probe(objective: Objective) -> Array:
    """Return a point at which no derivative is likely to vanish by symmetry."""
    low, high = objective.start_region if isinstance(objective, HasStartRegion) else (0.0, 1.0)
    return np.asarray(low + (high - low) * _fractions(objective.dimension), dtype=np.float64)[None]


def _fractions(count: int) -> Array:
    return np.asarray(GOLDEN * np.arange(1, count + 1) % 1.0, dtype=np.float64)


def _problem(function: Function, x: Array) -> str | None:
    """Return the fault of the complex step of a function at x along one direction, in words; None if the step is correct."""
    # The diagonal is unsuitable, because the slopes of |x₁| + |x₂| may cancel along it.
    direction = 1.0 + _fractions(x.shape[-1])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            stepped = function(cast(Array, x + 1j * STEP * direction))
            # Differences are used only if those of all spacings agree; otherwise they are too inexact.
            slopes = np.stack([_slope_along(function, x, direction, spacing * SPACING) for spacing in (1.0, 1.7, 4.3)])
            doubt = np.ptp(slopes, axis=0) + SPACING * (np.abs(slopes[0]) + SPACING * np.abs(stepped))
            lost = np.abs(np.imag(stepped) / STEP - slopes[0]) > 100.0 * doubt
    except Exception as error:  # any exception means that f does not accept complex numbers
        return f"does not accept complex numbers ({type(error).__name__}: {error})"
    return "loses the imaginary part of complex numbers" if lost.any() else None


def _slope_along(function: Function, x: Array, direction: Array, spacing: float) -> Array:
    return (function(x + spacing * direction) - function(x - spacing * direction)) / (2.0 * spacing)


@hookimpl
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer complex steps."""
    return {"complex_step": ComplexStep}

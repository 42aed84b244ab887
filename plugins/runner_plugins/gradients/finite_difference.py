"""Derivatives from differences of function values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from runner import Array, GradientBackend, HasGradient, HasResiduals, Objective, Quantity, hookimpl, parameter

EPSILON = float(np.finfo(np.float64).eps)
BEST_SPACING = {"forward": EPSILON ** (1 / 2), "central": EPSILON ** (1 / 3)}


@dataclass(frozen=True)
class FiniteDifference(GradientBackend):
    """∂f/∂xᵢ ≈ (f(x + hᵢeᵢ) − f(x − hᵢeᵢ)) / 2hᵢ (central), or (f(x + hᵢeᵢ) − f(x)) / hᵢ (forward).

    The spacing is hᵢ = spacing · max(1, |xᵢ|). The error of the formula decreases like h² (central) or h (forward), and
    the rounding error grows like ε/h. Up to constants, their sum is smallest at the default spacing: ε^(1/3) with an error near
    ε^(2/3) and 2 d evaluations (central), or ε^(1/2) with an error near ε^(1/2) and d + 1 evaluations (forward), for d
    coordinates. The divisor is the distance of the two points after rounding.

    Where the objective offers a gradient, the Hessian is the symmetric part of the same differences of ∇f. Where it does not, it
    comes from values, with h from second_spacing (default ε^(1/4), error near ε^(1/2), 2 d (d + 1) evaluations):

        ∂²f/∂xᵢ∂xⱼ ≈ (f(x + hᵢeᵢ + hⱼeⱼ) − f(x + hᵢeᵢ − hⱼeⱼ) − f(x − hᵢeᵢ + hⱼeⱼ) + f(x − hᵢeᵢ − hⱼeⱼ)) / 4hᵢhⱼ.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 8.1; Press et al., Numerical Recipes, 3rd ed.,
    section 5.7.
    """

    scheme: Literal["central", "forward"] = parameter("central", doc="differences for first derivatives")
    spacing: float | None = parameter(None, above=0, doc="h for first derivatives, relative to max(1, |xᵢ|)")
    second_spacing: float | None = parameter(None, above=0, doc="h for second derivatives from values, relative to max(1, |xᵢ|)")

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Refuse only the Jacobian of an objective without residuals."""
        if quantity == "jacobian" and not isinstance(objective, HasResiduals):
            name = type(objective).__name__
            return f"because {name} is no sum of squared residuals; use a least-squares objective such as linear_regression"
        return None

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return differences of f."""
        return self._slopes(objective.value, x)

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return differences of the residuals."""
        return self._slopes(cast(HasResiduals, objective).residuals, x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return differences of ∇f where the objective offers it, else second differences of f."""
        if not isinstance(objective, HasGradient):
            return self._second_differences(objective.value, x)
        slopes = self._slopes(objective.gradient, x)
        return 0.5 * (slopes + slopes.swapaxes(-2, -1))

    def value_and_gradient(self, objective: Objective, x: Array) -> tuple[Array, Array]:
        """Return f and its differences; forward differences share f(x)."""
        value = objective.value(x)
        return value, self._slopes(objective.value, x, value)

    def _slopes(self, function: Callable[[Array], Array], x: Array, here: Array | None = None) -> Array:
        """Return ∂function/∂xᵢ on a new last axis; `here` is function(x) if it is known."""
        spacing = BEST_SPACING[self.scheme] if self.spacing is None else self.spacing
        h = spacing * np.maximum(1.0, np.abs(x))
        start = (function(x) if here is None else here) if self.scheme == "forward" else None
        slopes = []
        for i, axis in enumerate(np.eye(x.shape[-1])):
            ahead, behind = x + h * axis, x if start is not None else x - h * axis
            rise = function(ahead) - (start if start is not None else function(behind))
            slopes.append((rise.T / (ahead - behind)[..., i]).T)
        return np.ascontiguousarray(np.stack(slopes, axis=-1))

    def _second_differences(self, function: Callable[[Array], Array], x: Array) -> Array:
        spacing = EPSILON ** (1 / 4) if self.second_spacing is None else self.second_spacing
        h = spacing * np.maximum(1.0, np.abs(x))
        hessian = np.empty((*x.shape, x.shape[-1]))
        axes = np.eye(x.shape[-1])
        for i, j in zip(*np.tril_indices(len(axes)), strict=True):
            one, other = h * axes[i], h * axes[j]
            along = function(x + (one + other)) + function(x - (one + other))
            across = function(x + (one - other)) + function(x - (one - other))
            hessian[..., i, j] = hessian[..., j, i] = (along - across) / (4.0 * h[..., i] * h[..., j])
        return hessian


@hookimpl
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer finite differences."""
    return {"finite_difference": FiniteDifference}

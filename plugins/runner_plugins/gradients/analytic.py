"""Derivatives from the formulas that the objective offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from runner import Array, GradientBackend, HasGradient, HasHessian, HasResiduals, Objective, Quantity, hookimpl

SharedWork = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Analytic(GradientBackend):
    """∇f, ∇²f and ∂r/∂x from the formulas that the objective offers: exact to rounding."""

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Refuse a derivative that the objective does not offer."""
        name = type(objective).__name__
        numeric = "use gradient backend finite_difference or complex_step"
        if quantity == "gradient" and not isinstance(objective, HasGradient):
            return f"because {name} offers no gradient; {numeric}"
        if quantity == "hessian" and not isinstance(objective, HasHessian):
            return f"because {name} offers no Hessian; {numeric}"
        if quantity == "jacobian" and not isinstance(objective, HasResiduals):
            return f"because {name} is no sum of squared residuals; use a least-squares objective such as linear_regression"
        return None

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∇f."""
        return cast(HasGradient, objective).gradient(x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∇²f."""
        return cast(HasHessian, objective).hessian(x)

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∂r/∂x."""
        return cast(HasResiduals, objective).jacobian(x)

    def value_and_gradient(self, objective: Objective, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, with the work that the objective shares between them."""
        # `isinstance(objective, HasValueAndGradient)` would take as long as f itself for a thousand runs.
        shared: SharedWork | None = getattr(objective, "value_and_gradient", None)
        return shared(x) if shared is not None else (objective.value(x), self.gradient(objective, x))


@hookimpl
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer the objective's own derivatives."""
    return {"analytic": Analytic}

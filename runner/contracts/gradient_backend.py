"""Gradient backends: ways to differentiate an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from runner.contracts.arrays import Array
from runner.contracts.capabilities import CapabilityMeta
from runner.contracts.objective import Objective
from runner.contracts.plugin import Plugin, Quantity

if TYPE_CHECKING:
    pass


class GradientBackend(Plugin, ABC):
    """A way to differentiate an objective.

    It may also offer `hessian(objective, x)`, `jacobian(objective, x)` and `value_and_gradient(objective, x)`.
    """

    @abstractmethod
    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return ∇f at each row: `(runs, dimension) -> (runs, dimension)`."""

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Why this backend cannot compute `quantity` of `objective`, and what can; None if it can."""
        return None


@runtime_checkable
class ComputesHessian(Protocol, metaclass=CapabilityMeta):
    """A gradient backend that computes Hessians."""

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return ∇²f at each row: `(runs, dimension) -> (runs, dimension, dimension)`."""


@runtime_checkable
class ComputesJacobian(Protocol, metaclass=CapabilityMeta):
    """A gradient backend that computes the Jacobian of a least-squares objective's residuals."""

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""


@runtime_checkable
class ComputesValueAndGradient(Protocol, metaclass=CapabilityMeta):
    """A gradient backend that computes f and ∇f with shared work."""

    def value_and_gradient(self, objective: Objective, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f at each row: `(runs, dimension) -> (runs,), (runs, dimension)`."""

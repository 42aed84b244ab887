"""Gradient backends: ways to differentiate an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from runner.contracts.arrays import Array
from runner.contracts.capabilities import CapabilityMeta
from runner.contracts.objective import Objective
from runner.contracts.plugin import Plugin, Quantity


class GradientBackend(Plugin, ABC):
    """A way to differentiate an objective. The protocols below name the further derivatives that a backend may compute."""

    @abstractmethod
    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return ∇f at each row: `(runs, dimension) -> (runs, dimension)`."""

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Return None if this backend can compute `quantity` of `objective`, and the reason if it cannot.

        The reason begins with "because" and names a backend that can compute the quantity, e.g. "because Wall offers no gradient;
        use gradient backend finite_difference". Runs that need the quantity are skipped with this reason.
        """
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

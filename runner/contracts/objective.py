"""Objectives: what a function to minimise implements, and what else it may offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.capabilities import CapabilityMeta
from runner.contracts.plugin import Plugin

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Minimum:
    """A known global minimum.

    Attributes:
        x: a global minimiser, `(dimension,)`, or `(runs, dimension)` where a parameter is swept.
        value: the smallest value, a number or `(runs,)`.
    """

    x: Array
    value: float | Array


class Objective(Plugin, ABC):
    """A function f to minimise, from R^dimension to R."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many coordinates x has."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Return f at each row: `(runs, dimension) -> (runs,)`."""


@runtime_checkable
class HasGradient(Protocol, metaclass=CapabilityMeta):
    """An objective that knows its gradient."""

    def gradient(self, x: Array) -> Array:
        """Return ∇f at each row: `(runs, dimension) -> (runs, dimension)`."""


@runtime_checkable
class HasHessian(Protocol, metaclass=CapabilityMeta):
    """An objective that knows its Hessian."""

    def hessian(self, x: Array) -> Array:
        """Return ∇²f at each row: `(runs, dimension) -> (runs, dimension, dimension)`, symmetric."""


@runtime_checkable
class HasValueAndGradient(Protocol, metaclass=CapabilityMeta):
    """An objective that computes f and ∇f with shared work."""

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f at each row: `(runs, dimension) -> (runs,), (runs, dimension)`."""


@runtime_checkable
class HasResiduals(Protocol, metaclass=CapabilityMeta):
    """An objective that is a sum of squares, f(x) = Σ rᵢ(x)²."""

    def residuals(self, x: Array) -> Array:
        """Return r at each row: `(runs, dimension) -> (runs, residuals)`."""

    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""


@runtime_checkable
class HasMinimum(Protocol, metaclass=CapabilityMeta):
    """An objective whose global minimum is known, at least for some of its parameters."""

    @property
    def minimum(self) -> Minimum | None:
        """The known global minimum; None where it is not known for these parameters.

        Objectives of which it is known do not share a batch with others.
        """


@runtime_checkable
class HasStartRegion(Protocol, metaclass=CapabilityMeta):
    """An objective that says where starting points make sense."""

    @property
    def start_region(self) -> tuple[float, float]:
        """The lowest and highest start, the same for each coordinate."""


@runtime_checkable
class DrawsStarts(Protocol, metaclass=CapabilityMeta):
    """An objective that has a way of its own to draw starting points."""

    def draw_starts(self, generator: np.random.Generator, count: int) -> Array:
        """Draw starting points, `(count, dimension)`, with no randomness but the generator's.

        Called with numbers in the fields. Parameters that decide nothing but this are best left batched: runs that differ in
        them then advance together.
        """


@dataclass(frozen=True)
class LayerGradient:
    """What becomes of the gradient in one layer of a chain of functions, at some points.

    Attributes:
        name: of the layer.
        weights: where its weights lie in x.
        jacobian_norm: the spectral norm of the Jacobian of what leaves the layer by what enters it, all samples together,
            `(runs,)`: the most that the layer can stretch what is carried back through it. Where a sample's output depends on
            that sample alone, it is the largest of the samples' own norms.
        reaching: ‖∂f/∂a‖ over all samples, `(runs,)`, where a is what leaves the layer: the product of the loss's gradient with
            the Jacobians of all layers above. So `reaching` of a layer is at most `jacobian_norm · reaching` of the one above.
        gradient_norm: the norm of the gradient by the layer's weights, `(runs,)`.
    """

    name: str
    weights: slice
    jacobian_norm: Array
    reaching: Array
    gradient_norm: Array


@runtime_checkable
class HasLayers(Protocol, metaclass=CapabilityMeta):
    """An objective that is a chain of layers, through which the gradient is carried back."""

    @property
    def layer_weights(self) -> Mapping[str, slice]:
        """Each layer's name, and where its weights lie in x, from the first layer to the last."""

    def backpropagation(self, x: Array) -> tuple[LayerGradient, ...]:
        """Return what becomes of the gradient in each layer, from the first to the last, for x `(runs, dimension)`."""


@runtime_checkable
class HasCurvatureBounds(Protocol, metaclass=CapabilityMeta):
    """An objective whose formula bounds its curvature everywhere."""

    @property
    def curvature_bounds(self) -> tuple[float | Array, float | Array]:
        """What no eigenvalue of ∇²f, at any x, lies below, and what none lies above; each a number or `(runs,)`."""


@runtime_checkable
class HasData(Protocol, metaclass=CapabilityMeta):
    """An objective that fits a model to data."""

    @property
    def data(self) -> tuple[Array, Array]:
        """The features, `(samples, features)`, and the targets, `(samples,)`."""

    def predict(self, x: Array, features: Array) -> Array:
        """Return what the model says: x `(runs, dimension)` and features `(samples, features)` -> `(runs, samples)`."""


class LeastSquares(Objective):
    """f(x) = Σ rᵢ(x)², given the residuals r and their Jacobian J; value and gradient 2 Jᵀr follow.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.1 (there with a factor 1/2).
    """

    @abstractmethod
    def residuals(self, x: Array) -> Array:
        """Return r at each row: `(runs, dimension) -> (runs, residuals)`."""

    @abstractmethod
    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""

    def value(self, x: Array) -> Array:
        """Return Σ rᵢ²."""
        r = self.residuals(x)
        total: Array = (r * r).sum(axis=-1)
        return total

    def gradient(self, x: Array) -> Array:
        """Return 2 Jᵀr."""
        r = self.residuals(x)
        total: Array = 2.0 * (self.jacobian(x) * r[..., :, None]).sum(axis=-2)
        return total


def known_minimum(objective: object) -> Minimum | None:
    """Return the minimum that an objective states; None if it states none, or none for its parameters.

    Raises:
        Exception: what the plugin raises, which may be anything.
    """
    return objective.minimum if isinstance(objective, HasMinimum) else None

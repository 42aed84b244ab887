"""Objectives: the functions to minimise, and the protocols of their capabilities."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.capabilities import CapabilityMeta
from runner.contracts.plugin import Plugin
from runner.contracts.reached import GAP_ROUNDING

ARGUMENTS = re.compile(r"f\(([^()]*)\) = ")
"""The beginning of the formula in the docstring of an objective; the group holds the arguments."""
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Minimum:
    """A known global minimum.

    Attributes:
        x: a global minimiser, `(dimension,)`, or `(runs, dimension)` where it depends on a swept parameter.
        value: the smallest value of f, a number or `(runs,)`.
    """

    x: Array
    value: float | Array


class Objective(Plugin, ABC):
    """A function f to minimise, from R^dimension to R."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """The number of coordinates of x."""

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
        """The known global minimum, or None if it is not known for these parameters.

        Objectives with a known minimum do not share a batch with objectives without one.
        """


@runtime_checkable
class HasStartRegion(Protocol, metaclass=CapabilityMeta):
    """An objective that states a suitable region for starting points."""

    @property
    def start_region(self) -> tuple[float, float]:
        """The smallest and the largest value for each coordinate of a start."""


@runtime_checkable
class DrawsStarts(Protocol, metaclass=CapabilityMeta):
    """An objective that draws starting points itself."""

    def draw_starts(self, generator: np.random.Generator, count: int) -> Array:
        """Return starting points, `(count, dimension)`, that depend on the generator and the parameters alone.

        The method is called with numbers in the fields. A parameter that affects only the starts can stay batched (see
        `runner.parameter`); runs that differ in it then advance together.
        """


@dataclass(frozen=True)
class LayerGradient:
    """Norms that describe how one layer of a chain of functions changes the gradient that is carried back through it.

    Attributes:
        name: the name of the layer.
        weights: the coordinates of x that are its weights.
        jacobian_norm: the spectral norm of the Jacobian of the layer's output for all samples with respect to its input,
            `(runs,)`. It is the largest factor by which the layer can stretch a gradient. Where the output of a sample depends on
            that sample alone, it is the largest norm of the samples' own Jacobians.
        reaching: ‖∂f/∂a‖ over all samples, `(runs,)`, where a is the layer's output: the product of the loss's gradient with the
            Jacobians of all layers above. It is at most `jacobian_norm · reaching` of the layer above.
        gradient_norm: the norm of the gradient with respect to the layer's weights, `(runs,)`.
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
        """The coordinates of x that are the weights of each layer, by its name, from the first layer to the last."""

    def backpropagation(self, x: Array) -> tuple[LayerGradient, ...]:
        """Return the norms of the gradient at each layer for x, `(runs, dimension)`, from the first layer to the last."""


@runtime_checkable
class HasCurvatureBounds(Protocol, metaclass=CapabilityMeta):
    """An objective whose curvature has known bounds that hold everywhere."""

    @property
    def curvature_bounds(self) -> tuple[float | Array, float | Array]:
        """A lower and an upper bound of all eigenvalues of ∇²f at all x; each is a number or `(runs,)`."""


@runtime_checkable
class HasData(Protocol, metaclass=CapabilityMeta):
    """An objective that fits a model to data."""

    @property
    def data(self) -> tuple[Array, Array]:
        """The features, `(samples, features)`, and the targets, `(samples,)`."""

    def predict(self, x: Array, features: Array) -> Array:
        """Return the predictions of the model: x `(runs, dimension)`, features `(samples, features)` -> `(runs, samples)`."""


class LeastSquares(Objective):
    """A sum of squares, f(x) = Σ rᵢ(x)². Its value and its gradient 2 Jᵀr follow from the residuals r and their Jacobian J.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.1, which has a factor 1/2.
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


def is_within_gap(value: Array, minimum: Array, gap: Array | float) -> NDArray[np.bool_]:
    """Return, for each run, True if f lies at most `gap` above f*, and at most `gap` or its rounding error below f*.

    If f lies further below f*, then f* is not the minimum.

    Args:
        value: f, `(runs,)`.
        minimum: f*, `(runs,)`.
        gap: the largest difference, a number or `(runs,)`.
    """
    difference = value - minimum
    below = np.maximum(gap, GAP_ROUNDING * np.maximum(1.0, np.abs(minimum)))
    result: NDArray[np.bool_] = (difference <= gap) & (difference >= -below)
    return result


def known_minimum(objective: object) -> Minimum | None:
    """Return the minimum that an objective states, or None if it states no minimum for its parameters.

    Raises:
        Exception: any exception that the plugin raises.
    """
    return objective.minimum if isinstance(objective, HasMinimum) else None


def may_know_minimum(objective: object) -> bool:
    """Return False if an objective states no minimum; True if it states a minimum, or if reading it raises an exception.

    Where the minimum is needed, `known_minimum` raises this exception.
    """
    try:
        return known_minimum(objective) is not None
    except (Exception, SystemExit):
        return True


def coordinate_names(objective: object, dimension: int) -> tuple[str, ...]:
    """Return the names of the coordinates for axes and tables: x₁, x₂ and so on, or `x` for a single coordinate.

    An objective whose docstring begins with a formula such as `f(w, b) =` has its own names, if there is one for each coordinate.
    The name `x` always stands for the whole point, so a formula that begins `f(x, y) =` does not rename the coordinates.

    Args:
        objective: the objective or its class; None if it is not known.
        dimension: the number of coordinates of x.
    """
    default = ("x",) if dimension == 1 else tuple(f"x{str(place).translate(SUBSCRIPTS)}" for place in range(1, dimension + 1))
    return _own_names(objective, dimension) or default


def point_name(objective: object, dimension: int) -> str:
    """Return the name of a point in texts: `x`, or for example `(w, b)` if the objective has its own names of coordinates."""
    names = _own_names(objective, dimension)
    return f"({', '.join(names)})" if len(names) > 1 else names[0] if names else "x"


def _own_names(objective: object, dimension: int) -> tuple[str, ...]:
    """Return the names that the docstring of an objective gives its coordinates; an empty tuple if it gives none."""
    formula = ARGUMENTS.match(inspect.getdoc(objective) or "")
    names = tuple(name.strip() for name in formula[1].split(",")) if formula else ()
    # A `$` would begin a formula in the labels of Matplotlib.
    usable = all(name and name.isprintable() and "$" not in name for name in names)
    return names if len(set(names)) == dimension == len(names) and usable and "x" not in names else ()

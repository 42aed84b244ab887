"""An L2 penalty around any objective."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner import Array, LayerGradient, Objective, hookimpl, norm, parameter


@dataclass(frozen=True)
class L2(Objective):
    """f(x) + (λ/2) ‖x‖², for another objective f.

    It has the optional members of f, such as the gradient ∇f + λ x and the Hessian ∇²f + λ I. The penalty moves the minimum,
    which is therefore not known.
    If f is a sum of squares, its residuals are followed by √(λ/2) x. Every coordinate is penalised, biases included.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 7.1.1; Hoerl and Kennard, Ridge regression,
    Technometrics 12 (1970) 55-67, doi:10.1080/00401706.1970.10488634.
    """

    objective: Objective = parameter(doc="the objective that is penalised, f")
    penalty: float = parameter(0.01, at_least=0, doc="strength of the penalty, λ")

    def __new__(cls, objective: Objective, penalty: float | Array = 0.01) -> L2:
        """Create a penalised objective with the optional members of the objective."""
        offered = frozenset(name for name in OPTIONAL if hasattr(type(objective), name))
        return object.__new__(_offering(offered))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call that creates the objective again in another process, where its class is created on first use."""
        return L2, (self.objective, self.penalty)

    @property
    def dimension(self) -> int:
        """The dimension of the objective."""
        return self.objective.dimension

    def value(self, x: Array) -> Array:
        """Return f + (λ/2) ‖x‖²."""
        return self.objective.value(x) + _half_squares(self, x)


def _half_squares(self: L2, x: Array) -> Array:
    total: Array = (0.5 * self.penalty * x * x).sum(axis=-1)
    return total


def _gradient(self: Any, x: Array) -> Array:
    """Return ∇f + λ x."""
    return cast(Array, self.objective.gradient(x) + self.penalty * x)


def _value_and_gradient(self: Any, x: Array) -> tuple[Array, Array]:
    """Return f + (λ/2) ‖x‖² and ∇f + λ x, with the work that f shares between value and gradient."""
    value, gradient = self.objective.value_and_gradient(x)
    return value + _half_squares(self, x), gradient + self.penalty * x


def _hessian(self: Any, x: Array) -> Array:
    """Return ∇²f + λ I."""
    return cast(Array, self.objective.hessian(x) + np.asarray(self.penalty)[..., None] * np.eye(self.dimension))


def _residuals(self: Any, x: Array) -> Array:
    """Return r, followed by √(λ/2) x."""
    return np.concatenate([self.objective.residuals(x), np.sqrt(0.5 * self.penalty) * x], axis=-1)


def _jacobian(self: Any, x: Array) -> Array:
    """Return ∂r/∂x, with √(λ/2) I below it."""
    below = np.sqrt(0.5 * np.asarray(self.penalty))[..., None] * np.eye(self.dimension)
    return np.concatenate([self.objective.jacobian(x), np.broadcast_to(below, (len(x), *below.shape[-2:]))], axis=-2)


def _draw_starts(self: Any, generator: np.random.Generator, count: int) -> Array:
    """Draw starts as the objective does."""
    return cast(Array, self.objective.draw_starts(generator, count))


def _backpropagation(self: Any, x: Array) -> tuple[LayerGradient, ...]:
    """Return the norms of the gradient at each layer; the penalty is added to the gradient with respect to the weights."""
    gradient = self.gradient(x)
    return tuple(
        dataclasses.replace(layer, gradient_norm=norm(gradient[:, layer.weights])) for layer in self.objective.backpropagation(x)
    )


def _start_region(self: Any) -> tuple[float, float]:
    """The start region of the objective."""
    return cast(tuple[float, float], self.objective.start_region)


def _curvature_bounds(self: Any) -> tuple[float | Array, float | Array]:
    """The curvature bounds of the objective, plus λ."""
    low, high = self.objective.curvature_bounds
    penalty = self.penalty if np.ndim(self.penalty) == 0 else self.penalty[:, 0]
    return low + penalty, high + penalty


def _data(self: Any) -> Any:
    """The data of the objective."""
    return self.objective.data


def _predict(self: Any, x: Array, features: Array) -> Array:
    """Return the predictions of the objective's model; the penalty changes x, not the model."""
    return cast(Array, self.objective.predict(x, features))


def _layer_weights(self: Any) -> Mapping[str, slice]:
    """The coordinates of x that are the weights of each layer, by its name."""
    return cast(Mapping[str, slice], self.objective.layer_weights)


OPTIONAL: Mapping[str, Any] = {
    "gradient": _gradient,
    "value_and_gradient": _value_and_gradient,
    "hessian": _hessian,
    "residuals": _residuals,
    "jacobian": _jacobian,
    "draw_starts": _draw_starts,
    "backpropagation": _backpropagation,
    "predict": _predict,
    "data": property(_data),
    "start_region": property(_start_region),
    "curvature_bounds": property(_curvature_bounds),
    "layer_weights": property(_layer_weights),
}
"""What an objective may offer beyond its values."""


@functools.cache
def _offering(offered: frozenset[str]) -> type[L2]:
    """Return a class with these optional members and no others, because a member that the class has counts as offered."""
    members = {"__doc__": L2.__doc__, "__module__": L2.__module__, **{name: OPTIONAL[name] for name in sorted(offered)}}
    return dataclass(frozen=True)(type("L2", (L2,), members))


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer the penalty on any objective."""
    return {"l2": L2}

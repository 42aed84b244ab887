"""What the units of a network apply to their sums, and the slopes of these; in place, and for complex numbers too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from runner.contracts.arrays import Array

Activation = Literal["tanh", "relu", "sigmoid", "identity"]
"""The names of the activation functions."""


def slope_of(activation: Activation, a: Array) -> Array:
    """Return σ'(z), given a = σ(z)."""
    slope = np.ones_like(a)
    DERIVATIVES[activation](slope, a.copy())
    return slope


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _sigmoid(z: Array) -> None:
    """1/(1 + e^−z) = (1 + tanh(z/2))/2, which cannot overflow."""
    z *= 0.5
    np.tanh(z, out=z)
    z += 1.0
    z *= 0.5


def _relu(z: Array) -> None:
    """max(z, 0); NumPy orders complex numbers by their real part first, so this is analytic on either side."""
    np.maximum(z, 0.0, out=z)


def _identity(z: Array) -> None:
    pass


def _through_tanh(slope: Array, a: Array) -> None:
    np.multiply(a, a, out=a)
    np.subtract(1.0, a, out=a)
    slope *= a


def _through_sigmoid(slope: Array, a: Array) -> None:
    slope *= a
    np.subtract(1.0, a, out=a)
    slope *= a


def _through_relu(slope: Array, a: Array) -> None:
    slope *= a > 0


def _through_identity(slope: Array, a: Array) -> None:
    pass


ACTIVATIONS: dict[Activation, Callable[[Array], None]] = {
    "tanh": _tanh,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "identity": _identity,
}
DERIVATIVES: dict[Activation, Callable[[Array, Array], None]] = {
    "tanh": _through_tanh,
    "relu": _through_relu,
    "sigmoid": _through_sigmoid,
    "identity": _through_identity,
}
"""What each multiplies a slope by, from what the activation returned, which is used up. At 0, where relu has no derivative, it is
0."""

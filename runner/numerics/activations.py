"""Activations: the functions that the units of a network apply to their sums, and their derivatives.

All functions work in place, also on complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from runner.contracts.arrays import Array

Activation = Literal["tanh", "relu", "sigmoid", "identity"]
"""The names of the activation functions."""


def slope_of(activation: Activation, a: Array) -> Array:
    """Return the derivative σ'(z), given a = σ(z)."""
    slope = np.ones_like(a)
    DERIVATIVES[activation](slope, a.copy())
    return slope


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _sigmoid(z: Array) -> None:
    """Apply 1/(1 + e^−z) = (1 + tanh(z/2))/2, which cannot overflow."""
    z *= 0.5
    np.tanh(z, out=z)
    z += 1.0
    z *= 0.5


def _relu(z: Array) -> None:
    """Apply max(z, 0). NumPy orders complex numbers by their real part first, so this is analytic on either side of 0."""
    np.maximum(z, 0.0, out=z)


def _identity(z: Array) -> None:
    pass


def _multiply_by_derivative_of_tanh(slope: Array, a: Array) -> None:
    np.multiply(a, a, out=a)
    np.subtract(1.0, a, out=a)
    slope *= a


def _multiply_by_derivative_of_sigmoid(slope: Array, a: Array) -> None:
    slope *= a
    np.subtract(1.0, a, out=a)
    slope *= a


def _multiply_by_derivative_of_relu(slope: Array, a: Array) -> None:
    slope *= a > 0


def _multiply_by_derivative_of_identity(slope: Array, a: Array) -> None:
    pass


ACTIVATIONS: dict[Activation, Callable[[Array], None]] = {
    "tanh": _tanh,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "identity": _identity,
}
"""The function that applies each activation in place."""
DERIVATIVES: dict[Activation, Callable[[Array, Array], None]] = {
    "tanh": _multiply_by_derivative_of_tanh,
    "relu": _multiply_by_derivative_of_relu,
    "sigmoid": _multiply_by_derivative_of_sigmoid,
    "identity": _multiply_by_derivative_of_identity,
}
"""For each activation σ, a function that multiplies `slope` by σ'(z) in place, given a = σ(z), which it overwrites.

For relu at 0, where the derivative does not exist, the factor is 0.
"""

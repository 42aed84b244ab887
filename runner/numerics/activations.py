"""Activations: the functions that the units of a network apply to their sums, and their derivatives.

All functions work in place, also on complex numbers.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from runner.contracts.arrays import Array

Activation = Literal["tanh", "relu", "sigmoid", "identity"]
"""The names of the activation functions."""


def activate(activation: Activation, z: Array) -> None:
    """Replace z by σ(z)."""
    if activation == "tanh":
        np.tanh(z, out=z)
    elif activation == "sigmoid":
        # 1/(1 + e^−z) = (1 + tanh(z/2))/2, which cannot overflow.
        z *= 0.5
        np.tanh(z, out=z)
        z += 1.0
        z *= 0.5
    elif activation == "relu":
        # NumPy orders complex numbers by their real part first, so this is analytic on either side of 0.
        np.maximum(z, 0.0, out=z)


def multiply_by_derivative(activation: Activation, slope: Array, a: Array) -> None:
    """Multiply `slope` by σ'(z), given a = σ(z). The array a is overwritten.

    For relu at 0, where the derivative does not exist, the factor is 0.
    """
    if activation == "tanh":
        np.multiply(a, a, out=a)
        np.subtract(1.0, a, out=a)
        slope *= a
    elif activation == "sigmoid":
        slope *= a
        np.subtract(1.0, a, out=a)
        slope *= a
    elif activation == "relu":
        slope *= a > 0


def derivative(activation: Activation, a: Array) -> Array:
    """Return the derivative σ'(z), given a = σ(z)."""
    slope = np.ones_like(a)
    multiply_by_derivative(activation, slope, a.copy())
    return slope

"""Backpropagation through a chain of layers: the norms of the gradient and of the Jacobian of each layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.objective import LayerGradient
from runner.numerics.activations import derivative
from runner.numerics.layers import Layer, Layers, Tape

MAX_LANCZOS_STEPS = 100
BREAKDOWN = 1e-13
"""The relative length below which a new Lanczos vector is rounding error, so that the singular value is exact."""

Linear = Callable[[Array], Array]


def layer_gradients(layers: Layers, x: Array, tape: Tape, slope: Array) -> tuple[LayerGradient, ...]:
    """Carry ∂f/∂outputs back through the layers, and return the norms of each layer's gradient and Jacobian.

    Args:
        layers: the chain.
        x: the parameters of the chain, `(runs, dimension)`.
        tape: the tape that `layers.outputs` has filled in; its arrays are overwritten.
        slope: ∂f/∂outputs, `(runs, outputs, samples)`; overwritten.

    Returns:
        The norms of each layer, from the first layer to the last.
    """
    jacobians = [
        np.array([_jacobian_norm(layer, x[run : run + 1], tape, run) for run in range(len(x))]) for layer in layers.layers
    ]
    gradient = np.empty_like(x)
    reaching = [norm(arriving.reshape(len(x), -1)) for _, arriving in layers.carried_back(x, tape, slope, gradient)]
    return tuple(
        LayerGradient(layer.name, layer.weights, jacobian, arrived, norm(gradient[:, layer.weights]))
        for layer, jacobian, arrived in zip(layers.layers, jacobians, reversed(reaching), strict=True)
    )


def _jacobian_norm(layer: Layer, x: Array, tape: Tape, run: int) -> float:
    """Return the spectral norm of ∂aₗ/∂aₗ₋₁ of one run, over all samples together; x is `(1, dimension)`."""
    weights = layer.matrix(x)[0]
    place = layer.number - 1
    slopes = derivative(layer.activation, tape.outputs[place][run])
    if not (np.isfinite(weights).all() and np.isfinite(slopes).all()):
        return float("nan")
    if not layer.normalised:
        # The samples do not interact, so the norm of the whole is the largest norm of a single sample.
        return float(np.linalg.norm(slopes.T[:, :, None] * weights, ord=2, axis=(1, 2)).max())
    normalised = _normalisation(tape.normals[place][run], x[0, layer.scales, None] * tape.factors[place][run])
    return _spectral_norm(
        lambda v: slopes * normalised(weights @ v),
        lambda v: weights.T @ normalised(slopes * v),
        np.random.default_rng(0).standard_normal((layer.inputs, slopes.shape[1])),
    )


def _normalisation(normal: Array, stretch: Array) -> Linear:
    """Return the derivative of γ x̂ with respect to u, a symmetric linear map of `(units, samples)`.

    It maps v to γ/√(σ² + ε) (v − mean v − x̂ mean(x̂ v)).
    """

    def apply(v: Array) -> Array:
        means, products = v.mean(axis=-1, keepdims=True), (normal * v).mean(axis=-1, keepdims=True)
        return cast(Array, stretch * (v - means - normal * products))

    return apply


def _spectral_norm(forward: Linear, backward: Linear, v: Array) -> float:
    """Return the largest singular value of a linear map A, given A, Aᵀ and a vector to begin with.

    Source: Golub and Van Loan, Matrix Computations, 4th ed., section 10.1: the Lanczos method for AᵀA. Each vector is made
    orthogonal to all vectors before it, twice.
    """
    basis, products = np.empty((min(MAX_LANCZOS_STEPS, v.size), v.size)), []
    direction, length = v.ravel(), float(np.linalg.norm(v))
    for step in range(len(basis)):
        basis[step] = direction / length
        products.append(backward(forward(basis[step].reshape(v.shape))).ravel())
        direction, known = products[-1], basis[: step + 1]
        for _ in range(2):
            direction = direction - known.T @ (known @ direction)
        length = float(np.linalg.norm(direction))
        if length <= BREAKDOWN * float(np.linalg.norm(products[-1])):
            break
    projected = basis[: len(products)] @ np.array(products).T
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(0.5 * (projected + projected.T))[-1])))

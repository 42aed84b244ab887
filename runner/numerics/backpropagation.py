"""What becomes of the gradient on its way back through a chain of layers, measured layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.objective import LayerGradient
from runner.numerics.activations import slope_of
from runner.numerics.layers import Layer, Layers, Tape

STEPS = 100
NOTHING = 1e-13

Linear = Callable[[Array], Array]


def layer_gradients(layers: Layers, x: Array, tape: Tape, slope: Array) -> tuple[LayerGradient, ...]:
    """Carry ∂f/∂outputs back, and measure it and the layers that it passes.

    Args:
        layers: the chain.
        x: its parameters, `(runs, dimension)`.
        tape: as `layers.outputs` left it; what it holds is used up.
        slope: ∂f/∂outputs, `(runs, outputs, samples)`; overwritten.

    Returns:
        The measurements of each layer, from the first to the last.
    """
    jacobians = [
        np.array([_jacobian_norm(layer, x[run : run + 1], tape, run) for run in range(len(x))]) for layer in layers.layers
    ]
    gradient = np.empty_like(x)
    reaching = [norm(arriving.reshape(len(x), -1)) for _, arriving in layers.carried_back(x, tape, slope, gradient)]
    return tuple(
        LayerGradient(
            layer.name,
            layer.weights,
            jacobian,
            arrived,
            norm(gradient[:, layer.weights]),
        )
        for layer, jacobian, arrived in zip(layers.layers, jacobians, reversed(reaching), strict=True)
    )


def _jacobian_norm(layer: Layer, x: Array, tape: Tape, run: int) -> float:
    """Return the spectral norm of ∂aₗ/∂aₗ₋₁ of one run, over all samples together; x is `(1, dimension)`."""
    weights = layer.matrix(x)[0]
    place = layer.number - 1
    slopes = slope_of(layer.activation, tape.outputs[place][run])
    if not (np.isfinite(weights).all() and np.isfinite(slopes).all()):
        return float("nan")
    if not layer.normalised:
        # No sample knows of the others: the norm of the whole is the largest of the samples' own.
        return float(np.linalg.norm(slopes.T[:, :, None] * weights, ord=2, axis=(1, 2)).max())
    normalised = _normalisation(tape.normals[place][run], x[0, layer.scales, None] * tape.factors[place][run])
    return _spectral_norm(
        lambda v: slopes * normalised(weights @ v),
        lambda v: weights.T @ normalised(slopes * v),
        np.random.default_rng(0).standard_normal((layer.inputs, slopes.shape[1])),
    )


def _normalisation(normal: Array, stretch: Array) -> Linear:
    """Return the derivative of γ x̂ by u, γ/√(σ² + ε) (v − mean v − x̂ mean(x̂ v)), a symmetric map of `(units, samples)`."""

    def apply(v: Array) -> Array:
        means, products = v.mean(axis=-1, keepdims=True), (normal * v).mean(axis=-1, keepdims=True)
        return cast(Array, stretch * (v - means - normal * products))

    return apply


def _spectral_norm(forward: Linear, backward: Linear, v: Array) -> float:
    """Return the largest singular value of a linear map A, from A, Aᵀ and a vector to begin with.

    Source: Golub and Van Loan, Matrix Computations, 4th ed., section 10.1: the Lanczos method for AᵀA, each vector made
    orthogonal to all before it, twice.
    """
    basis, products = np.empty((min(STEPS, v.size), v.size)), []
    direction, length = v.ravel(), float(np.linalg.norm(v))
    for step in range(len(basis)):
        basis[step] = direction / length
        products.append(backward(forward(basis[step].reshape(v.shape))).ravel())
        direction, known = products[-1], basis[: step + 1]
        for _ in range(2):
            direction = direction - known.T @ (known @ direction)
        length = float(np.linalg.norm(direction))
        if length <= NOTHING * float(np.linalg.norm(products[-1])):
            break
    projected = basis[: len(products)] @ np.array(products).T
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(0.5 * (projected + projected.T))[-1])))

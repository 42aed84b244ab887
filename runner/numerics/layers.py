"""A chain of dense layers: its outputs, and the gradient of a function of them with respect to its parameters.

Arrays have the shape `(runs, units, samples)`. Each product is then one matrix product for each run, with the same bits for a run
alone and in a batch. Each elementwise operation goes through memory in order. Arrays that are needed repeatedly are
allocated once, in a `Tape`. All operations accept complex numbers.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

from runner.contracts.arrays import Array
from runner.numerics.activations import Activation, activate, multiply_by_derivative

Initialisation = Literal["xavier", "he", "normal"]
"""The ways to draw the weights of a network."""

VARIANCE_FLOOR = 1e-5
"""ε of batch normalisation, which is added to the variance. A unit with the same value for all samples has variance 0."""
ONE_THREAD = 2**18
"""BLAS uses one thread for a matrix product with at most this number of multiplications."""
ONE_THREAD_VECTOR = 9000
"""The corresponding number of multiplications for the product of a matrix and a vector."""


@dataclass(frozen=True)
class Layer:
    """One layer of a chain, and the coordinates of x that are its parameters.

    Attributes:
        number: its number in the chain, from 1.
        inputs: the number of its inputs for each sample.
        units: the number of its outputs for each sample.
        activation: the activation that is applied to each output.
        normalised: True if it has batch normalisation.
        weights: the coordinates of W, `(units, inputs)`, row by row.
        scales: the coordinates of γ, `(units,)`; empty without batch normalisation.
        biases: the coordinates of b, or of β with batch normalisation, `(units,)`.
    """

    number: int
    inputs: int
    units: int
    activation: Activation
    normalised: bool
    weights: slice
    scales: slice
    biases: slice

    @property
    def name(self) -> str:
        """The name of the layer, made of its number, its shape and its activation."""
        return f"layer {self.number}: {self.inputs} → {self.units}, {self.activation}"

    def matrix(self, x: Array) -> Array:
        """Return W, `(runs, units, inputs)`."""
        return x[:, self.weights].reshape(-1, self.units, self.inputs)


class Tape:
    """The arrays that the forward pass fills in for the backward pass. They are used again for the next group of runs.

    Attributes:
        outputs: the outputs of each layer, `(runs, units, samples)`.
        inputs: the inputs of each layer, `(runs, inputs, samples)`. Without batch normalisation they end with a row of ones, so
            that one matrix product also adds the biases.
        transposed: the inputs with the last two axes exchanged, `(runs, samples, inputs)`.
        normals: x̂ of each layer with batch normalisation, `(runs, units, samples)`; for the other layers, an array without units.
        factors: 1/√(σ² + ε) of each layer with batch normalisation, `(runs, units, 1)`; for the other layers, an array without
            units.
        spare: two arrays for slopes that do not fit into the outputs of a layer, `(runs, units, samples)`.
    """

    def __init__(self, layers: Layers, features: Array, runs: int, dtype: Any) -> None:
        """Allocate the arrays.

        Args:
            layers: the chain.
            features: the inputs of the first layer, `(features, samples)`.
            runs: the number of runs.
            dtype: float64, or complex128 for complex steps.
        """
        samples = features.shape[-1]
        levels = [np.empty((runs, layer.units + 1, samples), dtype) for layer in layers.layers]
        for level in levels:
            level[:, -1] = 1.0
        below = [np.concatenate([features, np.ones((1, samples))]), *levels[:-1]]
        self.outputs = [level[:, :-1] for level in levels]
        self.inputs = [
            each[..., : layer.inputs, :] if layer.normalised else each for layer, each in zip(layers.layers, below, strict=True)
        ]
        normalised = [layer.units if layer.normalised else 0 for layer in layers.layers]
        self.normals = [np.empty((runs, units, samples), dtype) for units in normalised]
        self.factors = [np.empty((runs, units, 1), dtype) for units in normalised]
        self.spare = [np.empty((runs, max(layers.sizes), samples), dtype) for _ in range(2)]
        self.transposed = [each.swapaxes(-1, -2) for each in self.inputs]

    def only(self, runs: int) -> Tape:
        """Return a tape for the first `runs` runs, in the same memory."""
        if runs == len(self.outputs[0]):
            return self
        part = object.__new__(Tape)
        # The inputs of the first layer are the same for all runs.
        part.inputs = [self.inputs[0], *(each[:runs] for each in self.inputs[1:])]
        part.transposed = [each.swapaxes(-1, -2) for each in part.inputs]
        for name in ("outputs", "normals", "factors", "spare"):
            setattr(part, name, [each[:runs] for each in getattr(self, name)])
        return part


@dataclass(frozen=True)
class Layers:
    """A chain of dense layers: aₗ = σ(Wₗ aₗ₋₁ + bₗ) for each layer l, where σ is the identity in the last layer.

    With batch normalisation, each layer but the last computes aₗ = σ(γ x̂ + β). Here u = Wₗ aₗ₋₁ and
    x̂ = (u − mean u)/√(var u + ε), with mean and variance over the samples.

    Attributes:
        sizes: the number of inputs of the chain, then the number of outputs of each layer.
        activation: σ.
        batch_norm: True for batch normalisation.
    """

    sizes: tuple[int, ...]
    activation: Activation
    batch_norm: bool

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers. In x, the weights of a layer come first, then its scales if it has any, then its biases."""
        found, first, last = [], 0, len(self.sizes) - 1
        for number, (inputs, units) in enumerate(itertools.pairwise(self.sizes), 1):
            normalised = self.batch_norm and number < last
            scales = units if normalised else 0
            ends = list(itertools.accumulate((units * inputs, scales, units), initial=first))
            parts = [slice(*ends_of_part) for ends_of_part in itertools.pairwise(ends)]
            found.append(Layer(number, inputs, units, self.activation if number < last else "identity", normalised, *parts))
            first = ends[-1]
        return tuple(found)

    @property
    def dimension(self) -> int:
        """The number of parameters."""
        return sum(layer.units * (layer.inputs + (2 if layer.normalised else 1)) for layer in self.layers)

    def outputs(self, x: Array, tape: Tape) -> Array:
        """Return the outputs of the last layer, `(runs, outputs, samples)`; the tape keeps the outputs of all layers.

        Args:
            x: the parameters, `(runs, dimension)`.
            tape: a tape for these runs, which is filled in.
        """
        for place, layer in enumerate(self.layers):
            here, weights = tape.outputs[place], layer.matrix(x)
            if layer.normalised:
                _matrix_product(weights, tape.inputs[place], here)
                # x̂ = (u − mean u)/√(var u + ε), with 1/√(var u + ε) as the factor.
                normal, factor = tape.normals[place], tape.factors[place]
                np.subtract(here, here.mean(axis=-1, keepdims=True), out=normal)
                variance = _row_sums(normal, normal)[..., None] / here.shape[-1]
                np.divide(1.0, np.sqrt(variance + VARIANCE_FLOOR), out=factor)
                normal *= factor
                np.multiply(normal, x[:, layer.scales, None], out=here)
                here += x[:, layer.biases, None]
            else:
                _matrix_product(np.concatenate([weights, x[:, layer.biases, None]], axis=-1), tape.inputs[place], here)
            activate(layer.activation, here)
        return tape.outputs[-1]

    def carried_back(self, x: Array, tape: Tape, slope: Array, gradient: Array) -> Iterator[tuple[Layer, Array]]:
        """Carry ∂f/∂outputs back through the layers, from the last to the first, and fill in the gradient.

        Args:
            x: the parameters, `(runs, dimension)`.
            tape: the tape that `outputs` has filled in; its arrays are overwritten.
            slope: ∂f/∂outputs, `(runs, outputs, samples)`; overwritten.
            gradient: the array for ∂f/∂x, `(runs, dimension)`.

        Yields:
            Each layer l with ∂f/∂aₗ, `(runs, units, samples)`, which is overwritten when the next layer is requested.
        """
        for place in reversed(range(len(self.layers))):
            layer, here = self.layers[place], tape.outputs[place]
            yield layer, slope
            multiply_by_derivative(layer.activation, slope, here)
            if layer.normalised:
                scales = gradient[:, layer.scales] = _row_sums(slope, tape.normals[place])
                biases = gradient[:, layer.biases] = slope.sum(axis=-1)
                stretch = x[:, layer.scales, None] * tape.factors[place]
                _carry_through_normalisation(slope, tape.normals[place], stretch, scales, biases, here)
                products = _summed_products(slope, tape.transposed[place])
            else:
                products = _summed_products(slope, tape.transposed[place])
                gradient[:, layer.biases] = products[..., -1]
            gradient[:, layer.weights] = products[..., : layer.inputs].reshape(len(x), -1)
            if place:
                # The outputs of this layer are no longer needed, so their memory can hold the slopes.
                room = here if layer.inputs <= layer.units else tape.spare[place % 2]
                slope = _matrix_product(layer.matrix(x).swapaxes(-1, -2), slope, room[:, : layer.inputs])

    def draw(self, generator: np.random.Generator, count: int, initialisation: Initialisation, gain: float) -> Array:
        """Return starting points, `(count, dimension)`. A larger count begins with the same points.

        The weights of a layer with n inputs and m units are `gain` times a random number: for `xavier`, uniform on ±√(6/(n + m));
        for `he`, normal with variance 2/n; for `normal`, normal with variance 1. Scales are 1 and biases are 0.

        Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (AISTATS 2010),
        eq. 16; He, Zhang, Ren and Sun, Delving deep into rectifiers (ICCV 2015), eq. 10.
        """
        x = np.zeros((count, self.dimension))
        for layer in self.layers:
            x[:, layer.scales] = 1.0
        sizes = [layer.inputs * layer.units for layer in self.layers]
        shape = (count, sum(sizes))
        drawn = 2.0 * generator.random(shape) - 1.0 if initialisation == "xavier" else generator.standard_normal(shape)
        for layer, weights in zip(self.layers, np.split(drawn, np.cumsum(sizes)[:-1], axis=-1), strict=True):
            spread = {"xavier": math.sqrt(6.0 / (layer.inputs + layer.units)), "he": math.sqrt(2.0 / layer.inputs), "normal": 1.0}
            x[:, layer.weights] = gain * spread[initialisation] * weights
        return x


def _matrix_product(matrix: Array, columns: Array, out: Array) -> Array:
    """Return `matrix` times `columns`, in `out`; NumPy is faster than BLAS at the product of a column and a row."""
    if columns.shape[-2] == 1:
        return cast(Array, np.multiply(matrix, columns, out=out))
    blocks = _blocks(matrix.shape[-2], matrix.shape[-1], columns.shape[-1])
    if len(blocks) == 1:
        return np.matmul(matrix, columns, out=out)
    for block in blocks:
        np.matmul(matrix, columns[..., block], out=out[..., block])
    return out


def _summed_products(slope: Array, transposed: Array) -> Array:
    """Return Σ slope inputsᵀ over the samples, `(runs, units, inputs)`."""
    blocks = _blocks(slope.shape[-2], transposed.shape[-1], slope.shape[-1])
    if len(blocks) == 1:
        return cast(Array, np.matmul(slope, transposed))
    total: Array = np.matmul(slope[..., blocks[0]], transposed[..., blocks[0], :])
    for block in blocks[1:]:
        total += np.matmul(slope[..., block], transposed[..., block, :])
    return total


@functools.lru_cache(maxsize=256)
def _blocks(rows: int, columns: int, samples: int) -> tuple[slice, ...]:
    """Return blocks of samples that are too small for BLAS to split among threads.

    Such a split would change the last bits. OpenBLAS splits products of matrices from 2¹⁸ multiplications on, and products with a
    vector from 9216.
    """
    most = max(1, (ONE_THREAD_VECTOR if 1 in (rows, columns) else ONE_THREAD) // (rows * columns))
    return tuple(slice(first, first + most) for first in range(0, samples, most))


def _row_sums(a: Array, b: Array) -> Array:
    """Return Σ a b over the samples; unlike `vecdot`, without the complex conjugate of a."""
    return cast(Array, (a * b).sum(axis=-1))


def _carry_through_normalisation(slope: Array, normal: Array, stretch: Array, scales: Array, biases: Array, room: Array) -> None:
    """Change ∂f/∂(γ x̂ + β) into ∂f/∂u = γ/√(σ² + ε) (slope − mean slope − x̂ mean(slope x̂)), in place.

    Source: Ioffe and Szegedy, Batch normalization (ICML 2015), section 3; the three steps of the chain rule there are combined.
    """
    samples = slope.shape[-1]
    np.multiply(normal, scales[..., None] / samples, out=room)
    slope -= room
    slope -= biases[..., None] / samples
    slope *= stretch

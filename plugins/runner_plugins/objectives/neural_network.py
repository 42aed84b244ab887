"""A neural network of any depth and width that learns from data, differentiated by backpropagation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from runner import (
    DATA_SHAPES,
    MADE_UP,
    Activation,
    Array,
    DataSet,
    DataSetName,
    Initialisation,
    LayerGradient,
    Layers,
    Objective,
    Tape,
    bundled_data,
    csv_data,
    hookimpl,
    layer_gradients,
    made_up_data,
    parameter,
)

CHUNK = 2**16
"""Numbers that leave the layers, computed at once: they should stay in the processor's cache until the way back."""


@dataclass(frozen=True)
class NeuralNetwork(Objective):
    """f(x) = (1/m) Σ loss(ŷᵢ, yᵢ) over m samples, with ŷ = a_L from aₗ = σ(zₗ), zₗ = Wₗ aₗ₋₁ + bₗ, a₀ = X, and a_L = z_L.

    x holds W₁ row by row, b₁, W₂, b₂ and so on. The loss is `mse`, ‖ŷ − y‖², or `cross_entropy`, log Σₖ exp(ŷₖ) − ŷ_class, which
    is computed from the differences to the largest ŷₖ and so cannot overflow.

    The gradient follows from the chain rule, applied from the last layer to the first. With δ_L = ∂f/∂z_L, which is
    (2/m)(ŷ − y) or (1/m)(softmax(ŷ) − y):

        ∂f/∂Wₗ = Σ δₗ aₗ₋₁ᵀ,   ∂f/∂bₗ = Σ δₗ,   δₗ₋₁ = σ'(zₗ₋₁) ⊙ Wₗᵀ δₗ.

    So the gradient at layer l contains the product of the Jacobians Jₖ = diag(σ'(zₖ)) Wₖ of the layers above. It vanishes where
    they shrink vectors, and explodes where they stretch vectors. At 0, relu' does not exist and is defined as 0.

    With `batch_norm`, each layer but the last is σ(γ x̂ + β) with u = Wₗ aₗ₋₁ and x̂ = (u − mean u)/√(var u + 10⁻⁵). Mean and
    variance are those of all samples. x then holds Wₗ, γₗ and βₗ. With g = ∂f/∂(γ x̂ + β):

        ∂f/∂γ = Σ g x̂,   ∂f/∂β = Σ g,   ∂f/∂u = γ/√(var u + 10⁻⁵) (g − mean g − x̂ mean(g x̂)).

    Features are scaled to mean 0 and variance 1, and so is y if it is a number; a model that always predicts the mean then has
    f = 1. `initialisation` and `gain` are used to draw starts for `[start] initialisation`; f does not depend on them.

    Source: Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 323 (1986) 533-536,
    doi:10.1038/323533a0; Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.5; Ioffe and Szegedy, Batch
    normalization (ICML 2015).
    """

    data_set: DataSetName = parameter("sine", doc="data to learn; iris and the sets after it come with scikit-learn")
    csv: Path | None = parameter(None, doc="a CSV file in place of data_set: one sample per line, y in the last column")
    samples: int = parameter(200, at_least=2, doc="number of samples of sine, moons and spirals")
    noise: float = parameter(0.1, at_least=0, batched=False, doc="standard deviation of the noise in sine, moons and spirals")
    seed: int = parameter(0, at_least=0, doc="seed of sine, moons and spirals")
    hidden: tuple[int, ...] = parameter((16, 16), at_least=1, doc="number of units of each hidden layer")
    activation: Activation = parameter("tanh", doc="activation of the hidden layers, σ")
    loss: Literal["mse", "cross_entropy"] = parameter("mse", doc="loss of one sample")
    batch_norm: bool = parameter(False, doc="true for batch normalisation in the hidden layers")
    initialisation: Initialisation = parameter("xavier", doc="distribution of the weights of drawn starts")
    gain: float = parameter(1.0, above=0, doc="factor for drawn weights")

    def validate(self) -> None:
        """Refuse a loss that does not fit the data, data that are not available, and parameters that have no effect."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        source = ["samples", "noise", "seed"] if self.csv is None else ["data_set", "samples", "noise", "seed"]
        given = [name for name in source if getattr(self, name) != defaults[name]]
        if given and self.csv is not None:
            raise ValueError(f"{' and '.join(given)} cannot be given with csv, whose file decides the data")
        if given and self.data_set not in MADE_UP:
            raise ValueError(
                f"{' and '.join(given)} cannot be given with data_set = {self.data_set!r}, which is what it is; "
                f"allowed with {', '.join(map(repr, MADE_UP))}"
            )
        if self.loss == "cross_entropy" and self.csv is None and DATA_SHAPES[self.data_set][1] is None:
            classes = ", ".join(repr(name) for name, shape in DATA_SHAPES.items() if shape[1] is not None)
            raise ValueError(
                f"loss = 'cross_entropy' needs classes, and y of {self.data_set!r} is a number; use {classes}, or loss = 'mse'"
            )
        if self.batch_norm and not self.hidden:
            raise ValueError("batch_norm = true needs a hidden layer to normalise, and hidden is empty")
        _ = self.examples

    @cached_property
    def examples(self) -> DataSet:
        """The samples, scaled: features `(features, samples)` and targets `(outputs, samples)`.

        Raises:
            ValueError: the data are not available; the message gives the reason.
        """
        if self.csv is not None:
            return csv_data(self.csv, classes=self.loss == "cross_entropy")
        if self.data_set in MADE_UP:
            return made_up_data(self.data_set, self.samples, self.noise, self.seed)
        return bundled_data(self.data_set)

    @cached_property
    def layers(self) -> Layers:
        """The chain of layers, with the coordinates of x that are their parameters."""
        sizes = (len(self.examples.features), *self.hidden, len(self.examples.targets))
        return Layers(sizes, self.activation, self.batch_norm)

    @property
    def dimension(self) -> int:
        """The number of weights, biases and scales."""
        return self.layers.dimension

    @property
    def start_region(self) -> tuple[float, float]:
        """From −1 to 1."""
        return -1.0, 1.0

    def draw_starts(self, generator: np.random.Generator, count: int) -> Array:
        """Return starts with weights drawn from `initialisation`, times `gain`."""
        return self.layers.draw(generator, count, self.initialisation, self.gain)

    def value(self, x: Array) -> Array:
        """Return the mean loss."""
        value = np.empty(len(x), x.dtype)
        for rows, tape in self._chunks(x):
            value[rows] = self._loss(self.layers.outputs(x[rows], tape))[0]
        return value

    def gradient(self, x: Array) -> Array:
        """Return ∂f/∂x, by backpropagation."""
        return self.value_and_gradient(x)[1]

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share the forward pass."""
        value, gradient = np.empty(len(x), x.dtype), np.empty_like(x)
        for rows, tape in self._chunks(x):
            value[rows], slope = self._loss(self.layers.outputs(x[rows], tape))
            for _ in self.layers.carried_back(x[rows], tape, slope, gradient[rows]):
                pass
        return value, gradient

    def backpropagation(self, x: Array) -> tuple[LayerGradient, ...]:
        """Return the norms of the gradient at each layer, from the first layer to the last."""
        tape = Tape(self.layers, self.examples.features, len(x), x.dtype)
        _, slope = self._loss(self.layers.outputs(x, tape))
        return layer_gradients(self.layers, x, tape, slope)

    @property
    def layer_weights(self) -> Mapping[str, slice]:
        """The coordinates of x that are the weights of each layer, by its name."""
        return {layer.name: layer.weights for layer in self.layers.layers}

    def _chunks(self, x: Array) -> Iterator[tuple[slice, Tape]]:
        """Yield x in groups of rows, each with a tape for the outputs of the layers."""
        features = self.examples.features
        most = max(1, CHUNK // (features.shape[1] * sum(self.layers.sizes[1:])))
        tape = Tape(self.layers, features, min(most, len(x)), x.dtype)
        for first in range(0, len(x), most):
            rows = slice(first, min(first + most, len(x)))
            yield rows, tape.only(rows.stop - first)

    def _loss(self, outputs: Array) -> tuple[Array, Array]:
        """Return f, `(runs,)`, and ∂f/∂outputs, `(runs, outputs, samples)`."""
        targets = self.examples.targets
        samples = targets.shape[1]
        if self.loss == "mse":
            errors = outputs - targets
            squares = (errors * errors).reshape(len(errors), -1).sum(axis=-1)
            errors *= 2.0 / samples
            return squares / samples, errors
        # The shift is a real number that is subtracted and added again, so it changes neither f nor its derivative.
        shifted = outputs - outputs.real.max(axis=1, keepdims=True)
        chances = np.exp(shifted)
        sums = chances.sum(axis=1, keepdims=True)
        losses = np.log(sums[:, 0]) - (targets * shifted).sum(axis=1)
        chances /= sums
        chances -= targets
        chances /= samples
        return losses.sum(axis=-1) / samples, chances


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer neural networks."""
    return {"neural_network": NeuralNetwork}

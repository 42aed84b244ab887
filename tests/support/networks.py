"""A network computed layer by layer, independently of the objective."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner_plugins.objectives.neural_network import NeuralNetwork

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.where(z.real > 0, z, 0.0 * z),
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "identity": lambda z: z,
}
H = 1e-150


def answer(network: NeuralNetwork, x: Any, features: Any, bends: list[float] | None = None) -> Any:
    """Return the outputs of the network for all samples, (samples, outputs), computed from the formulas alone."""
    rows, place = features, 0

    def take(count: int) -> Any:
        nonlocal place
        place += count
        return x[place - count : place]

    for units in network.hidden:
        weights = take(units * rows.shape[1]).reshape(units, rows.shape[1])
        if network.batch_norm:
            u = rows @ weights.T
            centred = u - np.mean(u, axis=0)
            scale, shift = take(units), take(units)
            z = scale * centred / np.sqrt(np.mean(centred * centred, axis=0) + 1e-5) + shift
        else:
            z = rows @ weights.T + take(units)
        if bends is not None:
            bends.append(float(np.abs(z).min()))
        rows = ACTIVATIONS[network.activation](z)
    outputs = len(network.examples.targets)
    last = take(outputs * rows.shape[1]).reshape(outputs, rows.shape[1])
    result = rows @ last.T + take(outputs)
    assert place == len(x)
    return result


def loss(network: NeuralNetwork, x: Any) -> Any:
    """Return f at one x, computed sample by sample."""
    targets = network.examples.targets.T
    answers = answer(network, x, network.examples.features.T)
    if network.loss == "mse":
        return sum(((one - y) ** 2).sum() for one, y in zip(answers, targets, strict=True)) / len(targets)
    return sum(
        np.log(np.exp(one - one.real.max()).sum()) + one.real.max() - one[np.argmax(y)]
        for one, y in zip(answers, targets, strict=True)
    ) / len(targets)


def made(activation="tanh", loss="mse", batch_norm=False, hidden=(4, 3), **others: Any) -> NeuralNetwork:
    return NeuralNetwork(**{"data_set": "moons", "samples": 12, "hidden": hidden, "activation": activation, "loss": loss,
                            "batch_norm": batch_norm} | others)  # fmt: skip

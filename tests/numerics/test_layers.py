"""The layers of a network: their names and their Jacobians."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from runner import HasLayers
from runner_plugins.objectives.l2 import L2
from runner_plugins.objectives.neural_network import NeuralNetwork
from tests.support.networks import ACTIVATIONS, H, answer, made


def jacobian(network: NeuralNetwork, x: Any, number: int) -> Any:
    """∂a/∂a_below of a layer, all samples together, by complex steps of the formulas."""
    layers = network.layers.layers
    single = layers[number]
    rows = network.examples.features.T
    for layer in layers[:number]:
        rows = through(network, layer, x, rows)
    columns = []
    for place in np.ndindex(rows.shape):
        stepped = rows.astype(complex)
        stepped[place] += 1j * H
        columns.append(through(network, single, x, stepped).imag.ravel() / H)
    return np.array(columns).T


def through(network: NeuralNetwork, layer: Any, x: Any, rows: Any) -> Any:
    u = rows @ x[layer.weights].reshape(layer.units, layer.inputs).T
    if layer.normalised:
        u = u - u.mean(axis=0)
        u = x[layer.scales] * u / np.sqrt((u * u).mean(axis=0) + 1e-5)
    return ACTIVATIONS[layer.activation](u + x[layer.biases])


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jacobian_and_gradient_of_each_layer(activation: str, batch_norm: bool):
    network = made(activation, "cross_entropy", batch_norm, (4, 3, 5))
    x = np.random.default_rng(2).normal(size=(2, network.dimension))
    found = network.backpropagation(x)
    gradient = network.gradient(x)
    for run in range(2):
        answers = answer(network, x[run], network.examples.features.T)
        chances = np.exp(answers) / np.exp(answers).sum(axis=-1, keepdims=True)
        reaching = ((chances - network.examples.targets.T) / len(answers)).ravel()
        for number in (3, 2, 1, 0):
            layer, local = found[number], jacobian(network, x[run], number)
            np.testing.assert_allclose(layer.reaching[run], np.linalg.norm(reaching), rtol=1e-10)
            np.testing.assert_allclose(layer.jacobian_norm[run], np.linalg.norm(local, 2), rtol=1e-9)
            np.testing.assert_allclose(layer.gradient_norm[run], np.linalg.norm(gradient[run, layer.weights]), rtol=1e-12)
            reaching = local.T @ reaching


def test_layers_are_named_in_order():
    network = NeuralNetwork(data_set="iris", hidden=(5,), loss="cross_entropy")
    assert network.layer_weights == {"layer 1: 4 → 5, tanh": slice(0, 20), "layer 2: 5 → 3, identity": slice(25, 40)}
    assert isinstance(network, HasLayers)


def test_wrapped_network_adds_the_penalty_to_the_gradient_of_the_weights():
    network = made(hidden=(3,))
    x = network.draw_starts(np.random.default_rng(0), 2)
    plain, penalised = network.backpropagation(x), L2(network, 0.5).backpropagation(x)
    for one, other in zip(plain, penalised, strict=True):
        np.testing.assert_array_equal(one.reaching, other.reaching)
        expected = np.linalg.norm(network.gradient(x)[:, one.weights] + 0.5 * x[:, one.weights], axis=-1)
        np.testing.assert_allclose(other.gradient_norm, expected, rtol=1e-12)
    assert dataclasses.replace(L2(network), penalty=0.0).objective is network

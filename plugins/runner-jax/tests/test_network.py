"""The network's handwritten backpropagation, compared with JAX, which derives the gradient from the formula of f."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from runner_jax.jax import Jax
from runner_plugins.objectives.neural_network import NeuralNetwork

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "identity": lambda z: z}
CASES = [
    *itertools.product(ACTIVATIONS, ["mse", "cross_entropy"], [False, True], [(4, 7, 3)]),
    ("tanh", "cross_entropy", False, ()),
    ("relu", "mse", True, (6,) * 8),
]


def loss(network: NeuralNetwork, x: Any) -> Any:
    """f of one x, from the formulas, in JAX."""
    rows, first = jnp.asarray(network.examples.features.T), 0

    def taken(*shape: int) -> Any:
        nonlocal first
        part = x[first : first + int(np.prod(shape))].reshape(shape)
        first += part.size
        return part

    for units in network.hidden:
        u = rows @ taken(units, rows.shape[1]).T
        if network.batch_norm:
            scale, shift = taken(units), taken(units)
            z = scale * (u - u.mean(axis=0)) / jnp.sqrt(u.var(axis=0) + 1e-5) + shift
        else:
            z = u + taken(units)
        rows = ACTIVATIONS[network.activation](z)
    targets = jnp.asarray(network.examples.targets.T)
    answers = rows @ taken(targets.shape[1], rows.shape[1]).T + taken(targets.shape[1])
    if network.loss == "mse":
        return ((answers - targets) ** 2).sum(axis=-1).mean()
    return -(jax.nn.log_softmax(answers) * targets).sum(axis=-1).mean()


@pytest.mark.parametrize(("activation", "cost", "batch_norm", "hidden"), CASES)
def test_backpropagation_by_hand_and_by_jax_agree(activation: Any, cost: Any, batch_norm: bool, hidden: tuple[int, ...]) -> None:
    network = NeuralNetwork(
        data_set="spirals", samples=25, hidden=hidden, activation=activation, loss=cost, batch_norm=batch_norm
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(3, network.dimension))
    with jax.enable_x64(True):
        value, gradient = jax.vmap(jax.value_and_grad(lambda row: loss(network, row)))(x)
    found = network.value_and_gradient(x)
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    assert np.abs(found[1] - np.asarray(gradient)).max() <= 1e-10 * np.abs(gradient).max()


def test_the_backend_refuses_the_network_for_a_reason() -> None:
    refusal = Jax().refusal(NeuralNetwork(), "gradient")
    assert refusal is not None
    assert refusal.startswith("because NeuralNetwork.value is not written against the array namespace of its argument (")
    assert refusal.endswith("); use gradient backend finite_difference")

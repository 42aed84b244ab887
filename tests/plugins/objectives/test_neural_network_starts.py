"""The initial weights of the network, and axes of the grid over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner_plugins.objectives.neural_network import NeuralNetwork


def weights_of(network: NeuralNetwork, count: int) -> list[Any]:
    drawn = network.draw_starts(np.random.default_rng(0), count)
    return [drawn[:, where] for where in network.layer_weights.values()]


@pytest.mark.parametrize("gain", [1.0, 0.3])
@pytest.mark.parametrize("initialisation", ["xavier", "he", "normal"])
def test_drawn_weights_have_the_spread_of_the_formulas(initialisation: Any, gain: float):
    network = NeuralNetwork(data_set="iris", hidden=(20, 7), initialisation=initialisation, gain=gain, loss="cross_entropy")
    shapes = [(4, 20), (20, 7), (7, 3)]
    for (inputs, units), weights in zip(shapes, weights_of(network, 3000), strict=True):
        expected = {"xavier": 2.0 / (inputs + units), "he": 2.0 / inputs, "normal": 1.0}[initialisation]
        errors = 6.0 * np.sqrt(2.0 / weights.size)
        assert abs(weights.var() / (gain**2 * expected) - 1.0) < errors
        assert abs(weights.mean()) < 6.0 * gain * np.sqrt(expected / weights.size)
        if initialisation == "xavier":
            assert np.abs(weights).max() <= gain * np.sqrt(6.0 / (inputs + units))


def test_drawn_biases_are_0_and_scales_1():
    network = NeuralNetwork(hidden=(3, 2), batch_norm=True)
    drawn = network.draw_starts(np.random.default_rng(0), 4)
    for layer in network.layers.layers:
        np.testing.assert_array_equal(drawn[:, layer.biases], 0.0)
        np.testing.assert_array_equal(drawn[:, layer.scales], 1.0)
    assert [layer.normalised for layer in network.layers.layers] == [True, True, False]


def test_more_starts_begin_with_the_same_ones():
    network = NeuralNetwork()
    few, many = (network.draw_starts(np.random.default_rng(7), count) for count in (3, 9))
    np.testing.assert_array_equal(many[:3], few)


NETWORKS = """\
start = { initialisation = { count = 2, seed = 3 } }
stop = { max_steps = 20 }
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.01, 0.1] } }]

[[objective]]
name = "neural_network"
hidden = [4, 4]
samples = 20
initialisation = { values = ["xavier", "normal"] }
gain = { values = [0.5, 1.0, 2.0] }
"""


def test_initialisation_and_gain_are_axes_of_the_grid(write, runner_cli):
    done = runner_cli("run", write(NETWORKS), "--format", "json", "--no-report")
    assert (done.code, done.err) == (0, "")
    assert sum(done.json["computed"].values()) == 2 * 3 * 2 * 2
    again = runner_cli("run", write(NETWORKS), "--format", "json", "--no-report").json
    assert again["computed"] == {}


def test_runs_that_differ_in_gain_advance_together(write):
    from runner.engine.batch import batches
    from runner.engine.loop import descend
    from runner.experiment.grid import expand
    from runner.experiment.reader import read_experiment
    from runner.registry.registry import Registry

    experiment = read_experiment(write(NETWORKS), Registry())
    together = [batch for batch, _ in batches(expand(experiment).runs, experiment.rules, 1000)]
    assert [len(batch) for batch in together] == [12, 12]
    for batch in together:
        assert descend(batch).warnings == ()
    gains = experiment.objectives[0].plugin, experiment.objectives[2].plugin
    first, third = (experiment.starts[number][1].x for number in (0, 2))
    assert [network.gain for network in gains] == [0.5, 2.0]
    np.testing.assert_allclose(third, 4.0 * first, rtol=1e-15)


@pytest.mark.parametrize(
    ("drawn", "found"),
    [
        ("np.zeros((count, 3))", "drew shape (2, 3) and type float64; it must return a float64 array of shape (2, 1)"),
        ("[0.0]", "drew [0.0]; it must return a float64 array of shape (2, 1)"),
        (
            "np.zeros((count, 1), dtype=np.float32)",
            "drew shape (2, 1) and type float32; it must return a float64 array of shape (2, 1)",
        ),
    ],
)
def test_starts_of_a_wrong_shape_are_refused(write, runner_cli, drawn: str, found: str):
    write(
        f"""\
from dataclasses import dataclass
import numpy as np, runner

@dataclass(frozen=True)
class Own(runner.Objective):
    '''x².'''
    dimension = 1
    def value(self, x):
        return (x * x).sum(axis=-1)
    def draw_starts(self, generator, count):
        return {drawn}

@runner.hookimpl
def runner_objectives():
    return {{"own": Own}}
""",
        "own.py",
    )
    text = NETWORKS[: NETWORKS.index("[[objective]]")] + '[[objective]]\nname = "own"\n'
    done = runner_cli("run", write('plugins = ["own.py"]\n' + text.replace("analytic", "finite_difference")))
    assert done.code == 2
    assert done.err.splitlines()[0].partition("small.toml: ")[2] == f"start.initialisation: objective own {found}"

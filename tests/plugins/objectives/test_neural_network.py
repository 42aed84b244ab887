"""The network: its values and gradients, computed in other ways too."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from runner import DATA_SHAPES
from runner.testing import checks
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.objectives.l2 import L2
from runner_plugins.objectives.neural_network import NeuralNetwork
from tests.support.networks import ACTIVATIONS, H, answer, loss, made

LOSSES = ["mse", "cross_entropy"]
HIDDEN = [(), (3,), (5, 4), (4, 3, 5, 2)]


def slope(network: NeuralNetwork, x: Any) -> Any:
    """∂f/∂x at one x, by complex steps of the formulas above."""
    return np.array([loss(network, x + 1j * H * axis).imag / H for axis in np.eye(len(x))])


EVERY = [
    made(*each)
    for each in itertools.product(ACTIVATIONS, LOSSES, [False, True], HIDDEN)
    if each[3] or not each[2]
]  # fmt: skip


@pytest.mark.parametrize("network", EVERY, ids=lambda n: f"{n.activation}-{n.loss}-{n.batch_norm}-{len(n.hidden)}")
def test_value_and_gradient_agree_with_the_formulas(network: NeuralNetwork):
    x = np.random.default_rng(3).normal(size=(3, network.dimension))
    value, gradient = network.value_and_gradient(x)
    np.testing.assert_allclose(value, [loss(network, row) for row in x], rtol=1e-12)
    expected = np.array([slope(network, row) for row in x])
    assert np.abs(gradient - expected).max() <= 1e-10 * np.abs(expected).max()
    np.testing.assert_array_equal(network.value(x), value)
    np.testing.assert_array_equal(network.gradient(x), gradient)
    assert np.abs(ComplexStep().gradient(network, x) - gradient).max() <= 1e-10 * np.abs(expected).max()


@settings(max_examples=60, deadline=None)
@given(
    network=st.builds(
        made,
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        loss=st.sampled_from(LOSSES),
        batch_norm=st.booleans(),
        hidden=st.lists(st.integers(1, 7), min_size=1, max_size=6).map(tuple),
        data_set=st.sampled_from(["moons", "spirals"]),
        samples=st.integers(2, 15),
        seed=st.integers(0, 5),
    ),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
)
def test_the_gradient_is_right_for_any_shape(network: NeuralNetwork, seed: int, scale: float):
    x = scale * np.random.default_rng(seed).normal(size=network.dimension)
    bends: list[float] = []
    answer(network, x, network.examples.features.T, bends)
    assume(network.activation != "relu" or min(bends) > 1e-9)
    expected, found = slope(network, x), network.gradient(x[None])[0]
    assert np.abs(found - expected).max() <= 1e-10 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    "network",
    [
        NeuralNetwork(),
        NeuralNetwork(hidden=(50, 1, 30), batch_norm=True),
        NeuralNetwork(data_set="spirals", samples=3000, hidden=(40, 40), loss="cross_entropy"),
        NeuralNetwork(data_set="digits", hidden=(32,), loss="cross_entropy", activation="relu"),
    ],
    ids=["sine", "normalised", "many samples", "digits"],
)
def test_a_run_alone_and_in_a_batch_has_the_same_bits(network: NeuralNetwork):
    x = network.draw_starts(np.random.default_rng(0), 45)
    value, gradient = network.value_and_gradient(x)
    for row in (0, 1, 17, 43, 44):
        alone = network.value_and_gradient(x[row : row + 1])
        assert alone[0].tobytes() == value[row : row + 1].tobytes()
        assert alone[1].tobytes() == gradient[row : row + 1].tobytes()
    few = network.value_and_gradient(x[5:9])
    assert few[1].tobytes() == gradient[5:9].tobytes()


THREADS = """\
import hashlib, numpy as np
from runner_plugins.objectives.neural_network import NeuralNetwork
network = NeuralNetwork({options})
value, gradient = network.value_and_gradient(network.draw_starts(np.random.default_rng(0), 3))
print(hashlib.sha256(value.tobytes() + gradient.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    "options", ["", "data_set='digits', hidden=(64, 32), loss='cross_entropy'", "samples=20000, hidden=(64, 1)"]
)
def test_the_bits_do_not_depend_on_the_number_of_threads(options: str):
    digests = set()
    for threads in ("1", "2", "4"):
        script = THREADS.format(options=options)
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PATH": ""}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e150])
def test_cross_entropy_is_stable_for_large_answers(scale: float):
    network = made(loss="cross_entropy", hidden=())
    x = scale * np.random.default_rng(0).normal(size=(4, network.dimension))
    value, gradient = network.value_and_gradient(x)
    answers = np.array([answer(network, row, network.examples.features.T) for row in x])
    chosen = (answers * network.examples.targets.T).sum(axis=-1)
    np.testing.assert_allclose(value, (logsumexp(answers, axis=-1) - chosen).mean(axis=-1), rtol=1e-12)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-3


def test_without_hidden_layers_it_is_linear_regression():
    network = NeuralNetwork(hidden=(), noise=0.3)
    design = np.column_stack([network.examples.features.T, np.ones(200)])
    x, residual, *_ = np.linalg.lstsq(design, network.examples.targets[0])
    np.testing.assert_allclose(network.value(x[None]), residual / 200, rtol=1e-12)
    assert np.abs(network.gradient(x[None])).max() < 1e-14


def test_relu_has_slope_0_at_0():
    network = NeuralNetwork(hidden=(1,), activation="relu", samples=2, noise=0.0)
    x = np.array([[0.0, 0.0, 1.0, 0.5]])
    np.testing.assert_array_equal(network.gradient(x)[0, :2], [0.0, 0.0])


def test_predicting_the_mean_has_loss_one():
    for name, (_, classes) in DATA_SHAPES.items():
        network = NeuralNetwork(data_set=name, hidden=(2,))
        if classes is None:
            np.testing.assert_allclose(network.value(np.zeros((1, network.dimension))), 1.0)


MIXED = "'moons', 'spirals', 'iris', 'wine', 'breast_cancer', 'digits'"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"loss": "cross_entropy"},
            f"loss = 'cross_entropy' needs classes, and y of 'sine' is a number; use {MIXED}, or loss = 'mse'",
        ),
        ({"hidden": (), "batch_norm": True}, "batch_norm = true needs a hidden layer to normalise, and hidden is empty"),
        (
            {"data_set": "iris", "samples": 20, "seed": 1},
            "samples and seed cannot be given with data_set = 'iris', which is what it is; allowed with 'sine', 'moons', 'spirals'",
        ),
        (
            {"csv": Path("a.csv"), "noise": 0.0, "data_set": "moons"},
            "data_set and noise cannot be given with csv, whose file decides the data",
        ),
        ({"csv": Path("no.csv")}, "no.csv: cannot be read: No such file or directory"),
    ],
)
def test_impossible_combinations_are_refused(parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(**parameters).validate()
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "network",
    [
        made("tanh", "mse", True, (3, 4, 2)),
        made("relu", "cross_entropy", False, (6,)),
        NeuralNetwork(data_set="diabetes", hidden=(3,), activation="sigmoid"),
        L2(made("sigmoid", "cross_entropy", True, (3, 3)), 0.2),
    ],
    ids=["normalised", "relu", "diabetes", "penalised"],
)
def test_network_keeps_the_contract(network: Any):
    for check in checks(network):
        if check.finding.verdict != "skipped":
            check()
    found = {check.name: check.finding.verdict for check in checks(network)}
    assert [found[name] for name in ("gradient", "complex step", "sweeps", "starts", "layers")] == ["ok"] * 5

"""The network: its values and gradients against other ways to the same numbers, its starts, and what it says of its layers."""

from __future__ import annotations

import dataclasses
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

from runner import DATA_SHAPES, HasLayers
from runner.testing import checks
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.objectives.l2 import L2
from runner_plugins.objectives.neural_network import NeuralNetwork

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.where(z.real > 0, z, 0.0 * z),
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "identity": lambda z: z,
}
LOSSES = ["mse", "cross_entropy"]
HIDDEN = [(), (3,), (5, 4), (4, 3, 5, 2)]
H = 1e-150


def answer(network: NeuralNetwork, x: Any, features: Any, bends: list[float] | None = None) -> Any:
    """What the network of one x answers to all samples, (samples, outputs), written down from the formulas and nothing else."""
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
    """f at one x, sample by sample."""
    targets = network.examples.targets.T
    answers = answer(network, x, network.examples.features.T)
    if network.loss == "mse":
        return sum(((one - y) ** 2).sum() for one, y in zip(answers, targets, strict=True)) / len(targets)
    return sum(
        np.log(np.exp(one - one.real.max()).sum()) + one.real.max() - one[np.argmax(y)]
        for one, y in zip(answers, targets, strict=True)
    ) / len(targets)


def slope(network: NeuralNetwork, x: Any) -> Any:
    """∂f/∂x at one x, by complex steps of the formulas above."""
    return np.array([loss(network, x + 1j * H * axis).imag / H for axis in np.eye(len(x))])


def made(activation="tanh", loss="mse", batch_norm=False, hidden=(4, 3), **others: Any) -> NeuralNetwork:
    return NeuralNetwork(**{"data_set": "moons", "samples": 12, "hidden": hidden, "activation": activation, "loss": loss,
                            "batch_norm": batch_norm} | others)  # fmt: skip


EVERY = [
    made(*each)
    for each in itertools.product(ACTIVATIONS, LOSSES, [False, True], HIDDEN)
    if each[3] or not each[2]
]  # fmt: skip


@pytest.mark.parametrize("network", EVERY, ids=lambda n: f"{n.activation}-{n.loss}-{n.batch_norm}-{len(n.hidden)}")
def test_value_and_gradient_are_those_of_the_formulas(network: NeuralNetwork):
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


def test_an_answer_of_one_needs_no_learning_and_the_mean_costs_one():
    for name, (_, classes) in DATA_SHAPES.items():
        network = NeuralNetwork(data_set=name, hidden=(2,))
        if classes is None:
            np.testing.assert_allclose(network.value(np.zeros((1, network.dimension))), 1.0)


@pytest.mark.parametrize("name", DATA_SHAPES)
def test_data_have_the_shapes_that_are_told_and_are_standardised(name):
    features, classes = DATA_SHAPES[name]
    data = NeuralNetwork(data_set=name).examples
    assert data.features.shape == (features, data.targets.shape[1])
    assert len(data.targets) == (classes or 1)
    np.testing.assert_allclose(data.features.mean(axis=1), 0.0, atol=1e-12)
    spread = data.features.std(axis=1)
    assert np.all(np.isclose(spread, 1.0) | (spread == 0.0))
    if classes:
        np.testing.assert_array_equal(data.targets.sum(axis=0), 1.0)
        assert set(np.unique(data.targets)) == {0.0, 1.0}
    assert not data.features.flags.writeable


def test_made_up_data_are_where_they_are_said_to_be():
    moons = NeuralNetwork(data_set="moons", noise=0.0, samples=400).examples
    again = NeuralNetwork(data_set="moons", noise=0.0, samples=400, seed=1).examples
    assert (moons.features != again.features).any()
    # Two halves of an ellipse (a circle, scaled), each class with another centre.
    for row in moons.targets:
        points = moons.features[:, row == 1].T
        conic = np.column_stack([points**2, points])
        solution, residual, *_ = np.linalg.lstsq(conic, np.ones(len(points)))
        assert residual < 1e-20
        assert (solution[:2] > 0).all()


# starts


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


# what happens in each layer


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
def test_each_layer_tells_its_jacobian_and_what_reaches_it(activation: str, batch_norm: bool):
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


def test_layers_are_named_from_the_first_to_the_last():
    network = NeuralNetwork(data_set="iris", hidden=(5,), loss="cross_entropy")
    assert network.layer_weights == {"layer 1: 4 → 5, tanh": slice(0, 20), "layer 2: 5 → 3, identity": slice(25, 40)}
    assert isinstance(network, HasLayers)


# what is refused

MIXED = "'moons', 'spirals', 'iris', 'wine', 'breast_cancer', 'digits'"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"loss": "cross_entropy"},
            f"loss = 'cross_entropy' needs classes, and y of 'sine' is a number; use {MIXED}, or loss = 'mse'",
        ),
        (
            {"hidden": (), "batch_norm": True},
            "batch_norm = true needs a hidden layer to normalise, and hidden is empty",
        ),
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
def test_combinations_that_cannot_be_are_refused(parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(**parameters).validate()
    assert str(refusal.value) == message


def test_without_scikit_learn_its_sets_are_refused_with_a_way_out(monkeypatch):
    from runner.numerics.datasets import bundled_data

    bundled_data.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(data_set="wine").validate()
    assert str(refusal.value) == (
        "data_set 'wine' comes with scikit-learn, which is not installed; install it with python -m pip install "
        "'gradient-runner[datasets]', or use 'sine', 'moons', 'spirals' or csv"
    )
    NeuralNetwork(data_set="spirals").validate()


@pytest.mark.parametrize(
    ("text", "loss", "message"),
    [
        ("1,0\n2,0.5\n", "cross_entropy", "y, in the last column, must be the number of a class, 0, 1, 2 and so on, where loss is 'cross_entropy', not 0.5 (sample 2)"),
        ("1,0\n2,-1\n", "cross_entropy", "y, in the last column, must be the number of a class, 0, 1, 2 and so on, where loss is 'cross_entropy', not -1 (sample 2)"),
        ("1,0\n2,0\n", "cross_entropy", "every y is 0, and one class alone leaves nothing to tell apart"),
    ],
)  # fmt: skip
def test_csv_files_that_cannot_be_used(tmp_path: Path, text: str, loss: Any, message: str):
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(csv=path, loss=loss).validate()
    assert str(refusal.value) == f"{path}: {message}"


def test_a_csv_file_of_classes_and_of_numbers(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n1,5,0\n2,5,1\n3,5,2\n6,5,1\n", encoding="utf-8")
    classes, numbers = (NeuralNetwork(csv=path, loss=loss, hidden=(3,)).examples for loss in ("cross_entropy", "mse"))
    np.testing.assert_array_equal(classes.targets, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    np.testing.assert_allclose(numbers.targets, [np.array([-1, 0, 1, 0]) / np.sqrt(0.5)])
    np.testing.assert_array_equal(numbers.features[1], 0.0)
    np.testing.assert_allclose(numbers.features[0], (np.array([1, 2, 3, 6]) - 3) / np.sqrt(3.5))


def test_a_feature_that_varies_little_is_no_constant(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("year,y\n2001,0\n2002,1\n2003,2\n", encoding="utf-8")
    np.testing.assert_allclose(NeuralNetwork(csv=path).examples.features, [np.array([-1, 0, 1]) * np.sqrt(1.5)])


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
def test_it_keeps_the_contract(network: Any):
    for check in checks(network):
        if check.finding.verdict != "skipped":
            check()
    found = {check.name: check.finding.verdict for check in checks(network)}
    assert [found[name] for name in ("gradient", "complex step", "sweeps", "starts", "layers")] == ["ok"] * 5


def test_a_wrapped_network_adds_the_penalty_to_what_reaches_the_weights():
    network = made(hidden=(3,))
    x = network.draw_starts(np.random.default_rng(0), 2)
    plain, penalised = network.backpropagation(x), L2(network, 0.5).backpropagation(x)
    for one, other in zip(plain, penalised, strict=True):
        np.testing.assert_array_equal(one.reaching, other.reaching)
        expected = np.linalg.norm(network.gradient(x)[:, one.weights] + 0.5 * x[:, one.weights], axis=-1)
        np.testing.assert_allclose(other.gradient_norm, expected, rtol=1e-12)
    assert dataclasses.replace(L2(network), penalty=0.0).objective is network

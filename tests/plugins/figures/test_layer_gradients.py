"""The layer-gradients figure, and the experiments of the repository that it explains."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from runner import HasGradient, HasLayers, number
from runner.registry.registry import Registry
from runner.registry.setting import Setting
from runner.report.files import render
from runner.report.style import house_style
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from runner.testing import check_figure
from runner_plugins.figures.layer_gradients import LayerGradients
from runner_plugins.objectives.neural_network import NeuralNetwork
from tests.support.databases import run_into
from tests.support.paths import ROOT

SMALL_NETS = """\
name = "nets"
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.01, 0.02] } }]
start = { initialisation = { count = 3, seed = 0 } }
stop = { max_steps = 5 }
record = { x = false, gradient = true }

[[objective]]
name = "neural_network"
samples = 15
hidden = { values = [[3], [3, 3, 3]] }
activation = "tanh"
initialisation = "normal"
gain = { values = [0.01, 40.0] }
batch_norm = { values = [false, true] }
"""


def drawn(tmp_path: Path, write: Any, text: str = SMALL_NETS) -> Any:
    plan, _ = run_into(write(text), tmp_path / "r.db")
    results = read_results(Store(str(tmp_path / "r.db")).database, plan.experiment.name, catalogue=Registry())
    with house_style():
        return plan, results, LayerGradients().draw(results)


def starts_of(plan: Any, **wanted: Any) -> tuple[Any, Any]:
    """Return an objective of the experiment, made anew, and its starts."""
    for setting, starts in zip(plan.experiment.objectives, plan.experiment.starts, strict=True):
        parameters = cast(Setting, setting).parameters
        if all(parameters[key] == value for key, value in wanted.items()):
            return setting.plugin, np.array([start.x for start in starts])
    raise LookupError(wanted)


def norms(plan: Any, **wanted: Any) -> Any:
    """Return the median norm of the gradient at the start, with respect to the weights of each layer and to all weights."""
    network, x = starts_of(plan, **wanted)
    gradient = cast(HasGradient, network).gradient(x)
    layers = np.array([np.linalg.norm(gradient[:, place], axis=1) for place in cast(HasLayers, network).layer_weights.values()])
    return np.median(layers, axis=1), float(np.median(np.linalg.norm(layers, axis=0)))


def first_layer(plan: Any, **wanted: Any) -> Any:
    """Return the norm of the gradient at each start with respect to the weights of the first layer."""
    network, x = starts_of(plan, **wanted)
    place = next(iter(cast(HasLayers, network).layer_weights.values()))
    return np.linalg.norm(cast(HasGradient, network).gradient(x)[:, place], axis=1)


def test_the_lines_are_the_gradients_at_the_start(tmp_path, write):
    plan, _, drawing = drawn(tmp_path, write)
    by_depth, by_layer = drawing.figure.axes[:2]
    assert by_layer.get_title(loc="left") == "In 4 layers, by layer"
    labels = ["normal, gain = 0.01", "batch_norm, normal, gain = 0.01", "normal, gain = 40", "batch_norm, normal, gain = 40"]
    found = {
        line.get_label().replace("\n", " "): (line, depth)
        for line, depth in zip(by_layer.lines, by_depth.lines, strict=True)
    }  # fmt: skip
    assert sorted(found) == sorted(label.replace("normal, ", "") for label in labels)
    for label, (line, depth) in found.items():
        wanted = {"gain": 40.0 if "40" in label else 0.01, "batch_norm": "batch_norm" in label}
        layers, whole = norms(plan, hidden=(3, 3, 3), **wanted)
        np.testing.assert_allclose(line.get_ydata(), layers, rtol=1e-9)
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_allclose(depth.get_ydata(), [norms(plan, hidden=(3,), **wanted)[1], whole], rtol=1e-9)


def test_the_caption_says_what_was_measured(tmp_path, write):
    plan, results, drawing = drawn(tmp_path, write)
    _, gradients, survival = drawing.caption.splitlines()
    deep = {
        (gain, batch_norm): norms(plan, hidden=(3, 3, 3), gain=gain, batch_norm=batch_norm)
        for gain in (0.01, 40.0)
        for batch_norm in (False, True)
    }
    most, least = max(deep, key=lambda key: deep[key][1]), min(deep, key=lambda key: deep[key][1])
    assert least == (0.01, False)
    largest, smallest = deep[most][1], deep[least][1]
    assert f"the gradient at the start has a norm of {number(largest)} for" in gradients
    assert f", and of {number(smallest)} for gain = 0.01, which is {number(largest / smallest)} times smaller" in gradients
    deep_first, shallow_first = (
        np.log(first_layer(plan, hidden=hidden, gain=0.01, batch_norm=False)) for hidden in ((3, 3, 3), (3,))
    )
    factor = np.exp((deep_first.mean() - shallow_first.mean()) / 2)
    error = factor * np.sqrt((deep_first.var(ddof=1) + shallow_first.var(ddof=1)) / 3) / 2
    unknown = "cannot tell, because the starts differ too much"
    assert (
        f": {unknown} with gain = 40 (2 starts) and {number(factor)} ± {number(error)} with gain = 0.01 (3 starts)." in gradients
    )
    assert ("gain = 40", "4", unknown, "2") in drawing.table
    survivors = sum(run.outcome == "max_steps" for run in results.runs)
    assert len(results.runs) == 48
    assert survival.startswith("All 48 runs survived." if survivors == 48 else f"{survivors} of 48 runs survived.")
    idle = re.search(r"the surviving runs with (.*?) learned nothing: ", survival)
    assert idle is not None
    assert idle.group(1) == "gain = 0.01"


def test_figure_keeps_the_contract():
    check_figure(LayerGradients())


def test_figure_drawn_again_has_the_same_bytes(tmp_path, write):
    _, results, drawing = drawn(tmp_path, write)
    first = render(drawing.figure)
    with house_style():
        assert render(LayerGradients().draw(results).figure) == first


def test_a_penalty_and_one_depth_are_drawn_too(tmp_path, write):
    text = SMALL_NETS[: SMALL_NETS.index("[[objective]]")] + (
        'objective = [{ name = "l2", penalty = { values = [0.1, 1.0] }, objective = { name = "neural_network", samples = 10, '
        "hidden = [2, 2] } }]\n"
    )
    _, _, drawing = drawn(tmp_path, write, text)
    assert len(drawing.figure.axes) == 2
    (by_layer, table) = drawing.figure.axes
    assert [line.get_label() for line in by_layer.lines] == ["penalty = 0.1", "penalty = 1"]
    assert [label.get_text() for label in table.get_yticklabels()] == ["penalty = 0.1", "penalty = 1"]
    assert "Where there is a penalty, f includes it." in drawing.caption


def test_networks_of_one_depth_and_other_widths_are_distinguished(tmp_path, write):
    text = (
        SMALL_NETS.replace("[[3], [3, 3, 3]]", "[[2, 2], [5, 5]]")
        .replace("[0.01, 40.0]", "[1.0, 2.0]")
        .replace("[false, true]", "[false]")
    )
    _, results, drawing = drawn(tmp_path, write, text)
    by_layer, table = drawing.figure.axes
    labels = [line.get_label() for line in by_layer.lines]
    assert sorted(labels) == ["[2, 2], gain = 1", "[2, 2], gain = 2", "[5, 5], gain = 1", "[5, 5], gain = 2"]
    assert len(table.texts) == 4 * 2
    assert len(results.runs) == 4 * 2 * 3


@pytest.mark.parametrize(
    "change",
    [
        ("record = { x = false, gradient = true }", "record = { x = true }"),
        ('name = "neural_network"\nsamples = 15\nhidden = { values = [[3], [3, 3, 3]] }\nactivation = "tanh"\n'
         'initialisation = "normal"\ngain = { values = [0.01, 40.0] }\nbatch_norm = { values = [false, true] }', 'name = "rosenbrock"'),
    ],
    ids=["no gradients", "no layers"],
)  # fmt: skip
def test_nothing_is_drawn_without_networks(tmp_path, write, change):
    text = SMALL_NETS.replace(*change)
    assert text != SMALL_NETS
    if "rosenbrock" in text:
        text = text.replace("initialisation = { count = 3, seed = 0 }", "points = [1.0]")
    assert drawn(tmp_path, write, text)[2] is None


def test_lost_runs_are_counted_and_leave_their_cells_orange(tmp_path, write):
    text = SMALL_NETS.replace("gain = { values = [0.01, 40.0] }", "gain = { values = [1.0, 1e200] }").replace(
        "values = [0.01, 0.02]", "values = [0.01]"
    ).replace('"tanh"', '"relu"')  # fmt: skip
    _, results, drawing = drawn(tmp_path, write, text)
    assert {run.outcome for run in results.runs if run.parameters["objective.gain"] == 1e200} >= {"non_finite"}
    cells = {text.get_text() for text in drawing.figure.axes[2].texts}
    assert "0/3" in cells
    assert "Runs were lost with gain = 1e200 (gradient_descent, 2 layers)" in drawing.caption
    with house_style():
        render(drawing.figure)


def test_a_combination_that_was_not_run_is_not_told_as_lost(tmp_path, write):
    text = SMALL_NETS.replace(
        "[[objective]]", "[[exclude]]\noptimizer.learning_rate = 0.02\nobjective.gain = 40.0\n\n[[objective]]"
    )
    _, _, drawing = drawn(tmp_path, write, text)
    panel = drawing.figure.axes[2]
    left = {text.get_position() for text in panel.texts if text.get_text() == "not run"}
    white = {(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in panel.patches if patch.get_facecolor() == (1, 1, 1, 1)}
    assert left == white
    assert len(left) == 4


@pytest.fixture(scope="session")
def shipped(tmp_path_factory) -> dict[str, Any]:
    """The results and captions of the two experiments of the repository."""
    folder = tmp_path_factory.mktemp("shipped")
    found = {}
    for name in ("exploding_gradients", "vanishing_gradients"):
        run_into(ROOT / "experiments" / f"{name}.toml", folder / "r.db")
        results = read_results(Store(str(folder / "r.db")).database, name, catalogue=Registry())
        with house_style():
            drawing = LayerGradients().draw(results)
        assert drawing is not None
        found[name] = (results, drawing.caption)
    return found


def test_mean_square_of_a_gradient_follows_the_theory():
    """Each further ReLU layer multiplies the mean square over all weights by n v / 2.

    With Xavier's weights, this is 1/2 if all layers have the same width.
    """
    squares = []
    for hidden in ((8,) * 4, (8,) * 8):
        # With a small gain the outputs are small, so ∂f/∂ŷ is the same for all weights.
        network = NeuralNetwork("moons", None, 10, 0.1, 0, hidden, "relu", "cross_entropy", False, "xavier", 0.1)
        x = network.draw_starts(np.random.Generator(np.random.PCG64(len(hidden))), 8000)
        gradient = network.gradient(x)[:, next(iter(network.layer_weights.values()))]
        squares.append((gradient**2).sum(axis=-1) / 0.1 ** (2 * len(hidden)))
    means, errors = np.array([[each.mean(), each.std() / np.sqrt(len(each))] for each in squares]).T
    ratio, error = means[1] / means[0], float(np.hypot(*(errors / means)))
    assert error < 0.1, "with a larger error, this would test little"
    assert ratio == pytest.approx(0.5**4, rel=3.0 * error)


def shown_factors() -> list[tuple[str, ...]]:
    """Return the rows of the page's table: network, measured factor, its error, the two means of theory."""
    page = (ROOT / "docs" / "explanation" / "exploding_gradients.md").read_text(encoding="utf-8")
    return re.findall(r"^\| (.*gain = \S+) \| (\S+) ± (\S+) \| (\S+) \| (\S+) \|", page, re.MULTILINE)


def test_page_shows_the_theory_of_layers_of_eight_units():
    """ψ follows from ψ(1/2) = −γ − 2 ln 2, ψ(1) = −γ and ψ(x + 1) = ψ(x) + 1/x; uniform weights are simulated."""
    psi = {0.5: -np.euler_gamma - 2.0 * np.log(2.0), 1.0: -np.euler_gamma}
    for x in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        psi[x + 1.0] = psi[x] + 1.0 / x
    coins = np.array([math.comb(8, heads) for heads in range(1, 9)]) / 255.0
    logs = np.array([0.5 * (psi[heads / 2] + np.log(2.0)) for heads in range(1, 9)])
    normal = math.exp(coins @ logs)
    generator = np.random.default_rng(0)
    carried = generator.standard_normal((40_000, 8))
    for _ in range(3):
        weights = generator.uniform(-math.sqrt(3.0), math.sqrt(3.0), (len(carried), 8, 8))
        carried = (weights * carried[:, :, None]).sum(axis=1) * generator.integers(0, 2, (len(carried), 8))
        lengths = np.linalg.norm(carried, axis=1)
        uniform = math.exp(np.log(lengths[lengths > 0]).mean())
        carried = carried[lengths > 0] / lengths[lengths > 0, None]
    deviations = {"normal, gain = 2": 2.0, "he, gain = 1": 0.5, "xavier, gain = 1": math.sqrt(1 / 8), "normal, gain = 0.1": 0.1}
    for network, *_, typical, root_mean_square in shown_factors():
        deviation = deviations.pop(network)
        expected = deviation * (uniform if "xavier" in network else normal)
        assert float(typical) == pytest.approx(expected, rel=0.01 if "xavier" in network else 2e-3)
        assert float(root_mean_square) == pytest.approx(2.0 * deviation, rel=1e-3)
    assert deviations == {}


@pytest.mark.slow
def test_page_shows_the_factors_of_the_experiment(tmp_path):
    run_into(ROOT / "experiments" / "gradient_factors.toml", tmp_path / "r.db")
    results = read_results(Store(str(tmp_path / "r.db")).database, "gradient_factors", catalogue=Registry())
    with house_style():
        drawing = LayerGradients().draw(results)
    assert drawing is not None
    measured = {row[0]: row[2].split(" ± ") for row in drawing.table[1:]}
    shown = shown_factors()
    assert len(shown) == 4
    for network, factor, error, theory, _ in shown:
        assert measured[network] == [factor, error]
        assert abs(float(factor) - float(theory)) <= 2.0 * float(error)
    normalised = [float(factor) for network, (factor, *_) in measured.items() if network.startswith("batch_norm")]
    assert (min(normalised), max(normalised)) == (1.17, 1.18)


@pytest.mark.slow
class TestTheExperimentsOfTheRepository:
    def test_gradient_descent_is_lost_where_gradients_explode_and_nowhere_else(self, shipped):
        results, _ = shipped["exploding_gradients"]
        lost = [run for run in results.runs if run.outcome in ("diverged", "non_finite")]
        assert lost
        assert {run.optimizer for run in lost} == {"gradient_descent"}
        assert {run.parameters["objective.gain"] for run in lost} == {2.0}
        assert {run.dimension for run in lost} <= {run.dimension for run in results.runs if run.dimension > 200}

    @pytest.mark.parametrize("clip", ["optimizer.max_norm", "optimizer.max_value"])
    def test_clipping_keeps_every_run_alive(self, shipped, clip):
        results, _ = shipped["exploding_gradients"]
        clipped = [run for run in results.runs if np.isfinite(run.parameters.get(clip, np.inf))]
        assert len(clipped) == 108
        assert {run.outcome for run in clipped} == {"max_steps"}

    def test_deep_networks_learn_with_he_weights_and_not_with_small_ones(self, shipped):
        results, _ = shipped["exploding_gradients"]

        def last(**wanted: Any) -> Any:
            deepest = max(run.dimension for run in results.runs)
            runs = [
                run
                for run in results.runs
                if run.dimension > 0.8 * deepest and all(run.parameters.get(f"objective.{key}") == value for key, value in wanted.items())
                and "objective.penalty" not in run.parameters
            ]  # fmt: skip
            assert runs
            return np.array([run.final_value for run in runs])

        plain, normalised = ({"batch_norm": each} for each in (False, True))
        np.testing.assert_allclose(last(gain=0.1, **plain), np.log(2.0), rtol=1e-3)
        assert np.median(last(initialisation="he", **plain)) < 0.4
        assert np.median(last(gain=0.1, **normalised)) < 0.3
        assert np.median(last(gain=2.0, **normalised)) < 0.3

    def test_sigmoids_let_little_gradient_reach_the_first_layer(self, shipped):
        _, caption = shipped["vanishing_gradients"]
        told = re.search(r"The layers of one network differ most with sigmoid, xavier, gain = 1: by a factor of (\S+),", caption)
        assert told is not None
        assert float(told.group(1)) > 1e4

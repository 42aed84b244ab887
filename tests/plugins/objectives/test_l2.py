"""The L2 penalty around any objective: it offers what the objective offers, with the right numbers."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from runner import Array, HasMinimum, Objective
from runner.contracts.kinds import PLUGIN_KINDS
from runner.engine.batch import batches
from runner.engine.loop import descend
from runner.experiment.grid import expand
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry
from runner.testing import checks
from runner.testing.samples import Hills
from runner_plugins.objectives.l2 import L2
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.neural_network import NeuralNetwork
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.rosenbrock import Rosenbrock
from runner_plugins.objectives.sin_quadratic import SinQuadratic

OPTIONAL: list[Any] = [each.protocol for each in PLUGIN_KINDS["objective"].capabilities if each.protocol is not HasMinimum]
NAMES = sorted(offer.name for offer in Registry().offers() if offer.kind == "objective" and offer.name not in ("l2", "bbob"))


def objective(name: str) -> Objective:
    return Registry().find("objective", name).cls()  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMES)
def test_penalty_offers_what_the_objective_offers(name: str):
    plain = NeuralNetwork(hidden=(3, 3), samples=15) if name == "neural_network" else objective(name)
    penalised = L2(plain, 0.3)
    for protocol in OPTIONAL:
        assert isinstance(penalised, protocol) == isinstance(plain, protocol), protocol
    assert not isinstance(penalised, HasMinimum)
    for check in checks(penalised):
        if check.finding.verdict != "skipped":
            check()


def test_penalty_around_a_plain_objective_offers_nothing_more():
    penalised = L2(Hills(), 0.3)
    assert not any(isinstance(penalised, protocol) for protocol in OPTIONAL)
    for missing in ("gradient", "hessian", "minimum"):
        assert not hasattr(penalised, missing)


def test_values_and_derivatives_agree_with_the_formulas():
    plain, x = Rosenbrock(), np.random.default_rng(0).normal(size=(6, 2))
    penalised: Any = L2(plain, 0.6)
    np.testing.assert_allclose(penalised.value(x), plain.value(x) + 0.3 * (x**2).sum(axis=-1))
    np.testing.assert_allclose(penalised.gradient(x), plain.gradient(x) + 0.6 * x)
    np.testing.assert_allclose(penalised.hessian(x), plain.hessian(x) + 0.6 * np.eye(2))
    np.testing.assert_array_equal(penalised.residuals(x)[:, -2:], np.sqrt(0.3) * x)
    np.testing.assert_array_equal(penalised.jacobian(x)[:, -2:], np.tile(np.sqrt(0.3) * np.eye(2), (6, 1, 1)))


def test_ridge_regression_has_its_closed_form():
    plain = LinearRegression(features=3, samples=50)
    penalised: Any = L2(plain, 0.8)
    zero = np.zeros((1, 4))
    # A quadratic: one step of Newton's method from anywhere ends at the minimiser.
    found = -np.linalg.solve(penalised.hessian(zero)[0], penalised.gradient(zero)[0])
    features, y = plain.data
    design = np.column_stack([features, np.ones(50)])
    expected = np.linalg.solve(2.0 * design.T @ design / 50 + 0.8 * np.eye(4), 2.0 * design.T @ y / 50)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_penalty_of_0_changes_nothing():
    plain, x = SinQuadratic(), np.linspace(-3, 3, 7)[:, None]
    np.testing.assert_array_equal(L2(plain, 0.0).value(x), plain.value(x))


def test_penalty_can_be_pickled_and_copied():
    for plain in (Quadratic(2, 5.0), Hills(), NeuralNetwork(hidden=(2,))):
        penalised = L2(plain, 0.2)
        for copy in (pickle.loads(pickle.dumps(penalised)), dataclasses.replace(penalised), L2(plain, 0.2)):
            assert copy == penalised
            assert type(copy) is type(penalised)
        assert isinstance(penalised, L2)


def test_penalty_wraps_a_penalty():
    x = np.ones((1, 2))
    np.testing.assert_allclose(L2(L2(Quadratic(2), 0.2), 0.3).value(x), L2(Quadratic(2), 0.5).value(x))


WRAPPED = """\
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.05 }]
start = { uniform = { count = 2, seed = 1 } }
stop = { max_steps = 30 }

[[objective]]
name = "l2"
penalty = { values = [0.0, 0.1, 1.0] }
objective = { name = "sin_quadratic", a = { values = [1.0, 2.0] } }
"""


def test_swept_penalties_and_swept_objectives_advance_together(write):
    experiment = read_experiment(write(WRAPPED), Registry())
    ((batch, members),) = batches(expand(experiment).runs, experiment.rules, 100)
    assert len(members) == 3 * 2 * 2
    together = descend(batch)
    assert together.warnings == ()
    for row, trajectory in enumerate(together.trajectories):
        (alone,) = descend(batch.only([row])).trajectories
        assert [bytes(chunk.data) for chunk in alone.chunks] == [bytes(chunk.data) for chunk in trajectory.chunks]


def test_newton_is_skipped_if_the_wrapped_objective_has_no_hessian(write):
    write(
        "from dataclasses import dataclass\nimport runner\n\n@dataclass(frozen=True)\nclass Flat(runner.Objective):\n"
        "    '''x².'''\n    dimension = 1\n    def value(self, x):\n        return (x * x).sum(axis=-1)\n"
        "    def gradient(self, x):\n        return 2 * x\n\n@runner.hookimpl\ndef runner_objectives():\n"
        "    return {'flat': Flat}\n",
        "flat.py",
    )
    text = WRAPPED[: WRAPPED.index("[[objective]]")].replace("gradient_descent\", learning_rate = 0.05", 'newton"').replace(
        "count = 2", "low = -1, high = 1, count = 2"
    )  # fmt: skip
    text = f'plugins = ["flat.py"]\n{text}objective = [{{ name = "l2", objective = {{ name = "flat" }} }}]\n'
    (skipped,) = expand(read_experiment(write(text), Registry())).skipped
    assert skipped.reason == "because L2 offers no Hessian; use gradient backend finite_difference or complex_step"


def test_penalty_works_in_worker_processes(write, runner_cli):
    done = runner_cli("run", write(WRAPPED), "--executor", "processes", "--jobs", "1", "--format", "json", "--no-report")
    assert (done.code, done.err) == (0, "")
    assert sum(done.json["computed"].values()) == 12


def test_the_penalty_pulls_towards_the_origin():
    def minimiser(penalty: float) -> Array:
        x = np.full((1, 1), -1.0)
        for _ in range(200):
            x = x - 0.1 * L2(SinQuadratic(), penalty).gradient(x)  # type: ignore[attr-defined]
        return x

    sizes = [abs(float(minimiser(penalty)[0, 0])) for penalty in (0.0, 0.5, 2.0)]
    assert sizes == sorted(sizes, reverse=True)


def test_documentation_says_that_capabilities_depend_on_the_wrapped_objective(runner_cli):
    done = runner_cli("plugins", "show", "l2")
    assert (done.code, done.err) == (0, "")
    (line,) = [line for line in done.out.splitlines() if line.startswith("offers")]
    assert line.split(maxsplit=1)[1] == "values, and what the wrapped objective offers"

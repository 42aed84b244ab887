"""Plugins that wrap others: nested tables, sweeps inside them, batches, identities and needs."""

from __future__ import annotations

import numpy as np
import pytest

from runner.engine.batch import batches, take_rows
from runner.engine.loop import descend
from runner.experiment.grid import expand
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.clipped import Clipped
from runner_plugins.optimizers.clipped_gradient_descent import ClippedGradientDescent
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.momentum import Momentum
from tests.support.batches import column, make_batch, result, series
from tests.support.databases import run_into

WRAPPED = """\
objective = [{ name = "quadratic", dimension = 2, condition_number = 10.0 }]
gradient = [{ name = "GRADIENT" }]
start = { uniform = { low = -3.0, high = 3.0, count = 2, seed = 1 } }
stop = { max_steps = 60, gradient_norm = 1e-6 }

[[optimizer]]
name = "clipped"
max_norm = { values = [0.5, 2.0] }
optimizer = { name = "gradient_descent", learning_rate = { values = [0.01, 0.05, 0.09] } }
"""


WITH_ANALYTIC = WRAPPED.replace("GRADIENT", "analytic")


def experiment(write, text=WITH_ANALYTIC):
    return read_experiment(write(text), Registry())


def test_clipping_around_gradient_descent_equals_clipped_gradient_descent():
    start = np.random.default_rng(0).normal(size=(20, 3)) * 10
    rates, norms = column(np.geomspace(1e-3, 0.1, 20)), column(np.geomspace(0.1, 20.0, 20))
    wrapped = descend(make_batch(Quadratic(3, 7.0), Clipped(GradientDescent(rates), norms, 3.0), start, max_steps=80))
    single = descend(make_batch(Quadratic(3, 7.0), ClippedGradientDescent(rates, norms, 3.0), start, max_steps=80))
    assert wrapped.warnings == ()
    assert [result(each) for each in wrapped.trajectories] == [result(each) for each in single.trajectories]


def test_clipping_bounds_what_momentum_sees():
    batch = make_batch(Quadratic(2), Clipped(Momentum(0.1, 0.5), max_norm=1.0), [[30.0, 40.0]], max_steps=5)
    x = series(descend(batch).trajectories[0])[2:].T
    velocity, expected = np.zeros(2), [x[0]]
    for _ in range(5):
        gradient = 2 * expected[-1]
        velocity = 0.5 * velocity + gradient / max(1.0, np.linalg.norm(gradient))
        expected.append(expected[-1] - 0.1 * velocity)
    np.testing.assert_allclose(x, expected, rtol=1e-13)


def test_sweep_inside_a_wrapped_plugin_is_one_batch(write):
    read = experiment(write)
    grid = expand(read)
    assert len(grid.runs) == 2 * 3 * 2
    ((batch, members),) = batches(grid.runs, read.rules, read.max_batch)
    assert isinstance(batch.optimizer, Clipped)
    assert isinstance(batch.optimizer.optimizer, GradientDescent)
    rates = np.array([run.optimizer.parameters["learning_rate"] for run in members])
    np.testing.assert_array_equal(batch.optimizer.optimizer.learning_rate, rates[:, None])
    together = descend(batch)
    assert together.warnings == ()
    for row, trajectory in enumerate(together.trajectories):
        assert result(trajectory) == result(descend(batch.only([row])).trajectories[0])


def test_rows_are_taken_from_the_wrapped_plugin_too():
    kept = take_rows(Clipped(GradientDescent(column([1.0, 2.0, 3.0]))), np.array([True, False, True]))
    np.testing.assert_array_equal(kept.optimizer.learning_rate, [[1.0], [3.0]])
    plain = Clipped(GradientDescent(0.1))
    assert take_rows(plain, np.array([True])) is plain


def test_wrapped_plugin_counts_in_identity_and_parameters(tmp_path, write):
    text = WRAPPED.replace("GRADIENT", "analytic")
    identities = {run.identity for run in expand(experiment(write, text)).runs}
    other = {run.identity for run in expand(experiment(write, text.replace("0.09", "0.08"))).runs}
    assert len(identities & other) == 8
    database = tmp_path / "r.db"
    run_into(write(text), database)
    stored = read_results(Store(str(database)).database, "small").runs
    assert {(run.parameters["optimizer.optimizer"], run.parameters["optimizer.learning_rate"]) for run in stored} == {
        ("gradient_descent", 0.01), ("gradient_descent", 0.05), ("gradient_descent", 0.09)
    }  # fmt: skip


def test_needs_of_the_wrapped_plugin_are_needs_of_the_wrapper(write):
    local = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class First(runner.GradientBackend):
    '''Computes gradients, and nothing else.'''
    def gradient(self, objective, x):
        return 2 * x

@runner.hookimpl
def runner_gradients():
    return {"first": First}
"""
    write(local, "first.py")
    text = 'plugins = ["first.py"]\n' + WRAPPED.replace("GRADIENT", "first")
    text = text[: text.index("optimizer = {")] + 'optimizer = { name = "newton" }\n'
    (skipped,) = expand(experiment(write, text)).skipped
    assert skipped.reason == "because gradient backend first computes no Hessian; use finite_difference"
    assert Analytic().refusal(Quadratic(), "hessian") is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"gradient_descent"', '"gradient_decent"', "optimizer[0].optimizer.name: there is no optimizer 'gradient_decent'; did you mean gradient_descent?"),
        ("learning_rate =", "learnin_rate =", "optimizer[0].optimizer.learnin_rate: gradient_descent has no such parameter; did you mean learning_rate?"),
        ("[0.01, 0.05, 0.09]", "[-1.0]", "optimizer[0].optimizer.learning_rate: must be a number > 0, not -1.0"),
        ('optimizer = { name = "gradient_descent", learning_rate = { values = [0.01, 0.05, 0.09] } }', 'optimizer = "newton"',
         "optimizer[0].optimizer: must be a table with the name of an optimizer and its parameters, not 'newton'"),
        ('optimizer = { name = "gradient_descent", learning_rate = { values = [0.01, 0.05, 0.09] } }', "",
         "optimizer[0]: clipped needs optimizer, a table with the name of an optimizer and its parameters"),
        ("max_norm = { values = [0.5, 2.0] }", "max_norm = inf",
         "optimizer[0]: max_norm or max_value must be a finite number: without a bound the optimizer needs no wrapping"),
    ],
)  # fmt: skip
def test_mistakes_inside_a_wrapped_plugin_are_reported_with_their_path(write, runner_cli, before, after, message):
    text = WRAPPED.replace("GRADIENT", "analytic")
    assert before in text
    done = runner_cli("run", write(text.replace(before, after)))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0].partition("small.toml: ")[2] == message

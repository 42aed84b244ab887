"""The grid of an experiment: every point once, and batches of runs that differ only in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.contracts.parameters import parameters_of
from runner.engine import batch as batch_module
from runner.engine.batch import batches
from runner.experiment.grid import Grid, expand
from runner.experiment.model import Experiment, Run
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry

REGISTRY = Registry()
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)

WIDE = """\
[[objective]]
name = "quadratic"
dimension = { values = [1, 2] }

[[objective]]
name = "quadratic"
dimension = 3
condition_number = { values = [1.0, 10.0, 100.0] }

[[objective]]
name = "linear_regression"
samples = 9
noise = { values = [0.1, 0.2] }

[[gradient]]
name = "analytic"

[[gradient]]
name = "finite_difference"
scheme = { values = ["central", "forward"] }
spacing = { values = [1e-5, 1e-4] }

[[optimizer]]
name = "gradient_descent"
learning_rate = { values = [0.1, 0.2, 0.4] }

[[optimizer]]
name = "clipped_gradient_descent"
learning_rate = { values = [0.1, 0.2] }
max_norm = { values = [1.0, 2.0] }

[[optimizer]]
name = "clipped_gradient_descent"
max_value = 0.5

[start]
uniform = { low = -2.0, high = 2.0, count = 3, seed = 1 }
"""


@pytest.fixture
def read(write: Callable[..., Path]) -> Callable[[str], Experiment]:
    return lambda text: read_experiment(write(text), REGISTRY)


def three(values: str, more: str = "", start: str = "points = [1.0, 2.0]") -> str:
    """A one-dimensional objective, one backend, and gradient descent at some learning rates."""
    return (
        '[[objective]]\nname = "quadratic"\n[[gradient]]\nname = "analytic"\n'
        f'[[optimizer]]\nname = "gradient_descent"\nlearning_rate = {{ values = {values} }}\n[start]\n{start}\n{more}\n'
    )


def described(run: Run) -> tuple[Any, ...]:
    """Return everything that a run is made of."""
    parts = tuple((setting.name, tuple(setting.parameters.items())) for setting in (run.objective, run.gradient, run.optimizer))
    return (*parts, run.start.x.tobytes())


class TestExpanding:
    def test_grid_is_the_product_in_the_order_of_the_file(self, read):
        experiment = read(WIDE)
        runs = expand(experiment).runs
        assert len(runs) == (2 + 3 + 2) * (1 + 4) * (3 + 4 + 1) * 3
        assert len({described(run) for run in runs}) == len(runs)
        assert len({run.identity for run in runs}) == len(runs)
        places = [
            (
                experiment.objectives.index(run.objective),
                experiment.gradients.index(run.gradient),
                experiment.optimizers.index(run.optimizer),
                run.start.number,
            )
            for run in runs
        ]
        assert places == sorted(places)
        assert {len(run.start.x) for run in runs} == {1, 2, 3}
        assert all(len(run.start.x) == run.objective.plugin.dimension for run in runs)

    def test_repeated_points_are_counted_once(self, read):
        grid = expand(read(three("[0.1, 0.2, 0.1, 0.10]", start="points = [1.0, 1, 2.0]")))
        assert (len(grid.runs), grid.repeated) == (2 * 2, 4 * 3 - 2 * 2)
        assert [run.optimizer.parameters["learning_rate"] for run in grid.runs] == [0.1, 0.1, 0.2, 0.2]

    @pytest.mark.parametrize(
        ("conditions", "kept"),
        [
            ("optimizer = { learning_rate = 0.2 }", [0.1, 0.3, 0.4]),
            ("optimizer = { learning_rate = [0.1, 0.4] }", [0.2, 0.3]),
            ("optimizer = { learning_rate = 0.7 }", [0.1, 0.2, 0.3, 0.4]),
            ('optimizer = { name = "gradient_descent", learning_rate = 0.2 }', [0.1, 0.3, 0.4]),
            ('optimizer = { learning_rate = [0.2, 0.3] }\nobjective = "quadratic"\ngradient = ["analytic"]', [0.1, 0.4]),
            ("optimizer = { learning_rate = 0.2 }\nobjective = { dimension = 2 }", [0.1, 0.2, 0.3, 0.4]),
            ("optimizer = { learning_rate = 0.2 }\n[[exclude]]\noptimizer = { learning_rate = 0.1 }", [0.3, 0.4]),
            ('objective = "quadratic"', []),
        ],
    )
    def test_exclusion_drops_points_that_match_all_its_conditions(self, read, conditions: str, kept: list[float]):
        grid = expand(read(three("[0.1, 0.2, 0.3, 0.4]", f"[[exclude]]\n{conditions}", start="points = [1.0]")))
        assert [run.optimizer.parameters["learning_rate"] for run in grid.runs] == kept
        dropped = 4 - len(kept)
        expected = [("quadratic × analytic × gradient_descent", "excluded by the experiment", dropped)] if dropped else []
        assert [(each.combination, each.reason, each.runs) for each in grid.skipped] == expected

    def test_impossible_combinations_are_left_out_with_the_reason(self, write, read):
        write(
            "from dataclasses import dataclass\n"
            "from runner import GradientBackend, Objective, Optimizer, hookimpl\n"
            "@dataclass(frozen=True)\n"
            "class Bowl(Objective):\n"
            "    dimension = 1\n"
            "    def value(self, x):\n"
            "        return (x * x).sum(axis=-1)\n"
            "@dataclass(frozen=True)\n"
            "class Slope(GradientBackend):\n"
            "    def gradient(self, objective, x):\n"
            "        return 2 * x\n"
            "@dataclass(frozen=True)\n"
            "class Residual(Optimizer):\n"
            "    needs = ('jacobian',)\n"
            "    def step(self, point, memory):\n"
            "        return point.x / 2, memory\n"
            "@hookimpl\n"
            "def runner_objectives():\n"
            "    return {'bowl': Bowl}\n"
            "@hookimpl\n"
            "def runner_gradients():\n"
            "    return {'slope': Slope}\n"
            "@hookimpl\n"
            "def runner_optimizers():\n"
            "    return {'residual': Residual}\n",
            "my.py",
        )
        text = (
            'plugins = ["my.py"]\n[[objective]]\nname = "bowl"\n'
            '[[gradient]]\nname = "analytic"\n[[gradient]]\nname = "slope"\n[[gradient]]\nname = "finite_difference"\n'
            '[[optimizer]]\nname = "gradient_descent"\nlearning_rate = { values = [0.1, 0.2] }\n'
            '[[optimizer]]\nname = "newton"\n[[optimizer]]\nname = "residual"\n[start]\npoints = [1.0, 2.0]\n'
        )
        grid = expand(read_experiment(write(text), Registry()))
        no_gradient = "because Bowl offers no gradient; use gradient backend finite_difference or complex_step"
        assert [(each.combination, each.reason, each.runs) for each in grid.skipped] == [
            ("bowl × analytic × gradient_descent", no_gradient, 4),
            ("bowl × analytic × newton", no_gradient, 2),
            ("bowl × analytic × residual", no_gradient, 2),
            ("bowl × slope × newton", "because gradient backend slope computes no Hessian; use finite_difference", 2),
            (
                "bowl × slope × residual",
                "because gradient backend slope computes no Jacobian of residuals; use finite_difference",
                2,
            ),
            ("bowl × finite_difference × residual", "because objective bowl is not a sum of squares: it has no residuals", 2),
        ]
        possible = [("slope", "gradient_descent")] * 4 + [("finite_difference", "gradient_descent")] * 4
        assert Counter((run.gradient.name, run.optimizer.name) for run in grid.runs) == Counter(
            [*possible, ("finite_difference", "newton"), ("finite_difference", "newton")]
        )

    @IN_A_FOLDER
    @given(
        rates=st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=5),
        starts=st.lists(st.sampled_from([1.0, 2.0, -1.0]), min_size=1, max_size=4),
        dropped=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.9]), min_size=1, max_size=3),
    )
    def test_every_point_is_a_run_a_repetition_or_left_out(
        self, read, rates: list[float], starts: list[float], dropped: list[float]
    ):
        grid: Grid = expand(
            read(three(f"{rates}", f"[[exclude]]\noptimizer = {{ learning_rate = {dropped} }}", f"points = {starts}"))
        )
        kept = [rate for rate in rates if rate not in dropped]
        expected = dict.fromkeys((rate, start) for rate in kept for start in starts)
        assert [(run.optimizer.parameters["learning_rate"], run.start.x[0]) for run in grid.runs] == list(expected)
        assert grid.repeated == len(kept) * len(starts) - len(expected)
        assert sum(each.runs for each in grid.skipped) == (len(rates) - len(kept)) * len(starts)


def check_batches(runs: Sequence[Run], experiment: Experiment, most: int) -> list[int]:
    """Check the properties of batches; return their lengths."""
    made = list(batches(runs, experiment.rules, most))
    covered = [run.identity for _, members in made for run in members]
    assert Counter(covered) == Counter(run.identity for run in runs), "every run exactly once"
    for batch, members in made:
        assert 1 <= len(batch) == len(members) <= most
        assert batch.identities == tuple(run.identity for run in members)
        np.testing.assert_array_equal(batch.start, [run.start.x for run in members])
        for axis in ("objective", "gradient", "optimizer"):
            check_columns(getattr(batch, axis), [getattr(run, axis) for run in members])
    return [len(batch) for batch, _ in made]


def check_columns(plugin: Any, members: Sequence[Any]) -> None:
    """Check that a float in which the runs differ is a column, in their order, and that all else is shared."""
    assert {setting.name for setting in members} == {members[0].name}
    assert {type(setting.plugin) for setting in members} == {type(plugin)}
    for name, known in parameters_of(type(plugin)).items():
        values = [setting.parameters[name] for setting in members]
        held = getattr(plugin, name)
        if len(set(values)) == 1:
            assert held == values[0]
        else:
            assert known.batched, f"{name} may not vary in a batch"
            assert held.shape == (len(members), 1)
            assert held.dtype == np.float64
            assert held.ravel().tolist() == values


class TestBatches:
    @pytest.mark.parametrize("most", [1, 2, 7, 2048])
    def test_batches_hold_runs_that_differ_only_in_numbers(self, read, most: int):
        experiment = read(WIDE)
        runs = expand(experiment).runs
        lengths = check_batches(runs, experiment, most)
        # There are five objectives (dimensions 1, 2 and 3, two noises), three kinds of gradients and three kinds of optimizers.
        structures = {(run.objective.structure, run.gradient.structure, run.optimizer.structure) for run in runs}
        assert len(structures) == 5 * 3 * 3
        assert len(lengths) == len(structures) if most == 2048 else len(lengths) > len(structures)

    @IN_A_FOLDER
    @given(data=st.data())
    def test_batches_of_any_runs_in_any_order(self, read, data: st.DataObject):
        experiment = read(WIDE)
        runs = expand(experiment).runs
        some = data.draw(st.lists(st.sampled_from(runs), unique_by=lambda run: run.identity, max_size=60))
        check_batches(some, experiment, data.draw(st.integers(1, 20)))

    def test_a_float_that_is_absent_for_some_is_not_a_column_for_others(self, read):
        text = three("[0.1]").replace(
            'name = "gradient_descent"',
            'name = "clipped_gradient_descent"\nmax_value = { values = [1.0, 2.0] }\n[[optimizer]]\nname = "clipped_gradient_descent"',
        )
        experiment = read(text)
        assert check_batches(expand(experiment).runs, experiment, 2048) == [4, 2]

    def test_runs_of_equal_numbers_hold_them_as_numbers(self, read):
        experiment = read(three("[0.1]"))
        ((batch, _),) = batches(expand(experiment).runs, experiment.rules, 10)
        assert batch.optimizer.learning_rate == 0.1
        assert isinstance(batch.optimizer.learning_rate, float)

    def test_zeros_of_both_signs_are_two_numbers(self, read):
        text = three("[0.1]", start="points = [1.0]").replace('"quadratic"', '"sin_quadratic"\na = { values = [0.0, -0.0] }')
        experiment = read(text)
        ((batch, _),) = batches(expand(experiment).runs, experiment.rules, 10)
        assert [str(value) for value in np.ravel(batch.objective.a)] == ["0.0", "-0.0"]

    def test_memory_limits_the_size_of_a_batch(self, read, monkeypatch: pytest.MonkeyPatch):
        experiment = read(three(f"{[round(0.01 * number, 2) for number in range(1, 51)]}"))
        runs = expand(experiment).runs
        assert check_batches(runs, experiment, 2048) == [100]
        # The chunks of a run take 3 series of at most 1001 numbers.
        monkeypatch.setattr(batch_module, "BATCH_BYTES", 30 * 8 * 3 * 1001)
        assert check_batches(runs, experiment, 2048) == [30, 30, 30, 10]
        monkeypatch.setattr(batch_module, "BATCH_BYTES", 1)
        assert check_batches(runs, experiment, 2048) == [1] * 100

    def test_a_run_taken_out_of_its_batch_has_its_own_numbers(self, read):
        experiment = read(WIDE)
        for batch, members in batches(expand(experiment).runs, experiment.rules, 50):
            place = len(members) // 2
            alone = batch.only([place])
            assert alone.identities == (members[place].identity,)
            for axis in ("objective", "gradient", "optimizer"):
                setting = getattr(members[place], axis)
                for name in parameters_of(type(setting.plugin)):
                    assert np.ravel(getattr(getattr(alone, axis), name)).tolist() == [setting.parameters[name]]

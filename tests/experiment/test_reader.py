"""The reading of an experiment: a validated experiment, or a refusal that names each key."""

from __future__ import annotations

import copy
import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import ExperimentError
from runner.experiment.grid import expand
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry
from tests.support.sound_experiment import SOUND, experiment_text

REGISTRY = Registry()
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Yield the path to every value inside."""
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [*([here] if here else []), *(place for key, item in inner for place in places(item, (*here, key)))]


WORDS = st.sampled_from(
    ["name", "values", "zip", "linspace", "num", "quadratic", "newton", "serial", "low", "seed", "csv", "", "²"]
)
ODD = st.recursive(
    st.one_of(
        st.sampled_from([-1, 0, 1, 2, 3, 10**18, 2**70, 10**400]),
        st.floats(),
        st.booleans(),
        WORDS,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.just(datetime.date(1979, 5, 27)),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """The sound experiment with one to three of its values replaced, removed or added."""
    tables = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(tables)))
        holder = tables
        for key in way:
            holder = holder[key]
        if draw(st.booleans()):
            holder[last] = draw(ODD)
        elif isinstance(holder, dict) and draw(st.booleans()):
            holder[draw(WORDS)] = draw(ODD)
        elif len(tables) > 1:
            del holder[last]
    return tables


class TestReading:
    def test_the_sound_experiment(self, write):
        experiment = read_experiment(write(experiment_text(SOUND)), REGISTRY)
        counts = [
            len(axis) for axis in (experiment.objectives, experiment.gradients, experiment.optimizers, experiment.starts[0])
        ]
        assert counts == [2 + 3, 2, 4 + 2, 2]
        assert (experiment.name, experiment.figures, experiment.max_batch) == ("sound", ("outcomes",), 10)
        grid = expand(experiment)
        assert sum(skipped.runs for skipped in grid.skipped) == 1 * 2 * 2 * 2, "one noise × gradients × clipped × starts"
        assert len(grid.runs) == 5 * 2 * 6 * 2 - 8

    @IN_A_FOLDER
    @given(tables=spoilt())
    def test_any_file_is_read_or_refused_with_paths(self, write, tables: dict[str, Any]):
        path = write(experiment_text(tables), "spoilt.toml")
        problems: tuple[str, ...] | None = None
        try:
            experiment = read_experiment(path, REGISTRY)
        except ExperimentError as error:
            problems = error.problems
        if problems is None:
            grid = expand(experiment)
            left_out = sum(skipped.runs for skipped in grid.skipped)
            ways = len(experiment.gradients) * len(experiment.optimizers)
            assert len(grid.runs) + grid.repeated + left_out == ways * sum(map(len, experiment.starts))
            return
        assert problems
        assert len(set(problems)) == len(problems), "nothing is told twice"
        for problem in problems:
            where, colon, what = problem.partition(": ")
            assert where.split(".")[0].split("[")[0] in {*SOUND, *tables}
            assert colon
            assert what

    def test_problems_are_in_the_order_of_the_file(self, write):
        tables = copy.deepcopy(SOUND)
        tables["objective"][1]["samples"] = 0
        tables["optimizer"][0]["learning_rate"] = -1
        tables["start"]["uniform"]["count"] = 0
        tables["stop"]["max_steps"] = 0
        tables["exclude"] = [{}]
        with pytest.raises(ExperimentError) as caught:
            read_experiment(write(experiment_text(tables)), REGISTRY)
        found = [problem.partition(":")[0] for problem in caught.value.problems]
        assert found == [
            "objective[1].samples",
            "optimizer[0].learning_rate",
            "stop.max_steps",
            "start.uniform.count",
            "exclude[0]",
        ]

    def test_first_of_many_similar_problems_are_reported(self, write):
        tables = copy.deepcopy(SOUND)
        tables["optimizer"][0]["learning_rate"] = {"linspace": [-2.0, -1.0], "num": 1001}
        tables["stop"]["max_steps"] = 0
        with pytest.raises(ExperimentError) as caught:
            read_experiment(write(experiment_text(tables)), REGISTRY)
        rates = ["-2.0", "-1.999", "-1.998", "-1.997", "-1.996"]
        assert caught.value.problems == (
            *(f"optimizer[0].learning_rate: must be a number > 0, not {rate}" for rate in rates),
            "optimizer[0].learning_rate: and 996 more like this",
            "stop.max_steps: must be a whole number >= 1, not 0",
        )

    def test_files_are_looked_for_beside_the_experiment(self, tmp_path, write):
        (tmp_path / "inner").mkdir()
        write("1,2\n3,4\n5,7\n", "inner/data.csv")
        tables = {**SOUND, "objective": [{"name": "linear_regression", "csv": "data.csv"}], "exclude": []}
        experiment = read_experiment(write(experiment_text(tables), "inner/small.toml"), REGISTRY)
        assert experiment.objectives[0].parameters["csv"] == tmp_path / "inner" / "data.csv"

    def test_a_file_can_be_excluded_by_its_name(self, write):
        write("1,2\n3,4\n5,7\n", "one.csv")
        write("1,2\n3,4\n5,8\n", "two.csv")
        files = {"name": "linear_regression", "csv": {"values": ["one.csv", "two.csv"]}}
        tables = {**SOUND, "objective": [files], "exclude": [{"objective": {"csv": "two.csv"}}]}
        grid = expand(read_experiment(write(experiment_text(tables)), REGISTRY))
        assert {run.objective.parameters["csv"].name for run in grid.runs} == {"one.csv"}

    def test_default_has_the_type_of_its_parameter(self, write):
        """A float parameter with the default 1 gives the same run as a file that says 1 or 1.0."""
        write(
            "from dataclasses import dataclass\n"
            "from runner import Optimizer, hookimpl, parameter\n"
            "@dataclass(frozen=True)\n"
            "class Walk(Optimizer):\n"
            "    pace: float = parameter(1)\n"
            "    def step(self, point, memory):\n"
            "        return point.x - self.pace * point.gradient, memory\n"
            "@hookimpl\n"
            "def runner_optimizers():\n"
            "    return {'walk': Walk}\n",
            "walk.py",
        )
        identities = []
        for table in ({}, {"pace": 1}, {"pace": 1.0}, {"pace": {"values": [1]}}):
            tables = {**SOUND, "plugins": ["walk.py"], "optimizer": [{"name": "walk", **table}], "exclude": []}
            grid = expand(read_experiment(write(experiment_text(tables)), Registry()))
            identities.append([run.identity for run in grid.runs])
        assert identities == [identities[0]] * 4


def test_exclusion_is_read_by_the_parameters_of_its_own_plugin(write, tmp_path: Path):
    """One objective has `seed` and `dimension`; the other has neither."""
    tables = {**SOUND, "exclude": [{"objective": {"name": "quadratic", "samples": 3}}]}
    with pytest.raises(ExperimentError) as caught:
        read_experiment(write(experiment_text(tables)), REGISTRY)
    assert caught.value.problems == (
        "exclude[0].objective.samples: there is no such parameter here; allowed: condition_number, dimension",
    )

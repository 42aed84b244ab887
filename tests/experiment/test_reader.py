"""From TOML text to a validated experiment: sweeps, overrides, and a plan or a clear refusal whatever the file holds."""

from __future__ import annotations

import copy
import datetime
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import ExperimentError
from runner.experiment.grid import expand
from runner.experiment.overrides import apply_overrides
from runner.experiment.reader import read_experiment
from runner.experiment.sweeps import combine, sweep_values
from runner.registry.registry import Registry

REGISTRY = Registry()
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)

SOUND: dict[str, Any] = {
    "name": "sound",
    "description": "An experiment with every table",
    "plugins": [],
    "objective": [
        {"name": "quadratic", "dimension": 2, "condition_number": {"values": [1.0, 10.0]}},
        {"name": "linear_regression", "samples": 7, "noise": {"linspace": [0.0, 0.2], "num": 3}},
    ],
    "gradient": [{"name": "analytic"}, {"name": "finite_difference", "scheme": "forward"}],
    "optimizer": [
        {"name": "gradient_descent", "learning_rate": {"logspace": [1e-3, 1.0], "num": 4}},
        {
            "name": "clipped_gradient_descent",
            "learning_rate": {"values": [0.1, 0.2]},
            "max_norm": {"values": [1.0, 2.0]},
            "zip": [["learning_rate", "max_norm"]],
        },
    ],
    "start": {"uniform": {"low": -3.0, "high": 3.0, "count": 2, "seed": 0}},
    "stop": {"max_steps": 50, "gradient_norm": 1e-6},
    "record": {"x": True},
    "exclude": [{"optimizer": "clipped_gradient_descent", "objective": {"name": "linear_regression", "noise": 0.0}}],
    "execution": {"executor": "serial", "max_batch": 10},
    "report": {"figures": ["outcomes"]},
}


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def experiment_text(tables: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in tables.items())


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
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
    def test_whatever_the_file_holds_is_an_experiment_or_a_refusal_with_paths(self, write, tables: dict[str, Any]):
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

    def test_problems_come_in_the_order_of_the_file(self, write):
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

    def test_of_many_like_problems_the_first_are_told(self, write):
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

    def test_a_default_is_of_its_own_type(self, write):
        """A plugin whose float has the default 1 and a file that says 1 or 1.0 mean the same run."""
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


FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


def check_spaced(values: Sequence[float], low: float, high: float, num: int) -> None:
    assert len(values) == num
    assert values[0] == low
    assert values[-1] == (high if num > 1 else low)
    inner = values[1:-1]
    assert all(min(low, high) <= value <= max(low, high) for value in inner)
    assert all(value in (low, high) or value == float(f"{value:.12g}") for value in inner), "the same on every machine"


class TestSweeps:
    @given(st.floats(-1e300, 1e300, allow_subnormal=False), st.floats(-1e300, 1e300, allow_subnormal=False), st.integers(1, 50))
    def test_linspace(self, low: float, high: float, num: int):
        values = sweep_values({"linspace": [low, high], "num": num})
        check_spaced(values, low, high, num)
        steps = num - 1
        for index, value in enumerate(values[1:-1], 1):
            expected = low * ((steps - index) / steps) + high * (index / steps)
            assert math.isclose(value, expected, rel_tol=1e-11, abs_tol=1e-12 * max(abs(low), abs(high)) + 1e-307)

    @given(POSITIVE, POSITIVE, st.integers(1, 50))
    def test_logspace(self, low: float, high: float, num: int):
        values = sweep_values({"logspace": [low, high], "num": num})
        check_spaced(values, low, high, num)
        rise = math.log(high) - math.log(low)
        for index, value in enumerate(values[1:-1], 1):
            expected = math.log(low) + rise * index / (num - 1)
            assert value < 1e-300 or math.isclose(math.log(value), expected, rel_tol=1e-10, abs_tol=1e-10)

    @given(st.sampled_from(["linspace", "logspace"]), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 200))
    def test_spaced_values_rise_or_fall(self, form: str, low: int, high: int, num: int):
        values = sweep_values({form: [low, high], "num": num})
        assert values == sorted(values, reverse=low > high)
        assert len(set(values)) == (1 if low == high else num)

    def test_known_values(self):
        assert sweep_values({"linspace": [0, 1], "num": 5}) == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert sweep_values({"logspace": [1e-3, 1], "num": 4}) == [0.001, 0.01, 0.1, 1.0]
        assert sweep_values({"logspace": [1e-320, 1e300], "num": 3})[1] == pytest.approx(1e-10, rel=1e-3)
        assert sweep_values({"values": [3, "a", 0.1]}) == [3, "a", 0.1]

    @given(
        st.lists(st.integers(1, 4), min_size=1, max_size=5).flatmap(
            lambda lengths: st.tuples(st.just(lengths), st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
        )
    )
    def test_combinations(self, drawn: tuple[list[int], list[int]]):
        """Parameters of one group have equally many values and move together; everything else is a product."""
        lengths, membership = drawn
        groups: dict[int, list[str]] = {}
        for number, group in enumerate(membership):
            if group:
                groups.setdefault(group, []).append(f"p{number}")
        values = {f"p{number}": [f"{number}:{index}" for index in range(length)] for number, length in enumerate(lengths)}
        for group in groups.values():
            for name in group:
                values[name] = [f"{name[1:]}:{index}" for index in range(len(values[group[0]]))]
        combinations = combine(values, list(groups.values()))
        free = [name for name in values if not any(name in group for group in groups.values())]
        expected = math.prod(len(values[name]) for name in [*free, *(group[0] for group in groups.values())])
        assert len(combinations) == expected
        assert len({tuple(sorted(combination.items())) for combination in combinations}) == expected
        for combination in combinations:
            assert combination.keys() == values.keys()
            for group in groups.values():
                assert len({combination[name].partition(":")[2] for name in group}) == 1
        for name, several in values.items():
            counts = Counter(combination[name] for combination in combinations)
            assert counts == dict.fromkeys(several, expected // len(several))


class TestOverrides:
    def raw(self) -> dict[str, Any]:
        return {"optimizer": [{"name": "a", "rate": 1}, {"name": "b", "rate": 2}, {"name": "a"}], "stop": {"max_steps": 3}}

    def changed(self, *assignments: str) -> dict[str, Any]:
        raw = self.raw()
        apply_overrides(raw, assignments)
        return raw

    def test_a_name_stands_for_every_table_that_bears_it(self):
        assert self.changed("optimizer.a.rate=7")["optimizer"] == [
            {"name": "a", "rate": 7},
            {"name": "b", "rate": 2},
            {"name": "a", "rate": 7},
        ]

    def test_a_number_stands_for_one_table(self):
        assert [table.get("rate") for table in self.changed("optimizer.2.rate=7")["optimizer"]] == [1, 2, 7]

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0.1", 0.1),
            ("true", True),
            ("fast", "fast"),
            ("'0.1'", "0.1"),
            (" 0.1 , 0.2", {"values": [0.1, 0.2]}),
            ("fast,slow", {"values": ["fast", "slow"]}),
            ("{ logspace = [1, 2], num = 3 }", {"logspace": [1, 2], "num": 3}),
            ("[1, 2]", [1, 2]),
            ("a=b", "a=b"),
        ],
    )
    def test_values_of_a_plugin(self, text: str, value: object):
        assert self.changed(f"optimizer.b.rate={text}")["optimizer"][1]["rate"] == value

    def test_values_of_another_table(self):
        assert self.changed("stop.max_steps=9")["stop"] == {"max_steps": 9}
        assert self.changed("report.figures=a,b")["report"] == {"figures": ["a", "b"]}
        assert self.changed("start.uniform.count=4")["start"] == {"uniform": {"count": 4}}
        assert self.changed("description=two words")["description"] == "two words"
        assert self.changed('description=""')["description"] == ""

    def test_they_are_applied_in_order(self):
        assert self.changed("stop.gap=1", "stop.gap=2", "optimizer.b.name=c", "optimizer.c.rate=5")["optimizer"][1]["rate"] == 5

    @pytest.mark.parametrize(
        "assignment", ["stop", "stop.max_steps.x=1", "optimizer.c.rate=1", "optimizer.a=1", "optimizer.9.x=1"]
    )
    def test_a_refused_one_changes_nothing(self, assignment: str):
        raw = self.raw()
        with pytest.raises(ValueError, match=f"^--set {assignment}: "):
            apply_overrides(raw, [assignment])
        assert raw == self.raw()

    @settings(max_examples=200)
    @given(st.integers() | FINITE | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
    def test_any_value_that_toml_can_write_arrives(self, value: object):
        raw = self.raw()
        apply_overrides(raw, [f"optimizer.b.rate={toml(value)}"])
        assert raw["optimizer"][1]["rate"] == value
        assert type(raw["optimizer"][1]["rate"]) is type(value)

    def test_the_stored_text_of_the_experiment_names_them(self, write):
        experiment = read_experiment(write(), REGISTRY, ["stop.max_steps=9"])
        assert experiment.source.endswith("gradient_norm = 1e-6\n\n# --set stop.max_steps=9")
        assert experiment.rules.stop.max_steps == 9


def test_an_exclusion_of_one_plugin_is_not_read_by_the_parameters_of_another(write, tmp_path: Path):
    """`seed` of the one objective is no parameter of the other, and `dimension` no number of samples."""
    tables = {**SOUND, "exclude": [{"objective": {"name": "quadratic", "samples": 3}}]}
    with pytest.raises(ExperimentError) as caught:
        read_experiment(write(experiment_text(tables)), REGISTRY)
    assert caught.value.problems == (
        "exclude[0].objective.samples: there is no such parameter here; allowed: condition_number, dimension",
    )

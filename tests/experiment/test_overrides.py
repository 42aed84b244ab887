"""Values that the command line sets in an experiment file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.experiment.overrides import apply_overrides
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry
from tests.support.refused_experiments import NAME_RULE, RATE, SWEEP, WHOLE, experiment
from tests.support.sound_experiment import toml


class TestRefusedOverrides:
    FORM = "must have the form path.to.key=value"

    @pytest.mark.parametrize(
        ("assignment", "problem"),
        [
            ("stop", f"--set stop: {FORM}"),
            ("=3", f"--set =3: {FORM}"),
            ("name=", f"--set name=: {FORM}"),
            ("name= ", f"--set name= : {FORM}"),
            ("stop..gap=1", f"--set stop..gap=1: {FORM}"),
            ("optimizer.0.learning_rate=a,", f"--set optimizer.0.learning_rate=a,: {FORM}"),
            ("optimizer=3", "--set optimizer=3: must have the form optimizer.NAME.parameter=value"),
            (
                "optimizer.gradient_descent=3",
                "--set optimizer.gradient_descent=3: must have the form optimizer.NAME.parameter=value",
            ),
            ("optimizer.0.learning_rate.values=3", f"optimizer[0].learning_rate: {SWEEP} values"),
            (
                "optimizer.newton.floor=1",
                "--set optimizer.newton.floor=1: the experiment has no optimizer 'newton'; it has: gradient_descent",
            ),
            ("optimizer.1.floor=1", "--set optimizer.1.floor=1: the experiment has no optimizer '1'; it has: gradient_descent"),
            ("optimizer.².floor=1", "--set optimizer.².floor=1: the experiment has no optimizer '²'; it has: gradient_descent"),
            ("stop.max_steps.x=3", "--set stop.max_steps.x=3: stop.max_steps is not a table"),
            ("optimizer.0.floor=1", "optimizer[0].floor: gradient_descent has no such parameter; allowed: learning_rate"),
            ("stp.max_steps=3", "stp: there is no such key; did you mean stop?"),
            ("stop.max_step=3", "stop.max_step: [stop] has no such key; did you mean max_steps?"),
            ("stop.max_steps=3,4", f"stop.max_steps: {WHOLE} [3, 4]"),
            ("name=a b", f"name: {NAME_RULE} 'a b'"),
        ],
    )
    def test_overrides(self, refused, assignment: str, problem: str):
        refused(experiment(), problem, options=("--set", assignment))

    def test_wrong_word_in_a_list_is_named(self, refused):
        refused(experiment(), f"optimizer[0].learning_rate: {RATE} 'b'", options=("--set", "optimizer.0.learning_rate=0.1,'b'"))

    def test_file_without_a_table_to_set(self, refused):
        refused(
            'optimizer = "newton"',
            "--set optimizer.0.floor=1: the experiment has no optimizer '0'; it has: none",
            options=("--set", "optimizer.0.floor=1"),
        )


REGISTRY = Registry()
FINITE = st.floats(allow_nan=False, allow_infinity=False)


class TestOverrides:
    def raw(self) -> dict[str, Any]:
        return {"optimizer": [{"name": "a", "rate": 1}, {"name": "b", "rate": 2}, {"name": "a"}], "stop": {"max_steps": 3}}

    def changed(self, *assignments: str) -> dict[str, Any]:
        raw = self.raw()
        apply_overrides(raw, assignments)
        return raw

    def test_name_selects_every_table_of_that_name(self):
        assert self.changed("optimizer.a.rate=7")["optimizer"] == [
            {"name": "a", "rate": 7},
            {"name": "b", "rate": 2},
            {"name": "a", "rate": 7},
        ]

    def test_number_selects_one_table(self):
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

    def test_overrides_are_applied_in_order(self):
        assert self.changed("stop.gap=1", "stop.gap=2", "optimizer.b.name=c", "optimizer.c.rate=5")["optimizer"][1]["rate"] == 5

    @pytest.mark.parametrize(
        "assignment", ["stop", "stop.max_steps.x=1", "optimizer.c.rate=1", "optimizer.a=1", "optimizer.9.x=1"]
    )
    def test_refused_override_changes_nothing(self, assignment: str):
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

    def test_stored_text_of_the_experiment_names_the_overrides(self, write):
        experiment = read_experiment(write(), REGISTRY, ["stop.max_steps=9"])
        assert experiment.source.endswith("gradient_norm = 1e-6\n\n# --set stop.max_steps=9")
        assert experiment.rules.stop.max_steps == 9

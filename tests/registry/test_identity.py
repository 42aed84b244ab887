"""The identity of a run: which changes of an experiment make another run, and which do not."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.contracts.parameters import Parameter, parameters_of
from runner.errors import ExperimentError
from runner.experiment.grid import expand
from runner.experiment.model import StoppingRules
from runner.experiment.reader import read_experiment
from runner.registry.catalogue import Offer
from runner.registry.identity import canonical_json
from runner.registry.registry import Registry

REGISTRY = Registry()
SWEPT = [offer for offer in REGISTRY.offers() if offer.kind in ("objective", "gradient", "optimizer")]
BASE = {
    "objective": 'name = "quadratic"',
    "gradient": 'name = "analytic"',
    "optimizer": 'name = "gradient_descent"\nlearning_rate = 0.1',
    "start": "points = [1.0]",
    "stop": "max_steps = 50\ngradient_norm = 1e-6",
    "record": "x = true",
}
ARRAYS = ("objective", "gradient", "optimizer")
Identify = Callable[..., list[str]]


def text_of(top: str, tables: dict[str, str]) -> str:
    return top + "".join(f"[[{key}]]\n{body}\n" if key in ARRAYS else f"[{key}]\n{body}\n" for key, body in tables.items())


@pytest.fixture
def identify(write: Callable[..., Path]) -> Identify:
    """A function that returns the identities of an experiment's runs, with some tables of the base replaced."""

    def identities(top: str = "", name: str = "small.toml", **changes: str) -> list[str]:
        experiment = read_experiment(write(text_of(top, {**BASE, **changes}), name), REGISTRY)
        return [run.identity for run in expand(experiment).runs]

    return identities


def literal(value: Any) -> str:
    """Return a parameter's value as TOML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def table(offer: Offer) -> str:
    """Return the smallest table of a plugin: its name, and plugins to wrap."""
    inner = {"objective": "quadratic", "gradient": "analytic", "optimizer": "gradient_descent"}
    wraps = {name: inner[known.plugin] for name, known in offer.parameters.items() if known.plugin}
    return f'name = "{offer.name}"' + "".join(f'\n{name} = {{ name = "{wrapped}" }}' for name, wrapped in wraps.items())


def others(known: Parameter) -> list[Any]:
    """Yield values that a parameter may take besides its default."""
    if known.choices:
        candidates: list[Any] = list(known.choices)
    elif known.python_type is bool:
        candidates = [True, False]
    elif known.python_type in (int, float):
        candidates = [known.python_type(number) for number in (0.25, 0.5, 2, 3, 7, 1e-3, 0.9)]
    else:
        candidates = []
    return [value for value in candidates if value != known.default and fits(known, value)]


def fits(known: Parameter, value: Any) -> bool:
    try:
        known.convert(value)
    except ValueError:
        return False
    return True


def cases() -> list[Any]:
    every = [(offer, known) for offer in SWEPT for known in offer.parameters.values() if others(known)]
    return [pytest.param(offer, known, id=f"{offer.name}.{known.name}") for offer, known in every]


class TestChangesThatCount:
    def test_identity_is_the_hash_of_the_canonical_text(self, identify):
        """Stored results are found by their identity, so an identity may change only if the engine computes other numbers."""
        whole = (
            '{"gradient":{"name":"analytic","parameters":{}},'
            '"objective":{"name":"quadratic","parameters":{"condition_number":"0x1.0000000000000p+0","dimension":1}},'
            '"optimizer":{"name":"gradient_descent","parameters":{"learning_rate":"0x1.999999999999ap-4"}},'
            '"rules":{"record":{"x":true},"stop":{"divergence_limit":"0x1.d1a94a2000000p+39","gap":null,'
            '"gradient_norm":"0x1.0c6f7a0b5ed8dp-20","max_steps":50,"step_length":null,"wall_time":null}},'
            '"start":["0x1.0000000000000p+0"],"version":"runner/1"}'
        )
        assert identify() == [hashlib.sha256(whole.encode()).hexdigest()]

    @pytest.mark.parametrize(("offer", "known"), cases())
    def test_every_parameter_of_every_plugin(self, identify, offer: Offer, known: Parameter):
        tables = {"objective": 'name = "linear_regression"', "gradient": 'name = "finite_difference"', offer.kind: table(offer)}
        if offer.name == "quadratic" and known.name == "condition_number":
            tables["objective"] += "\ndimension = 2"
        if (offer.name, known.name) == ("neural_network", "loss"):
            tables["objective"] += '\ndata_set = "moons"'
        before = identify(**tables)
        told = []
        for value in others(known):
            tables_then = {**tables, offer.kind: f"{tables[offer.kind]}\n{known.name} = {literal(value)}"}
            try:
                told.append(tuple(identify(**tables_then)))
            except ExperimentError:  # a value that cannot be combined with the others
                continue
        assert told
        assert len({*told, tuple(before)}) == len(told) + 1, "another value is another run"

    @pytest.mark.parametrize("key", parameters_of(StoppingRules))
    def test_every_stopping_rule(self, identify, key: str):
        known = parameters_of(StoppingRules)[key]
        told = {tuple(identify(stop=f"{key} = {literal(value)}")) for value in others(known)}
        assert len({*told, tuple(identify(stop=""))}) == len(others(known)) + 1 > 2

    @pytest.mark.parametrize(
        "change",
        [
            {"objective": 'name = "sin_quadratic"'},
            {"gradient": 'name = "finite_difference"'},
            {"optimizer": 'name = "newton"\nlearning_rate = 0.1'},
            {"start": "points = [1.0000000000000002]"},
            {"start": "points = [-1.0]"},
            {"record": "x = false"},
        ],
    )
    def test_plugins_starts_and_records(self, identify, change: dict[str, str]):
        assert identify(**change) != identify()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("uniform = { low = 0, high = 1, count = 3, seed = 0 }", "uniform = { low = 0, high = 1, count = 3, seed = 1 }"),
            ("uniform = { low = 0, high = 1, count = 3 }", "uniform = { low = 0, high = 2, count = 3 }"),
            ("normal = { count = 3 }", "normal = { count = 3, std = 2 }"),
            ("normal = { count = 3 }", "normal = { count = 3, mean = 2 }"),
            ("normal = { count = 3 }", "uniform = { count = 3 }"),
        ],
    )
    def test_drawn_starts(self, identify, one: str, other: str):
        assert not set(identify(start=one)) & set(identify(start=other))

    def test_the_first_starts_are_the_same_however_many_follow(self, identify):
        for start in ("uniform = {{ count = {}, seed = 4 }}", "normal = {{ count = {}, seed = 4 }}"):
            assert identify(start=start.format(7))[:3] == identify(start=start.format(3))

    def test_the_sign_of_a_zero_start_counts(self, identify):
        assert identify(start="points = [0.0]") != identify(start="points = [-0.0]")


class TestChangesThatDoNotCount:
    @pytest.mark.parametrize("rate", ["0.10", "1e-1", "1_0e-2", "{ values = [0.1] }", "{ linspace = [0.1, 0.1], num = 4 }"])
    def test_spelling_of_a_number(self, identify, rate: str):
        assert identify(optimizer=f'name = "gradient_descent"\nlearning_rate = {rate}') == identify()

    def test_whole_number_in_place_of_a_float(self, identify):
        table = 'name = "gradient_descent"\nlearning_rate = {}'
        assert identify(optimizer=table.format("2")) == identify(optimizer=table.format("2.0"))
        assert identify(start="points = [1]") == identify()
        assert identify(start="points = [[1]]") == identify()
        assert identify(stop="max_steps = 50\ngradient_norm = 1e-6\nwall_time = 1") == identify(
            stop="max_steps = 50\ngradient_norm = 1e-6\nwall_time = 1.0"
        )

    def test_the_order_of_keys_and_tables(self, identify):
        turned = dict(reversed(BASE.items()))
        for key, body in turned.items():
            turned[key] = "\n".join(reversed(body.splitlines()))
        wide = 'dimension = 3\nname = "quadratic"\ncondition_number = 4.0'
        expected = identify(objective='name = "quadratic"\ncondition_number = 4.0\ndimension = 3', start="points = [[1, 2, 3]]")
        tables = {**turned, "objective": wide, "start": "points = [[1, 2, 3]]"}
        assert list(tables) == list(turned)
        assert identify(**{key: tables[key] for key in tables}) == expected

    def test_name_description_and_executor(self, identify):
        top = 'name = "other"\ndescription = "other words"\n'
        assert identify(top, "another.toml", execution="max_batch = 1", report="figures = []") == identify()

    @pytest.mark.parametrize("offer", SWEPT, ids=lambda offer: offer.name)
    def test_default_that_is_written_out(self, identify, offer: Offer):
        tables = {"objective": 'name = "linear_regression"', "gradient": 'name = "finite_difference"'}
        given_too = "\n".join(
            f"{name} = {literal(known.default)}"
            for name, known in offer.parameters.items()
            if isinstance(known.default, bool | int | float | str | tuple)
        )
        bare = {**tables, offer.kind: table(offer)}
        assert identify(**{**bare, offer.kind: f"{bare[offer.kind]}\n{given_too}"}) == identify(**bare)

    def test_path_of_a_data_file(self, tmp_path, write, identify):
        table = 'name = "linear_regression"\ncsv = "{}"'
        write("1,2\n3,4\n5,7\n", "one.csv")
        write("1,2\n3,4\n5,7\n", "copy.csv")
        write("1,2\n3,4\n5,8\n", "other.csv")
        one = identify(objective=table.format("one.csv"))
        assert identify(objective=table.format("copy.csv")) == one
        assert identify(objective=table.format((tmp_path / "copy.csv").as_posix())) == one
        assert identify(objective=table.format("other.csv")) != one
        write("1,2\n3,4\n5,9\n", "one.csv")
        assert identify(objective=table.format("one.csv")) != one, "the same path with other data"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=8,
)


def same(one: object, other: object) -> bool:
    """Return whether two values are equal bit for bit; a list equals a tuple with the same elements."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack(">d", one) == struct.pack(">d", other) or (math.isnan(one) and math.isnan(other))
    return one == other


class TestCanonicalText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (-0.0, '"-0x0.0p+0"'),
            (0.0, '"0x0.0p+0"'),
            (math.inf, '"inf"'),
            (-math.inf, '"-inf"'),
            (math.nan, '"nan"'),
            (5e-324, '"0x0.0000000000001p-1022"'),
            (1, "1"),
            (True, "true"),
            (None, "null"),
            ((1, (2.0, ("é",))), '[1,["0x1.0000000000000p+1",["\\u00e9"]]]'),
            ({"b": 1, "a": {"d": 2, "c": 3}}, '{"a":{"c":3,"d":2},"b":1}'),
        ],
    )
    def test_known_values(self, value: object, text: str):
        assert canonical_json(value) == text

    @given(PLAIN, PLAIN)
    def test_equal_texts_mean_equal_values(self, one: object, other: object):
        assert (canonical_json(one) == canonical_json(other)) == same(one, other)

    @given(st.dictionaries(st.text(max_size=4), st.floats(), max_size=6), st.randoms(use_true_random=False))
    def test_the_order_of_keys_does_not_count(self, value: dict[str, float], random: Any):
        items = list(value.items())
        random.shuffle(items)
        assert canonical_json(dict(items)) == canonical_json(value)

    @given(st.floats(allow_nan=False))
    def test_floats_are_read_back_exactly(self, value: float):
        assert same(float.fromhex(json.loads(canonical_json(value))), value)

"""Numbers, times, counts and identities as text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.tables.frame import Column, Frame
from runner.tables.readable import counted, date, exact, listed, number, part, rounded, to_error
from tests.support.paths import KEPT_DATABASE


@given(st.one_of(st.floats(allow_nan=False), st.integers(-(10**20), 10**20).map(float)))
def test_every_digit_is_there(value: float):
    text = exact(value)
    assert (float(text), math.copysign(1, float(text))) == (value, math.copysign(1, value))
    assert len(text) <= len(repr(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e12, "1e12"), (-2.5e6, "-2.5e6"), (1e6, "1e6"), (999_999.0, "999999"), (1_234_567.0, "1234567"), (0.0, "0"), (-0.0, "-0"),
        (0.1, "0.1"), (1e-8, "1e-8"), (1.5e300, "1.5e300"), (1 / 3, "0.3333333333333333"), (12345678.5, "12345678.5"),
        (math.nan, "nan"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_numbers_are_as_short_as_possible(value: float, text: str):
    assert exact(value) == text


@pytest.mark.parametrize(("value", "text"), [(1 / 3, "0.333333"), (1e12, "1e12"), (1.795554e9, "1.79555e9"), (1e-8, "1e-8")])
def test_a_rounded_number_has_six_digits(value: float, text: str):
    assert rounded(value) == text


def test_time_out_of_range_is_shown_as_a_number():
    assert date(0.0) == "1970-01-01 00:00"
    assert date(1e300) == "1e+300 seconds after 1970"


def test_identity_is_shortened_on_display_only(tmp_path: Path):
    with runner.open(KEPT_DATABASE) as database:
        runs = database.runs(limit=2, columns="id,identity")
        whole = runs["identity"][0]
        assert len(whole) == 64
        assert database.run(whole[:10]).identity == whole
    assert f"<td>{whole[:10]}</td>" in runs._repr_html_()
    assert whole[:11] not in runs._repr_html_()
    assert repr(runs).splitlines()[1].split() == [str(runs["id"][0]), whole[:10]]
    other = Frame([Column("identity", "text", ["not an identity, but a text", None]), Column("x", "text", [whole, whole])])
    assert "not an identity, but a text" in repr(other)
    assert repr(other).count(whole) == 2, "only where it is called so"


INF, NAN = math.inf, math.nan


@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=5, unique=True))
def test_different_numbers_have_different_texts(values: list[float]) -> None:
    apart = [v for v in values if not any(v != other and math.isclose(v, other, rel_tol=1e-12) for other in values)]
    assert len({float(number(value, values)) for value in apart}) == len(apart)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (12.5, "12.5"),
        (0.5, "0.5"),
        (0.48861, "0.489"),
        (1.0023, "1.00"),
        (99.97, "100"),
        (123.4, "123"),
        (1234.5, "1234"),
        (123456.0, "123456"),
        (162513.7, "1.63e5"),
        (1e6, "1e6"),
        (-7.25, "-7.25"),
        (1.5e-9, "1.5e-9"),
        (2.0**-52, "2.22e-16"),
        (NAN, "unknown"),
        (INF, "infinite"),
        (-INF, "-infinite"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(count, "run") for count in (0, 1, 2, 2000)] == ["0 runs", "1 run", "2 runs", "2,000 runs"]
    assert [part(count, 5, "run") for count in (0, 3, 5)] == ["none of the 5 runs", "3 of 5 runs", "all 5 runs"]
    assert [part(count, 1, "run") for count in (0, 1)] == ["0 of 1 run", "the only run"]
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.8775825618903728, 3e-8, "1.87758256"),
        (-88.00000000001, 2e-9, "-88"),
        (1e-12, 1e-9, "0"),
        (0.1, 0.0, "0.1"),
        (math.nan, 1.0, "unknown"),
    ],
)
def test_number_has_the_digits_that_its_error_allows(value: float, error: float, text: str):
    assert to_error(value, error) == text

"""Numbers with all their digits and no more, and what a notebook shows of a run."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.tables.frame import Column, Frame
from runner.tables.readable import date, exact, rounded
from tests.support.paths import KEPT_DATABASE

EVIL = "<script>alert(1)</script>\x1b[31m"


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
def test_numbers_are_short_where_they_can_be(value: float, text: str):
    assert exact(value) == text


@pytest.mark.parametrize(("value", "text"), [(1 / 3, "0.333333"), (1e12, "1e12"), (1.795554e9, "1.79555e9"), (1e-8, "1e-8")])
def test_a_rounded_number_has_six_digits(value: float, text: str):
    assert rounded(value) == text


def test_a_time_that_is_none_is_shown_as_it_is():
    assert date(0.0) == "1970-01-01 00:00"
    assert date(1e300) == "1e+300 seconds after 1970"


def test_a_notebook_shows_of_a_run_what_the_terminal_shows(runner_cli):
    with runner.open(KEPT_DATABASE) as database:
        run = database.run(4)
    shown = run._repr_html_()
    facts = re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", shown)
    heading, *lines = runner_cli("show", 4, "--db", KEPT_DATABASE).out.partition("\n\n")[0].splitlines()
    assert shown.startswith(f"<table><caption>{heading}</caption><tbody><tr>")
    assert [(name, html.unescape(text)) for name, text in facts] == [
        tuple(re.split(r"  +", line.strip(), maxsplit=1)) for line in lines
    ]
    assert dict(facts)["rules"].startswith("divergence_limit = 1000, gradient_norm = 1e-5, max_steps = 30, ")


def test_nothing_of_a_run_reaches_a_notebook_as_it_is():
    with runner.open(KEPT_DATABASE) as database:
        run = database.run(4)
    evil = replace(run.optimizer, name=EVIL, parameters={EVIL: EVIL, "on": True, "off": False, "none": None})
    shown = replace(run, optimizer=evil, error=EVIL, outcome=EVIL, identity=EVIL, superseded_by=7)._repr_html_()
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in shown
    assert ", on = true, off = false</td>" in shown
    assert ", superseded by run 7</caption>" in shown


def test_an_identity_is_shown_so_far_as_it_names_a_run_and_kept_whole(tmp_path: Path):
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

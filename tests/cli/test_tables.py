"""Tables on a terminal of any width: no line is too long, no number is broken, and hidden columns are named."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.summary import summarize
from runner.cli import run
from runner.cli.terminal.tables import NarrowLayout, fit_table
from runner.contracts.figure import StoredRun
from tests.support.databases import run_into
from tests.support.experiment_texts import SMALL

WORDS = st.text("ab1_.", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
NUMBERS = st.floats().map(lambda number: f"{number:.6g}")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], list[bool]]:
    """Draw a table: its headings, its rows of texts and numbers, and the positions of the number columns."""
    right = draw(st.lists(st.booleans(), min_size=1, max_size=7))
    headings = draw(st.lists(st.text("ab1_.", min_size=1, max_size=12), min_size=len(right), max_size=len(right), unique=True))
    cells = st.tuples(*(NUMBERS if number else TEXTS for number in right)).map(list)
    return [headings, *draw(st.lists(cells, max_size=5))], right


@given(tables(), st.integers(40, 160))
def test_every_line_fits_and_hidden_columns_are_named(table, width):
    rows, right = table
    lines = fit_table(rows, width, NarrowLayout(), right)
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    missed = re.search(r"hidden columns: (.*?)(?: and (\d+) more)?; a wider terminal shows them$", text)
    shown = len(rows[0]) - (len(missed[1].split(", ")) + int(missed[2] or 0) if missed else 0)
    assert shown >= 1
    for row in rows[1:]:
        for place in range(shown):
            words = [row[place]] if right[place] else row[place].split()
            assert [word for word in words if word not in text] == []


@given(tables())
def test_table_with_enough_room_is_as_wide_as_its_cells(table):
    rows, right = table
    lines = fit_table(rows, None, NarrowLayout(), right)
    assert len(lines) == len(rows)
    assert lines == fit_table(rows, 10_000, NarrowLayout(), right)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (41, ["quadratic(condition_number=1000, d=[8,", "16])"]),
        (27, ["quadratic(condition_number=", "1000, d=[8, 16])"]),
        (20, ["quadratic(", "condition_number=", "1000, d=[8, 16])"]),
    ],
)
def test_label_is_folded_between_its_parts_and_never_inside_a_number(width, lines):
    table = [["setting", "n"], ["quadratic(condition_number=1000, d=[8, 16])", "1"]]
    folded = fit_table(table, width + 3, NarrowLayout(), [False, True])
    assert [line.removesuffix("  1").rstrip() for line in folded[1:]] == lines
    assert [line.endswith("  1") for line in folded[1:]] == [True, *[False] * (len(lines) - 1)]


def test_count_and_noun_stay_on_one_line():
    table = [["id", "outcomes"], ["1", "290 converged, 285 max_steps, 25 diverged"]]
    assert fit_table(table, 36, NarrowLayout(), [True, False]) == [
        "id  outcomes",
        " 1  290 converged, 285 max_steps,",
        "    25 diverged",
    ]  # fmt: skip


def test_headings_are_folded_too_and_end_on_their_last_line():
    table = [["final_value", "|f| at 0.1"], ["0.5", "1"]]
    assert fit_table(table, 14, NarrowLayout(), [True, True]) == [
        "        |f|",
        "final_   at",
        " value  0.1",
        "   0.5    1",
    ]  # fmt: skip


def test_texts_that_may_be_cut_are_not_folded():
    table = [["name", "what", "note"], ["a", "five words that are long", "one two three four five six seven eight nine ten"]]
    assert fit_table(table, 50, NarrowLayout(shorten=("note",)), [False] * 3) == [
        "name  what             note",
        "a     five words that  one two three four five",
        "      are long         six seven eight nine ten",
    ]  # fmt: skip
    assert fit_table(table, 60, NarrowLayout(shorten=("note",)), [False] * 3) == [
        "name  what                      note",
        "a     five words that are long  one two three four five six…",
    ]  # fmt: skip


def test_optional_columns_are_dropped_before_any_text_is_folded():
    table = [["name", "why", "when"], ["a b c d e f g h i j k l m n o", "p q r s t u v w", "yesterday"]]
    assert fit_table(table, 45, NarrowLayout(hide_first=("why",)), [False] * 3) == [
        "name                           when",
        "a b c d e f g h i j k l m n o  yesterday",
        "hidden columns: why; a wider terminal shows",
        "them",
    ]
    assert fit_table(table, 45, NarrowLayout(hide_later=("when",)), [False] * 3)[0].split() == ["name", "why", "when"]


def test_many_hidden_columns_are_counted():
    headings = [f"column{number}" for number in range(9)]
    lines = fit_table([headings, ["1234567"] * 9], 20, NarrowLayout(), [True] * 9)
    assert lines == [
        "column0  column1",
        "1234567  1234567",
        "hidden columns:",
        "column2, column3,",
        "column4, column5 and",
        "3 more; a wider",
        "terminal shows them",
    ]


def test_path_is_never_folded():
    path = f"/home/{'a' * 60}/newton.py"
    facts = [["needs", "gradient, Hessian and much more than that"], ["file", path]]
    assert fit_table(facts, 50, NarrowLayout(), [False] * 2) == [
        "needs  gradient, Hessian and much more than that",
        f"file   {path}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "missing"),
    [(300, set()), (80, {"behaviour", "median value", "outcomes", "judged on", "runs", "median gap", "expected evaluations"})],
)
def test_a_narrow_terminal_gets_a_narrower_summary(monkeypatch, width, missing):
    stored = StoredRun(
        1, "a", "linear_regression", "analytic", "clipped_gradient_descent", {"optimizer.learning_rate": 0.1}, 0, 2, "converged",
        "", 7, 0.5, 0.5, 0.0, {"value": 8}, 0.1, 0.25, None,
    )  # fmt: skip
    monkeypatch.setattr(run, "table_lines", lambda rows, layout, right: fit_table(rows, width, layout, right))
    rows = summarize([stored, replace(stored, parameters={"optimizer.learning_rate": 0.2}, outcome="diverged")])
    lines = run.summary_lines(rows, "the report")
    everything = {
        "objective", "optimizer", "runs", "outcomes", "behaviour", "best setting", "reached", "expected evaluations",
        "median gap", "median value", "judged on",
    }  # fmt: skip
    heading = " ".join(lines[: 2 if missing else 1])
    assert {name for name in everything if set(name.split()) <= set(heading.split())} == everything - missing
    hint = ["hidden columns: runs, outcomes, behaviour, expected evaluations and 3 more; a", "wider terminal shows them"]
    assert lines[-2:] == hint if missing else len(lines) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
class TestOnATerminal:
    """The output of commands on a terminal of a given width."""

    @pytest.fixture
    def see(self, tmp_path: Path, write: Callable[..., Path]) -> Callable[..., list[str]]:
        pexpect = pytest.importorskip("pexpect")
        text = SMALL.replace(
            'name = "small"', 'name = "small"\ndescription = "What is seen of it where there is little room for it"'
        )
        run_into(write(text), tmp_path / "r.db")
        around = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}

        def call(width: int, *arguments: object) -> list[str]:
            command = ["-c", "from runner.cli import main; main()", *map(str, arguments)]
            child = pexpect.spawn(
                sys.executable, command, cwd=str(tmp_path), encoding="utf-8", timeout=60, dimensions=(24, width),
                env={**around, "RUNNER_DB": "r.db"},
            )  # fmt: skip
            lines = child.read().splitlines()
            child.close()
            assert child.exitstatus == 0
            return lines

        return call

    def test_the_list_of_experiments(self, see):
        heading, row, *told = see(80, "list")
        assert re.split(r"  +", heading) == ["id", "name", "runs", "outcomes", "last run"]
        assert re.fullmatch(r" 1  small    12  3 converged, 5 max_steps, 4 diverged  20\d\d-\d\d-\d\d \d\d:\d\d", row)
        assert told == ["hidden columns: first run, description; a wider terminal or --format csv shows", "them"]
        assert re.split(r"  +", see(110, "list")[0]) == ["id", "name", "runs", "outcomes", "last run", "description"]
        assert "little" not in "".join(see(110, "list"))
        assert see(200, "list")[1].endswith("  What is seen of it where there is little room for it")

    def test_runs_and_their_results(self, see):
        heading, first, *told = see(60, "runs", "--limit", "1")
        assert heading.split() == ["id", "objective", "learning_rate", "outcome", "steps", "final_gap"]
        assert first.split()[:5] == ["1", "quadratic", "0.1", "max_steps", "50"]
        assert told == ["hidden columns: identity, final_value; a wider terminal or", "--format csv shows them"]

    def test_facts_of_a_run_are_folded_beside_their_names(self, see):
        lines = see(70, "show", "1")
        place = next(place for place, line in enumerate(lines) if line.startswith("  rules "))
        assert lines[place] == "  rules          divergence_limit = 1e12, gradient_norm = 1e-6,"
        assert lines[place + 1].startswith("                 max_steps = 50, ")

    def test_plugins(self, see):
        lines = see(80, "plugins")
        assert max(map(len, lines)) == 80
        assert lines[0].split() == ["kind", "name", "from", "summary"]
        assert len(lines) == len(see(300, "plugins")) + 1, "one line for each plugin, and one that names the hidden columns"
        assert lines[-1] == "hidden columns: version; a wider terminal shows them"

"""The filter language: what it means against an independent reading of the same rows, its messages, and that nothing breaks it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runner
from runner.errors import QueryError
from runner.store.filters.parsing import DEEPEST, LONGEST, MOST_CONDITIONS, parse_filter
from runner.store.filters.sorting import parse_columns, parse_sort
from runner.store.filters.syntax import Comparison, Literal, Name, Not
from runner.store.reading.run_columns import RUN_COLUMNS
from tests.support.databases import opened, run_into, stored_in
from tests.support.experiment_texts import SMALL
from tests.support.filters import LEAVES, NUMERIC, TEXTUAL, TWO_OPTIMIZERS, larger


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three optimizers, and a few numbers that are not finite."""
    database = stored_in(tmp_path_factory.mktemp("many"), TWO_OPTIMIZERS)
    with opened(database) as connection:
        connection.execute("UPDATE run SET final_value = NULL, final_value_class = 'nan' WHERE id = 2")
        connection.execute("UPDATE run SET final_value = NULL, final_value_class = '-nan' WHERE id = 7")
        connection.execute("UPDATE run SET final_value = 0, final_value_class = '-0.0' WHERE id = 5")
        connection.execute("UPDATE run SET best_value = 9e999, best_value_class = 'inf' WHERE id = 3")
        connection.execute("UPDATE run SET behaviour = CASE id % 3 WHEN 0 THEN 'oscillating' END")
    return database


@pytest.fixture(scope="module")
def stored(many: Path) -> Iterator[runner.ResultsDatabase]:
    with runner.open(str(many)) as database:
        yield database


@pytest.fixture(scope="module")
def rows(stored: runner.ResultsDatabase) -> list[dict[str, Any]]:
    frame = stored.runs()
    return [dict(zip(frame.names, row, strict=True)) for row in frame.rows()]


def ids(stored: runner.ResultsDatabase, where: str) -> list[int]:
    return stored.runs(where, columns="id")["id"].tolist()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(LEAVES, larger, max_leaves=8))
def test_a_filter_means_what_it_says(stored, rows, meant):
    text, meaning = meant
    assert ids(stored, text) == [row["id"] for row in rows if meaning(row)]


WORDS = [
    *NUMERIC, *TEXTUAL, "experiment", "and", "or", "not", "in", "is", "null", "nan", "like", "(", ")", ",", "=", "<", ">=", "!=",
    "1", "-1e9", "inf", "'a'", '"%"', "true", ".", "'", '"', ";", "--", "/*", "\\", "\x00", "\ud800", "\x1b[31m", "é", "\n", "nothing",
]  # fmt: skip
FUZZ = st.one_of(
    st.recursive(LEAVES, larger, max_leaves=5).map(lambda meant: meant[0]),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
    st.text(max_size=40),
)


def answered(stored: runner.ResultsDatabase, text: str) -> bool:
    """Ask; whether it was understood. Anything but a QueryError breaks the test."""
    try:
        stored.runs(text, columns="id", limit=1)
    except QueryError:
        return False
    return True


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FUZZ, min_size=10, max_size=10))
def test_five_thousand_strings_are_understood_or_refused(stored, texts):
    for text in texts:
        answered(stored, text)


INJECTIONS = [
    "1=1; DROP TABLE run; --",
    "id = 1; DELETE FROM run",
    "id = 1 OR 1=1",
    'outcome = "x"; UPDATE run SET steps = 0',
    "outcome = '\\'; DROP TABLE run; --'",
    'outcome = "\\"; DROP TABLE run; --"',
    "outcome = '''; DROP TABLE run; --'",
    "id) UNION SELECT name FROM sqlite_master --",
    "(SELECT 1)",
    "id in (SELECT id FROM run)",
    "load_extension('x') = 1",
    'outcome = "a" || char(59)',
    'outcome like "%"; ATTACH DATABASE "x.db" AS x',
    "optimizer.learning_rate; PRAGMA writable_schema = 1",
    'optimizer."learning_rate\' OR 1=1 --" = 1',
    "rowid = 1",
    "sqlite_master = 1",
    ":param_1 = 1",
    "? = 1",
    "%s = 1",
    "outcome = %(x)s",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_reaches_the_database_as_sql(many, stored, text):
    before = many.read_bytes()
    folder = sorted(many.parent.iterdir())
    answered(stored, text)
    for argument in ("sort", "columns"):
        with pytest.raises(QueryError):
            stored.runs(**{argument: text})
    assert many.read_bytes() == before
    assert sorted(many.parent.iterdir()) == folder
    assert len(stored.runs()) == len(stored.runs("id > 0")) > 0


def test_quotes_inside_a_text_are_part_of_it(stored):
    assert ids(stored, "error = '\\' or 1=1 or error = \\''") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; write a condition such as steps < 100, or leave the filter out"),
        ("x", "character 2: expected a comparison: =, !=, <, <=, >, >=, in, is or like\n  x\n   ^"),
        ("steps <", "character 8: expected a name, a number, or a text in quotes\n  steps <\n         ^"),
        ("steps = = 3", "character 9: expected a name, a number, or a text in quotes\n  steps = = 3\n          ^"),
        ("(steps = 1", "character 11: expected and, or, or a closing bracket\n  (steps = 1\n            ^"),
        ("steps = 1)", "character 10: expected and, or, or the end\n  steps = 1)\n           ^"),
        ("steps = 1 outcome = 2", "character 11: expected and, or, or the end\n  steps = 1 outcome = 2\n            ^"),
        ("steps = 1 and", "character 14: expected a condition such as steps < 100\n  steps = 1 and\n               ^"),
        ("steps in 3", "character 10: expected an opening bracket\n  steps in 3\n           ^"),
        ("steps in (1 2)", "character 13: expected a comma or a closing bracket\n  steps in (1 2)\n              ^"),
        ("steps is 3", "character 10: expected null, unknown or nan\n  steps is 3\n           ^"),
        ("steps not 3", "character 11: expected in or like\n  steps not 3\n            ^"),
        ("steps = 3 # x", "character 11: this means nothing here\n  steps = 3 # x\n            ^"),
        ('error = "abc', 'character 9: this quote is never closed\n  error = "abc\n          ^'),
        ("error like 3", "character 12: like needs a text in quotes, in which % stands for any characters and _ for one\n"
         "  error like 3\n             ^"),
        ("outcome = diverged", "character 11: a name is compared with a number or a text, not with another name; put a text in quotes: "
         '"diverged"\n  outcome = diverged\n            ^'),
        ("1 = 1", "character 5: a number or a text is compared with a name, such as steps, not with another\n  1 = 1\n      ^"),
        ("error = \x1b[31m", "character 9: this means nothing here\n  error = \\x1b[31m\n          ^"),
        ("id = 1 and\n  steps = ?", "character 22: this means nothing here\n    steps = ?\n            ^"),
        ("a = '\ud800'", "character 6: this is not a character of any text\n  a = '\\ud800'\n       ^"),
        (" and ".join(["id = 1"] * (MOST_CONDITIONS + 1)), f"character {11 * MOST_CONDITIONS + 1}: more than 200 conditions; "
         "`in` takes as many values as you like\n  …1 and id = 1 and id = 1 and id = 1 and id = 1 and id = 1\n" + 53 * " " + "^"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_pointed_at(text, message):
    with pytest.raises(QueryError) as error:
        parse_filter(text)
    assert str(error.value) == ("filter: " + message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lerning_rate = 1", "character 1: there is no lerning_rate; did you mean learning_rate?\n  lerning_rate = 1\n  ^"),
        ("optimizer.lr = 1", "character 1: there is no optimizer.lr; there are optimizer.learning_rate, optimizer.max_norm, "
         "optimizer.max_value, optimizer.momentum, optimizer.optimizer\n  optimizer.lr = 1\n  ^"),
        ("zzz = 1", "character 1: there is no zzz; there are id, identity, objective, gradient, optimizer, start_id, dimension, outcome, "
         "behaviour, error, steps, value_evaluations, …\n  zzz = 1\n  ^"),
        ("steps = 'a'", "character 9: steps is a number; compare it with one\n  steps = 'a'\n          ^"),
        ("steps = true", "character 9: steps is a number; compare it with one\n  steps = true\n          ^"),
        ("outcome = 1", "character 11: outcome is a text; compare it with a text in quotes\n  outcome = 1\n            ^"),
        ("steps is nan", "character 1: steps is never stored as NaN; ask whether it is null\n  steps is nan\n  ^"),
        ("learning_rate is nan", "character 1: learning_rate is never stored as NaN; ask whether it is null\n  learning_rate is nan\n  ^"),
        ("experiment is null", "character 1: every run has an experiment; compare it with a name in quotes, or a number\n"
         "  experiment is null\n  ^"),
        ("experiment < 3", "character 14: an experiment is compared with =, !=, in or like only\n  experiment < 3\n               ^"),
        ("experiment = true", "character 14: an experiment is compared with a name in quotes, or a number\n  experiment = true\n"
         "               ^"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_pointed_at(stored, text, message):
    with pytest.raises(QueryError) as error:
        stored.runs(text)
    assert str(error.value) == ("filter: " + message)


def test_a_parameter_of_two_plugins_must_be_qualified(tmp_path):
    text = SMALL.replace('name = "analytic"', 'name = "finite_difference"\nspacing = 1e-6').replace(
        'name = "gradient_descent"', 'name = "clipped"\nmax_norm = 1.0\noptimizer = { name = "gradient_descent", learning_rate = 0.1 }'
    ).replace("learning_rate = { values = [0.1, 0.3, 1.1] }\n", "")  # fmt: skip
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    run_into(tmp_path / "e.toml", tmp_path / "r.db")
    with opened(tmp_path / "r.db") as connection:
        connection.execute("UPDATE parameter SET name = 'spacing' WHERE name = 'max_norm'")
    with runner.open(str(tmp_path / "r.db")) as database:
        with pytest.raises(QueryError) as error:
            database.runs("spacing = 1")
        assert len(database.runs("optimizer.spacing = 1 and gradient.spacing = 1e-6")) == 4
    wrong = "spacing is a parameter of gradient and of optimizer; write gradient.spacing or optimizer.spacing"
    assert str(error.value) == f"filter: character 1: {wrong}\n  spacing = 1\n  ^"


def test_spellings(stored):
    same = [
        "steps >= 3 and outcome != 'failed'",
        "steps ≥ 3 AND outcome <> 'failed'",
        '3 ≤ steps And outcome ≠ "failed"',
        "not not (3 <= steps)",
    ]
    assert len({tuple(ids(stored, text)) for text in same}) == 1
    assert (
        ids(stored, "outcome in ('converged',)") == ids(stored, "outcome == 'converged'") == ids(stored, "outcome LIKE 'CONV%'")
    )
    assert ids(stored, "outcome not in ('converged')") == ids(stored, "outcome not like 'conv%'")
    assert (
        ids(stored, "behaviour is not unknown")
        == ids(stored, "behaviour = 'oscillating'")
        == ids(stored, "not behaviour is null")
    )
    assert ids(stored, "final_value is nan") == [2, 7]
    assert ids(stored, "objective.name = 'quadratic'") == ids(stored, "objective = 'quadratic'")


def test_words_may_begin_names():
    names = [
        name.text for name in parse_filter("inside = 1 and orbit = 2 or notch = 3 and island is null and android in (4)").names
    ]
    assert names == ["inside", "orbit", "notch", "island", "android"]


def test_experiments(stored):
    everything = ids(stored, "id > 0")
    assert (
        ids(stored, 'experiment = "small"')
        == ids(stored, "experiment = 1")
        == ids(stored, 'experiment in ("small", 1)')
        == everything
    )
    assert ids(stored, 'experiment like "sm%"') == everything
    assert ids(stored, 'experiment != "small"') == ids(stored, "experiment != 1") == ids(stored, "not experiment = 1.0") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('experiment = "smalls"', "character 14: there is no experiment 'smalls'; did you mean small?\n"
         '  experiment = "smalls"\n               ^'),
        ('experiment != "zzz"', "character 15: there is no experiment 'zzz'; there are small\n"
         '  experiment != "zzz"\n                ^'),
        ('experiment in (1, "smal")', "character 19: there is no experiment 'smal'; did you mean small?\n"
         '  experiment in (1, "smal")\n                    ^'),
        ("experiment = 77", "character 14: there is no experiment 77; there are 1\n  experiment = 77\n               ^"),
        ("not experiment in (1, 1.5)", "character 23: there is no experiment 1.5; there are 1\n"
         "  not experiment in (1, 1.5)\n                        ^"),
        ('outcome = "convergd"', "character 11: there is no outcome 'convergd'; did you mean converged?\n"
         '  outcome = "convergd"\n            ^'),
        ('outcome != ""', "character 12: there is no outcome ''; there are converged, max_steps, stalled, diverged, non_finite, "
         'timeout, failed\n  outcome != ""\n             ^'),
        ('behaviour not in ("oscilating")', "character 19: there is no behaviour 'oscilating'; did you mean oscillating?\n"
         '  behaviour not in ("oscilating")\n                    ^'),
    ],
)  # fmt: skip
def test_words_that_no_run_can_have_are_refused(stored, text, message):
    with pytest.raises(QueryError) as error:
        stored.runs(text)
    assert str(error.value) == "filter: " + message


def test_patterns_may_fit_nothing(stored):
    assert ids(stored, 'outcome like "conv_"') == ids(stored, 'experiment like "x%"') == ids(stored, 'outcome < ""') == []


def test_an_experiment_of_that_name_is_the_one_that_was_run_last(tmp_path, write):
    run_into(write(), tmp_path / "r.db")
    run_into(write(SMALL.replace("max_steps = 50", "max_steps = 3")), tmp_path / "r.db")
    with runner.open(str(tmp_path / "r.db")) as database:
        assert set(database.runs('experiment = "small"')["rules.max_steps"]) == {3}
        assert set(database.runs("experiment = 1")["rules.max_steps"]) == {50}


def test_depth_is_limited_but_brackets_cost_nothing():
    assert parse_filter("(" * 5000 + "steps = 1" + ")" * 5000).condition == parse_filter("steps=1").condition
    nested = "steps = 1"
    for _ in range(DEEPEST):
        nested = f"(id = 1 and not ({nested}))"
    with pytest.raises(QueryError, match="conditions are nested more than 40 deep"):
        parse_filter(nested)
    with pytest.raises(QueryError) as error:
        parse_filter("x" * (LONGEST + 1))
    assert str(error.value) == "filter: has 20,001 characters, and at most 20,000 are allowed; use several filters"


DEEP = {
    "the bracket last": lambda leaf, n: f"({leaf} or ({leaf} and " * n + leaf + "))" * n,
    "the bracket first": lambda leaf, n: "((" * n + leaf + f" and {leaf}) or {leaf})" * n,
    "not": lambda leaf, n: f"not ({leaf} and " * n + leaf + ")" * n,
    "two brackets": lambda leaf, n: " and ".join([f"({leaf} or ({leaf} and " * n + leaf + "))" * n] * 2),
}


@pytest.mark.parametrize(
    "leaf", ["steps < 3", 'not experiment = "small"', "not learning_rate in (1, 2)", "final_gap is not null"]
)
@pytest.mark.parametrize("shape", DEEP.values(), ids=DEEP)
def test_the_deepest_filter_is_understood_by_the_database(stored, shape, leaf):
    deepest = shape(leaf, DEEPEST // 2 - 2)
    (found,) = stored.run_frames(deepest)
    assert stored.runs(deepest)["id"].tolist() == found["id"].tolist()
    stored.plan_deletion(where=deepest)
    stored.steps(where=f"id = 1 and ({deepest})", series="value")
    with pytest.raises(QueryError, match="conditions are nested more than 40 deep"):
        stored.runs(shape(leaf, DEEPEST))


def test_names_of_any_length_make_short_messages(stored):
    long = "a" * 18_000
    cut, shown = f"{'a' * 59}…", f"\n  {'a' * 100}…\n  ^"
    columns = ", ".join([*RUN_COLUMNS][:12])
    for question, message in (
        ({"where": f"{long} < 1"}, f"filter: character 1: there is no {cut}; there are {columns}, …{shown}"),
        ({"sort": long}, f"order: character 1: there is no {cut}; there are {columns}, …{shown}"),
        ({"columns": long}, f"columns: character 1: there is no {cut}; there are {columns}, …{shown}"),
    ):
        with pytest.raises(QueryError) as error:
            stored.runs(**question)
        assert str(error.value) == message
    for call in (lambda: stored.run(long), lambda: stored.compare(long, "small"), lambda: stored.steps(1, series=long)):
        with pytest.raises(QueryError) as error:
            call()
        assert cut in str(error.value)
        assert len(str(error.value)) < 500


def test_the_tree():
    name = Name("a.b", 0)
    assert parse_filter("a.b < -inf").condition == Comparison(name, "<", Literal(-math.inf, 0))
    assert parse_filter("5 < a.b").condition == Comparison(name, ">", Literal(5, 0))
    assert parse_filter("not a.b = 'it\\'s \\\\'").condition == Not(Comparison(name, "=", Literal("it's \\", 0)))
    assert parse_filter("a.b = 99999999999999999999").condition == Comparison(name, "=", Literal(1e20, 0))


def test_orders(stored):
    frame = stored.runs(sort="-final_value, steps", columns=["final_value", "steps", "id"])
    values = [value for value in frame["final_value"].tolist() if not math.isnan(value)]
    assert values == sorted(values, reverse=True)
    assert all(math.isnan(value) for value in frame["final_value"][-2:])
    momentum = stored.runs(sort="optimizer.momentum,-id", columns="optimizer.momentum")["optimizer.momentum"]
    known = [value for value in momentum if not math.isnan(value)]
    assert known == sorted(known)
    assert momentum.tolist()[: len(known)] == known


@pytest.mark.parametrize(
    ("argument", "text", "message"),
    [
        ("sort", "steps id", "order: character 7: expected a comma, or the end\n  steps id\n        ^"),
        ("sort", "steps,", "order: character 7: expected a name, with - before it for the largest first\n  steps,\n        ^"),
        ("sort", "stps", "order: character 1: there is no stps; did you mean steps?\n  stps\n  ^"),
        ("sort", "id, experiment", "order: character 5: a run may belong to several experiments; ask for one with a filter\n"
         "  id, experiment\n      ^"),
        ("columns", "", "columns: character 1: expected a name\n  \n  ^"),
        ("columns", "id,-steps", "columns: character 5: a minus has no meaning here\n  id,-steps\n      ^"),
        ("columns", "id, id", "columns: character 5: id is named twice\n  id, id\n      ^"),
        ("columns", "identty", "columns: character 1: there is no identty; did you mean identity?\n  identty\n  ^"),
        ("columns", "experiment", "columns: character 1: a run may belong to several experiments; ask for one with a filter\n"
         "  experiment\n  ^"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_orders_and_columns(stored, argument, text, message):
    with pytest.raises(QueryError) as error:
        stored.runs(**{argument: text})
    assert str(error.value) == message


def test_lists_of_names():
    assert [name.text for name in parse_columns(" a , b.c").names] == ["a", "b.c"]
    assert [(key.name.text, key.descending) for key in parse_sort("-a,b").keys] == [("a", True), ("b", False)]


def test_a_limit(stored):
    assert ids(stored, "id > 3")[:2] == stored.runs("id > 3", columns="id", limit=2)["id"].tolist()
    assert len(stored.runs(limit=0)) == 0
    with pytest.raises(QueryError) as error:
        stored.runs(limit=-1)
    assert str(error.value) == "limit: must be a whole number from 0 to 1,000,000,000, not -1"

"""The meaning of filters, against an independent reading of the same rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runner
from runner.errors import QueryError
from runner.store.filters.parsing import DEEPEST
from tests.support.databases import opened, run_into
from tests.support.experiment_texts import SMALL
from tests.support.filters import LEAVES, NUMERIC, TEXTUAL, ids, larger


@pytest.fixture(scope="module")
def rows(stored: runner.ResultsDatabase) -> list[dict[str, Any]]:
    frame = stored.runs()
    return [dict(zip(frame.names, row, strict=True)) for row in frame.rows()]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(LEAVES, larger, max_leaves=8))
def test_filter_selects_the_rows_that_it_describes(stored, rows, meant):
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
    """Apply a filter; return whether it was accepted. Any exception other than QueryError breaks the test."""
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
        ("lerning_rate = 1", "character 1: unknown name lerning_rate; did you mean learning_rate?\n  lerning_rate = 1\n  ^"),
        ("optimizer.lr = 1", "character 1: unknown name optimizer.lr; allowed: optimizer.learning_rate, optimizer.max_norm, "
         "optimizer.max_value, optimizer.momentum, optimizer.optimizer\n  optimizer.lr = 1\n  ^"),
        ("zzz = 1", "character 1: unknown name zzz; allowed: id, identity, objective, gradient, optimizer, start_id, dimension, outcome, "
         "behaviour, error, failed_plugin, failed_method, …\n  zzz = 1\n  ^"),
        ("steps = 'a'", "character 9: steps is a number; compare it with a number\n  steps = 'a'\n          ^"),
        ("steps = true", "character 9: steps is a number; compare it with a number\n  steps = true\n          ^"),
        ("outcome = 1", "character 11: outcome is a text; compare it with a text in quotes\n  outcome = 1\n            ^"),
        ("steps is nan", "character 1: steps is never stored as NaN; test it with `is null`\n  steps is nan\n  ^"),
        ("learning_rate is nan", "character 1: learning_rate is never stored as NaN; test it with `is null`\n  learning_rate is nan\n  ^"),
        ("experiment is null", "character 1: every run has an experiment; compare it with a name in quotes, or a number\n"
         "  experiment is null\n  ^"),
        ("experiment < 3", "character 14: an experiment is compared with =, !=, in or like only\n  experiment < 3\n               ^"),
        ("experiment = true", "character 14: an experiment is compared with a name in quotes, or a number\n  experiment = true\n"
         "               ^"),
    ],
)  # fmt: skip
def test_meaningless_conditions_are_marked(stored, text, message):
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
        ('experiment != "zzz"', "character 15: there is no experiment 'zzz'; allowed: small\n"
         '  experiment != "zzz"\n                ^'),
        ('experiment in (1, "smal")', "character 19: there is no experiment 'smal'; did you mean small?\n"
         '  experiment in (1, "smal")\n                    ^'),
        ("experiment = 77", "character 14: there is no experiment 77; allowed: 1\n  experiment = 77\n               ^"),
        ("not experiment in (1, 1.5)", "character 23: there is no experiment 1.5; allowed: 1\n"
         "  not experiment in (1, 1.5)\n                        ^"),
        ('outcome = "convergd"', "character 11: there is no outcome 'convergd'; did you mean converged?\n"
         '  outcome = "convergd"\n            ^'),
        ('outcome != ""', "character 12: there is no outcome ''; allowed: converged, max_steps, stalled, diverged, non_finite, "
         'timeout, failed\n  outcome != ""\n             ^'),
        ('behaviour not in ("oscilating")', "character 19: there is no behaviour 'oscilating'; did you mean oscillating?\n"
         '  behaviour not in ("oscilating")\n                    ^'),
    ],
)  # fmt: skip
def test_words_that_no_run_has_are_refused(stored, text, message):
    with pytest.raises(QueryError) as error:
        stored.runs(text)
    assert str(error.value) == "filter: " + message


def test_pattern_without_a_match_gives_no_rows(stored):
    assert ids(stored, 'outcome like "conv_"') == ids(stored, 'experiment like "x%"') == ids(stored, 'outcome < ""') == []


def test_name_means_the_experiment_that_was_run_last(tmp_path, write):
    run_into(write(), tmp_path / "r.db")
    run_into(write(SMALL.replace("max_steps = 50", "max_steps = 3")), tmp_path / "r.db")
    with runner.open(str(tmp_path / "r.db")) as database:
        assert set(database.runs('experiment = "small"')["rules.max_steps"]) == {3}
        assert set(database.runs("experiment = 1")["rules.max_steps"]) == {50}


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
def test_deepest_filter_is_accepted_by_the_database(stored, shape, leaf):
    deepest = shape(leaf, DEEPEST // 2 - 2)
    (found,) = stored.run_frames(deepest)
    assert stored.runs(deepest)["id"].tolist() == found["id"].tolist()
    stored.plan_deletion(where=deepest)
    stored.steps(where=f"id = 1 and ({deepest})", series="value")
    with pytest.raises(QueryError, match="conditions are nested more than 40 deep"):
        stored.runs(shape(leaf, DEEPEST))

"""The grammar of filters, its messages and its limits."""

from __future__ import annotations

import math

import pytest

from runner.errors import QueryError
from runner.store.filters.parsing import DEEPEST, LONGEST, MOST_CONDITIONS, parse_filter
from runner.store.filters.syntax import Comparison, Literal, Name, Not
from runner.store.reading.run_sql import COLUMN_SQL
from tests.support.filters import ids


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
        ("steps = 3 # x", "character 11: this character has no meaning in a filter\n  steps = 3 # x\n            ^"),
        ('error = "abc', 'character 9: this quote is never closed\n  error = "abc\n          ^'),
        ("error like 3", "character 12: like needs a text in quotes, in which % stands for any characters and _ for one\n"
         "  error like 3\n             ^"),
        ("outcome = diverged", "character 11: a name is compared with a number or a text, not with another name; put a text in quotes: "
         '"diverged"\n  outcome = diverged\n            ^'),
        ("1 = 1", "character 5: a number or a text is compared with a name, such as steps, not with another value\n  1 = 1\n      ^"),
        ("error = \x1b[31m", "character 9: this character has no meaning in a filter\n  error = \\x1b[31m\n          ^"),
        ("id = 1 and\n  steps = ?", "character 22: this character has no meaning in a filter\n    steps = ?\n            ^"),
        ("a = '\ud800'", "character 6: this character is not allowed in a filter\n  a = '\\ud800'\n       ^"),
        (" and ".join(["id = 1"] * (MOST_CONDITIONS + 1)), f"character {11 * MOST_CONDITIONS + 1}: more than 200 conditions; "
         "put long lists of values into one `in (…)`\n  …1 and id = 1 and id = 1 and id = 1 and id = 1 and id = 1\n" + 53 * " " + "^"),
    ],
)  # fmt: skip
def test_syntax_errors_are_marked(text, message):
    with pytest.raises(QueryError) as error:
        parse_filter(text)
    assert str(error.value) == ("filter: " + message)


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


def test_names_may_begin_with_a_keyword():
    tree = parse_filter("inside = 1 and orbit = 2 or notch = 3 and island is null and android in (4)").condition
    names = [test.name.text for either in tree.conditions for test in either.conditions]
    assert names == ["inside", "orbit", "notch", "island", "android"]


def test_nesting_is_limited_and_brackets_do_not_count():
    assert parse_filter("(" * 5000 + "steps = 1" + ")" * 5000).condition == parse_filter("steps=1").condition
    nested = "steps = 1"
    for _ in range(DEEPEST):
        nested = f"(id = 1 and not ({nested}))"
    with pytest.raises(QueryError, match="conditions are nested more than 40 deep"):
        parse_filter(nested)
    with pytest.raises(QueryError) as error:
        parse_filter("x" * (LONGEST + 1))
    assert str(error.value) == "filter: has 20,001 characters, and at most 20,000 are allowed; use several filters"


def test_long_names_are_shortened_in_messages(stored):
    long = "a" * 18_000
    cut, shown = f"{'a' * 59}…", f"\n  {'a' * 100}…\n  ^"
    columns = ", ".join([*COLUMN_SQL][:12])
    for question, message in (
        ({"where": f"{long} < 1"}, f"filter: character 1: unknown name {cut}; allowed: {columns}, …{shown}"),
        ({"sort": long}, f"order: character 1: unknown name {cut}; allowed: {columns}, …{shown}"),
        ({"columns": long}, f"columns: character 1: unknown name {cut}; allowed: {columns}, …{shown}"),
    ):
        with pytest.raises(QueryError) as error:
            stored.runs(**question)
        assert str(error.value) == message
    for call in (lambda: stored.run(long), lambda: stored.compare(long, "small"), lambda: stored.steps(1, series=long)):
        with pytest.raises(QueryError) as error:
            call()
        assert cut in str(error.value)
        assert len(str(error.value)) < 500


def test_syntax_tree():
    name = Name("a.b", 0)
    assert parse_filter("a.b < -inf").condition == Comparison(name, "<", Literal(-math.inf, 0))
    assert parse_filter("5 < a.b").condition == Comparison(name, ">", Literal(5, 0))
    assert parse_filter("not a.b = 'it\\'s \\\\'").condition == Not(Comparison(name, "=", Literal("it's \\", 0)))
    assert parse_filter("a.b = 99999999999999999999").condition == Comparison(name, "=", Literal(1e20, 0))

"""Orders, columns, lists of names and limits."""

from __future__ import annotations

import math

import pytest

from runner.errors import QueryError
from runner.store.filters.sorting import parse_columns, parse_sort
from tests.support.filters import ids


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
        ("sort", "stps", "order: character 1: unknown name stps; did you mean steps?\n  stps\n  ^"),
        ("sort", "id, experiment", "order: character 5: a run may belong to several experiments; select one with a filter\n"
         "  id, experiment\n      ^"),
        ("columns", "", "columns: character 1: expected a name\n  \n  ^"),
        ("columns", "id,-steps", "columns: character 5: a minus has no meaning here\n  id,-steps\n      ^"),
        ("columns", "id, id", "columns: character 5: id is named twice\n  id, id\n      ^"),
        ("columns", "identty", "columns: character 1: unknown name identty; did you mean identity?\n  identty\n  ^"),
        ("columns", "experiment", "columns: character 1: a run may belong to several experiments; select one with a filter\n"
         "  experiment\n  ^"),
    ],
)  # fmt: skip
def test_mistakes_in_orders_and_columns(stored, argument, text, message):
    with pytest.raises(QueryError) as error:
        stored.runs(**{argument: text})
    assert str(error.value) == message


def test_lists_of_names():
    assert [name.text for name in parse_columns(" a , b.c").names] == ["a", "b.c"]
    assert [(key.name.text, key.descending) for key in parse_sort("-a,b").keys] == [("a", True), ("b", False)]


def test_row_limit(stored):
    assert ids(stored, "id > 3")[:2] == stored.runs("id > 3", columns="id", limit=2)["id"].tolist()
    assert len(stored.runs(limit=0)) == 0
    with pytest.raises(QueryError) as error:
        stored.runs(limit=-1)
    assert str(error.value) == "limit: must be a whole number from 0 to 1,000,000,000, not -1"

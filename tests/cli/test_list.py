"""`runner list`, as a process on a real file."""

from __future__ import annotations


def test_list(ask):
    done = ask("list")
    assert (done.code, done.err) == (0, "")
    header, *rows = done.out.splitlines()
    assert header.split() == ["id", "name", "runs", "outcomes", "first", "run", "last", "run", "description"]
    assert [row.split()[:3] for row in rows] == [["1", "fifty", "12"], ["2", "twenty", "12"]]
    assert [each["runs"] for each in ask("list", "--format", "json").json] == [12, 12]

"""`runner runs`, as a process on a real file."""

from __future__ import annotations

import json

import runner
from tests.support.command_line import cells


def test_table_shows_the_parameters_that_differ(ask):
    done = ask("runs", "--where", 'experiment = "fifty" and objective = "quadratic"', "--sort", "-learning_rate,id")
    assert (done.code, done.err) == (0, "")
    header, *rows = done.out.splitlines()
    assert header.split() == [
        "id",
        "identity",
        "objective",
        "learning_rate",
        "outcome",
        "behaviour",
        "steps",
        "final_value",
        "final_gap",
        "reached",
    ]
    assert [row.split()[3] for row in rows] == ["1.1", "1.1", "0.3", "0.3", "0.1", "0.1"]


def test_every_format_has_the_same_rows(ask, stored):
    chosen = ("--where", "steps = 50", "--columns", "id,identity,learning_rate,final_value,outcome")
    expected = [
        dict(zip(frame.names, row, strict=True))
        for frame in [runner.open(str(stored)).runs("steps = 50", columns="id,identity,learning_rate,final_value,outcome")]
        for row in frame.rows()
    ]
    assert ask("runs", *chosen, "--format", "json").json == expected
    assert [json.loads(line) for line in ask("runs", *chosen, "--format", "jsonl").out.splitlines()] == expected
    assert cells(ask("runs", *chosen, "--format", "csv").out) == [
        {key: value if isinstance(value, str) else repr(value) for key, value in row.items()} for row in expected
    ]


def test_table_reports_rows_beyond_the_limit(ask):
    done = ask("runs")
    assert len(done.out.splitlines()) == 21
    assert done.err == "only the first 20 are shown; --limit shows more\n"
    assert ask("runs", "--limit", 2).err == ""
    assert len(ask("runs", "--format", "csv").out.splitlines()) == 25

"""`runner steps`, as a process on a real file."""

from __future__ import annotations

import runner
from tests.support.command_line import cells


def test_steps(ask, stored):
    with runner.open(str(stored)) as database:
        trajectories = {run.id: series for run, series in database.trajectories([2, 7])}
    rows = cells(ask("steps", 2, 7, "--format", "csv").out)
    assert list(rows[0])[:5] == ["run", "step", "value", "gradient_norm", "x0"]
    for run, series in trajectories.items():
        mine = [row for row in rows if row["run"] == str(run)]
        assert [float(row["value"]) for row in mine] == series.value.tolist()
        assert [float(row["x0"]) for row in mine] == series.x[:, 0].tolist()
        assert all((row.get("x1") == "") == (series.x.shape[1] == 1) for row in mine)
    done = ask("steps", 2)
    assert len(done.out.splitlines()) == 21
    assert done.err == "only the first 20 are shown; --limit shows more\n"
    assert len(ask("steps", 2, "--limit", 3, "--series", "value", "--format", "jsonl").out.splitlines()) == 3
    assert ask("steps", "--where", "id < 0", "--format", "json").json == []


def test_table_of_all_steps_reports_no_more_rows(call, stored, monkeypatch):
    with runner.open(str(stored)) as database:
        run = database.runs("steps = 20", limit=1)["id"][0]
    monkeypatch.setattr("runner.cli.steps.MOST_SHOWN", 21)
    done = call("steps", run, "--db", stored)
    assert (len(done.out.splitlines()), done.err) == (22, "")

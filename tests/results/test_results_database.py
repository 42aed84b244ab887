"""Stored results from Python, through `runner.open`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import runner
from runner.errors import QueryError, StoreError
from runner.store.reading.run_sql import COLUMN_SQL
from runner.tables.frame import Column, Frame
from tests.support.databases import SPECIAL, opened, store_series, stored_in
from tests.support.experiment_texts import SMALL


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the twelve runs of the small experiment."""
    return stored_in(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture
def stored(small: Path) -> Iterator[runner.ResultsDatabase]:
    with runner.open(str(small)) as database:
        yield database


def test_missing_database_is_refused(tmp_path):
    with pytest.raises(StoreError) as error:
        runner.open(str(tmp_path / "none.db"))
    text = (
        f"database {tmp_path / 'none.db'}: does not exist; `runner run` creates it, and --db or RUNNER_DB names another database"
    )
    assert str(error.value) == text
    assert list(tmp_path.iterdir()) == []


def test_experiments(stored):
    frame = stored.experiments()
    assert list(frame.names[:6]) == ["id", "name", "description", "created_at", "last_run_at", "runs"]
    assert frame.names[6:] == tuple(runner.Outcome)
    ((number, name, _, created, last, runs, *outcomes),) = frame.rows()
    assert (number, name, runs, sum(outcomes)) == (1, "small", 12, 12)
    assert 1e9 < created <= last


def test_runs_agree_with_the_view(small, stored):
    frame = stored.runs(columns=list(COLUMN_SQL))
    with opened(small) as connection:
        cursor = connection.execute("SELECT * FROM runs ORDER BY id")
        assert list(frame.names) == [column[0] for column in cursor.description]
        assert list(frame.rows()) == cursor.fetchall()
    assert [row[:2] for row in stored.runs(limit=2).rows()] == [row[:2] for row in frame.rows()][:2]


def test_a_run_by_its_number_or_the_beginning_of_its_identity(small, stored):
    identity = stored.runs()["identity"][3]
    run = stored.run(4)
    assert run.identity == identity
    assert stored.run(identity[:10].upper()) == stored.run(identity) == stored.run("4") == run
    with opened(small) as connection:
        cursor = connection.execute("SELECT * FROM runs WHERE id = 4")
        row = dict(zip((column[0] for column in cursor.description), cursor.fetchone(), strict=True))
    assert {key: row[key] for key in ("outcome", "steps", "final_value", "final_gap", "behaviour", "finished_at")} == {
        key: getattr(run, key) for key in ("outcome", "steps", "final_value", "final_gap", "behaviour", "finished_at")
    }
    assert run.evaluations == {name: row[f"{name}_evaluations"] for name in ("value", "gradient", "hessian")}
    assert run.optimizer.parameters == {"learning_rate": 0.3}
    assert run.rules.parameters["max_steps"] == 50
    assert [(member.id, member.name) for member in run.experiments] == [(1, "small")]
    assert run.environment["packages"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (99, "99"),
        ("99999", "99999"),
        ("abc", "abc"),
        ("zzzz", "zzzz"),
        ("ffffffffffff", "ffffffffffff"),
        ("", "''"),
        ("-1", "'-1'"),
    ],
)
def test_a_run_that_does_not_exist(small, stored, key, name):
    advice = "give a row number, or at least 4 characters of an identity, as `runner runs` shows them"
    for ask in (stored.run, stored.steps, stored.plan_deletion):
        with pytest.raises(QueryError) as error:
            ask(key)
        assert str(error.value) == f"database {small}: holds no run {name}; {advice}"


def test_a_beginning_that_several_runs_share(small, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_bytes(small.read_bytes())
    with opened(copy) as connection:
        for number in (1, 2):
            connection.execute("UPDATE run SET identity = ? WHERE id = ?", (f"abcdef{number}" + 57 * "0", number))
    with runner.open(str(copy)) as database:
        with pytest.raises(QueryError) as error:
            database.run("abcdef")
        assert database.run("abcdef2").id == 2
    several = "abcdef100000, abcdef200000"
    assert str(error.value) == f"database {copy}: several runs begin with abcdef: {several}; give more characters"


def test_trajectories_bit_for_bit(tmp_path, write):
    path = tmp_path / "r.db"
    store_series(path, write(), SPECIAL, final=math.nan)
    with runner.open(str(path)) as database:
        ((run, series),) = database.trajectories([1])
        assert series.value.tobytes() == np.array(SPECIAL).tobytes()
        assert (run.id, run.steps) == (1, len(SPECIAL) - 1)
        assert math.isnan(database.run(1).final_value)
        assert math.isnan(database.runs()["final_value"][0])


def test_trajectories_come_in_the_order_of_the_request(stored):
    assert [run.id for run, _ in stored.trajectories([7, 2, 7])] == [7, 2, 7]
    (first, _, third) = (series for _, series in stored.trajectories([7, 2, 7]))
    assert first.x.tobytes() == third.x.tobytes()


@pytest.mark.parametrize("ask", ["trajectories", "step_frames"])
def test_parts_are_read_from_one_snapshot(small, tmp_path, monkeypatch, ask):
    monkeypatch.setattr("runner.store.reading.trajectories.RUNS_AT_ONCE", 1)
    copy = tmp_path / "copy.db"
    copy.write_bytes(small.read_bytes())
    with runner.open(str(copy)) as database, runner.open(str(copy)) as other:
        parts = getattr(database, ask)()
        first = next(parts)
        other.delete(other.plan_deletion(range(1, 13)))
        assert len([first, *parts]) == 12
        assert list(database.trajectories()) == []


def test_a_frame_as_arrays_rows_and_arrow():
    frame = Frame(
        [
            Column("whole", "integer", [1, None]),
            Column("real", "number", [-0.0, math.nan]),
            Column("words", "text", ["a", None]),
            Column("sure", "truth", [True, False]),
            Column("array", "number", np.array([1.0, 2.0]), np.array([False, True])),
        ]
    )
    assert next(frame.rows()) == (1, -0.0, "a", True, 1.0)
    assert list(frame.rows())[1][2:] == (None, False, None)
    assert frame["whole"].tolist()[0] == 1
    assert math.isnan(frame["whole"][1])
    assert math.copysign(1, frame["real"][0]) == -1
    assert set(dict(frame)) == {"whole", "real", "words", "sure", "array"}
    table = frame.to_arrow()
    assert [table[name].null_count for name in frame.names] == [1, 0, 1, 0, 1]


def test_arrow_without_its_library_names_the_extra(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "arro3.core", None)
    install = "python -m pip install 'gradient-runner[arrow]', or use dict(table), which needs no Arrow"
    for take in (Frame.to_arrow, Frame.__arrow_c_schema__, Frame.__arrow_c_stream__):
        with pytest.raises(runner.RunnerError) as error:
            take(stored.runs())
        assert str(error.value) == f"an Arrow table needs arro3-core, which is not installed: {install}"
    assert len(dict(stored.runs())["id"]) == len(stored.runs())


def test_pandas_and_polars_take_tables_as_they_are(stored):
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    runs, steps = stored.runs(), stored.steps([1, 2])
    for frame in (runs, steps):
        taken = polars.DataFrame(frame)
        assert taken.columns == list(frame.names)
        assert taken.rows() == list(frame.rows())
        assert list(pandas.DataFrame(dict(frame)).columns) == list(frame.names)
    assert polars.DataFrame(steps)["value"].to_numpy().tobytes() == steps["value"].tobytes()
    assert pandas.DataFrame(dict(steps))["value"].to_numpy().tobytes() == steps["value"].tobytes()


def test_steps_of_runs_of_different_dimension(stored):
    frame = stored.steps()
    assert frame.names == ("run", "step", "value", "gradient_norm", "x0", "x1")
    wide = {run.id for run, series in stored.trajectories() if series.x.shape[1] == 2}
    for run, _, _, _, x0, x1 in frame.rows():
        assert x0 is not None
        assert (x1 is not None) == (run in wide)
    assert len(stored.steps(where="id < 0")) == 0
    assert stored.steps([2, 1], series="x").names == ("run", "step", "x0")
    assert stored.steps([2, 1])["run"][0] == 2
    assert [frame.names for frame in stored.step_frames()] == [frame.names]


def test_steps_that_fill_the_memory_are_refused(stored, monkeypatch):
    rows = len(stored.steps())
    monkeypatch.setattr("runner.results.results_database.MOST_NUMBERS", 6 * rows - 1)
    with pytest.raises(QueryError) as error:
        stored.steps()
    assert str(error.value) == (
        f"steps: {rows} rows × 6 columns are more than the {6 * rows - 1:,} numbers that one table may have; "
        "name fewer runs, choose columns with series=, or take the table in parts with step_frames"
    )
    assert sum(len(frame) for frame in stored.step_frames()) == rows
    assert len(stored.steps(series="value")) == rows
    assert len(stored.steps(1)) == 51


def test_runs_and_a_filter_exclude_each_other(stored):
    with pytest.raises(QueryError) as error:
        stored.steps(1, where="id = 1")
    assert str(error.value) == "runs: give runs or a filter, not both"


def test_stored_text_is_escaped():
    frame = Frame([Column("<b>", "text", ["<script>", "\x1b[31m\u202e"])])
    assert "<th>&lt;b&gt;</th>" in frame._repr_html_()
    assert "<td>&lt;script&gt;</td>" in frame._repr_html_()
    assert repr(frame) == "<b>\n<script>\n\\x1b[31m\\u202e"


def test_notebook_shows_tables(small, stored):
    assert "<td>small</td>" in stored._repr_html_()
    assert repr(stored).startswith(f"<results database {small}>\nid  name ")
    html = runner.open(str(small)).steps(1)._repr_html_()
    assert html.startswith("<table><thead><tr><th>run</th><th>step</th>")
    assert html.count("<tr>") == 21
    assert html.endswith("<p>… 51 rows</p>")


def test_runs_in_parts_are_the_same(stored, monkeypatch):
    monkeypatch.setattr("runner.results.results_database.RUNS_AT_ONCE", 5)
    for question in ({}, {"where": "steps > 3", "sort": "-steps"}, {"limit": 7}, {"limit": 3}, {"columns": "id,learning_rate"}):
        parts = list(stored.run_frames(**question))
        whole = stored.runs(**question)
        assert [list(map(repr, part)) for frame in parts for part in frame.rows()] == [
            list(map(repr, row)) for row in whole.rows()
        ]
        assert {part.names for part in parts} == {whole.names}
    assert [len(frame) for frame in stored.run_frames()] == [5, 5, 2]


def test_reading_changes_nothing(small):
    before = small.read_bytes()
    with runner.open(str(small)) as database:
        database.experiments(), database.runs(), database.run(1), list(database.trajectories([1]))
    assert small.read_bytes() == before


def test_databases_and_copies_may_be_named_by_paths(small, tmp_path):
    with runner.open(small) as database:
        assert database.name == str(small)
        assert database.backup(tmp_path / "backup.db") == str(tmp_path / "backup.db")
        assert database.copy(tmp_path / "copy.db")["run"] == len(database.runs())


def test_any_whole_number_names_a_run_or_an_experiment(stored, tmp_path):
    for three in (np.int64(3), np.uint8(3), 3):
        assert stored.run(three).id == 3
        assert set(stored.steps(three)["run"]) == {3}
        assert set(stored.steps([three, "4"])["run"]) == {3, 4}
        assert [run.id for run, _ in stored.trajectories(three)] == [3]
        assert stored.plan_deletion(three).runs == (3,)
    one = np.int32(1)
    assert len(stored.compare(one, 1).matched) == 12
    assert [each.id for each in stored.plan_deletion(experiment=one).experiments] == [1]
    assert [each.id for each in stored.plan_deletion(experiment=[one, "small"]).experiments] == [1]
    assert stored.plot(tmp_path / "p.svg", "outcomes", one)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda db: db.steps(1.5), "run: must be a row number, or the beginning of its identity, not 1.5"),
        (lambda db: db.steps([1, None]), "run: must be a row number, or the beginning of its identity, not None"),
        (lambda db: db.run(b"ab"), "run: must be a row number, or the beginning of its identity, not b'ab'"),
        (lambda db: db.run([1] * 90), f"run: must be a row number, or the beginning of its identity, not {str([1] * 90)[:59]}…"),
        (lambda db: db.figure("outcomes", 1.0), "experiment: must be a row number, or its name, not 1.0"),
        (lambda db: db.compare(None, 1), "experiment: must be a row number, or its name, not None"),
        (lambda db: db.plan_deletion(experiment=1.5), "experiment: must be a row number, or its name, not 1.5"),
        (
            lambda db: db.steps(db.runs(columns="steps,outcome")),
            "runs: the table has no column id, which names runs; it has: steps, outcome",
        ),
    ],
)
def test_invalid_run_names_are_refused(stored, ask, message):
    with pytest.raises(QueryError) as error:
        ask(stored)
    assert str(error.value) == message


@pytest.mark.parametrize("name", [None, 3, b"r.db"])
def test_invalid_database_names_are_refused(name):
    with pytest.raises(StoreError) as error:
        runner.open(name)
    assert str(error.value) == (
        f"database {name!r}: is neither a path nor a database URL; results are kept in an SQLite file or in PostgreSQL: give a path, or "
        "a URL such as postgresql+psycopg://user@host/name"
    )


def test_closed_database_refuses_queries(small):
    database = runner.open(small)
    with database:
        assert len(database.runs()) == 12
    database.close()
    for ask in (
        database.experiments,
        database.runs,
        database.facts,
        lambda: database.run(1),
        lambda: list(database.trajectories()),
        lambda: database.sql("SELECT 1"),
        lambda: database.figure("outcomes", 1),
        lambda: database.plan_deletion(1),
    ):
        with pytest.raises(StoreError) as error:
            ask()
        assert str(error.value) == f"database {small}: is closed; open it again with runner.open"
    assert repr(database) == f"<results database {small}, closed>"
    assert database._repr_html_() is None

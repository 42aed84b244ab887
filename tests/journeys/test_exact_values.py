"""NaN, infinities, −0.0 and the types of parameters are kept bit for bit, by every command, on SQLite and PostgreSQL."""

from __future__ import annotations

import csv
import json
import math
import struct
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

import runner
from runner.errors import StoreError
from tests.support.databases import opened, psycopg_connection
from tests.support.edge_values import EXPERIMENT, PLUGIN, command, exact

EDGE: Mapping[str, object] = {
    "bound": -math.inf,
    "count": 2**53 + 1,
    "flag": True,
    "level": None,
    "off": False,
    "sizes": (3, 2**53 + 1),
    "weights": (-0.0, math.inf, 0.1),
    "word": "0x1.8000000000000p+0",
}
PAIR = {"aside": "still", "aside.learning_rate": -0.0, "learning_rate": 0.5, "main": "gradient_descent"}
RULES = {
    "divergence_limit": 1e12,
    "gap": None,
    "gradient_norm": 1e-9,
    "max_steps": 3,
    "record_gradient": False,
    "record_x": True,
    "step_length": None,
    "wall_time": None,
}
ENDS = ("zero", "nan", "odd", "inf", "below")
ODD = struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0]
LAST: Mapping[str, float] = {"zero": -0.0, "nan": math.nan, "odd": ODD, "inf": math.inf, "below": -math.inf}
SUMMARY: Mapping[str, float] = {**LAST, "odd": -math.nan}
"""The numbers in a summary. A summary keeps only the sign of a NaN, and not its other bits."""
NUMBERS = ("final_value", "best_value", "final_gradient_norm", "final_gap")
TEXT_NAN = ("NaN", "Infinity", "-Infinity")
FORMS = ("python", "json", "jsonl", "csv", "parquet", "exported csv", "exported jsonl", "npz")
"""The formats that write every NaN in the same way."""


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Four databases: a file, PostgreSQL, a copy of the file on PostgreSQL, and a copy back in a file."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "edge.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "e.toml").write_text(EXPERIMENT, encoding="utf-8")
    urls: dict[str, str] = {}

    def server() -> str:
        base = request.getfixturevalue("server_url")
        name = f"edge{uuid.uuid4().hex}"
        with psycopg_connection(base) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append((base, name))
        return str(base.replace("/postgres?", f"/{name}?"))

    def get(which: str) -> str:
        if which not in urls:
            urls[which] = server() if which in ("server", "copied") else str(folder / f"{which}.db")
            if which in ("file", "server"):
                command(folder, "run", "e.toml", "--no-report", "--quiet", "--db", urls[which])
            else:
                source = {"copied": "file", "back": "copied"}[which]
                command(folder, "db", "copy", urls[which], "--db", get(source))
        return urls[which]

    made: list[tuple[str, str]] = []
    yield get
    for base, name in made:
        with psycopg_connection(base) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


WHERE = ("file", "server", "copied", "back")


def runs_in(form: str, database: str, folder: Path) -> list[dict[str, Any]]:
    """Read all runs in one output format, by column; text that stands for a number is converted."""
    if form == "python":
        with runner.open(database) as stored:
            frame = stored.runs()
            return [dict(zip(frame.names, row, strict=True)) for row in frame.rows()]
    if form in ("json", "jsonl", "csv"):
        text = command(folder, "runs", "--format", form, "--db", database)
    else:
        suffix = form.rpartition(" ")[2]
        command(folder, "export", "runs", f"runs.{suffix}", "--db", database)
        if form == "parquet":
            return polars.read_parquet(folder / "runs.parquet").to_dicts()
        if form == "npz":
            with np.load(folder / "runs.npz") as arrays:
                columns = {name: arrays[name].tolist() for name in arrays}
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        text, form = (folder / f"runs.{suffix}").read_text(encoding="utf-8"), suffix
    if form == "csv":
        return list(csv.DictReader(text.splitlines()))
    return [_read(json.loads(line)) for line in text.splitlines()] if form == "jsonl" else list(map(_read, json.loads(text)))


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if value in TEXT_NAN else value for name, value in row.items()}


def cell(value: object, form: str) -> object:
    """Return the cell of a parameter in a table."""
    if isinstance(value, tuple):
        value = json.dumps(value)
    if form == "npz" and value is None:
        return math.nan  # an array holds NaN for a missing number
    if not form.endswith("csv") or isinstance(value, str):
        return value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def expected(row: Mapping[str, Any]) -> dict[str, object]:
    """Return the expected columns of a run, by its position in the grid."""
    place = int(row["id"]) - 1
    end, shift = ENDS[place // 4], (-0.0, 0.0)[place // 2 % 2]
    # If f = −0.0, the gap to f* = 0 is −0.0, and the norm of the gradient is 0.0.
    gap, norm = SUMMARY[end] - 0.0, abs(SUMMARY[end])
    best = (1.0 if place % 2 and end != "zero" else math.nan) if end in ("nan", "odd", "inf") else SUMMARY[end]
    return {
        "final_value": SUMMARY[end],
        "final_gap": math.nan if math.isnan(gap) else gap,
        "final_gradient_norm": norm,
        "best_value": best,
        "final_value_class": {"zero": "finite", "odd": "nan", "below": "-inf"}.get(end, end),
        "objective.end": end,
        "objective.shift": shift,
        **{f"objective.{name}": value for name, value in EDGE.items()},
        **{f"optimizer.{name}": value for name, value in PAIR.items()},
        **{f"rules.{name}": value for name, value in RULES.items()},
    }


@pytest.mark.parametrize(
    ("where", "form"),
    [
        *(("file", form) for form in FORMS),
        *(("server", form) for form in ("python", "json", "parquet")),
        *(("copied", form) for form in ("python", "csv")),
        *(("back", form) for form in ("python", "npz")),
    ],
)
def test_runs_and_their_parameters(databases, tmp_path, where, form):
    rows = runs_in(form, databases(where), tmp_path)
    assert len(rows) == 20
    for row in rows:
        for name, value in expected(row).items():
            if name == "final_gradient_norm" and value != value:
                assert math.isnan(float(row[name]))  # the sign of a norm that is NaN depends on the processor
            elif name in NUMBERS and form.endswith("csv"):
                assert exact(float(row[name]), form) == exact(value, form), (row["id"], name)
            else:
                assert exact(row[name], form) == exact(cell(value, form), form), (row["id"], name)


@pytest.mark.parametrize("where", WHERE)
def test_one_run(databases, tmp_path, where):
    with runner.open(databases(where)) as database:
        for number in range(1, 21):
            record = database.run(number)
            for name, value in expected({"id": number}).items():
                kind, dot, parameter = name.partition(".")
                if dot:
                    assert exact(getattr(record, kind).parameters[parameter]) == exact(value), (number, name)
                elif not name.endswith("class") and value == value:
                    assert exact(getattr(record, name)) == exact(value), (number, name)
            assert exact(record.start) == exact([1.0] if number % 2 == 0 else [-0.0])
            assert list(record.optimizer.parameters) == sorted(record.optimizer.parameters)
    shown = json.loads(command(tmp_path, "show", 1, "--format", "json", "--db", databases(where)))
    assert exact(shown["final_value"]) == exact(shown["best_value"]) == exact(shown["start"][0]) == exact(-0.0)
    parameters = {**EDGE, "end": "zero", "shift": -0.0, "bound": "-Infinity", "weights": [-0.0, "Infinity", 0.1]}
    assert {name: exact(value) for name, value in shown["objective"]["parameters"].items()} == {
        name: exact(value) for name, value in parameters.items()
    }
    # If the value of a known minimum is zero, no database stores its sign.
    assert exact(shown["minimum"]["value"]) == exact(0.0)
    assert exact(shown["minimum"]["x"]) == exact([-0.0])


def test_one_run_as_text(databases, tmp_path):
    told = command(tmp_path, "show", 5, "--db", databases("file"))
    assert "shift = -0, sizes = [3, 9007199254740993], weights = [-0, inf, 0.1], word = 0x1.8000000000000p+0" in told
    assert "flag = true, off = false" in told
    assert "pair  aside = still, aside.learning_rate = -0, learning_rate = 0.5, main = gradient_descent" in told


def test_the_best_setting_of_a_sweep(tmp_path):
    (tmp_path / "edge.py").write_text(PLUGIN, encoding="utf-8")
    swept = '[[optimizer]]\nname = "still"\nlearning_rate = { values = [inf, -inf] }\n\n'
    text = EXPERIMENT[: EXPERIMENT.index("[[optimizer]]")] + swept + EXPERIMENT[EXPERIMENT.index("[stop]") :]
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    told = command(tmp_path, "run", "e.toml", "--no-report", "--format", "json", "--db", "r.db")
    assert json.loads(told)["summary"][0]["best"]["setting"] == {"optimizer.learning_rate": "Infinity"}


@pytest.mark.parametrize("where", WHERE)
def test_every_step(databases, tmp_path, where):
    wanted = {}
    for number in range(1, 21):
        last = LAST[ENDS[(number - 1) // 4]]
        # From 1 the first step of 0.5 · 2 leads to 0.
        wanted[number] = [(last, -0.0)] if number % 2 else [(1.0, 1.0), (last, 0.0)]
    with runner.open(databases(where)) as database:
        for run, series in database.trajectories():
            assert exact(series.value.tolist()) == exact([value for value, _ in wanted[run.id]])
            assert exact(series.x[:, 0].tolist()) == exact([x for _, x in wanted[run.id]])
        frame = database.steps(series="value,x")
        flat = [(number, step, *pair) for number, pairs in wanted.items() for step, pair in enumerate(pairs)]
        assert [exact(row) for row in frame.rows()] == [exact(row) for row in flat]
        for suffix in ("parquet", "csv", "jsonl", "npz"):
            assert database.export_steps(tmp_path / f"s.{suffix}", series="value,x") == len(flat)
    parquet = polars.read_parquet(tmp_path / "s.parquet")
    assert [exact(row) for row in parquet.rows()] == [exact(row) for row in flat]
    with np.load(tmp_path / "s.npz") as arrays:
        for number, pairs in wanted.items():
            assert exact(arrays[f"{number}/value"].tolist()) == exact([value for value, _ in pairs])
            assert exact(arrays[f"{number}/x"][:, 0].tolist()) == exact([x for _, x in pairs])
    with (tmp_path / "s.csv").open(encoding="utf-8") as file:
        rows = [(int(run), int(step), float(value), float(x)) for run, step, value, x in list(csv.reader(file))[1:]]
    assert [exact(row, "csv") for row in rows] == [exact(row, "csv") for row in flat]
    lines = [_read(json.loads(line)) for line in (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [exact(tuple(row.values()), "jsonl") for row in lines] == [exact(row, "jsonl") for row in flat]


def test_a_copy_of_a_copy_has_the_same_rows(databases):
    with opened(Path(databases("file"))) as first, opened(Path(databases("back"))) as second:
        tables = [name for (name,) in first.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        assert {"run", "parameter", "setting", "landmark", "chunk"} <= set(tables)
        for table in set(tables) - {"worker", "claim"}:
            query = f"SELECT * FROM {table}"
            assert sorted(map(exact, first.execute(query))) == sorted(map(exact, second.execute(query)))


@pytest.mark.parametrize("where", ["server", "back"])
def test_database_is_sound_and_replays_to_the_same_bits(databases, tmp_path, where):
    (tmp_path / "edge.py").write_text(PLUGIN, encoding="utf-8")
    told = command(tmp_path, "verify", "--replay", 20, "--plugin", "edge.py", "--db", databases(where))
    assert "intact" in told
    assert "20 runs with the same bits" in told


@pytest.mark.parametrize("where", ["file", "server"])
def test_sql_has_the_sign_of_zero(databases, where):
    with runner.open(databases(where)) as database:
        frame = database.sql("SELECT id, final_value, best_value, final_value_class, final_gap FROM runs ORDER BY id").frame
        rows = [[exact(each) for each in row[1:]] for row in frame.rows()]
    assert rows[:4] == [[exact(-0.0), exact(-0.0), exact("finite"), exact(-0.0)]] * 4
    assert rows[8] == [exact(None), exact(None), exact("nan"), exact(None)]


@pytest.mark.parametrize("where", ["file", "server"])
@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ('final_value_class = "finite"', [1, 2, 3, 4]),
        ('final_value_class = "nan"', [5, 6, 7, 8, 9, 10, 11, 12]),
        ("final_value is nan", [5, 6, 7, 8, 9, 10, 11, 12]),
        ("final_gap is nan", [5, 6, 7, 8, 9, 10, 11, 12]),
        ("final_gap is null", []),
        ("final_value = 0 and final_value = -0.0 and final_gap <= 0", [1, 2, 3, 4]),
        ("final_value < 0", [17, 18, 19, 20]),
        ("shift = 0 and flag = true and off = false and id < 3", [1, 2]),
        ("shift = -0.0 and count > 9e15 and level is null and id < 3", [1, 2]),
        ("aside.learning_rate = 0 and id < 3", [1, 2]),
        ("optimizer.aside.learning_rate = 0 and optimizer.learning_rate = 0.5 and id < 3", [1, 2]),
    ],
)
def test_filters_compare_numbers(databases, where, filter_, ids):
    with runner.open(databases(where)) as database:
        assert database.runs(filter_)["id"].tolist() == ids
        assert database.runs(filter_, sort="final_value,-id", columns="id")["id"].tolist()[:2] == sorted(ids, reverse=True)[:2]


def changed(databases: Callable[[str], str], tmp_path: Path, statement: str) -> str:
    """Copy the file and change a value in it."""
    path = str(tmp_path / "changed.db")
    with runner.open(databases("file")) as database:
        database.backup(path)
    with opened(Path(path)) as connection:
        connection.execute(statement)
    return path


@pytest.mark.parametrize(
    ("statement", "problems"),
    [
        # The value as it was stored before this class existed.
        ("UPDATE run SET final_value_class = 'finite', best_value_class = 'finite' WHERE id = 1", []),
        (
            "UPDATE run SET final_gradient_norm_class = '-0.0' WHERE id = 1",
            ["run 1: final_gradient_norm is -0.0 in its row, and 0.0 in its trajectory"],
        ),
        (
            "UPDATE run SET final_value = 5 WHERE id = 1",
            ["run 1: final_value is 5.0 for filters and sorting, and -0.0 in its trajectory"],
        ),
        (
            "UPDATE run SET final_value = 5 WHERE id = 13",
            ["run 13: final_value is 5.0 for filters and sorting, and inf in its trajectory"],
        ),
        (
            "UPDATE parameter SET number = 2 WHERE name = 'aside.learning_rate'",
            ["setting 3 (optimizer pair): its parameter aside.learning_rate differs from its canonical text"],
        ),
    ],
)
def test_changed_parameter_is_noticed_by_verify(databases, tmp_path, statement, problems):
    with runner.open(changed(databases, tmp_path, statement)) as database:
        assert [problem for check in database.verify() for problem in check.problems] == problems


@pytest.mark.parametrize("canonical", ["{", "[]", '{"name":"pair"}', '{"name":"pair","parameters":{"main":"0x"}}'])
def test_impossible_parameters_are_reported(databases, tmp_path, canonical):
    path = changed(databases, tmp_path, f"UPDATE setting SET canonical = '{canonical}' WHERE kind = 'optimizer'")
    with opened(Path(path)) as connection:
        connection.execute("UPDATE parameter SET text = NULL WHERE name = 'main'")
    with runner.open(path) as database:
        for ask in (lambda: database.run(1), database.runs, lambda: database.figure("outcomes", "edge")):
            with pytest.raises(StoreError) as error:
                ask()
            assert (
                str(error.value)
                == "the database is damaged: the parameters of a setting are inconsistent; `runner verify` names the setting"
            )


def test_runs_without_their_rules_are_shown(databases, tmp_path):
    with runner.open(changed(databases, tmp_path, "UPDATE run SET rules_id = 99 WHERE id = 1")) as database:
        for frame in (database.runs(), database.runs(columns="rules.max_steps"), *database.run_frames()):
            assert frame.columns[frame.names.index("rules.max_steps")].listed()[:2] == [None, 3]

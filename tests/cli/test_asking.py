"""The commands that ask the database, each as a process on a real file."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from arro3.io import read_parquet

import runner
from runner.cli.terminal import sparkline
from tests.support.command_line import Done
from tests.support.databases import SPECIAL, opened, run_into, store_series
from tests.support.experiment_texts import SMALL

ALLOWED = "one SELECT over the views runs, steps, parameters and experiments is allowed, and nothing that writes"
EVIL = "\x1b]0;owned\x07\u202e<b>$x$"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small experiment twice: with 50 steps, and with 20."""
    folder = tmp_path_factory.mktemp("asked")
    for name, steps in (("fifty", 50), ("twenty", 20)):
        text = SMALL.replace("max_steps = 50", f"max_steps = {steps}").replace('"small"', f'"{name}"')
        (folder / "e.toml").write_text(text, encoding="utf-8")
        run_into(folder / "e.toml", folder / "r.db")
    return folder / "r.db"


@pytest.fixture
def ask(stored: Path, runner_cli: Callable[..., Done]) -> Callable[..., Done]:
    def call(command: str, *arguments: object, **more: object) -> Done:
        return runner_cli(command, *arguments, "--db", stored, **more)

    return call


def cells(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out)))


def test_list(ask):
    done = ask("list")
    assert (done.code, done.err) == (0, "")
    header, *rows = done.out.splitlines()
    assert header.split() == ["id", "name", "runs", "outcomes", "first", "run", "last", "run", "description"]
    assert [row.split()[:3] for row in rows] == [["1", "fifty", "12"], ["2", "twenty", "12"]]
    assert [each["runs"] for each in ask("list", "--format", "json").json] == [12, 12]


def test_runs_as_a_table_shows_what_tells_them_apart(ask):
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
    ]
    assert [row.split()[3] for row in rows] == ["1.1", "1.1", "0.3", "0.3", "0.1", "0.1"]


def test_runs_in_every_format_are_the_same(ask, stored):
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


def test_a_table_says_when_there_is_more(ask):
    done = ask("runs")
    assert len(done.out.splitlines()) == 21
    assert done.err == "only the first 20; --limit shows more\n"
    assert ask("runs", "--limit", 2).err == ""
    assert len(ask("runs", "--format", "csv").out.splitlines()) == 25


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("runs", "--where", "lerning_rate < 1"), 2, "error: filter: character 1: there is no lerning_rate; did you mean learning_rate?\n"
         "  lerning_rate < 1\n  ^\n"),
        (("runs", "--sort", "nothing"), 2, None),
        (("show", "zzzz"), 2, None),
        (("steps",), 2, "error: runs: name some, or give --where, and not both\n"),
        (("steps", "1", "--where", "id = 1"), 2, "error: runs: name some, or give --where, and not both\n"),
        (("steps", "1", "--series", "y"), 2, "error: series: there is no 'y'; allowed: value, gradient_norm, x, gradient\n"),
        (("plot", "fifty", "--figure", "convergenc"), 2, "error: figure: there is no figure 'convergenc'; did you mean convergence?\n"),
        (("plot", "fifty", "--figure", "outcomes", "-o", "x.gif"), 2,
         "error: x.gif: must end in .svg, .png or .pdf, which says the format\n"),
        (("plot", "fifty", "--figure", "outcomes", "--where", "id < 0"), 2,
         "error: experiment fifty (1): none of its runs satisfies the filter\n"),
        (("export", "runs", "x.txt"), 2, "error: x.txt: must end in .parquet, .csv, .jsonl or .npz, which says the format\n"),
        (("export", "runs", "x.csv", "--series", "x"), 2, "error: --series: is not for runs\n"),
        (("export", "steps", "x.csv", "--columns", "id"), 2, "error: --columns: is not for steps\n"),
        (("export", "runs", "no/x.csv", "--where", "step = 1"), 2,
         "error: filter: character 1: there is no step; did you mean steps?\n  step = 1\n  ^\n"),
        (("compare", "fifty", "id < 0"), 2, "error: compare: no run satisfies 'id < 0'\n"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_message(call, stored, tmp_path, arguments, code, message):
    done = call(*arguments, "--db", stored)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert message is None or done.err == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("report", "fifti"), ("plot", "fifti", "--figure", "outcomes"), ("compare", "fifti", "1")])
def test_an_experiment_that_is_not_there(call, stored, command):
    done = call(*command, "--db", stored)
    assert (done.code, done.err) == (2, f"error: database {stored}: holds no experiment 'fifti'; did you mean fifty?\n")


@pytest.mark.parametrize(
    "command", [("list",), ("runs",), ("show", 1), ("steps", 1), ("sql", "SELECT 1"), ("export", "runs", "x.csv")]
)
def test_a_database_that_is_not_there_is_not_made(call, tmp_path, command):
    done = call(*command, RUNNER_DB="none.db")
    message = "error: database none.db: there is none; `runner run` makes it, --db or RUNNER_DB names another\n"
    assert (done.code, done.out, done.err) == (4, "", message)
    assert list(tmp_path.iterdir()) == []


def test_show(ask, stored):
    with runner.open(str(stored)) as database:
        run = database.run(3)
        ((_, series),) = database.trajectories(3)
    done = ask("show", run.identity[:9])
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"run 3  {run.identity}"
    told = {line[2:15].strip(): line[17:] for line in lines[1:] if line.startswith("  ")}
    assert told["objective"] == "quadratic  condition_number = 1, dimension = 1"
    assert told["optimizer"] == "gradient_descent  learning_rate = 0.3"
    assert told["outcome"].startswith(run.outcome)
    assert told["final value"].startswith(repr(run.final_value))
    assert "fifty (1), place 2" in done.out
    steps = [line.split()[0] for line in lines if line.split() and line.split()[0].isdigit()]
    assert steps[:3] == ["0", "1", "2"]
    assert steps[-1] == str(run.steps)
    assert f"{series.value[0]:.6g}" in done.out
    assert "f − f* (log)" in done.out
    as_json = ask("show", 3, "--format", "json").json
    assert (as_json["identity"], as_json["final_value"]) == (run.identity, run.final_value)
    assert as_json["optimizer"]["parameters"] == {"learning_rate": 0.3}


def test_a_run_without_steps_is_shown(tmp_path, stored, runner_cli):
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE run SET outcome = 'failed', error = 'ZeroDivisionError: x', steps = 0 WHERE id = 1")
        connection.execute("DELETE FROM chunk WHERE run_id = 1")
    done = runner_cli("show", 1, "--db", "c.db")
    assert (done.code, done.err) == (0, "")
    assert "ZeroDivisionError: x" in done.out
    assert done.out.endswith("no step is stored\n")


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
    assert done.err == "only the first 20; --limit shows more\n"
    assert len(ask("steps", 2, "--limit", 3, "--series", "value", "--format", "jsonl").out.splitlines()) == 3
    assert ask("steps", "--where", "id < 0", "--format", "json").json == []


def test_a_table_of_all_steps_has_no_more(call, stored, monkeypatch):
    with runner.open(str(stored)) as database:
        run = database.runs("steps = 20", limit=1)["id"][0]
    monkeypatch.setattr("runner.cli.steps.SHOWN", 21)
    done = call("steps", run, "--db", stored)
    assert (len(done.out.splitlines()), done.err) == (22, "")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM run", f"not authorized: {ALLOWED}"),
        ("UPDATE runs SET steps = 0", "cannot modify runs because it is a view"),
        ("DROP VIEW runs", f"not authorized: {ALLOWED}"),
        ("CREATE TEMP TABLE x(a)", f"not authorized: {ALLOWED}"),
        ("ATTACH 'x.db' AS x", f"not authorized: {ALLOWED}"),
        ("VACUUM INTO 'y.db'", f"authorization denied: {ALLOWED}"),
        ("PRAGMA journal_mode = DELETE", f"not authorized: {ALLOWED}"),
        ("BEGIN", f"not authorized: {ALLOWED}"),
        ("SELECT 1; DELETE FROM run", f"You can only execute one statement at a time: {ALLOWED}"),
        ("SELECT load_extension('x')", f"not authorized to use function: load_extension: {ALLOWED}"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("", f"'' asks for no rows: {ALLOWED}"),
        ("SELECT zeroblob(100000000)", "string or blob too big"),
        (
            "SELECT hex(zeroblob(4000000)) FROM runs, runs r, runs s",
            "answers more than 256 MiB; ask for less, or use `runner export`",
        ),
    ],
)
def test_sql_only_reads(stored, query, message):
    before = stored.read_bytes()
    with runner.open(str(stored)) as database, pytest.raises(runner.RunnerError) as error:
        database.sql(query, limit=100_000)
    assert (error.value.exit_code, str(error.value)) == (2, f"SQL: {message}")
    assert stored.read_bytes() == before
    assert {path.name for path in stored.parent.iterdir()} <= {"e.toml", "r.db", "r.db-wal", "r.db-shm"}


def test_sql(ask):
    done = ask("sql", "SELECT objective, count(*) FROM runs GROUP BY 1", "--format", "csv")
    assert (done.code, done.err, done.out) == (0, "", "objective,count(*)\nlinear_regression,12\nquadratic,12\n")
    steps = "SELECT step, value, x0, x'00ff', NULL AS x, 1 AS x FROM steps WHERE run_id = 1 ORDER BY step"
    done = ask("sql", steps, "--limit", 2, "--format", "json")
    assert [(row["step"], row["x'00ff'"], row["x"], row["x_2"]) for row in done.json] == [
        (0, "00ff", None, 1),
        (1, "00ff", None, 1),
    ]
    assert done.err == "only the first 2 rows; --limit shows more\n"
    counting = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT x FROM c"
    for rows, told in ((1000, ""), (1001, "only the first 1,000 rows; --limit shows more\n")):
        done = ask("sql", counting.format(rows), "--format", "csv")
        assert (done.code, done.out.count("\n"), done.err) == (0, 1001, told)
    forever = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    done = ask("sql", forever, "--seconds", 0.2)
    assert (done.code, done.err) == (2, "error: SQL: takes longer than 0.2 s; ask for less, or allow more time\n")


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the sqlite3 shell is not installed")
def test_the_views_work_in_the_stock_shell(stored):
    query = (
        "SELECT r.objective, p.number, s.value FROM runs r JOIN steps s ON s.run_id = r.id JOIN parameters p ON p.run_id = r.id "
    )
    query += "AND p.name = 'learning_rate' WHERE r.id = 1 AND s.step = 0; SELECT name, runs FROM experiments;"
    done = subprocess.run(["sqlite3", "-readonly", str(stored), query], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first, *experiments = done.stdout.splitlines()
    with runner.open(str(stored)) as database:
        ((_, series),) = database.trajectories(1)
    assert first.split("|")[:2] == ["quadratic", "0.1"]
    assert float(first.split("|")[2]) == pytest.approx(series.value[0], rel=1e-12)
    assert experiments == ["fifty|12", "twenty|12"]


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_figure_is_the_same_bytes_each_time(ask, tmp_path, suffix):
    for name in ("a", "b"):
        done = ask("plot", "fifty", "--figure", "convergence", "-o", f"{name}.{suffix}")
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith(f"\nwrote {name}.{suffix}\n")
        assert len(done.out) > 200, "the caption is printed"
        assert "\\n" not in done.out
    content = (tmp_path / f"a.{suffix}").read_bytes()
    assert content == (tmp_path / f"b.{suffix}").read_bytes()
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])


def test_a_figure_of_some_runs_differs(ask, tmp_path):
    ask("plot", 1, "--figure", "outcomes", "-o", "all.svg")
    ask("plot", 1, "--figure", "outcomes", "--where", 'objective = "quadratic"', "-o", "some.svg")
    assert (tmp_path / "all.svg").read_bytes() != (tmp_path / "some.svg").read_bytes()
    assert ask("plot", "twenty", "--figure", "outcomes").out.endswith("wrote twenty-outcomes.svg\n")


def test_a_report_is_drawn_again_the_same_as_after_the_run(tmp_path, write, runner_cli):
    assert runner_cli("run", write(), "--db", "r.db").code == 0
    for folder in ("one", "two"):
        done = runner_cli("report", "small", "--db", "r.db", "-o", folder)
        assert (done.code, done.err, done.out) == (0, "", f"report: {folder}/index.html\n")
    written = {path.relative_to(tmp_path / "one"): path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert {path: (tmp_path / "two" / path).read_bytes() for path in written} == written
    first = {path: (tmp_path / "results" / "small" / path).read_bytes() for path in written}
    assert {path for path in written if written[path] != first[path]} == {Path("index.html")}
    page = written[Path("index.html")].decode()
    assert "runner report 1" in page
    assert "it computes nothing" in page
    only = runner_cli("report", 1, "--db", "r.db", "--figure", "outcomes", "-o", "three")
    assert only.code == 0
    assert sorted(path.name for path in (tmp_path / "three" / "figures").iterdir()) == ["outcomes.png", "outcomes.svg"]


def test_compare_two_experiments(ask, stored):
    done = ask("compare", "fifty", "twenty")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:4] == [
        "A: fifty",
        "B: twenty",
        "they differ in rules.max_steps: 50 | 20",
        "12 pairs; 0 runs only in A, 0 only in B",
    ]
    pairs = ask("compare", 1, 2, "--format", "json").json
    assert len(pairs) == 12
    with runner.open(str(stored)) as database:
        for pair in pairs:
            a, b = database.run(pair["id_a"]), database.run(pair["id_b"])
            assert (a.start, a.optimizer, a.objective) == (b.start, b.optimizer, b.objective)
            assert (pair["outcome_a"], pair["steps_b"]) == (a.outcome, b.steps)
            assert pair["difference"] == b.final_value - a.final_value


def test_compare_two_filters(ask):
    done = ask("compare", "experiment = 1 and learning_rate = 0.1", "experiment = 1 and learning_rate > 0.2")
    lines = done.out.splitlines()
    assert lines[2] == "they differ in optimizer.learning_rate: 0.1 | 0.3, 1.1"
    assert lines[3] == "0 pairs; 0 runs only in A, 0 only in B"
    assert lines[4] == "4 combinations have several runs on one side, and are left out; a filter may tell them apart"


def test_compare_counts_one_as_one(ask):
    done = ask("compare", "id = 1", "id = 2")
    assert done.out.splitlines()[2:4] == [
        "1 pair; 0 runs only in A, 0 only in B",
        "the final value is lower in A 1 time, in B 0 times, in neither 0 times",
    ]


def test_no_run_at_all_is_told(ask):
    done = ask("runs", "--where", "steps > 1e6")
    assert (done.code, done.err) == (0, "there are no such runs\n")
    assert ask("runs", "--where", "steps > 1e6", "--format", "csv").err == ""


def test_every_bit_survives_an_export(tmp_path, write, runner_cli):
    payload = struct.unpack(">d", bytes.fromhex("7ff8000000000123"))[0]
    values = [*SPECIAL, payload]
    store_series(tmp_path / "r.db", write(), values, final=math.nan)
    expected = np.array(values).tobytes()
    for name in ("steps.npz", "steps.parquet", "steps.csv", "steps.jsonl", "runs.parquet", "runs.npz"):
        done = runner_cli("export", name.partition(".")[0], name, "--db", "r.db")
        assert (done.code, done.err) == (0, "")
    archive = np.load(tmp_path / "steps.npz")
    assert archive["1/value"].tobytes() == archive["1/gradient_norm"].tobytes() == expected
    assert archive["1/x"].tobytes() == expected
    table = read_parquet(tmp_path / "steps.parquet").read_all()
    assert table["value"].combine_chunks().to_numpy().tobytes() == table["x0"].combine_chunks().to_numpy().tobytes() == expected
    texts = [row["value"] for row in cells((tmp_path / "steps.csv").read_text())]
    lines = [json.loads(line)["value"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    for read in ([float(text) for text in texts], [float(value) for value in lines]):
        assert [struct.pack("d", abs(each) if math.isnan(each) else each) for each in read] == [
            struct.pack("d", math.nan if math.isnan(each) else each) for each in values
        ]
    assert math.isnan(np.load(tmp_path / "runs.npz")["final_value"][0])
    assert math.isnan(read_parquet(tmp_path / "runs.parquet").read_all()["final_value"].combine_chunks().to_numpy()[0])


def test_exports_have_all_that_was_asked_for(ask, stored, tmp_path):
    assert (
        ask("export", "runs", "r.csv", "--where", "experiment = 1", "--columns", "id,learning_rate").out
        == "wrote 12 runs to r.csv\n"
    )
    assert cells((tmp_path / "r.csv").read_text())[0] == {"id": "1", "learning_rate": "0.1"}
    with runner.open(str(stored)) as database:
        everything = database.steps()
        runs = database.runs()
    assert ask("export", "steps", "s.parquet").out == f"wrote {len(everything):,} iterates to s.parquet\n"
    table = read_parquet(tmp_path / "s.parquet").read_all()
    assert table.column_names == list(everything.names)
    assert table["value"].combine_chunks().to_numpy().tobytes() == everything["value"].tobytes()
    ask("export", "runs", "r.parquet")
    assert read_parquet(tmp_path / "r.parquet").read_all().column_names == list(runs.names)
    ask("export", "steps", "s.npz", "--where", "id = 2", "--series", "x")
    assert np.load(tmp_path / "s.npz").files == ["2/x"]


def test_an_archive_is_the_same_bytes_each_time(ask, tmp_path):
    for name in ("a.npz", "b.npz"):
        ask("export", "steps", name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_an_export_is_whole_or_not_there(tmp_path, stored, runner_cli):
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE chunk SET data = zeroblob(length(data)) WHERE run_id = 12")
    for name in ("s.csv", "s.parquet", "s.npz", "s.jsonl"):
        (tmp_path / name).write_text("what was there before")
        done = runner_cli("export", "steps", name, "--db", "c.db")
        assert (done.code, done.err) == (4, "error: database c.db: the trajectory of run 12 is damaged at step 0\n")
        assert (tmp_path / name).read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize("library", ["arro3.core", "arro3.io"])
def test_parquet_without_its_libraries_names_the_extra(stored, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with runner.open(str(stored)) as database, pytest.raises(runner.RunnerError) as error:
        database.export_runs(tmp_path / "r.parquet")
    install = "python -m pip install 'gradient-runner[parquet]'"
    assert str(error.value) == f"a Parquet file needs arro3-io, which is not installed: {install}"
    assert list(tmp_path.iterdir()) == []


def test_nothing_stored_is_obeyed_by_a_terminal(tmp_path, stored, call):
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE experiment SET name = ?, description = ?", (EVIL, EVIL))
        connection.execute("UPDATE run SET error = ?, outcome = 'failed'", (EVIL,))
        connection.execute("UPDATE setting SET name = ? WHERE kind = 'objective'", (EVIL,))
        connection.execute("UPDATE environment SET cpu = ?", (EVIL,))
    commands = [
        ("list",),
        ("runs", "--columns", "id,error,objective"),
        ("runs", "--format", "json"),
        ("show", 1),
        ("sql", "SELECT error AS 'a\x1bb' FROM runs"),
        ("compare", "experiment = 1", "experiment = 2"),
        ("plot", 1, "--figure", "convergence", "-o", "c.svg"),
        ("plot", "nothing", "--figure", "convergence"),
        ("report", 1, "-o", "again", "--figure", "outcomes"),
        ("plot", EVIL[:-1], "--figure", "convergence"),
        ("runs", "--where", "error = '\x1b' and nothing = 1"),
    ]
    for command in commands:
        done = call(*command, "--db", "c.db")
        assert "Traceback" not in done.err
        assert not {"\x1b", "\x07", "\u202e"} & set(done.out + done.err), command
    page = (tmp_path / "again" / "index.html").read_text(encoding="utf-8")
    assert page.count(r"\x1b]0;owned\x07\u202e&lt;b&gt;$x$") > 3
    assert not {"\x1b", "\x07", "\u202e"} & set(page)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_csv_is_exact_in_a_file_and_written_out_on_a_terminal(tmp_path, stored, call):
    pexpect = pytest.importorskip("pexpect")
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE experiment SET description = ?", (EVIL + "\x9b",))
    asked = ["list", "--format", "csv", "--db", "c.db"]
    assert {row["description"] for row in cells(call(*asked).out)} == {EVIL + "\x9b"}
    command = ["-c", "from runner.cli import main; main()", *asked]
    child = pexpect.spawn(sys.executable, command, cwd=str(tmp_path), encoding="utf-8", timeout=60)
    shown = child.read()
    assert {row["description"] for row in cells(shown)} == {r"\x1b]0;owned\x07\u202e<b>$x$\x9b"}
    assert not [each for each in shown if each not in "\r\n" and not each.isprintable()]


def test_a_closed_pipe_is_quiet(stored):
    command = (
        f'{sys.executable} -c "from runner.cli import main; main()" steps --where "id > 0" --format csv --db {stored} | head -n 1'
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.startswith("run,step,value")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], ("", "▁▂▃▄▅▆▇█")),
        ([1, 10, 100, 1000], (" (log)", "▁▃▆█")),
        ([0, 1, 1000], (" (log)", "▁▁█")),
        ([5, 5], ("", "▁▁")),
        ([math.nan, -math.inf, 1.0], ("", "××▁")),
        ([-1.7e308, 1.7e308], ("", "▁█")),
        ([], ("", "")),
    ],
)
def test_sparklines(values, expected):
    assert sparkline.sparkline([float(value) for value in values], 60) == expected


def test_a_long_sparkline_ends_with_the_last_value():
    assert sparkline.sparkline([float(each) for each in range(1000)], 8)[1] == "▁▂▃▄▅▆▇█"

"""Properties of all commands that read a database."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.support.command_line import cells
from tests.support.databases import opened

EVIL = "\x1b]0;owned\x07\u202e<b>$x$"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("runs", "--where", "lerning_rate < 1"), 2, "error: filter: character 1: unknown name lerning_rate; did you mean learning_rate?\n"
         "  lerning_rate < 1\n  ^\n"),
        (("runs", "--sort", "nothing"), 2, None),
        (("show", "zzzz"), 2, None),
        (("steps",), 2, "error: runs: give either one or several runs, or a filter with --where\n"),
        (("steps", "1", "--where", "id = 1"), 2, "error: runs: give either one or several runs, or a filter with --where\n"),
        (("steps", "1", "--series", "y"), 2, "error: series: there is no 'y'; allowed: value, gradient_norm, x, gradient\n"),
        (("plot", "fifty", "--figure", "convergenc"), 2, "error: figure: there is no figure 'convergenc'; did you mean convergence?\n"),
        (("plot", "fifty", "--figure", "outcomes", "-o", "x.gif"), 2,
         "error: x.gif: must end in .svg, .png or .pdf (the suffix sets the format)\n"),
        (("plot", "fifty", "--figure", "outcomes", "--where", "id < 0"), 2,
         "error: experiment fifty (1): none of its runs satisfies the filter\n"),
        (("export", "runs", "x.txt"), 2, "error: x.txt: must end in .parquet, .csv, .jsonl or .npz (the suffix sets the format)\n"),
        (("export", "runs", "x.csv", "--series", "x"), 2, "error: --series: allowed only for `export steps`\n"),
        (("export", "steps", "x.csv", "--columns", "id"), 2, "error: --columns: allowed only for `export runs`\n"),
        (("export", "runs", "no/x.csv", "--where", "step = 1"), 2,
         "error: filter: character 1: unknown name step; did you mean steps?\n  step = 1\n  ^\n"),
        (("compare", "fifty", "id < 0"), 2, "error: compare: no run satisfies 'id < 0'\n"),
    ],
)  # fmt: skip
def test_each_mistake_gives_one_message(call, stored, tmp_path, arguments, code, message):
    done = call(*arguments, "--db", stored)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert message is None or done.err == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("report", "fifti"), ("plot", "fifti", "--figure", "outcomes"), ("compare", "fifti", "1")])
def test_missing_experiment(call, stored, command):
    done = call(*command, "--db", stored)
    assert (done.code, done.err) == (2, f"error: database {stored}: holds no experiment 'fifti'; did you mean fifty?\n")


@pytest.mark.parametrize(
    "command", [("list",), ("runs",), ("show", 1), ("steps", 1), ("sql", "SELECT 1"), ("export", "runs", "x.csv")]
)
def test_missing_database_is_not_created(call, tmp_path, command):
    done = call(*command, RUNNER_DB="none.db")
    message = "error: database none.db: does not exist; `runner run` creates it, and --db or RUNNER_DB names another database\n"
    assert (done.code, done.out, done.err) == (4, "", message)
    assert list(tmp_path.iterdir()) == []


def test_stored_text_cannot_control_the_terminal(tmp_path, stored, call):
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
def test_csv_is_exact_in_a_file_and_escaped_on_a_terminal(tmp_path, stored, call):
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

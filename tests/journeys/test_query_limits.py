"""Queries are limited in time, rows and numbers."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import runner
from runner.errors import QueryError
from tests.support.command_line import Done, call_main
from tests.support.databases import stored_in
from tests.support.experiment_texts import SMALL

HUGE = 10**30
HOURS = "SELECT instr(replace(hex(zeroblob(8000000)), '0', 'a'), replace(hex(zeroblob(4000000)), '0', 'a') || 'b')"
"""One call of one function, which compares 10¹³ bytes."""
FOREVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
PRESSED = """
import os, signal, sys, threading, time
from runner.cli import main

def press():
    while not any(thread.name == "SQL" for thread in threading.enumerate()):
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=press, daemon=True).start()
main()
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the twelve runs of the small experiment."""
    return stored_in(tmp_path_factory.mktemp("bounds"), SMALL)


@pytest.fixture
def call(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Call `runner` in this process, in the test's folder, on the stored runs."""
    return functools.partial(call_main, tmp_path, monkeypatch, capsys, RUNNER_DB=str(stored))


def test_one_sql_function_cannot_exceed_the_time_limit(runner_cli, stored):
    done = runner_cli("sql", HOURS, "--seconds", 0.5, "--db", stored)
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "error: SQL: takes longer than 0.5 s; query less data, or allow more time\n",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("query", [HOURS, FOREVER])
def test_ctrl_c_ends_a_query(stored, query):
    command = [sys.executable, "-c", PRESSED, "sql", query, "--seconds", "100000", "--db", str(stored)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")


def test_abandoned_query_ends_at_its_next_check(stored):
    with runner.open(stored) as database:
        with pytest.raises(QueryError):
            database.sql(FOREVER, seconds=0.01)
        for thread in threading.enumerate():
            if thread.name == "SQL":
                thread.join(60)
                assert not thread.is_alive()
        assert database.sql("SELECT count(*) AS n FROM runs").frame["n"].tolist() == [12]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0, -1, HUGE])
def test_time_limit_must_be_a_time(stored, seconds):
    with runner.open(stored) as database, pytest.raises(QueryError) as error:
        database.sql("SELECT 1", seconds=seconds)
    assert str(error.value) == f"seconds: must be a number > 0 and <= 1,000,000, not {seconds!r}"


def test_pattern_must_be_short(stored):
    with runner.open(stored) as database, pytest.raises(QueryError) as error:
        database.sql(f"SELECT 'a' LIKE '{'%a' * 600}'")
    assert str(error.value) == "SQL: LIKE or GLOB pattern too complex"


@pytest.mark.parametrize(("limit", "least"), [(HUGE, 0), (10**9 + 1, 0), (-1, 0), (1.5, 0), ("3", 0), (0, 1), (HUGE, 1)])
def test_row_limit_must_be_a_whole_number_in_bounds(stored, limit, least):
    with runner.open(stored) as database, pytest.raises(QueryError) as error:
        database.sql("SELECT 1", limit=limit) if least else database.runs(limit=limit)
    assert str(error.value) == f"limit: must be a whole number from {least} to 1,000,000,000, not {limit!r}"


def test_numpy_integers_are_accepted(stored):
    with runner.open(stored) as database:
        assert len(database.runs(limit=np.int64(2))) == 2
        assert len(database.sql("SELECT * FROM runs", limit=np.uint8(3)).frame) == 3


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("runs", "--limit", HUGE), f"--limit: must be a whole number from 0 to 1,000,000,000, not '{HUGE}'"),
        (("steps", "1", "--limit", HUGE), f"--limit: must be a whole number from 0 to 1,000,000,000, not '{HUGE}'"),
        (("compare", "a", "b", "--limit", HUGE), f"--limit: must be a whole number from 0 to 1,000,000,000, not '{HUGE}'"),
        (("sql", "SELECT 1", "--limit", HUGE), f"--limit: must be a whole number from 1 to 1,000,000,000, not '{HUGE}'"),
        (
            ("sql", "SELECT 1", "--limit", "9" * 5000),
            f"--limit: must be a whole number from 1 to 1,000,000,000, not '{'9' * 59}…'",
        ),
        (("sql", "SELECT 1", "--seconds", "nan"), "--seconds: must be a number > 0 and <= 1,000,000, not 'nan'"),
        (("sql", "SELECT 1", "--seconds", "inf"), "--seconds: must be a number > 0 and <= 1,000,000, not 'inf'"),
        (("runs", "--format", "x" * 1000), f"--format: must be one of table, json, jsonl, csv, not '{'x' * 59}…'"),
        (("inspect", "quadratic", "--tries", HUGE), f"--tries: must be a whole number from 1 to 1,000,000, not '{HUGE}'"),
    ],
)
def test_options_have_bounds(call, arguments, problem):
    done = call(*arguments)
    assert (done.code, done.out, done.err) == (2, "", f"error: {problem}\n  see runner {arguments[0]} --help\n")

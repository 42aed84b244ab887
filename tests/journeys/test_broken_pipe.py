"""A reader of the output may stop reading: `runner runs | head -1` ends quietly, as other programs do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import stored_in
from tests.support.experiment_texts import SMALL

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE")
COMMAND = [sys.executable, "-c", "from runner.cli import main; main()"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the twelve runs of the small experiment."""
    return stored_in(tmp_path_factory.mktemp("pipe"), SMALL)


def unheard(folder: Path, *arguments: str, errors_too: bool = False) -> tuple[int, str]:
    """Call `runner` with a closed output; return its exit code, and its errors if that output is open."""
    reading, writing = os.pipe()
    os.close(reading)
    errors = writing if errors_too else subprocess.PIPE
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run([*COMMAND, *arguments], cwd=folder, stdout=nobody, stderr=errors, check=False, timeout=120)
    return done.returncode, (done.stderr or b"").decode()


@pytest.mark.parametrize("arguments", [("--help",), ("db", "info", "--help"), ("runs", "--format", "csv"), ("verify",)])
def test_closed_output_ends_the_command_quietly(stored, arguments):
    wanted = arguments if "--help" in arguments else (*arguments, "--db", "r.db")
    assert unheard(stored.parent, *wanted) == (141, "")


def test_closed_error_output_ends_the_command_too(stored):
    assert unheard(stored.parent, "show", "99", "--db", "r.db", errors_too=True) == (141, "")


def test_sweep_keeps_its_finished_runs(stored, write, tmp_path, runner_cli):
    write()
    assert unheard(tmp_path, "run", "small.toml", "--no-report", errors_too=True) == (141, "")
    assert runner_cli("run", "small.toml", "--quiet").code == 0
    assert runner_cli("verify").code == 0


def test_reader_that_stops_after_one_line(stored):
    counting = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) SELECT x FROM c"
    with subprocess.Popen(
        [*COMMAND, "sql", counting, "--limit", "100000", "--format", "csv", "--db", "r.db"],
        cwd=stored.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"x\n"
        process.stdout.close()
        process.wait(timeout=120)
        assert (process.returncode, process.stderr.read()) == (141, b"")

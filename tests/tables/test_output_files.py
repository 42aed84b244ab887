"""Missing folders are made for an output file, and removed if no file was written."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.tables.output_files import parent_folders
from tests.support.command_line import Done, call_main
from tests.support.paths import KEPT_DATABASE

REFUSAL = "taken is a file, not a folder; move it away or choose another folder"
WRITERS = [
    (("export", "runs"), "x.csv"),
    (("export", "steps"), "x.npz"),
    (("plot", "kept", "--figure", "outcomes", "-o"), "x.svg"),
    (("inspect", "quadratic", "-o"), "x.png"),
    (("db", "backup"), "x.db"),
    (("db", "copy"), "x.db"),
]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Call `runner` in this process, on a database in the same folder."""
    shutil.copy(KEPT_DATABASE, tmp_path / "r.db")
    return functools.partial(call_main, tmp_path, monkeypatch, capsys, RUNNER_DB="r.db")


@pytest.mark.parametrize(("command", "name"), WRITERS)
def test_a_missing_folder_is_made(tmp_path, call, command, name):
    done = call(*command, f"new/deep/{name}")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "new" / "deep" / name).stat().st_size > 0


@pytest.mark.parametrize(("command", "name"), WRITERS[:-1])
def test_a_file_where_a_folder_should_be_is_reported(tmp_path, call, command, name):
    (tmp_path / "taken").touch()
    done = call(*command, f"taken/{name}")
    assert done.code == (4 if command[0] == "db" else 5)
    assert done.err.endswith(f"taken/{name}{'' if command[0] == 'db' else ' cannot be written'}: {REFUSAL}\n")


def fail_in(path: Path, beside: str | None = None) -> None:
    with parent_folders(path):
        assert path.parent.is_dir()
        if beside is not None:
            (path.parent.parent / beside).touch()
        raise LookupError


def test_folder_is_removed_if_no_file_was_written(tmp_path):
    (tmp_path / "old").mkdir()
    with pytest.raises(LookupError):
        fail_in(tmp_path / "old" / "new" / "newer" / "file")
    assert [*tmp_path.rglob("*")] == [tmp_path / "old"]


def test_folder_in_use_by_others_is_kept(tmp_path):
    with pytest.raises(LookupError):
        fail_in(tmp_path / "new" / "newer" / "file", beside="theirs")
    assert [*tmp_path.rglob("*")] == [tmp_path / "new", tmp_path / "new" / "theirs"]

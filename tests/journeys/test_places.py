"""Output files never replace a database, a pipe or a device; if the name is a link, its target is written."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Done
from tests.support.databases import damage, run_into, stored_bits
from tests.support.paths import KEPT_DATABASE

OVERWRITING = [
    (["export", "runs", "r.npz"], "r.npz"),
    (["export", "runs", "link.csv"], "r.db"),
    (["export", "steps", "r.csv"], "r.csv"),
    (["plot", "kept", "--figure", "convergence", "-o", "r.svg"], "r.svg"),
    (["report", "kept", "-o", "."], "summary.csv"),
    (["inspect", "1", "-o", "r.png"], "r.png"),
]


@pytest.mark.parametrize(("command", "database"), OVERWRITING, ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_database_is_not_written_over(tmp_path, runner_cli, command, database):
    shutil.copy(KEPT_DATABASE, tmp_path / database)
    (tmp_path / "link.csv").symlink_to(database)
    done = runner_cli(*command, "--db", database)
    named = "link.csv" if database == "r.db" else database
    assert done == Done(5, "", f"error: {named} cannot be written: it is a database; name another file\n")
    assert (tmp_path / database).read_bytes() == KEPT_DATABASE.read_bytes()
    assert (tmp_path / "link.csv").is_symlink()


def test_database_is_not_copied_onto_itself_or_its_companion_files(tmp_path, runner_cli):
    shutil.copy(KEPT_DATABASE, tmp_path / "r.db")
    beside = "SQLite keeps a part of r.db in r.db-journal; name another file"
    for command, told in {
        ("backup", "r.db"): "r.db: cannot be copied to r.db: the file exists; name another one",
        ("copy", "r.db"): "r.db: holds 26 runs of 2 experiments, and a copy needs a new or empty database; name another one",
        ("backup", "r.db-journal"): f"r.db: cannot be copied to r.db-journal: {beside}",
        ("copy", "r.db-journal"): f"r.db-journal: cannot be written: {beside}",
    }.items():
        assert runner_cli("db", *command, "--db", "r.db") == Done(4, "", f"error: database {told}\n")
    assert (tmp_path / "r.db").read_bytes() == KEPT_DATABASE.read_bytes()
    assert not (tmp_path / "r.db-journal").exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_written_through(tmp_path, runner_cli, there):
    (tmp_path / "folder").mkdir()
    for name in ("runs.csv", "picture.svg"):
        if there:
            (tmp_path / "folder" / name).write_text("older")
        (tmp_path / name).symlink_to(Path("folder", name))
    assert runner_cli("export", "runs", "runs.csv", "--db", KEPT_DATABASE).code == 0
    assert runner_cli("plot", "kept", "--figure", "convergence", "-o", "picture.svg", "--db", KEPT_DATABASE).code == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_symlink()) == ["picture.svg", "runs.csv"]
    assert (tmp_path / "folder" / "runs.csv").read_text().startswith("id,")
    assert "<svg" in (tmp_path / "folder" / "picture.svg").read_text()
    assert len(list((tmp_path / "folder").iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names")
class TestPipes:
    def test_pipe_is_refused_as_a_database(self, tmp_path, write, runner_cli):
        os.mkfifo(tmp_path / "pipe")
        write()
        told = Done(4, "", "error: database pipe: is a pipe or a device; name a file\n")
        for command in (["runs"], ["verify"], ["run", "small.toml", "--quiet"], ["db", "backup"]):
            assert runner_cli(*command, "--db", "pipe") == told
        assert runner_cli("db", "copy", "pipe", "--db", KEPT_DATABASE) == told

    def test_device_or_pipe_is_not_replaced_by_a_file(self, tmp_path, runner_cli):
        os.mkfifo(tmp_path / "pipe.csv")
        (tmp_path / "null.csv").symlink_to(os.devnull)
        for name in ("pipe.csv", "null.csv"):
            done = runner_cli("export", "runs", name, "--db", KEPT_DATABASE)
            assert done == Done(5, "", f"error: {name} cannot be written: it is a pipe or a device; name a file\n")


class TestNames:
    def test_an_empty_name_is_refused(self, runner_cli):
        done = runner_cli("runs", "--db", "")
        assert done == Done(4, "", "error: database '': has no name; give a path or URL with --db or RUNNER_DB\n")

    def test_in_memory_database_is_refused(self, runner_cli):
        done = runner_cli("runs", "--db", ":memory:")
        assert done == Done(4, "", "error: database :memory:: results are kept in a file; give its path\n")

    @pytest.mark.skipif(sys.platform != "linux", reason="not every system has such names")
    @pytest.mark.parametrize("name", ["./:memory:", b"\xff.db", "a?b#c%20.db"])
    def test_a_file_may_have_any_name(self, tmp_path, write, runner_cli, name):
        path = write()
        name = os.fsdecode(name)
        assert runner_cli("run", "small.toml", "--no-report", "--quiet", "--db", name).code == 0
        run_into(path, tmp_path / "other.db")
        assert stored_bits(tmp_path / "other.db") == stored_bits(tmp_path / name)
        assert damage(tmp_path / name) == []
        for command in (["verify"], ["db", "info"], ["db", "backup"], ["db", "vacuum"]):
            done = runner_cli(*command, "--db", name)
            assert (done.code, done.err) == (0, ""), command


@pytest.mark.skipif(sys.platform == "win32", reason="creating a link needs special rights")
def test_log_lies_beside_the_target_of_a_link(tmp_path, write, runner_cli):
    (tmp_path / "folder").mkdir()
    (tmp_path / "r.db").symlink_to(Path("folder", "r.db"))
    (tmp_path / "folder" / "r.db").touch()
    (tmp_path / "folder" / "r.db-wal").write_text("left")
    write()
    done = runner_cli("run", "small.toml", "--no-report", "--quiet", "--db", "r.db")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "error: database r.db: cannot be created: r.db-wal next to it is left from a removed database of this name, and would "
        "be taken for a part of the new one; delete it or move it away, or bring that database back, then run the same command again\n"
    )
    assert (tmp_path / "folder" / "r.db-wal").read_text() == "left"

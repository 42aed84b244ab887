"""Databases that are removed or replaced: no remains of one database become a part of another."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.schema import landmark
from tests.support.databases import damage, opened, run_into, stored_bits
from tests.support.paths import KEPT_DATABASE
from tests.support.sweep_processes import blocked_sweep

CREATED = "error: database shared.db: cannot be created: "
RUN = ("run", "small.toml", "--db", "shared.db", "--no-report", "--quiet")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed")


def companions(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.db?*"))


@pytest.mark.parametrize("emptied", [False, True])
def test_log_of_a_removed_file_is_not_used_by_a_new_database(tmp_path, write, runner_cli, emptied):
    with blocked_sweep(tmp_path, write) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (tmp_path / "shared.db").unlink()
    if emptied:
        (tmp_path / "shared.db").touch()
    log = (tmp_path / "shared.db-wal").read_bytes()
    assert log
    write()
    done = runner_cli(*RUN)
    assert (done.code, done.out) == (4, "")
    remains = (
        "shared.db-wal next to it is left from a removed database of this name, and would be taken for a part of the new one; "
        "delete it or move it away, or bring that database back, then run the same command again\n"
    )
    assert done.err == CREATED + remains
    refused = runner_cli("db", "copy", "shared.db", "--db", KEPT_DATABASE)
    assert (refused.code, refused.out, refused.err) == (4, "", f"error: database shared.db: cannot be written: {remains}")
    if not emptied:
        refused = runner_cli("db", "backup", "shared.db", "--db", KEPT_DATABASE)
        assert (refused.code, refused.out) == (4, "")
        assert refused.err == f"error: database {KEPT_DATABASE}: cannot be copied to shared.db: {remains}"
    assert (tmp_path / "shared.db-wal").read_bytes() == log
    (tmp_path / "shared.db-wal").rename(tmp_path / "moved")
    assert runner_cli(*RUN).code == 0
    run_into(tmp_path / "small.toml", tmp_path / "other.db")
    assert stored_bits(tmp_path / "shared.db") == stored_bits(tmp_path / "other.db")
    assert damage(tmp_path / "shared.db") == []


@pytest.mark.skipif(sys.platform != "linux", reason="the program finds out about SQLite's locks only on Linux")
def test_name_is_not_reused_while_a_process_writes_to_the_removed_file(tmp_path, write, runner_cli):
    with blocked_sweep(tmp_path, write) as process:
        for file in ("shared.db", "shared.db-wal"):
            (tmp_path / file).unlink()
        write()
        done = runner_cli(*RUN)
        assert (done.code, done.out) == (4, "")
        assert done.err == CREATED + (
            "a database of this name was removed, but a running program still has it open; wait until that program ends, or end it, "
            "then run the same command again\n"
        )
        (tmp_path / "go").touch()
        process.communicate(timeout=60)
    assert process.returncode == 4
    assert companions(tmp_path) == []
    assert runner_cli(*RUN).code == 0
    assert damage(tmp_path / "shared.db") == []


def test_a_sweep_whose_file_was_removed_can_be_run_again(tmp_path, write, runner_cli):
    with blocked_sweep(tmp_path, write) as process:
        (tmp_path / "shared.db").unlink()
        (tmp_path / "go").touch()
        process.communicate(timeout=60)
    assert process.returncode == 4
    assert companions(tmp_path) == []
    assert runner_cli("run", "blocked.toml", "--db", "shared.db", "--no-report").code == 0
    assert damage(tmp_path / "shared.db") == []


@pytest.mark.parametrize("interrupted", [False, True])
def test_replacement_of_a_database_in_use_stays_unchanged(tmp_path, write, interrupted):
    with blocked_sweep(tmp_path, write) as process:
        os.link(tmp_path / "shared.db", tmp_path / "old.db")
        shutil.copy(KEPT_DATABASE, tmp_path / "new.db")
        (tmp_path / "new.db").replace(tmp_path / "shared.db")
        if interrupted:
            process.send_signal(signal.SIGINT)
        else:
            (tmp_path / "go").touch()
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert told.splitlines()[-1] == (
        "error: database shared.db: was removed or replaced while it was in use; run the same command again"
    )
    assert companions(tmp_path) == []
    assert (tmp_path / "shared.db").read_bytes() == KEPT_DATABASE.read_bytes()
    assert damage(tmp_path / "shared.db") == []
    with opened(tmp_path / "old.db") as old:
        assert old.execute("SELECT name FROM experiment").fetchall() == [("blocked",)], (
            "the contents of the log are in the log's own database"
        )
    assert damage(tmp_path / "old.db") == []


class TestLeaving:
    """A database whose file is replaced after it was written to, in this process."""

    def replace(self, folder: Path) -> None:
        os.link(folder / "r.db", folder / "old.db")
        shutil.copy(KEPT_DATABASE, folder / "new.db")
        (folder / "new.db").replace(folder / "r.db")

    def written(self, folder: Path) -> Database:
        shutil.copy(KEPT_DATABASE, folder / "r.db")
        database = Database(str(folder / "r.db"))
        with database.writing() as connection:
            connection.execute(landmark.delete())
        return database

    def left_whole(self, folder: Path) -> None:
        assert (folder / "r.db").read_bytes() == KEPT_DATABASE.read_bytes()
        assert damage(folder / "r.db") == []

    def test_finished_writer_removes_its_log(self, tmp_path):
        database = self.written(tmp_path)
        self.replace(tmp_path)
        database.close()
        assert companions(tmp_path) == []
        self.left_whole(tmp_path)
        with opened(tmp_path / "old.db") as old:
            assert old.execute("SELECT count(*) FROM landmark").fetchone() == (0,)

    def test_reader_of_a_replaced_file_gets_an_error(self, tmp_path):
        with closing(self.written(tmp_path)) as database:
            self.replace(tmp_path)
            with pytest.raises(StoreError) as caught, database.reading():
                pass
        assert str(caught.value) == (
            f"database {tmp_path / 'r.db'}: was removed or replaced while it was in use; run the same command again"
        )
        self.left_whole(tmp_path)

    def test_log_in_use_by_a_reader_is_set_aside(self, tmp_path):
        aside = tmp_path / f"r.db-wal.removed.{os.getpid()}"
        with closing(self.written(tmp_path)) as database, opened(tmp_path / "r.db") as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM run").fetchone()
            with database.writing() as connection:
                connection.execute(landmark.delete())
            self.replace(tmp_path)
            with pytest.raises(StoreError) as caught, database.writing():
                pass
            assert str(caught.value) == (
                f"database {tmp_path / 'r.db'}: was removed or replaced while it was in use; run the same command again; "
                f"{aside} holds the changes that could not be written to the removed file"
            )
            assert companions(tmp_path) == [aside.name]
        self.left_whole(tmp_path)

"""Disks that are full or read-only, and files that are removed, cut off or damaged: one clear message and no further damage."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.store.connection import Database
from runner.store.maintenance.copy import copy
from runner.store.sqlite_files import create_in_place
from tests.support.command_line import call_in_current_folder
from tests.support.databases import damage, opened, run_into, stored_bits
from tests.support.experiment_texts import ONE_BY_ONE
from tests.support.paths import KEPT_DATABASE
from tests.support.sweep_processes import RUN_TELLING_EACH_BATCH, blocked_sweep

# Each of the 12 runs takes about 100 kB.
LARGE = ONE_BY_ONE.replace("max_steps = 1500", "max_steps = 4000")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """A small disk mounted at `disk`; the function mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this user may mount no disk; the last test of this file runs these where it is root, if it may")
    yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True) and None
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk")
def test_full_disk_is_reported_and_loses_only_unstored_runs(tmp_path, write, runner_cli, disk):
    path = write(LARGE)
    disk("size=4m")
    done = runner_cli("run", "small.toml", "--db", "disk/r.db", "--no-report", "--quiet")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "error: database disk/r.db: the disk is full; free some space, then run the same command again: everything stored before is kept\n"
    )
    assert damage(tmp_path / "disk" / "r.db") == []
    before = stored_bits(tmp_path / "disk" / "r.db")
    assert before
    disk("size=40m")
    assert runner_cli("run", "small.toml", "--db", "disk/r.db", "--no-report").code == 0
    run_into(path, tmp_path / "whole.db")
    assert stored_bits(tmp_path / "disk" / "r.db") == stored_bits(tmp_path / "whole.db")
    assert set(before) <= set(stored_bits(tmp_path / "whole.db"))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk")
def test_a_disk_too_small_for_a_database_is_left_empty(tmp_path, write, runner_cli, disk):
    write()
    done = runner_cli("run", "small.toml", "--db", "disk/r.db", "--no-report", "--quiet")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "error: database disk/r.db: cannot be created: the disk is full; free some space, then run the same command again: "
        "everything stored before is kept\n"
    )
    assert list((tmp_path / "disk").iterdir()) == []


FULL = "the disk is full; free some space, then run the same command again: everything stored before is kept\n"
UNREADABLE = "the disk cannot be read or written (disk I/O error); check the disk, then run `runner verify`\n"


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk")
@pytest.mark.parametrize("spare", [-1_000_000, -4096, 8192, 65_536, 500_000])
class TestNearlyFull:
    """A disk whose free space is that of a database, plus or minus some bytes."""

    @pytest.fixture
    def original(self, tmp_path: Path, disk: Callable[[str], None], spare: int) -> Path:
        path = tmp_path / "original.db"
        with closing(Database(str(KEPT_DATABASE))) as source, closing(Database(str(path))) as target:
            copy(source, target)
        disk(f"size={path.stat().st_size + spare}")
        return path

    def test_copy_is_whole_or_absent(self, tmp_path, runner_cli, disk, original, spare):
        done = runner_cli("db", "copy", "disk/c.db", "--db", original)
        left = [path.name for path in (tmp_path / "disk").iterdir()]
        disk("size=40m")
        if spare < 32_768:  # reading the copy takes this much space
            assert (done.code, done.out, left) == (4, "", [])
            assert done.err in (
                "error: database disk/c.db: " + FULL,
                "error: database disk/c.db: cannot be written: " + FULL,
            ) or (spare > 0 and done.err == "error: database disk/c.db: " + UNREADABLE)
            return
        assert (done.code, done.err, left) == (0, "", ["c.db"])
        assert stored_bits(tmp_path / "disk" / "c.db") == stored_bits(KEPT_DATABASE)
        assert damage(tmp_path / "disk" / "c.db") == []

    def test_backup_is_whole_or_absent(self, tmp_path, runner_cli, disk, original, spare):
        done = runner_cli("db", "backup", "disk/c.db", "--db", original)
        left = [path.name for path in (tmp_path / "disk").iterdir()]
        disk("size=40m")
        if done.code:
            assert (done.code, done.out, left) == (4, "", [])
            assert done.err == f"error: database {original}: cannot be copied to disk/c.db: {FULL}"
            return
        assert (spare > 0, left) == (True, ["c.db"])
        assert stored_bits(tmp_path / "disk" / "c.db") == stored_bits(KEPT_DATABASE)

    @pytest.mark.usefixtures("original")
    def test_new_database_is_whole_or_absent(self, tmp_path, write, runner_cli, disk):
        write(LARGE)
        done = runner_cli("run", "small.toml", "--db", "disk/r.db", "--no-report", "--quiet")
        assert (done.code, done.out) == (4, "")
        disk("size=40m")
        assert runner_cli("run", "small.toml", "--db", "disk/r.db", "--no-report", "--quiet").code == 0
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["r.db"]
        assert damage(tmp_path / "disk" / "r.db") == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk")
class TestReadOnlyDisk:
    MESSAGE = "error: database disk/r.db: cannot be written; the file or its folder is read-only\n"

    def test_a_closed_file_can_be_read_and_not_written(self, tmp_path, runner_cli, write, disk):
        shutil.copy(KEPT_DATABASE, tmp_path / "disk" / "r.db")
        disk("ro")
        assert runner_cli("verify", "--db", "disk/r.db").out.endswith("disk/r.db: intact\n")
        assert runner_cli("runs", "--db", "disk/r.db").code == 0
        write()
        for command in (["delete", "1", "--yes"], ["run", "small.toml", "--no-report", "--quiet"], ["db", "vacuum"]):
            done = runner_cli(*command, "--db", "disk/r.db")
            assert (done.code, done.out, done.err) == (4, "", self.MESSAGE), command
        assert (tmp_path / "disk" / "r.db").read_bytes() == KEPT_DATABASE.read_bytes()

    def test_a_file_whose_log_was_left_behind_is_explained(self, tmp_path, runner_cli, disk):
        shutil.copy(KEPT_DATABASE, tmp_path / "r.db")
        with opened(tmp_path / "r.db") as connection:
            connection.execute("DELETE FROM landmark")
            connection.commit()
            for name in ("r.db", "r.db-wal"):
                shutil.copy(tmp_path / name, tmp_path / "disk" / name)
        disk("ro")
        done = runner_cli("runs", "--db", "disk/r.db")
        assert (done.code, done.out) == (4, "")
        assert done.err == (
            "error: database disk/r.db: r.db-wal next to it holds data that is not in the file yet, and its folder is read-only; "
            "copy both files into a folder of your own and read them there\n"
        )


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_failing_disk_is_reported(tmp_path, write):
    write(LARGE)

    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))

    done = subprocess.run(RUN_TELLING_EACH_BATCH, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1] == (
        "error: database results/runner.db: the disk cannot be read or written (disk I/O error); "
        "check the disk, then run `runner verify`"
    )
    assert damage(tmp_path / "results" / "runner.db") == []


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_is_removed_or_replaced_meanwhile_is_reported(tmp_path, write, replace):
    database = tmp_path / "shared.db"
    with blocked_sweep(tmp_path, write) as process:
        for path in tmp_path.glob("shared.db*"):
            path.unlink()
        if replace:
            shutil.copy(KEPT_DATABASE, database)
        (tmp_path / "go").touch()
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert told.splitlines()[-1] == (
        "error: database shared.db: was removed or replaced while it was in use; run the same command again"
    )
    assert database.exists() == replace
    if replace:
        assert database.read_bytes() == KEPT_DATABASE.read_bytes()


DAMAGED = "error: database r.db: is damaged: database disk image is malformed; `runner verify` lists the damage; use a backup\n"
TOO_DAMAGED = DAMAGED.replace(
    "; `runner verify` lists the damage; use a backup", "; the file is too damaged to list the damage; use a backup"
)


@pytest.mark.parametrize("length", [10, 100, 1024, 20_000, 50_000])
@pytest.mark.parametrize(
    "command", [["runs"], ["verify"], ["run", "small.toml", "--no-report", "--quiet"], ["delete", "1", "--yes"]]
)
def test_a_file_that_was_cut_off_is_reported(tmp_path, write, runner_cli, length, command):
    write()
    (tmp_path / "r.db").write_bytes(KEPT_DATABASE.read_bytes()[:length])
    before = (tmp_path / "r.db").read_bytes()
    done = runner_cli(*command, "--db", "r.db")
    assert done.code == 4
    if length == 10:
        assert done.err == "error: database r.db: is not an SQLite database; name another file\n"
    elif done.err or command != ["verify"]:
        told = TOO_DAMAGED if command == ["verify"] else DAMAGED
        assert done.err in (told, told.replace("database disk image is malformed", "file is not a database"))
    else:
        assert done.out.endswith("r.db: damaged; see above\n")
        assert "runner verify" not in done.out
    assert (tmp_path / "r.db").read_bytes() == before


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits_give_a_message(tmp_path, monkeypatch, capsys, seed):
    rng = random.Random(seed)
    damaged = bytearray(KEPT_DATABASE.read_bytes())
    for _ in range(rng.choice([1, 3, 30])):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    monkeypatch.chdir(tmp_path)
    for command in (
        ["verify"],
        ["list"],
        ["runs", "--format", "csv"],
        ["show", "1"],
        ["steps", "1"],
        ["db", "info"],
        ["db", "copy", "c.db"],
    ):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        Path("r.db").write_bytes(damaged)
        done = call_in_current_folder(monkeypatch, capsys, *command, "--db", "r.db")
        assert done.code in (0, 2, 4), (command, done)
        assert "Traceback" not in done.err
        assert Path("r.db").read_bytes() == damaged


def test_another_programs_database_is_refused_by_every_command(tmp_path, write, runner_cli):
    write()
    with opened(tmp_path / "r.db") as connection:
        connection.execute("CREATE TABLE bookmark (url TEXT)")
    before = (tmp_path / "r.db").read_bytes()
    for command in (["runs"], ["verify"], ["run", "small.toml"], ["delete", "1", "--yes"], ["db", "info"], ["db", "upgrade"]):
        done = runner_cli(*command, "--db", "r.db")
        assert (done.code, done.out) == (4, "")
        assert done.err == "error: database r.db: belongs to another program (its tables: bookmark); name another file\n"
    assert (tmp_path / "r.db").read_bytes() == before


class TestWithoutHardLinks:
    @pytest.fixture(autouse=True)
    def no_links(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*arguments: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)

    def test_a_database_is_made(self, tmp_path, write):
        run_into(write(), tmp_path / "r.db")
        assert sorted(path.name for path in tmp_path.glob("*r.db*")) == ["r.db"]
        assert damage(tmp_path / "r.db") == []

    def test_a_file_that_is_there_is_left_alone(self, tmp_path):
        (tmp_path / "r.db").write_text("mine")
        assert not create_in_place(tmp_path / "r.db", lambda part: part.write_text("other") and None)
        assert (tmp_path / "r.db").read_text() == "mine"

    def test_empty_file_in_place_of_the_database_is_replaced(self, tmp_path):
        (tmp_path / "r.db").touch()
        assert create_in_place(tmp_path / "r.db", lambda part: part.write_text("whole") and None)
        assert (tmp_path / "r.db").read_text() == "whole"


# A process that has seen the empty file waits, so that the others see it too.
SLOWLY = """\
import pathlib, time
replace = pathlib.Path.replace
pathlib.Path.replace = lambda part, path: time.sleep(0.5) or replace(part, path)
from runner.cli import main
main()
"""


def test_an_empty_file_becomes_a_database_once(tmp_path, write):
    write()
    (tmp_path / "r.db").touch()
    command = [sys.executable, "-c", SLOWLY, "run", "small.toml", "--db", "r.db", "--no-report", "--quiet"]
    processes = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert ([process.returncode for process in processes], told) == ([0] * 4, [""] * 4)
    run_into(tmp_path / "small.toml", tmp_path / "whole.db")
    assert stored_bits(tmp_path / "r.db") == stored_bits(tmp_path / "whole.db")
    assert damage(tmp_path / "r.db") == []
    assert list(tmp_path.glob(".r.db*")) == []


IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
"""A prefix of a command, with which the command can mount file systems that no other process sees."""


@pytest.mark.skipif(sys.platform != "linux", reason="there are no namespaces")
@pytest.mark.slow
def test_tests_with_mounts_pass_in_a_user_namespace():
    if may_mount(["unshare", "--mount"]):
        pytest.skip("this user may mount disks, so those tests were run as they are")
    if not may_mount(IN_A_NAMESPACE):
        pytest.skip("this system lets nobody but root mount a disk")
    tests = [sys.executable, "-m", "pytest", "-n0", "-q", "-k", "_disk or NearlyFull or ReadOnlyDisk", __file__]
    done = subprocess.run([*IN_A_NAMESPACE, *tests], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def may_mount(ahead: list[str]) -> bool:
    done = subprocess.run([*ahead, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0

"""Several processes on one database: each finishes, each run is computed once, and a dead process blocks no other."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from runner.errors import StoreError
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store import connection
from runner.store.reading.stored_results import read_results
from runner.store.writing import claims, workers
from runner.store.writing.recording import Store
from tests.support.databases import ENVIRONMENT, Watcher, damage, opened, run_into, stored_bits, stored_runs, trajectory_of
from tests.support.experiment_texts import ONE_BY_ONE, SMALL
from tests.support.sweep_processes import OPTIONS, RUN, blocked_sweep, claimed, rates, start, wait_for


def test_eight_processes_compute_each_run_once(tmp_path, write):
    grids = [SMALL.replace("[0.1, 0.3, 1.1]", rates(1 + 3 * number, 9)) for number in range(4)]
    for number, text in enumerate(grids):
        write(text.replace('"small"', f'"grid{number}"') + "[execution]\nmax_batch = 5\n", f"grid{number}.toml")
    processes = [start(tmp_path, f"grid{number % 4}.toml", "--format", "json") for number in range(8)]
    endings = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for *_, code in endings] == [0] * 8, endings
    assert not [told for _, told, _ in endings if told], "nobody is warned, and nobody sees a lock"
    computed = [sum(json.loads(out)["computed"].values()) for out, *_ in endings]
    whole = tmp_path / "whole.db"
    for number in range(4):
        run_into(tmp_path / f"grid{number}.toml", whole)
    assert sum(computed) == stored_runs(whole) == stored_runs(tmp_path / "shared.db")
    assert stored_bits(tmp_path / "shared.db") == stored_bits(whole)
    assert damage(tmp_path / "shared.db") == []
    with opened(tmp_path / "shared.db") as database:
        assert database.execute("SELECT name, runs FROM experiments ORDER BY name").fetchall() == [
            (f"grid{number}", 36) for number in range(4)
        ]
        assert database.execute("SELECT (SELECT count(*) FROM claim), (SELECT count(*) FROM worker)").fetchone() == (0, 0)


def test_worker_processes_share_a_database_too(tmp_path, write):
    write(ONE_BY_ONE, "small.toml")
    processes = [start(tmp_path, "small.toml", "--format", "json", "--executor", "processes", "--jobs", "2") for _ in range(2)]
    endings = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for *_, code in endings] == [0, 0], endings
    assert sum(sum(json.loads(out)["computed"].values()) for out, *_ in endings) == 12 == stored_runs(tmp_path / "shared.db")


def test_runs_of_another_process_are_waited_for(tmp_path, write):
    with blocked_sweep(tmp_path, write) as first:
        second = start(tmp_path, "blocked.toml")
        assert second.stderr is not None
        assert first.stdout is not None
        assert second.stderr.readline() == "4 runs to compute, 0 already stored\n"
        assert second.stderr.readline() == f"waiting for 4 runs that process {first.pid} is computing\n"
        (tmp_path / "go").touch()
        out, _ = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert out.splitlines()[-1] == "0 runs computed, 4 already stored; database: shared.db"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_runs_of_a_killed_process_are_taken_over(tmp_path, write):
    with blocked_sweep(tmp_path, write) as first:
        second = start(tmp_path, "blocked.toml", "--format", "json")
        assert second.stderr is not None
        first.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        out, told = second.communicate(timeout=60)
    assert second.returncode == 0, told
    assert json.loads(out)["computed"] == {"max_steps": 4}
    assert claimed(tmp_path / "shared.db") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_releases_the_claims(tmp_path, write):
    with blocked_sweep(tmp_path, write) as first:
        first.send_signal(signal.SIGINT)
        _, told = first.communicate(timeout=60)
    assert first.returncode == 130
    assert told.splitlines()[-1] == "interrupted: 0 of 4 runs are stored; the same command again computes the rest"
    with opened(tmp_path / "shared.db") as database:
        assert database.execute("SELECT (SELECT count(*) FROM claim), (SELECT count(*) FROM worker)").fetchone() == (0, 0)


class Waited(Exception):
    """Another process is computing, and it is alive."""


class Impatient(Watcher):
    def waiting(self, count: int, holder: str) -> None:
        raise Waited


class TestDeadProcesses:
    """A second sweep in this process finds the claims of a simulated process."""

    @pytest.fixture
    def meets(self, tmp_path: Path, write: Callable[..., Path]) -> Callable[..., bool]:
        """Return whether a sweep waits for the holder of its runs; otherwise it takes them over."""

        def meet(**there: Any) -> bool:
            database, catalogue, watcher = str(tmp_path / "r.db"), Registry(), Impatient()
            first, second = Store(database), Store(database)
            plan = make_plan(read(write(), catalogue, Choices()), first, Choices())
            recording = first.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
            recording.claim(plan.runs, {})
            with opened(tmp_path / "r.db") as found:
                for column, value in there.items():
                    found.execute(f"UPDATE worker SET {column} = ?", (value,))
            try:
                execute(plan, second, catalogue, Choices(), watcher)
                waited = False
            except Waited:
                waited = True
            recording.close()
            first.close()
            second.close()
            assert stored_runs(tmp_path / "r.db") == (0 if waited else 12)
            return waited

        return meet

    def test_another_sweep_of_this_process_is_alive_until_it_ends(self, meets):
        assert meets()

    def test_living_process_of_this_machine_is_waited_for_without_signs_of_life(self, meets):
        parent = psutil.Process(os.getppid())
        assert meets(process=parent.pid, process_started=parent.create_time() - psutil.boot_time(), seen_at=0.0)

    def test_unused_process_number_is_a_dead_process(self, meets):
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        assert not meets(process=gone.pid)

    def test_reused_process_number_is_a_dead_process(self, meets):
        parent = psutil.Process(os.getppid())
        assert not meets(process=parent.pid, process_started=parent.create_time() - psutil.boot_time() - 1.0)

    def test_zombie_is_a_dead_process(self, meets):
        dead = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        started = psutil.Process(dead.pid).create_time() - psutil.boot_time()
        dead.kill()
        wait_for(lambda: psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE)
        assert not meets(process=dead.pid, process_started=started)
        dead.wait()

    @pytest.mark.skipif(sys.platform == "win32", reason="nothing is hidden")
    @pytest.mark.parametrize(("silence", "waited"), [(0.5, True), (2.0, False)])
    def test_hidden_process_is_waited_for_while_it_gives_signs_of_life(self, meets, monkeypatch, silence, waited):
        process, ask = psutil.Process, os.kill

        def hidden(number: int | None = None) -> psutil.Process:
            if number == 1:
                raise psutil.NoSuchProcess(1)
            return process(number)

        def refused(number: int, what: int) -> None:
            if number == 1:
                raise PermissionError(1, "Operation not permitted")
            ask(number, what)

        monkeypatch.setattr(psutil, "Process", hidden)
        monkeypatch.setattr(os, "kill", refused)
        assert meets(process=1, seen_at=time.time() - silence * workers.LEASE_SECONDS) == waited

    @pytest.mark.parametrize("column", ["host", "boot"])
    def test_a_process_of_another_machine_is_waited_for_while_it_gives_signs_of_life(self, meets, column):
        assert meets(**{column: "elsewhere", "seen_at": time.time() - workers.LEASE_SECONDS / 2})

    @pytest.mark.parametrize("column", ["host", "boot"])
    def test_process_of_another_machine_is_dead_after_a_long_silence(self, meets, column):
        assert not meets(**{column: "elsewhere", "seen_at": time.time() - 2 * workers.LEASE_SECONDS})


HIDING = "mount -t proc -o hidepid=2,gid=65534 proc /proc && exec setpriv --bounding-set=-all --inh-caps=-all "
"""A prefix of a command that hides the processes of other users and drops special rights."""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a process of another user")
def test_hidden_process_of_another_user_is_waited_for_until_it_ends(tmp_path, write):
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        with blocked_sweep(tmp_path, write) as first, opened(tmp_path / "shared.db") as database:
            started = psutil.Process(other.pid).create_time() - psutil.boot_time()
            database.execute("UPDATE worker SET process = ?, process_started = ?", (other.pid, started))
            first.kill()
        (tmp_path / "go").touch()
        command = ["unshare", "-m", "sh", "-c", f'{HIDING} "$@"', "sh", *RUN, "blocked.toml", *OPTIONS]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "4 runs to compute, 0 already stored\n"
            assert process.stderr.readline() == f"waiting for 4 runs that process {other.pid} is computing\n"
            other.kill()
            other.wait()
            out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert out.splitlines()[-1] == "4 runs computed, 0 already stored; database: shared.db"


def test_working_process_gives_signs_of_life(tmp_path, write, monkeypatch):
    monkeypatch.setattr(claims, "SIGN_OF_LIFE_SECONDS", 0.01)
    store = Store(str(tmp_path / "r.db"))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    recording.claim(plan.runs, {})
    with opened(tmp_path / "r.db") as database:
        database.execute("UPDATE worker SET seen_at = 0")

    def seen_at() -> float:
        with opened(tmp_path / "r.db") as database:
            return float(database.execute("SELECT seen_at FROM worker").fetchone()[0])

    wait_for(lambda: seen_at() > 0)
    recording.close()
    store.close()


def test_process_wrongly_taken_for_dead_stores_nothing_twice(tmp_path, write):
    database, catalogue = str(tmp_path / "r.db"), Registry()
    first, second = Store(database), Store(database)
    plan = make_plan(read(write(), catalogue, Choices()), first, Choices())
    recording = first.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    assert recording.claim(plan.runs, {}).claimed == tuple(run.identity for run in plan.runs)
    with opened(tmp_path / "r.db") as found:
        found.execute("UPDATE worker SET host = 'elsewhere', seen_at = 0")
    execute(plan, second, catalogue, Choices(), Watcher())
    before = stored_bits(tmp_path / "r.db")
    recording.save(plan.runs[:1], [trajectory_of(plan.runs[0])], {})
    recording.close()
    assert stored_bits(tmp_path / "r.db") == before
    assert len(before) == 12
    first.close()
    second.close()


class TestLocked:
    """Another program holds the file's lock."""

    @pytest.fixture
    def locked(self, tmp_path: Path, write: Callable[..., Path]) -> Iterator[sqlite3.Connection]:
        run_into(write(), tmp_path / "shared.db")
        holder = sqlite3.connect(tmp_path / "shared.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        yield holder
        holder.close()

    def test_sweep_reports_that_it_waits_and_goes_on(self, tmp_path, write, locked, monkeypatch):
        class Freeing(Watcher):
            def warned(self, warning: str) -> None:
                super().warned(warning)
                locked.execute("ROLLBACK")

        monkeypatch.setattr(connection, "BUSY_SECONDS", 0.0)
        store, watcher = Store(str(tmp_path / "shared.db")), Freeing()
        plan = make_plan(read(write(), Registry(), Choices()), store, Choices(rerun=True))
        execute(plan, store, Registry(), Choices(rerun=True), watcher)
        store.close()
        assert len(watcher.saved_runs) == 12
        (warning,) = watcher.warnings
        told = f"database {tmp_path / 'shared.db'}: another program has been writing to it for N s; waiting until it ends"
        assert re.sub(r"\d+ s;", "N s;", warning) == told

    def test_caller_that_cannot_report_waiting_gives_up(self, tmp_path, locked, monkeypatch):
        monkeypatch.setattr(connection, "BUSY_SECONDS", 0.0)
        database = connection.Database(str(tmp_path / "shared.db"))
        with pytest.raises(StoreError) as caught, database.writing():
            pass
        database.close()
        assert str(caught.value) == (
            f"database {tmp_path / 'shared.db'}: another program has been writing to it for 1 s; "
            "end that program or wait for it, then try again"
        )

    def test_readers_do_not_wait(self, tmp_path, locked):
        assert len(read_results(connection.Database(str(tmp_path / "shared.db")), "small").runs) == 12

    @pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
    def test_ctrl_c_works_while_waiting(self, tmp_path, write, locked):
        process = start(tmp_path, str(write()), "--rerun")
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
        assert process.returncode == 130
        assert told.splitlines()[-1] == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("seed", range(8))
def test_ctrl_c_pressed_twice_ends_with_one_line(tmp_path, write, seed):
    write(ONE_BY_ONE.replace("max_steps = 1500", "max_steps = 9000"))
    rng = random.Random(seed)
    process = start(tmp_path, "small.toml", "--quiet")
    wait_for(lambda: claimed(tmp_path / "shared.db") > 0)
    time.sleep(rng.uniform(0.0, 0.1))
    process.send_signal(signal.SIGINT)
    time.sleep(rng.choice([0.0005, 0.002, 0.01, 0.05]) * rng.random())
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted: \d+ of 12 runs are stored; the same command again computes the rest\n", told), told
    assert claimed(tmp_path / "shared.db") == 0

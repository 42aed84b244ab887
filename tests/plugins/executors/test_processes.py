"""Worker processes: the same bits as the serial executor, crashes and hangs cost one run, and no process is left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.contracts.executor import Lost
from runner.engine.dispatch import Parcel
from runner.engine.trajectories import Chunk
from runner.errors import ExperimentError, RunnerError
from runner.pipeline import execute as pipeline
from runner.pipeline import lost_batches as recovery
from runner.pipeline.plan import Choices, read
from runner.registry.registry import Registry
from runner.testing import check_executor
from runner_plugins.executors import processes
from runner_plugins.executors.processes import AHEAD, Processes
from tests.support.databases import opened, run_into, stored_bits
from tests.support.experiment_texts import SMALL
from tests.support.worker_tasks import (
    die_while_sending,
    double,
    nap,
    nap_but_breathe,
    no_limit,
    pid_after,
    refuse,
    refuse_oddly,
    threads_allowed,
    zeros,
)

TRAP = '''\
import ctypes, os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import runner


@dataclass(frozen=True)
class Trap(runner.Objective):
    """x², but one place is a trap."""

    how: str = ""
    dimension = 1

    def value(self, x):
        if (x == 1.25).any():
            Path(__file__).with_name("trapped").touch()
            if self.how == "segfault":
                ctypes.string_at(0)
            if self.how == "exit":
                os._exit(3)
            if self.how == "quiet exit":
                os._exit(0)
            if self.how == "sys.exit":
                sys.exit(5)
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "hang":
                ctypes.PyDLL(None).sleep(600)  # in C, where no thread of Python and no signal handler runs any more
        if self.how == "slow":
            time.sleep(0.1)  # 21 iterates of 8 runs together: 2.1 s in all, more than a batch may be silent, 0.26 s for each
        return (x * x).sum(axis=-1)

    def gradient(self, x):
        return 2 * x


@runner.hookimpl
def runner_objectives():
    return {"trap": Trap}
'''
TRAPPED = """\
name = "trapped"
plugins = ["trap.py"]

[[objective]]
name = "trap"
how = "HOW"

[[gradient]]
name = "analytic"

[[optimizer]]
name = "gradient_descent"
learning_rate = 0.3

[start]
points = [STARTS]

[stop]
max_steps = 20
"""
ENDINGS = {
    "segfault": "its process was killed by SIGSEGV",
    "exit": "its process ended with exit code 3",
    "quiet exit": "its process ended with exit code 0",
    "sys.exit": "SystemExit: 5",
    "kill": "its process was killed by SIGKILL",
}
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="no signals")
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def trapped(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes an experiment whose objective misbehaves at 1.25."""

    def write_trapped(how: str, *starts: float, more: str = "") -> Path:
        (tmp_path / "trap.py").write_text(TRAP, encoding="utf-8")
        text = TRAPPED.replace("HOW", how).replace("STARTS", ", ".join(map(str, starts))) + more
        return write(text, name="trapped.toml")

    return write_trapped


def losses(database: Path) -> list[tuple[str, str, int]]:
    with opened(database) as connection:
        return connection.execute(
            "SELECT outcome, error, steps FROM run WHERE outcome IN ('failed', 'timeout') AND superseded_by IS NULL"
        ).fetchall()


@pytest.mark.parametrize("jobs", [None, 1, 3])
def test_executor_keeps_the_contract(jobs: int | None):
    check_executor(Processes(jobs))


@pytest.mark.parametrize("jobs", [1, 3])
def test_database_has_the_same_bits_as_serial(tmp_path, write, jobs):
    run_into(write(), tmp_path / "serial.db")
    _, computed = run_into(write(SMALL + "[execution]\nmax_batch = 2\n"), tmp_path / "p.db", executor="processes", jobs=jobs)
    assert len(computed) == 12
    assert stored_bits(tmp_path / "p.db") == stored_bits(tmp_path / "serial.db")
    assert run_into(write(), tmp_path / "p.db")[1] == [], "where it was computed is not part of a run's identity"


@needs_posix
@pytest.mark.parametrize("how", ENDINGS)
def test_run_that_ends_its_process_fails_alone(tmp_path, trapped, how):
    starts = [-3.0, -2.0, -1.0, 0.5, 2.0, 3.0]
    run_into(trapped(how, *starts), tmp_path / "serial.db")
    run_into(trapped(how, *starts[:4], 1.25, *starts[4:]), tmp_path / "p.db", executor="processes", jobs=2)
    assert losses(tmp_path / "p.db") == [("failed", ENDINGS[how], 0)]
    assert stored_bits(tmp_path / "p.db") == stored_bits(tmp_path / "serial.db")


@needs_posix
def test_hanging_run_times_out_alone(tmp_path, trapped, monkeypatch):
    monkeypatch.setattr(recovery, "SECONDS_OF_GRACE", 0.5)
    path = trapped("hang", -1.0, more="wall_time = 0.5\n")
    run_into(path, tmp_path / "serial.db")
    path = trapped("hang", -1.0, 1.25, more="wall_time = 0.5\n")
    run_into(path, tmp_path / "p.db", executor="processes", jobs=1)
    assert losses(tmp_path / "p.db") == [("timeout", "gave no sign of life for 1.5 s and was stopped", 0)]
    assert stored_bits(tmp_path / "p.db") == stored_bits(tmp_path / "serial.db")


@pytest.mark.slow
@needs_posix
def test_hanging_run_among_many_times_out_alone(tmp_path, trapped, monkeypatch):
    monkeypatch.setattr(recovery, "SECONDS_OF_GRACE", 0.5)
    starts = [2.0 + number / 100 for number in range(80)]
    run_into(trapped("hang", *starts, more="wall_time = 1.0\n"), tmp_path / "serial.db")
    run_into(
        trapped("hang", *starts[:50], 1.25, *starts[50:], more="wall_time = 1.0\n"),
        tmp_path / "p.db",
        executor="processes",
        jobs=1,
    )
    assert losses(tmp_path / "p.db") == [("timeout", "gave no sign of life for 2.5 s and was stopped", 0)]
    assert stored_bits(tmp_path / "p.db") == stored_bits(tmp_path / "serial.db")


@needs_posix
def test_plugin_that_always_hangs_gives_timeouts(tmp_path, trapped, monkeypatch):
    monkeypatch.setattr(recovery, "SECONDS_OF_GRACE", 0.5)
    path = trapped("hang", 1.25, more="wall_time = 0.1\n")
    path.write_text(path.read_text().replace("learning_rate = 0.3", "learning_rate = { values = [0.1, 0.2, 0.3] }"))
    run_into(path, tmp_path / "p.db", executor="processes", jobs=2)
    assert losses(tmp_path / "p.db") == [("timeout", "gave no sign of life for 0.7 s and was stopped", 0)] * 3


@pytest.mark.slow
def test_slow_batch_that_advances_is_not_stopped(tmp_path, trapped, monkeypatch):
    monkeypatch.setattr(recovery, "SECONDS_OF_GRACE", 0.0)
    starts = [2.0 + number for number in range(8)]
    path = trapped("slow", *starts, more="wall_time = 0.75\n")
    run_into(path, tmp_path / "serial.db")
    run_into(path, tmp_path / "p.db", executor="processes", jobs=1)
    assert losses(tmp_path / "p.db") == losses(tmp_path / "serial.db") == []
    assert stored_bits(tmp_path / "p.db") == stored_bits(tmp_path / "serial.db")


@needs_posix
def test_plugin_that_always_crashes_gives_failed_runs(tmp_path, trapped):
    run_into(trapped("segfault", 1.25), tmp_path / "p.db", executor="processes", jobs=2)
    assert losses(tmp_path / "p.db") == [("failed", ENDINGS["segfault"], 0)]


def test_exception_in_a_worker_is_raised_here_with_its_traceback():
    with pytest.raises(LookupError, match="there is no three") as caught:
        list(Processes(2).map(refuse, range(10), no_limit))
    assert "in refuse" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="^Unpicklable: oddly$"):
        list(Processes(2).map(refuse_oddly, range(3), no_limit))


@needs_posix
def test_process_that_dies_while_sending_loses_only_its_item():
    results = list(Processes(2).map(die_while_sending, range(8), no_limit))
    assert sorted(each for each in results if isinstance(each, int)) == [0, 2, 3, 4, 5, 6, 7]
    assert [each for each in results if isinstance(each, Lost)] == [Lost(1, "its process was killed by SIGKILL", timed_out=False)]


def test_only_an_item_without_signs_of_life_is_stopped():
    begun = time.perf_counter()
    results = list(Processes(3).map(nap, [0.0, 60.0, 0.01, 0.02], lambda item: 0.3 if item == 60.0 else None))
    assert sorted(each for each in results if isinstance(each, float)) == [0.0, 0.01, 0.02]
    assert Lost(60.0, "gave no sign of life for 0.3 s and was stopped", timed_out=True) in results
    assert time.perf_counter() - begun < 10
    assert list(Processes(1).map(nap_but_breathe, [2.0], lambda item: 1.0)) == [2.0]


def test_limit_longer_than_the_system_can_wait_is_no_limit():
    assert list(Processes(1).map(double, [1], lambda item: 1e300)) == [2]


def test_no_more_items_are_in_flight_than_needed():
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for done, _ in enumerate(Processes(2).map(double, items(), no_limit), 1):
        assert taken <= done + 2 + AHEAD


def test_number_of_processes_is_as_requested():
    assert len(set(Processes(2).map(pid_after, [0.05] * 8, no_limit))) == 2
    assert os.getpid() not in set(Processes(None).map(pid_after, [0.0], no_limit))


def test_caller_that_stops_iterating_stops_the_workers():
    results = Processes(2).map(nap, [0.0, 600.0, 600.0, 600.0], no_limit)
    assert next(results) == 0.0
    begun = time.perf_counter()
    results.close()  # type: ignore[attr-defined]
    assert time.perf_counter() - begun < 5


def test_linear_algebra_has_one_thread_in_a_worker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(Processes(1).map(threads_allowed, [0], no_limit)) == ["1"]
    assert "OPENBLAS_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("spilled_bytes", [1, 2**30])
def test_chunks_arrive_whole(monkeypatch: pytest.MonkeyPatch, spilled_bytes: int):
    monkeypatch.setattr(processes, "SPILLED_BYTES", spilled_bytes)
    chunks = sorted(Processes(2).map(zeros, [1, 10, 300_000], no_limit), key=lambda chunk: chunk.count)
    assert [(chunk.count, bytes(chunk.data)) for chunk in chunks] == [(n, bytes(n)) for n in (1, 10, 300_000)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_chunk_can_be_pickled(protocol: int):
    chunk = Chunk(7, 2, memoryview(bytearray(b"0123456789abcdef")))
    assert pickle.loads(pickle.dumps(chunk, protocol)) == Chunk(7, 2, b"0123456789abcdef")


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"executor": "processes", "jobs": 0}, "--jobs: must be a whole number >= 1 and <= 10000 or absent, not 0"),
        ({"executor": "processes", "jobs": -2}, "--jobs: must be a whole number >= 1 and <= 10000 or absent, not -2"),
        ({"jobs": 2}, "--jobs: executor serial has no such parameter; use --executor processes"),
        ({"executor": "proceses"}, "--executor: there is no executor 'proceses'; did you mean processes?"),
    ],
)
def test_a_wrong_choice_is_reported(tmp_path, write, choices, problem):
    with pytest.raises(ExperimentError) as caught:
        read(write(), Registry(), Choices(**choices))
    assert str(caught.value) == problem


@pytest.mark.parametrize("jobs", ["0", "1.5", '"two"', "true"])
def test_wrong_jobs_in_the_file_are_reported(tmp_path, write, jobs):
    path = write(SMALL + f'[execution]\nexecutor = "processes"\njobs = {jobs}\n')
    with pytest.raises(ExperimentError, match="execution.jobs: must be a whole number >= 1 and <= 10000 or absent, not "):
        read(path, Registry(), Choices())


@pytest.mark.parametrize(
    ("choices", "expected"), [({}, Processes(5)), ({"jobs": 2}, Processes(2)), ({"executor": "processes"}, Processes(5))]
)
def test_command_line_overrides_the_file(tmp_path, write, choices, expected):
    path = write(SMALL + '[execution]\nexecutor = "processes"\njobs = 5\n')
    assert read(path, Registry(), Choices(**choices)).executor.plugin == expected
    assert read(path, Registry(), Choices(executor="serial")).executor.name == "serial"


@pytest.mark.parametrize(("jobs", "sizes"), [(1, [6, 6]), (2, [6, 6]), (3, [4, 2, 4, 2]), (100, [1] * 12)])
def test_runs_are_cut_into_more_batches_for_more_workers(tmp_path, write, monkeypatch, jobs, sizes):
    seen = []
    monkeypatch.setattr(pipeline, "Parcel", lambda batch, files: seen.append(len(batch)) or Parcel(batch, files))
    run_into(write(), tmp_path / "p.db", executor="processes", jobs=jobs)
    assert seen == sizes


def test_a_worker_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "_serve", sys.exit)
    with pytest.raises(RunnerError, match="no worker process can be started: its process ended with exit code 1 before it began"):
        list(Processes(2).map(double, range(3), no_limit))


def processes_of(session: int) -> set[int]:
    """Return the processes of the session that a command leads."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(its_session) == session and state != "Z":
                found.add(int(folder.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def hanging(tmp_path: Path, trapped: Callable[..., Path]) -> Iterator[subprocess.Popen[str]]:
    """A sweep that leads a session of its own, once one of its workers hangs and the other waits."""
    trapped("hang", -1.0, 1.25, more="[execution]\nmax_batch = 1\n")
    command = "from runner.cli import main; main()"
    arguments = ["run", "trapped.toml", "--no-report", "--executor", "processes", "--jobs", "2", "--db", "r.db"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert wait_until((tmp_path / "trapped").exists)
            assert len(processes_of(process.pid)) >= 4, "itself, the server and two workers"
            yield process
        finally:
            for pid in processes_of(process.pid):
                os.kill(pid, signal.SIGKILL)


@needs_proc
def test_ctrl_c_stops_the_workers_at_once(hanging: subprocess.Popen[str]):
    begun = time.monotonic()
    os.killpg(hanging.pid, signal.SIGINT)
    error = hanging.communicate(timeout=20)[1]
    assert (hanging.returncode, time.monotonic() - begun < 10) == (130, True)
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith(("error: interrupted", "interrupted"))
    assert wait_until(lambda: not processes_of(hanging.pid))


@needs_proc
def test_killing_the_parent_leaves_no_worker(hanging: subprocess.Popen[str]):
    hanging.kill()
    assert wait_until(lambda: not processes_of(hanging.pid))


@needs_proc
def test_a_finished_command_leaves_no_process(tmp_path, runner_cli, write):
    write()
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", "small.toml", "-q", "--no-report"]
    with subprocess.Popen([*command, "--executor", "processes", "--jobs", "2"], cwd=tmp_path, start_new_session=True) as process:
        assert process.wait(60) == 0
    assert wait_until(lambda: not processes_of(process.pid), 5)

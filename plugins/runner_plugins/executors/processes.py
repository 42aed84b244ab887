"""Execution of several batches at a time, in worker processes that may be stopped or die without harm to the others.

Each worker has its own pipe, and a thread in this process that communicates with it. Workers share no lock, queue or pipe. A
worker that is killed, even while it sends its result, therefore leaves no lock held and no message half-read for the others.

Workers are forked by a server process with one thread that has imported the modules that they need. This is fast, and safe in
programs with threads. Windows has no such server; there each worker is a new process.
"""

from __future__ import annotations

import functools
import itertools
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any, Generic, NoReturn, TypeVar, cast

if sys.platform != "win32":
    import fcntl

from runner import Executor, Lost, RunnerError, hookimpl, parameter, report_step, sign_of_life

Item = TypeVar("Item")
Result = TypeVar("Result")

if sys.platform == "win32":
    CONTEXT = multiprocessing.get_context("spawn")
else:
    CONTEXT = multiprocessing.get_context("forkserver")
AHEAD = 2
"""The number of items in flight beyond one for each worker, so that no worker waits while a result is being saved."""
LONGEST_LIMIT = 2e6
"""The longest time limit that is enforced, in seconds (23 days); the operating system cannot wait for much longer."""
NO_STEP = -1
"""The number in the place of the last step while no step has been reported."""
SECONDS_TO_DIE = 5.0
SECONDS_BETWEEN_SIGNS = 0.05
SPILLED_BYTES = 2**26
"""Results whose arrays together are larger than this are kept in a temporary file, which the system may write to disk."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_ONE_AT_A_TIME = threading.Lock()
"""A lock for starting and joining processes: both collect exit codes, and each exit code can be collected only once."""


@dataclass(frozen=True)
class Processes(Executor):
    """Computes batches in worker processes, `jobs` at a time.

    A batch that hangs is stopped. If a process dies, only its batch is lost, and a new process replaces it. Each worker uses one
    thread for linear algebra, unless OMP_NUM_THREADS or a similar variable sets another number.
    """

    jobs: int | None = parameter(
        None, at_least=1, at_most=10_000, doc="number of worker processes; absent: one for each available CPU"
    )

    @property
    def workers(self) -> int:
        """The number of items that are computed at the same time."""
        if self.jobs is not None:
            return self.jobs
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], limit: Callable[[Item], float | None]
    ) -> Iterator[Result | Lost[Item]]:
        """Yield `function(item)` for each item once it is computed, and `Lost` for an item that was stopped or ended its process.

        Raises:
            RunnerError: no worker process can be started.
        """
        waiting = iter(items)
        first = list(itertools.islice(waiting, self.workers + AHEAD))
        crew = _Crew(function, limit, min(self.workers, len(first)))
        try:
            for item in first:
                crew.tasks.put((item,))
            in_flight = len(first)
            while in_flight:
                result, error = crew.results.get()
                if error is not None:
                    raise error
                in_flight -= 1
                for item in itertools.islice(waiting, 1):
                    crew.tasks.put((item,))
                    in_flight += 1
                yield result
        finally:
            crew.dismiss()


class _Crew(Generic[Item, Result]):
    """Workers that take tasks, each an item in a tuple, and return pairs of a result and an error."""

    def __init__(self, function: Callable[[Item], Result], limit: Callable[[Item], float | None], size: int) -> None:
        self.tasks: SimpleQueue[tuple[Item] | None] = SimpleQueue()
        self.results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self.function = function
        self.limit = limit
        self.members: list[tuple[_Worker, threading.Thread]] = []
        for _ in range(size):
            worker = _Worker()
            thread = threading.Thread(target=self.employ, args=(worker,), daemon=True)
            self.members.append((worker, thread))
            thread.start()

    def employ(self, worker: _Worker) -> None:
        """Give a worker one task after another. This method runs in a separate thread for each worker."""
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Workers inherit this mask, so Ctrl-C does not reach them.
        while (task := self.tasks.get()) is not None:
            (item,) = task
            try:
                self.results.put((worker.compute(self.function, item, self.limit(item)), None))
            except BaseException as error:
                self.results.put((None, error))
        worker.retire()

    def dismiss(self) -> None:
        """End all workers, and stop those that are busy."""
        try:
            while True:
                self.tasks.get_nowait()
        except Empty:
            pass
        for _ in self.members:
            self.tasks.put(None)
        for worker, thread in self.members:
            while thread.is_alive():
                worker.interrupt()
                thread.join(0.02)


class _Worker:
    """A process that computes one item after another; if it has ended and is needed again, a new process is started."""

    def __init__(self) -> None:
        self.process: Any = None
        self.pipe: Any = None
        self.busy = False
        # The process writes the number of its last step here. The memory is shared, so that it outlives the process.
        self.step = CONTEXT.RawValue("q", NO_STEP)

    def compute(self, function: Callable[[Item], Result], item: Item, limit: float | None) -> Result | Lost[Item]:
        task = pickle.dumps((function, item), protocol=5)
        seconds = None if limit is None or limit > LONGEST_LIMIT else limit
        self.busy = True
        self.step.value = NO_STEP
        try:
            if self.process is None:
                self.start(function.__module__)
            result, error = self.answer(task, seconds)
        except TimeoutError:
            self.end(0.0)
            return Lost(item, f"gave no sign of life for {seconds:g} s and was stopped", timed_out=True, step=self.last_step())
        except (EOFError, OSError):
            return Lost(item, self.end(SECONDS_TO_DIE), timed_out=False, step=self.last_step())
        finally:
            self.busy = False
        if error is not None:
            raise error
        return cast(Result, result)

    def last_step(self) -> int | None:
        """Return the number of the last step that the process has reported for its task."""
        return None if self.step.value == NO_STEP else self.step.value

    def answer(self, task: bytes, seconds: float | None) -> tuple[Any, Exception | None]:
        """Send a pickled task to the process, and return its answer.

        Raises:
            TimeoutError: there was no sign of life within the time limit.
            EOFError, OSError: the process has ended.
        """
        self.pipe.send_bytes(task)
        self.pipe.recv_bytes()  # The process has read the task and begins; the time limit counts from here.
        while not (announced := self.next_message(seconds)):
            pass
        head, buffers = _received(self.pipe, announced)
        return cast(tuple[Any, Exception | None], pickle.loads(head, buffers=buffers))

    def next_message(self, seconds: float | None) -> bytes:
        """Return the next message: the first message of `_send`, or an empty one, which is a sign of life."""
        if not self.pipe.poll(seconds):
            raise TimeoutError
        return cast(bytes, self.pipe.recv_bytes())

    def start(self, preloaded: str) -> None:
        try:
            with _ONE_AT_A_TIME, _one_thread_each():
                CONTEXT.set_forkserver_preload([__name__, preloaded])
                ours, theirs = CONTEXT.Pipe()
                process = CONTEXT.Process(target=_serve, args=(theirs, self.step), daemon=True)
                process.start()
                theirs.close()
        except OSError as error:
            raise RunnerError(f"no worker process can be started: {error}") from error
        self.process, self.pipe = process, ours
        try:
            ours.recv_bytes()
        except (EOFError, OSError):
            raise RunnerError(
                f"no worker process can be started: {self.end(SECONDS_TO_DIE)} before it began; a script that runs experiments "
                'in worker processes must do so below `if __name__ == "__main__":`'
            ) from None

    def end(self, patience: float) -> str:
        """Wait at most `patience` seconds for the process to end, kill it if necessary, and return the reason for its end."""
        connection.wait([self.process.sentinel], patience)
        self.process.kill()
        with _ONE_AT_A_TIME:
            self.process.join()
            code = self.process.exitcode
        self.pipe.close()
        self.process = None
        return f"its process was killed by {_signal_name(-code)}" if code < 0 else f"its process ended with exit code {code}"

    def retire(self) -> None:
        """Let the idle process end."""
        if self.process is not None:
            self.pipe.close()
            self.end(SECONDS_TO_DIE)

    def interrupt(self) -> None:
        """Stop the process during its work. This method is called from another thread."""
        process = self.process
        if self.busy and process is not None:
            process.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that are started in the body use one thread for linear algebra, so that threads do not outnumber CPUs."""
    absent = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(absent, "1"))
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)


def _received(pipe: Connection, announced: bytes) -> tuple[bytes, list[memoryview]]:
    """Receive a pickle and its buffers, after the message in which `_send` has announced their sizes."""
    head, *sizes = pickle.loads(announced)
    memory = _room(sum(sizes))
    ends = list(itertools.accumulate(sizes))
    buffers = [memory[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    for buffer in buffers:
        pipe.recv_bytes_into(buffer)
    return head, buffers


def _room(size: int) -> memoryview:
    if size < SPILLED_BYTES:
        return memoryview(bytearray(size))
    with tempfile.TemporaryFile(prefix="runner-") as file:
        file.truncate(size)
        return memoryview(mmap.mmap(file.fileno(), size))


def _serve(pipe: Connection, step: Any) -> None:
    """Compute the tasks that arrive through the pipe until it is closed; this is the main function of a worker.

    Args:
        pipe: the pipe.
        step: the shared memory for the number of the last step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    sign_of_life.set(_SignOfLife(pipe))
    report_step.set(functools.partial(setattr, step, "value"))
    pipe.send_bytes(b"")
    while True:
        try:
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, item = pickle.loads(task)
        except Exception as error:
            function, item = _raise, error
        pipe.send_bytes(b"")
        buffers: list[pickle.PickleBuffer] = []
        try:
            head = pickle.dumps((function(item), None), protocol=5, buffer_callback=buffers.append)
        except Exception as error:
            head, buffers = _packed(error), []
        del task, function, item
        _send(pipe, head, buffers)


class _SignOfLife:
    """A function that sends an empty message when it is called, unless the last message is very recent."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.last = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self.last > SECONDS_BETWEEN_SIGNS:
            self.last = now
            self.pipe.send_bytes(b"")


def _send(pipe: Connection, head: bytes, buffers: list[pickle.PickleBuffer]) -> None:
    """Send a pickle and its buffers, which may be larger than the memory."""
    pipe.send_bytes(pickle.dumps([head, *(buffer.raw().nbytes for buffer in buffers)]))
    for buffer in buffers:
        pipe.send_bytes(buffer.raw())


def _raise(error: Exception) -> NoReturn:
    raise error


def _packed(error: Exception) -> bytes:
    """Return a pickled exception with its place of origin; an exception that cannot be pickled is replaced by its text."""
    error.add_note("in a worker process:\n" + "".join(traceback.format_tb(error.__traceback__)))
    try:
        head = pickle.dumps((None, error))
        pickle.loads(head)
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
    return head


def _die_with_parent() -> None:
    """Let this process end when its parent process has ended, even while it computes.

    An idle worker notices that its pipe is closed. For a busy worker, the parent keeps another pipe open as long as it lives. On
    Linux, closing it sends the signal SIGIO, which ends the process even during a loop in C; elsewhere a thread waits for it.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
        if not parent.is_alive():
            os._exit(1)
    else:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@hookimpl
def runner_executors() -> Mapping[str, type[Executor]]:
    """Offer execution in worker processes."""
    return {"processes": Processes}

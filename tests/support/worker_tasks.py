"""Functions that worker processes compute. They are in a separate module because each worker imports it."""

from __future__ import annotations

import os
import signal
import time

from runner.contracts.executor import sign_of_life
from runner.engine.trajectories import Chunk, Descent


def double(item: int) -> int:
    return 2 * item


def no_limit(item: object) -> None:
    return None


def refuse(item: int) -> int:
    if item == 3:
        raise LookupError("there is no three")
    return item


class Unpicklable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def refuse_oddly(item: int) -> int:
    raise Unpicklable("odd", "ly")


def die_while_sending(item: int) -> object:
    return Deadly() if item == 1 else item


class Deadly:
    def __reduce_ex__(self, protocol: object) -> tuple[type, tuple[object]]:
        os.kill(os.getpid(), signal.SIGKILL)
        return Deadly, ()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def nap_but_breathe(seconds: float) -> float:
    for _ in range(10):
        time.sleep(seconds / 10)
        sign_of_life.get()()
    return seconds


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def threads_allowed(item: int) -> str | None:
    return os.environ.get("OPENBLAS_NUM_THREADS")


def zeros(count: int) -> Chunk:
    return Chunk(0, count, memoryview(bytearray(count)))


def fail_within(batch: object) -> Descent:
    """Raise an internal error while a batch is computed."""
    raise LookupError("within")

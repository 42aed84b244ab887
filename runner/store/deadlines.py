"""Questions that are answered in time, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
GRACE = 0.5
"""So many seconds has who looks at the clock to end by itself."""


def in_time(ask: Callable[[Callable[[], bool]], T], seconds: float) -> T:
    """Return what a function returns, and leave it to itself when it takes longer.

    SQLite looks at no clock within one call of a function such as `instr`, however long that takes; so who asks does, in another
    thread. Ctrl-C is heard at once for the same reason.

    Args:
        ask: is given a function that says whether nobody waits for it any more, and ends as soon as it learns that.
        seconds: how long to wait.

    Raises:
        TimeoutError: it took longer.
    """
    left = threading.Event()
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask(left.is_set))
        except BaseException as error:
            answer.set_exception(error)

    # The program does not wait for it when it ends.
    threading.Thread(target=work, name="SQL", daemon=True).start()
    try:
        return answer.result(seconds + GRACE)
    finally:
        left.set()

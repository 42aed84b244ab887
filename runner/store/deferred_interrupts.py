"""Ctrl-C, put off while something must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Deferred:
    """Ctrl-C that has come, and is not yet heard."""

    def __init__(self) -> None:
        self.came = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take a signal in."""
        self.came = True

    def hear(self) -> None:
        """Be interrupted here, if Ctrl-C has come.

        Raises:
            KeyboardInterrupt: it has.
        """
        if self.came:
            self.came = False
            raise KeyboardInterrupt


@contextmanager
def deferred(wanted: bool = True) -> Iterator[Deferred]:
    """Put Ctrl-C off to the end of the body, if that is wanted.

    Raised at any instant it may fall where it is lost: Python drops what is raised while it clears an object away.

    Raises:
        KeyboardInterrupt: it came meanwhile.
    """
    pending = Deferred()
    usual = signal.getsignal(signal.SIGINT)
    # Only the main thread hears signals; and where Ctrl-C is ignored it stays so.
    if not wanted or threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield pending
        return
    signal.signal(signal.SIGINT, pending.note)
    try:
        yield pending
    finally:
        signal.signal(signal.SIGINT, usual)
        if pending.came:
            usual(signal.SIGINT, None)

"""The deferral of Ctrl-C while work must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class DeferredInterrupt:
    """A Ctrl-C that has been pressed and has not taken effect yet."""

    def __init__(self) -> None:
        self.is_pending = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal. This method is a signal handler."""
        self.is_pending = True

    def raise_if_pending(self) -> None:
        """Let Ctrl-C take effect now, if it has been pressed.

        Raises:
            KeyboardInterrupt: Ctrl-C has been pressed.
        """
        if self.is_pending:
            self.is_pending = False
            raise KeyboardInterrupt


@contextmanager
def defer_interrupts(enabled: bool = True) -> Iterator[DeferredInterrupt]:
    """Defer Ctrl-C to the end of the body, if `enabled`.

    KeyboardInterrupt can be raised at any instruction, and Python discards it while an object is being destroyed.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed during the body.
    """
    interrupt = DeferredInterrupt()
    handler = signal.getsignal(signal.SIGINT)
    # Only the main thread receives signals. Where Ctrl-C is ignored, it stays ignored.
    if not enabled or threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.receive)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, handler)
        if interrupt.is_pending:
            handler(signal.SIGINT, None)

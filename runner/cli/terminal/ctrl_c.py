"""Ctrl-C, which people press twice: the second must not interrupt what the first has set in motion."""

from __future__ import annotations

import signal
import time
from types import FrameType

SECONDS_BETWEEN = 1.0


def calm_interrupts() -> None:
    """Let Ctrl-C interrupt, but not again within a second, while things are being brought to a good end."""
    last = float("-inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SECONDS_BETWEEN:
            last = now
            raise KeyboardInterrupt

    # Who started this process may have had it ignore Ctrl-C, as shells do in the background.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def ignore_interrupts() -> None:
    """Hear no Ctrl-C from now on: nothing is left to do but to say the last word."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

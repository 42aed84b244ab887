"""The progress of `runner run` on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TextIO, cast

import click

from runner.contracts.outcomes import Outcome
from runner.engine.trajectories import Trajectory
from runner.pipeline.plan import Plan
from runner.tables.readable import counted

SECONDS_BETWEEN_LINES = 2.0
SECONDS_BETWEEN_DRAWINGS = 0.1
WIDE_TERMINAL = 120
"""Width in columns from which a terminal gets the long bar."""
LONG_BAR, SHORT_BAR = 30, 10
ERASE_LINE, HIDE_CURSOR, SHOW_CURSOR = "\r\x1b[K", "\x1b[?25l", "\x1b[?25h"


def outcome_counts(outcomes: Counter[Outcome]) -> str:
    """Return counts as `12 converged, 3 diverged`, in the order of the outcomes."""
    return ", ".join(f"{outcomes[outcome]:,} {outcome}" for outcome in Outcome if outcomes[outcome])


def progress_observer() -> QuietProgress:
    """Return the bar if standard error is a terminal that can erase a line, else the plain lines."""
    # Python sets `sys.stderr` to None if the process starts with standard error closed.
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return ProgressBar(sys.stderr)
    return ProgressLines()


class QuietProgress:
    """An observer of a sweep that prints only warnings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Do nothing."""

    def began(self, plan: Plan) -> None:
        """Note that the plan is checked and that computing begins."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Note that a batch is in the database."""

    def warned(self, warning: str) -> None:
        """Print a warning."""
        click.echo(f"warning: {warning}", err=True)

    def stored_elsewhere(self, count: int) -> None:
        """Note that another process stored `count` of the runs that were planned here."""

    def waiting(self, count: int, holder: str) -> None:
        """Note that all remaining runs are being computed by other processes."""


class CountedProgress(QuietProgress):
    """The counts, the rate and the time left, which the bar and the lines share."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self._total = 0
        self._begun = time.monotonic()

    def began(self, plan: Plan) -> None:
        """Start the clock."""
        self._total = len(plan.todo)
        self._begun = time.monotonic()

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Count the runs of the batch by outcome."""
        self._outcomes.update(trajectory.outcome for trajectory in trajectories)

    def stored_elsewhere(self, count: int) -> None:
        """Subtract the runs that another process stored from the total."""
        self._total -= count

    def waiting(self, count: int, holder: str) -> None:
        """Print the process whose runs are awaited."""
        click.echo(f"waiting for {counted(count, 'run')} that {holder} is computing", err=True)

    def _rate(self, seconds: float) -> float:
        """Return the number of runs per second."""
        return self._outcomes.total() / max(seconds, 1e-9)


class ProgressLines(CountedProgress):
    """A line every few seconds, for logs and pipes."""

    def began(self, plan: Plan) -> None:
        """Print the number of runs to compute."""
        super().began(plan)
        self._printed = self._begun
        click.echo(f"{counted(self._total, 'run')} to compute, {len(plan.runs) - self._total:,} already stored", err=True)

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Print the counts, unless a line was printed a moment ago and runs are left."""
        super().saved(trajectories)
        done, now = self._outcomes.total(), time.monotonic()
        if done < self._total and now - self._printed < SECONDS_BETWEEN_LINES:
            return
        self._printed = now
        rate = self._rate(now - self._begun)
        left = (self._total - done) / rate
        click.echo(
            f"{done:,}/{self._total:,} runs: {outcome_counts(self._outcomes)} ({rate:,.0f} runs/s, {left:.0f} s left)", err=True
        )


class ProgressBar(CountedProgress):
    """A bar with runs done, rate, time left and outcomes, on the last line of a terminal.

    A thread redraws the line. Everything else that this process prints on the terminal appears above the line.
    """

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._terminal = terminal
        self._has_begun = False
        self._finished = False
        self._drawn = ""
        self._in_mid_line = False
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True)
        self._redirections = contextlib.ExitStack()
        try:
            "━─…".encode(terminal.encoding)
            self._full, self._empty, self._ellipsis = "━─…"
        except UnicodeEncodeError:
            self._full, self._empty, self._ellipsis = "#-~"

    def __enter__(self) -> Self:
        for stream, redirect in ((sys.stdout, contextlib.redirect_stdout), (sys.stderr, contextlib.redirect_stderr)):
            if stream is not None and stream.isatty():
                self._redirections.enter_context(redirect(cast(TextIO, _StreamAboveBar(stream, self))))
        self._write(HIDE_CURSOR)
        self._draw()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Draw the bar a last time and give the terminal back; a sweep that has not begun leaves no bar."""
        self._stop.set()
        self._thread.join()
        self._redirections.close()
        if self._has_begun:
            self._draw()
            self._write("\n" + SHOW_CURSOR)
        else:
            self._write(ERASE_LINE + SHOW_CURSOR)

    def began(self, plan: Plan) -> None:
        """Start the clock."""
        with self._lock:
            super().began(plan)
            self._has_begun = True

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Count the runs of the batch by outcome."""
        with self._lock:
            super().saved(trajectories)

    def print_above(self, stream: TextIO, text: str) -> None:
        """Write a text in the place of the bar, which is drawn again as soon as the text has ended its line."""
        with self._lock:
            if self._drawn:
                self._write(ERASE_LINE)
                self._drawn = ""
            stream.write(text)
            stream.flush()
            self._in_mid_line = not text.endswith("\n")

    def _redraw(self) -> None:
        # If the terminal is gone, the next message of the main thread reports it.
        with contextlib.suppress(OSError):
            while not self._stop.wait(SECONDS_BETWEEN_DRAWINGS):
                self._draw()

    def _draw(self) -> None:
        with self._lock:
            line = self._line()
            if line != self._drawn and not self._in_mid_line:
                self._write(ERASE_LINE + line)
                self._drawn = line

    def _line(self) -> str:
        """Return the bar and its numbers, cut where the terminal ends."""
        if not self._has_begun:
            return "checking the grid"
        try:
            width = os.get_terminal_size(self._terminal.fileno()).columns
        except (OSError, ValueError):
            width = 80
        done = self._outcomes.total()
        finished = done >= self._total
        if not (finished and self._finished):
            self._seconds = time.monotonic() - self._begun
        self._finished = finished
        rate = self._rate(self._seconds)
        if finished:
            clock = f"in {timedelta(seconds=int(self._seconds))}"
        else:
            clock = f"{timedelta(seconds=int((self._total - done) / rate))} left" if done else ""
        length = LONG_BAR if width >= WIDE_TERMINAL else SHORT_BAR
        filled = min(length, length * done // self._total) if self._total else length
        parts = (
            self._full * filled + self._empty * (length - filled),
            f"{done:,}/{self._total:,} runs",
            f"{rate:,.0f} runs/s" if done else "",
            clock,
            outcome_counts(self._outcomes),
        )
        line = " ".join(filter(None, parts))
        # A character in the last column would move some terminals to the next line.
        return line if len(line) < width else line[: width - 2] + self._ellipsis

    def _write(self, text: str) -> None:
        click.echo(text, file=self._terminal, nl=False, color=True)


class _StreamAboveBar:
    """A stream on the terminal of a bar: its texts appear above the bar."""

    def __init__(self, stream: TextIO, bar: ProgressBar) -> None:
        self._stream = stream
        self._bar = bar

    def write(self, text: str) -> int:
        if text:
            self._bar.print_above(self._stream, text)
            return len(text)
        # click writes b"" to find out if a stream accepts bytes, so the wrapped stream must accept or refuse it.
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

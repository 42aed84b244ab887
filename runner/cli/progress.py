"""How a sweep goes, while it goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from runner.pipeline import Plan
from runner.stopping import Outcome
from runner.trajectories import Trajectory

SECONDS_BETWEEN_LINES = 2.0
WIDE = 120
"""A terminal of so many columns has room for a long bar."""


def many_runs(count: int) -> str:
    """Return a count of runs in words: `1 run`, `2,000 runs`."""
    return f"{count:,} run{'' if count == 1 else 's'}"


def outcomes_in_words(outcomes: Counter[Outcome]) -> str:
    """Return counts as "12 converged, 3 diverged", in the order of the outcomes."""
    return ", ".join(f"{outcomes[outcome]:,} {outcome}" for outcome in Outcome if outcomes[outcome])


class Silence:
    """Says nothing but warnings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to clear away."""

    def began(self, plan: Plan) -> None:
        """The plan is made and checked; computing begins."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """A batch is in the database."""

    def warned(self, warning: str) -> None:
        """Say a warning."""
        click.echo(f"warning: {warning}", err=True)

    def stored_elsewhere(self, count: int) -> None:
        """Another process stored so many of the runs that were to be computed here."""

    def waiting(self, count: int, holder: str) -> None:
        """Nothing is left but runs that others are computing just now."""


class Lines(Silence):
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self._total = 0
        self._begun = self._said = time.monotonic()

    def began(self, plan: Plan) -> None:
        """Say how much there is to do."""
        self._total = len(plan.todo)
        self._begun = self._said = time.monotonic()
        click.echo(f"{many_runs(self._total)} to compute, {len(plan.runs) - self._total:,} already stored", err=True)

    def stored_elsewhere(self, count: int) -> None:
        """There is so much less to do."""
        self._total -= count

    def waiting(self, count: int, holder: str) -> None:
        """Say who is waited for."""
        click.echo(f"waiting for {many_runs(count)} that {holder} is computing", err=True)

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Say how far it is, unless that was said just now."""
        self._outcomes.update(trajectory.outcome for trajectory in trajectories)
        done, now = self._outcomes.total(), time.monotonic()
        if done < self._total and now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        rate = done / max(now - self._begun, 1e-9)
        left = (self._total - done) / rate
        click.echo(
            f"{done:,}/{self._total:,} runs: {outcomes_in_words(self._outcomes)} ({rate:,.0f} runs/s, {left:.0f} s left)",
            err=True,
        )


class _Time(ProgressColumn):
    """How long it will take, and at the end how long it took."""

    def render(self, task: Task) -> Text:
        """Say which of the two it is."""
        if task.finished:
            return Text(f"in {timedelta(seconds=int(task.finished_time or 0))}")
        left = task.time_remaining
        return Text("" if left is None else f"{timedelta(seconds=int(left))} left")


class Bar(Silence):
    """A live bar with runs done, rate, time left and outcomes so far, which are cut where the terminal is narrow."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self._total = 0
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30 if self._console.width >= WIDE else 10),
            MofNCompleteColumn(),
            TextColumn("runs"),
            TextColumn("{task.fields[rate]}"),
            _Time(),
            TextColumn("{task.fields[outcomes]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=self._console,
            expand=True,
        )
        self._task = self._progress.add_task("", total=None, outcomes="checking the grid", rate="")
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the bar as it is and give the terminal back."""
        self._progress.stop()

    def began(self, plan: Plan) -> None:
        """Show how much there is to do."""
        self._begun = time.monotonic()
        self._total = len(plan.todo)
        self._progress.update(self._task, total=self._total, outcomes="")

    def stored_elsewhere(self, count: int) -> None:
        """There is so much less to do."""
        self._total -= count
        self._progress.update(self._task, total=self._total)

    def waiting(self, count: int, holder: str) -> None:
        """Say above the bar who is waited for."""
        self._console.print(f"waiting for {many_runs(count)} that {holder} is computing", markup=False)

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Move the bar."""
        self._outcomes.update(trajectory.outcome for trajectory in trajectories)
        done = self._outcomes.total()
        rate = f"{done / max(time.monotonic() - self._begun, 1e-9):,.0f} runs/s"
        self._progress.update(self._task, completed=done, outcomes=outcomes_in_words(self._outcomes), rate=rate)

    def warned(self, warning: str) -> None:
        """Say a warning above the bar."""
        self._console.print(f"warning: {warning}", markup=False)

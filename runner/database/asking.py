"""Asking: what is stored, as tables, records and arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.analysis.comparison import Comparison, compare
from runner.database.questions import Key, Runs, checked_limit, plain, question, wanted
from runner.errors import OutdatedDatabase, QueryError, StoreError
from runner.frames import Frame, joined
from runner.records import RunHead, RunRecord
from runner.store.asking import answers, ask_runs
from runner.store.connection import Database
from runner.store.experiments import ask_experiments, find_experiment
from runner.store.heads import read_heads
from runner.store.one_run import read_run
from runner.store.sql import Answer, ask_sql

if TYPE_CHECKING:
    from runner.contracts import Series

RUNS_AT_ONCE = 1000
"""So many runs are held in memory while they are given in parts."""
MOST_NUMBERS = 50_000_000
"""So many numbers, rows times columns, has a table of iterates at most: 400 MB, and as much again while it is made."""


class Asking:
    """A results database that answers; what it is as a whole, `ResultsDatabase` says.

    Attributes:
        name: the path or URL, without its password.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self._opened = Database(name)
        self._is_closed = False
        self.name = self._opened.name
        try:
            self._opened.require()
        except StoreError:
            self._opened.close()
            raise
        if self._database.outdated:
            warnings.warn(self._database.outdated, OutdatedDatabase, stacklevel=2)

    @property
    def _database(self) -> Database:
        """What answers, as long as it is open: it would quietly open again."""
        if self._is_closed:
            raise StoreError(f"database {self.name}: was closed; open it again with runner.open")
        return self._opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        if self._is_closed:
            return f"<results database {self.name}, closed>"
        return f"<results database {self.name}>\n{self.experiments()!r}"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the experiments, while it is open."""
        return None if self._is_closed else self.experiments()._repr_html_()

    def close(self) -> None:
        """Give back the connections; it answers nothing from then on."""
        self._is_closed = True
        self._opened.close()

    def experiments(self) -> Frame:
        """Return every experiment, the one that was run last at the end.

        The columns are `id`, `name`, `description`, `created_at`, `last_run_at`, `runs`, and for each outcome how many runs ended
        so.
        """
        return ask_experiments(self._database)

    def runs(
        self,
        where: str | None = None,
        *,
        sort: str | None = None,
        columns: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Frame:
        """Return runs as a table, a row each.

        Args:
            where: a filter, e.g. `optimizer = "gradient_descent" and learning_rate < 0.1`.
            sort: columns or parameters in the order of their weight, with `-` before one for the largest first.
            columns: which columns and parameters; all, the parameters as `kind.name`, if None.
            limit: how many at most; all if None.

        Raises:
            QueryError: one of these cannot be understood; the text points at the character.
        """
        return ask_runs(self._database, question(where, sort, columns, limit))

    def run_frames(
        self,
        where: str | None = None,
        *,
        sort: str | None = None,
        columns: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Frame]:
        """Give the table that `runs` returns in parts with the same columns; memory stays bounded however many there are.

        Raises:
            QueryError: one of these cannot be understood.
        """
        with answers(self._database, question(where, sort, columns, limit), RUNS_AT_ONCE) as frames:
            yield from frames

    def run(self, run: Key) -> RunRecord:
        """Return one run with everything that is known of it.

        Args:
            run: its row number, or the beginning of its identity, as in git.

        Raises:
            QueryError: there is none, or several begin so.
        """
        return read_run(self._database, plain(run, "run"))

    def steps(self, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None) -> Frame:
        """Return trajectories as one table: a row for each iterate, from the start (step 0) to the last.

        The columns are `run`, `step`, `value`, `gradient_norm`, and the coordinates `x0`, `x1`, … and `gradient0`, … as far as
        they are stored.

        Args:
            runs: a run, several, or a table of runs with their `id`; all that satisfy `where` if None.
            where: a filter, instead.
            series: which of `value`, `gradient_norm`, `x`, `gradient`; all if None.

        Raises:
            QueryError: there is no such run or series, or the table would have more than 50 million numbers.
            StoreError: a trajectory is damaged.
        """
        return joined(self._step_frames(runs, where, series, MOST_NUMBERS))

    def step_frames(
        self, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None
    ) -> Iterator[Frame]:
        """Give the table that `steps` returns in parts with the same columns; memory stays bounded however many there are.

        Raises:
            QueryError: there is no such run or series.
            StoreError: a trajectory is damaged.
        """
        return self._step_frames(runs, where, series, None)

    def _step_frames(
        self, runs: Runs, where: str | None, series: str | Sequence[str] | None, most: int | None
    ) -> Iterator[Frame]:
        """Give the table in parts, unless it has more numbers than the most."""
        # NumPy takes longer to load than most questions to answer.
        from runner.steps import StepTable, chosen_series

        # Likewise.
        from runner.store.series import portions, trajectories_of

        chosen = chosen_series(series)
        with self._database.reading() as connection:
            heads = read_heads(connection, wanted(runs, where), self.name)
            table = StepTable(heads, chosen)
            if most is not None:
                table.require_at_most(most)
            for some in portions(heads, table.width) if heads else [heads]:
                yield table.frame(list(trajectories_of(connection, some, self.name)))

    def sql(self, query: str, *, limit: int = 1000, seconds: float = 30.0) -> Answer:
        """Answer one SQL statement that only reads, over the views `runs`, `steps`, `parameters` and `experiments`.

        Args:
            query: the statement.
            limit: how many rows at most.
            seconds: how long it may take.

        Raises:
            QueryError: it is wrong, takes too long, or would do more than read; or a limit is out of bounds.
        """
        return ask_sql(self._database, query, checked_limit(limit, 1), seconds)

    def trajectories(self, runs: Runs = None, *, where: str | None = None) -> Iterator[tuple[RunHead, Series]]:
        """Give trajectories as arrays, one run after another; memory stays bounded however many there are.

        All are those of one moment, whatever is stored or deleted meanwhile.

        Args:
            runs: a run, several, or a table of runs with their `id`; all that satisfy `where` if None.
            where: a filter, instead.

        Raises:
            QueryError: there is no such run.
            StoreError: a trajectory is damaged.
        """
        # As above.
        from runner.store.series import trajectories_of

        with self._database.reading() as connection:
            yield from trajectories_of(connection, read_heads(connection, wanted(runs, where), self.name), self.name)

    def compare(self, a: Key, b: Key) -> Comparison:
        """Set two experiments, or the runs of two filters, side by side.

        Args:
            a: an experiment's name or row number, or a filter.
            b: likewise.

        Raises:
            QueryError: one is neither, or has no runs.
        """
        return compare(self._side(a), self._side(b))

    def _side(self, key: Key) -> Frame:
        side = plain(key, "experiment")
        where = str(side)
        with self._database.reading() as connection:
            try:
                where = f"experiment = {find_experiment(connection, side, self.name).id}"
            except QueryError as error:
                if isinstance(side, int) or not set(side) & set("=<>~ ≤≥≠"):
                    raise error
        frame = self.runs(where)
        if not len(frame):
            raise QueryError(f"compare: no run satisfies {side!r}")
        return frame

"""The results database as people ask it, from Python and from the command line: there is no other supported way in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.errors import StoreError
from runner.frames import Frame
from runner.records import RunRecord
from runner.store.asking import ask_experiments, ask_runs
from runner.store.connection import Database
from runner.store.one_run import read_run
from runner.store.run_columns import RUN_COLUMNS

if TYPE_CHECKING:
    from runner.contracts import Series

RunKey = int | str
"""A run's row number, or the beginning of its identity."""


class ResultsDatabase:
    """A results database that is there, opened for asking.

    Nothing that only asks writes. Use it in a `with`, or close it.

    Attributes:
        name: the path or URL.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._database = Database(name)
        if not self._database.exists():
            self._database.close()
            raise StoreError(f"database {name}: there is none; `runner run` makes it, --db or RUNNER_DB names another")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._database.close()

    def experiments(self) -> Frame:
        """Return every experiment, the one that was run last at the end.

        The columns are `id`, `name`, `description`, `created_at`, `last_run_at`, `runs`, and for each outcome how many runs ended
        so.
        """
        return ask_experiments(self._database)

    def runs(self, *, columns: Sequence[str] | None = None, limit: int | None = None) -> Frame:
        """Return runs as a table, a row each.

        Args:
            columns: which; all if None.
            limit: how many at most; all if None.
        """
        return ask_runs(self._database, tuple(RUN_COLUMNS) if columns is None else columns, limit)

    def run(self, run: RunKey) -> RunRecord:
        """Return one run with everything that is known of it.

        Args:
            run: its row number, or the beginning of its identity, as in git.

        Raises:
            QueryError: there is none, or several begin so.
        """
        return read_run(self._database, run)

    def trajectories(self, runs: Iterable[RunKey]) -> Iterator[tuple[RunRecord, Series]]:
        """Give the trajectories of runs as arrays, one run after another, in the order given.

        Raises:
            QueryError: there is no such run.
            StoreError: a trajectory is damaged.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.store.reading import read_series

        return read_series(self._database, [self.run(run) for run in runs])


def open(name: str) -> ResultsDatabase:  # noqa: A001 - people write runner.open
    """Open a results database for asking.

    Args:
        name: a path, or an SQLAlchemy URL such as `postgresql+psycopg://user@host/name`.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return ResultsDatabase(name)

"""The results database as people ask it, from Python and from the command line: there is no other supported way in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.errors import QueryError, StoreError
from runner.filters.sorting import parse_columns, parse_sort
from runner.frames import Frame
from runner.records import RunRecord
from runner.store.asking import Question, ask_runs
from runner.store.connection import Database
from runner.store.experiments import ask_experiments
from runner.store.one_run import read_run

if TYPE_CHECKING:
    from runner.contracts import Series
    from runner.filters.syntax import Filter
    from runner.offers import Catalogue
    from runner.replaying import Replay
    from runner.store.verifying import Check


def question(where: str | None, sort: str | None, columns: str | Sequence[str] | None, limit: int | None) -> Question:
    """Return what is asked, from texts.

    Raises:
        QueryError: one of them cannot be understood.
    """
    if columns is not None and not isinstance(columns, str):
        columns = ", ".join(columns)
    if limit is not None and limit < 0:
        raise QueryError(f"limit: must be a whole number >= 0, not {limit}")
    return Question(
        None if where is None else _filter(where),
        None if sort is None else parse_sort(sort),
        None if columns is None else parse_columns(columns),
        limit,
    )


def _filter(text: str) -> Filter:
    # The parsing library takes longer to load than most questions to answer.
    from runner.filters.parsing import parse_filter

    return parse_filter(text)


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

    def run(self, run: RunKey) -> RunRecord:
        """Return one run with everything that is known of it.

        Args:
            run: its row number, or the beginning of its identity, as in git.

        Raises:
            QueryError: there is none, or several begin so.
        """
        return read_run(self._database, run)

    def verify(self) -> Iterator[Check]:
        """Look whether everything that is stored is whole, one kind of thing after another.

        Raises:
            StoreError: the database cannot be read.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.store.verifying import verify

        return verify(self._database)

    def replay(self, count: int, catalogue: Catalogue, seed: int | None = None) -> Iterator[Replay]:
        """Compute runs again, and compare them with what is stored, bit for bit.

        Args:
            count: how many, chosen at random among those that ended by themselves.
            catalogue: where their plugins are looked up.
            seed: of the choice; another choice each time if None.

        Raises:
            StoreError: the database cannot be read.
        """
        # It loads NumPy and the engine.
        from runner.replaying import replay

        return replay(self._database, catalogue, count, seed)

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

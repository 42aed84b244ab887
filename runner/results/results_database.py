"""The results database: ask it, draw and export from it, and maintain it. There is no other supported way in."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from runner.results.comparison import Comparison, compare
from runner.store.reading.question import Key, Runs, catalogue_with, checked_key, checked_limit, chosen_runs, parse_question, read_filter
from runner.errors import OutdatedDatabase, QueryError, StoreError
from runner.tables.frame import Frame, joined
from runner.store.reading.run_record import RunHead, RunRecord
from runner.store.reading.runs_table import read_run_frames, read_runs
from runner.store.connection import Database
from runner.store.reading.experiments import ask_experiments, find_experiment
from runner.store.reading.one_run import read_heads
from runner.store.reading.one_run import read_run
if TYPE_CHECKING:
    from runner.contracts.figure import Drawing, Series
    from runner.registry.catalogue import Catalogue
    from runner.results.replay import Replay
    from runner.report.page import WrittenReport
    from runner.store.maintenance.delete import Deletion
    from runner.store.maintenance.summary import Facts
    from runner.store.reading.stored_results import StoredResults
    from runner.store.reading.user_sql import Answer
    from runner.store.verifying.verify import Check


RUNS_AT_ONCE = 1000
"""So many runs are held in memory while they are given in parts."""
MOST_NUMBERS = 50_000_000
"""So many numbers, rows times columns, has a table of iterates at most: 400 MB, and as much again while it is made."""


class ResultsDatabase:
    """An existing results database, opened for questions.

    Only the methods that say so write. Use it in a `with` statement, or call `close`.

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
        return read_runs(self._database, parse_question(where, sort, columns, limit))

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
        yield from read_run_frames(self._database, parse_question(where, sort, columns, limit), RUNS_AT_ONCE)

    def run(self, run: Key) -> RunRecord:
        """Return one run with everything that is known of it.

        Args:
            run: its row number, or the beginning of its identity, as in git.

        Raises:
            QueryError: there is none, or several begin so.
        """
        return read_run(self._database, checked_key(run, "run"))

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
        from runner.store.reading.steps_table import StepTable, chosen_series

        # Likewise.
        from runner.store.reading.trajectories import portions, trajectories_of

        chosen = chosen_series(series)
        with self._database.reading() as connection:
            heads = read_heads(connection, chosen_runs(runs, where), self.name)
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
        # Only SQL that users write needs it.
        from runner.store.reading.user_sql import ask_sql

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
        from runner.store.reading.trajectories import trajectories_of

        with self._database.reading() as connection:
            yield from trajectories_of(connection, read_heads(connection, chosen_runs(runs, where), self.name), self.name)

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
        side = checked_key(key, "experiment")
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

    def figure(self, name: str, experiment: Key, *, where: str | None = None, plugins: Sequence[str | Path] = ()) -> Drawing:
        """Draw a figure from the database alone; it is a Matplotlib figure with a caption.

        Args:
            name: the figure's name, as `runner plugins` lists it.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            plugins: files with plugins to load first.

        Raises:
            QueryError: there is no such figure or experiment, or nothing to show.
            ReportError: it cannot be drawn.
        """
        # Matplotlib takes longer to load than most questions to answer.
        from runner.results.drawing import draw

        catalogue = catalogue_with(plugins)
        return draw(self._results(experiment, where, catalogue), name, catalogue)

    def plot(
        self,
        path: str | Path,
        name: str,
        experiment: Key,
        *,
        where: str | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> tuple[str, ...]:
        """Draw a figure into a file, whose name ends in .svg, .png or .pdf; the same database gives the same bytes.

        Args:
            path: the file.
            name: the figure's name.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            plugins: files with plugins to load first.

        Returns:
            The caption, and behind it what the drawing complained about.

        Raises:
            QueryError: there is no such figure or experiment, or nothing to show.
            ReportError: it cannot be drawn or written.
        """
        # As above.
        from runner.results.drawing import plot

        catalogue = catalogue_with(plugins)
        return plot(Path(path), self._results(experiment, where, catalogue), name, catalogue)

    def report(
        self,
        folder: str | Path,
        experiment: Key,
        *,
        where: str | None = None,
        figures: Sequence[str] | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> WrittenReport:
        """Write the report of an experiment from the database alone; the same database gives the same bytes.

        Args:
            folder: where to write; it is made if it is missing.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            figures: which figures; those that the experiment's file names if None.
            plugins: files with plugins to load first.

        Raises:
            QueryError: there is no such figure or experiment.
            ReportError: the folder cannot be written.
        """
        # As above.
        from runner.results.drawing import draw_report

        catalogue = catalogue_with(plugins)
        return draw_report(Path(folder), self._results(experiment, where, catalogue), figures, catalogue)

    def _results(self, experiment: Key, where: str | None, catalogue: Catalogue) -> StoredResults:
        # As above.
        from runner.results.drawing import stored_results

        return stored_results(
            self._database, checked_key(experiment, "experiment"), None if where is None else read_filter(where), catalogue
        )

    def export_runs(self, path: str | Path, *, where: str | None = None, columns: str | Sequence[str] | None = None) -> int:
        """Write runs into a file, whose name ends in .parquet, .csv, .jsonl or .npz; return how many.

        Args:
            path: the file; it is there whole or not at all.
            where: a filter; all if None.
            columns: which columns and parameters; all, the parameters as `kind.name`, if None.

        Raises:
            QueryError: the filter is wrong, or the format unknown.
            ReportError: the file cannot be written.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.results.export import checked_suffix, export_frames

        checked_suffix(Path(path))
        return export_frames(Path(path), self.run_frames(where, columns=columns))

    def export_steps(
        self, path: str | Path, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None
    ) -> int:
        """Write trajectories into a file, whose name ends in .parquet, .csv, .jsonl or .npz; return how many iterates.

        Memory stays bounded however many there are. An NPZ archive has an array for each run and series: `12/value`, `12/x`.

        Args:
            path: the file; it is there whole or not at all.
            runs: which; all that satisfy `where` if None.
            where: a filter, instead.
            series: which of `value`, `gradient_norm`, `x`, `gradient`; all if None.

        Raises:
            QueryError: there is no such run or series, or the format is unknown.
            ReportError: the file cannot be written.
            StoreError: a trajectory is damaged.
        """
        # As above.
        from runner.results.export import checked_suffix, export_frames, export_trajectories

        # Likewise.
        from runner.store.reading.steps_table import chosen_series

        if checked_suffix(Path(path)) == ".npz":
            return export_trajectories(Path(path), self.trajectories(runs, where=where), chosen_series(series))
        return export_frames(Path(path), self.step_frames(runs, where=where, series=series))

    def verify(self) -> Iterator[Check]:
        """Look whether everything that is stored is whole, one kind of thing after another.

        Raises:
            StoreError: the database cannot be read.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.store.verifying.verify import verify

        return verify(self._database)

    def replay(
        self, count: int, catalogue: Catalogue | None = None, seed: int | None = None, *, plugins: Sequence[str | Path] = ()
    ) -> Iterator[Replay]:
        """Compute runs again, and compare them with what is stored, bit for bit.

        Args:
            count: how many, chosen at random among those that ended by themselves.
            catalogue: where their plugins are looked up; among the installed ones and `plugins` if None.
            seed: of the choice; another choice each time if None.
            plugins: files with plugins to load first, without a catalogue.

        Raises:
            PluginError: a file cannot be loaded.
            StoreError: the database cannot be read.
        """
        # It loads NumPy and the engine.
        from runner.results.replay import replay

        return replay(self._database, catalogue_with(plugins) if catalogue is None else catalogue, count, seed)

    def facts(self) -> Facts:
        """Return what the database is, its size, what it holds and who is computing.

        Raises:
            StoreError: it cannot be read.
        """
        # Only who looks after a database needs it.
        from runner.store.maintenance.summary import facts

        return facts(self._database)

    def plan_deletion(
        self,
        runs: Runs = None,
        *,
        where: str | None = None,
        experiment: Key | Sequence[Key] | None = None,
        superseded: bool = False,
    ) -> Deletion:
        """Return what `delete` would delete: nothing but what is asked for, in one way, and what the runs have superseded.

        Args:
            runs: a run, several, or a table of runs with their `id`.
            where: a filter; the runs that satisfy it.
            experiment: an experiment, or several, each by its row number, or by its name for the one that was run last; they go,
                and the runs that belong to no others.
            superseded: every superseded run.

        Raises:
            QueryError: nothing is named, or in several ways; there is no such run or experiment, or the filter cannot be
                understood.
            StoreError: the database cannot be read.
        """
        named = [runs is not None, where is not None, experiment is not None, superseded]
        if not any(named):
            raise QueryError("nothing is named to delete; name runs, a filter, an experiment, or superseded runs")
        if sum(named) > 1:
            raise QueryError(
                f"runs to delete are named in {sum(named)} ways, and all of them would go; give one, such as the filter "
                'experiment = "lr_sweep" and outcome = "failed"'
            )
        # Only who looks after a database needs it.
        from runner.store.maintenance.delete import plan_deletion

        numbers: list[int] = []
        if runs is not None or where is not None:
            with self._database.reading() as connection:
                numbers = [head.id for head in read_heads(connection, chosen_runs(runs, where), self.name)]
        keys = () if experiment is None else experiment if isinstance(experiment, list | tuple) else (experiment,)
        return plan_deletion(self._database, numbers, [checked_key(key, "experiment") for key in keys], superseded)

    def delete(self, deletion: Deletion) -> None:
        """Delete for good.

        Raises:
            StoreError: the database cannot be written; nothing is deleted.
        """
        # Only who looks after a database needs it.
        from runner.store.maintenance.delete import carry_out

        carry_out(self._database, deletion)

    def backup(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy a file as of one instant, while others may be using it; return the copy's name.

        Args:
            path: the copy's name; beside the original, with the date, if None.

        Raises:
            StoreError: there is a file of that name, or no room; nothing is left of the copy.
        """
        # Only who looks after a database needs it.
        from runner.store.maintenance.backup import back_up

        return str(back_up(self._database, None if path is None else Path(path)))

    def copy(self, target: str | os.PathLike[str]) -> Mapping[str, int]:
        """Copy everything into a new or empty database, a path or URL, and verify it; return how many rows each table has.

        Raises:
            StoreError: it holds something; or something cannot be read or written, and nothing is left of the copy.
        """
        # NumPy, with which the copy is verified, takes longer to load than most questions to answer.
        from runner.store.maintenance.copy import copy

        with closing(Database(str(target))) as database:
            return copy(self._database, database)

    def upgrade(self) -> str | None:
        """Bring the database to today's schema; return the name of the backup, None if there was nothing to do.

        Raises:
            StoreError: it cannot be written; it is as it was.
        """
        # Only who looks after a database needs it.
        from runner.store.maintenance.upgrade import upgrade

        copy = upgrade(self._database)
        return None if copy is None else str(copy)

    def vacuum(self) -> tuple[int, int]:
        """Give the room of what was deleted back to the disk; return how many bytes it took before, and takes now.

        Raises:
            StoreError: the database cannot be written; it is as it was.
        """
        # Only who looks after a database needs it.
        from runner.store.maintenance.summary import vacuum

        return vacuum(self._database)


def open(name: str | os.PathLike[str]) -> ResultsDatabase:  # noqa: A001 - people write runner.open
    """Open a results database for asking.

    Args:
        name: a path, or an SQLAlchemy URL such as `postgresql+psycopg://user@host/name`.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return ResultsDatabase(name)

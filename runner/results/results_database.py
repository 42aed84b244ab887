"""The results database for Python code: query runs and trajectories, draw, export, and maintain."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.errors import OutdatedDatabase, QueryError, StoreError
from runner.results.comparison import Comparison, compare
from runner.store.connection import Database
from runner.store.reading.experiments import find_experiment, read_experiments
from runner.store.reading.one_run import read_outlines, read_run
from runner.store.reading.question import Key, Runs, checked_key, checked_limit, chosen_runs, parse_question, read_filter
from runner.store.reading.run_record import RunOutline, RunRecord
from runner.store.reading.runs_table import read_run_frames, read_runs
from runner.tables.frame import Frame, concatenated

if TYPE_CHECKING:
    from runner.contracts.figure import Drawing, Series
    from runner.registry.catalogue import Catalogue
    from runner.report.page import WrittenReport
    from runner.results.replay import Replay
    from runner.store.maintenance.delete import Deletion
    from runner.store.maintenance.summary import Facts
    from runner.store.reading.stored_results import StoredResults
    from runner.store.reading.user_sql import Answer
    from runner.store.verifying.part import VerifiedPart

RUNS_AT_ONCE = 1000
"""Largest number of runs in each part of a table that is returned in parts."""
MOST_NUMBERS = 50_000_000
"""Largest number of cells in a table of iterates: 400 MB, and the same again while the table is built."""


class ResultsDatabase:
    """An existing results database, open for queries.

    Use it in a `with` statement, or call `close`. Only `delete`, `upgrade` and `vacuum` write to the database.

    Attributes:
        name: the path or URL, without its password.
    """

    # Opening and closing.

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self._opened = Database(name)
        self._is_closed = False
        self.name = self._opened.name
        try:
            self._opened.check_exists()
        except StoreError:
            self._opened.close()
            raise
        if self._database.outdated:
            warnings.warn(self._database.outdated, OutdatedDatabase, stacklevel=2)

    @property
    def _database(self) -> Database:
        """Return the connection to the database.

        Raises:
            StoreError: `close` was called. Without this check, a closed `Database` would silently open its file again.
        """
        if self._is_closed:
            raise StoreError(f"database {self.name}: is closed; open it again with runner.open")
        return self._opened

    def close(self) -> None:
        """Close every connection to the database. Each later call raises `StoreError`."""
        self._is_closed = True
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the database."""
        self.close()

    def __repr__(self) -> str:
        if self._is_closed:
            return f"<results database {self.name}, closed>"
        return f"<results database {self.name}>\n{self.experiments()!r}"

    def _repr_html_(self) -> str | None:
        """Return the table of experiments for a notebook; None if the database is closed."""
        return None if self._is_closed else self.experiments()._repr_html_()

    # Queries.

    def experiments(self) -> Frame:
        """Return a table of all experiments; the experiment that was run last is in the last row.

        The columns are `id`, `name`, `description`, `created_at`, `last_run_at`, `runs`, and for each outcome the number of runs
        that ended with it.
        """
        return read_experiments(self._database)

    def runs(
        self,
        where: str | None = None,
        *,
        sort: str | None = None,
        columns: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Frame:
        """Return a table of runs, one row for each run.

        Args:
            where: a filter, such as `optimizer = "gradient_descent" and learning_rate < 0.1`; all runs if None.
            sort: columns or parameters, separated by commas, the most important first. `-` before a name sorts the largest first.
            columns: the columns and parameters of the table; if None, all of them, the parameters as `kind.name`.
            limit: the largest number of rows; no limit if None.

        Raises:
            QueryError: an argument cannot be understood. For a text, the message points at the character.
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
        """Yield the table that `runs` returns in parts, all with the same columns.

        Memory depends on the size of a part, not on the number of runs. The arguments are the same as for `runs`.

        Raises:
            QueryError: an argument cannot be understood.
        """
        yield from read_run_frames(self._database, parse_question(where, sort, columns, limit), RUNS_AT_ONCE)

    def run(self, run: Key) -> RunRecord:
        """Return everything that is stored about one run, except its trajectory.

        Args:
            run: its row number, or the beginning of its identity, as in git.

        Raises:
            QueryError: no run matches, or several identities begin with this text.
        """
        return read_run(self._database, checked_key(run, "run"))

    def steps(self, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None) -> Frame:
        """Return trajectories as one table: one row for each iterate, from the start (step 0) to the last.

        The columns are `run`, `step`, `value`, `gradient_norm`, and the coordinates `x0`, `x1`, … and `gradient0`, … where
        they are stored.

        Args:
            runs: a run, several runs, or a table of runs with their `id`; if None, the runs that satisfy `where`.
            where: a filter, in place of `runs`; all runs if both are None.
            series: the series to return, of `value`, `gradient_norm`, `x`, `gradient`; all if None.

        Raises:
            QueryError: a run or series does not exist, or the table would have more than 50 million numbers.
            StoreError: a trajectory is damaged.
        """
        return concatenated(self._step_frames(runs, where, series, MOST_NUMBERS))

    def step_frames(
        self, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None
    ) -> Generator[Frame, None, None]:
        """Yield the table that `steps` returns in parts, all with the same columns.

        Memory depends on the size of a part, not on the number of iterates. The arguments are the same as for `steps`.

        Raises:
            QueryError: a run or series does not exist.
            StoreError: a trajectory is damaged.
        """
        return self._step_frames(runs, where, series, None)

    def _step_frames(
        self, runs: Runs, where: str | None, series: str | Sequence[str] | None, most_numbers: int | None
    ) -> Generator[Frame, None, None]:
        # Loading NumPy takes longer than answering most queries.
        from runner.store.reading.steps_table import StepTable, chosen_series

        # This module loads NumPy too.
        from runner.store.reading.trajectories import portions, trajectories_of

        chosen = chosen_series(series)
        with self._database.reading() as connection:
            outlines = read_outlines(connection, chosen_runs(runs, where), self.name)
            table = StepTable(outlines, chosen)
            if most_numbers is not None:
                table.require_at_most(most_numbers)
            for portion in portions(outlines, table.width) if outlines else [outlines]:
                yield table.frame(list(trajectories_of(connection, portion, self.name)))

    def trajectories(self, runs: Runs = None, *, where: str | None = None) -> Iterator[tuple[RunOutline, Series]]:
        """Yield each run with its trajectory as arrays, one run after another.

        Memory is bounded, whatever the number of runs. All trajectories are read as of one instant, even if other programs store
        or delete runs at the same time.

        Args:
            runs: a run, several runs, or a table of runs with their `id`; if None, the runs that satisfy `where`.
            where: a filter, in place of `runs`; all runs if both are None.

        Raises:
            QueryError: a run does not exist.
            StoreError: a trajectory is damaged.
        """
        # Loading NumPy takes longer than answering most queries.
        from runner.store.reading.trajectories import trajectories_of

        with self._database.reading() as connection:
            yield from trajectories_of(connection, read_outlines(connection, chosen_runs(runs, where), self.name), self.name)

    def sql(self, query: str, *, limit: int = 1000, seconds: float = 30.0) -> Answer:
        """Answer one SQL statement that only reads, over the views `runs`, `steps`, `parameters` and `experiments`.

        Args:
            query: the statement.
            limit: the largest number of rows.
            seconds: the longest time that the statement may take.

        Raises:
            QueryError: the statement is wrong, takes too long, or does more than read; or a limit is out of bounds.
        """
        # This import is deferred, because few programs use SQL.
        from runner.store.reading.user_sql import answer_sql

        return answer_sql(self._database, query, checked_limit(limit, 1), seconds)

    def compare(self, a: Key, b: Key) -> Comparison:
        """Compare two experiments, or the runs of two filters, run by run.

        Args:
            a: an experiment's name or row number, or a filter.
            b: the other side, in the same form.

        Raises:
            QueryError: an argument is neither an experiment nor a filter, or has no runs.
        """
        return compare(self._runs_to_compare(a), self._runs_to_compare(b))

    def _runs_to_compare(self, key: Key) -> Frame:
        """Return the runs of an experiment or a filter.

        A text that is not the name of an experiment counts as a filter if it contains a space or a comparison sign.
        """
        side = checked_key(key, "experiment")
        where = str(side)
        with self._database.reading() as connection:
            try:
                where = f"experiment = {find_experiment(connection, side, self.name).id}"
            except QueryError:
                if isinstance(side, int) or not set(side) & set("=<>~ ≤≥≠"):
                    raise
        frame = self.runs(where)
        if not len(frame):
            raise QueryError(f"compare: no run satisfies {side!r}")
        return frame

    # Drawing.

    def figure(self, name: str, experiment: Key, *, where: str | None = None, plugins: Sequence[str | Path] = ()) -> Drawing:
        """Draw a figure from the database alone; return a Matplotlib figure with a caption.

        Args:
            name: the figure's name, as `runner plugins` lists it.
            experiment: an experiment's row number, or its name; if several have the name, the one that was run last.
            where: a filter; all runs of the experiment if None.
            plugins: paths of files with plugins to load first.

        Raises:
            QueryError: the figure or the experiment does not exist, or the figure has nothing to show.
            ReportError: the figure cannot be drawn.
        """
        # Loading Matplotlib takes longer than answering most queries.
        from runner.results.drawing import draw

        catalogue = _catalogue_with(plugins)
        return draw(self._results(experiment, where, catalogue), name, catalogue)

    def plot(
        self, path: str | Path, name: str, experiment: Key, *, where: str | None = None, plugins: Sequence[str | Path] = ()
    ) -> tuple[str, ...]:
        """Draw a figure into a file; the same database gives the same bytes.

        Args:
            path: the file; its suffix .svg, .png or .pdf is the format.
            name: the figure's name, as `runner plugins` lists it.
            experiment: an experiment's row number, or its name; if several have the name, the one that was run last.
            where: a filter; all runs of the experiment if None.
            plugins: paths of files with plugins to load first.

        Returns:
            The caption, followed by the warnings that drawing raised.

        Raises:
            QueryError: the figure or the experiment does not exist, or the figure has nothing to show.
            ReportError: the figure cannot be drawn, or the file cannot be written.
        """
        # Loading Matplotlib takes longer than answering most queries.
        from runner.results.drawing import plot

        catalogue = _catalogue_with(plugins)
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
            folder: the folder to write into; it is created if it is missing.
            experiment: an experiment's row number, or its name; if several have the name, the one that was run last.
            where: a filter; all runs of the experiment if None.
            figures: the names of the figures; if None, those that the experiment's file names.
            plugins: paths of files with plugins to load first.

        Raises:
            QueryError: a figure or the experiment does not exist.
            ReportError: the folder cannot be written.
        """
        # Loading Matplotlib takes longer than answering most queries.
        from runner.results.drawing import draw_report

        catalogue = _catalogue_with(plugins)
        return draw_report(Path(folder), self._results(experiment, where, catalogue), figures, catalogue)

    def _results(self, experiment: Key, where: str | None, catalogue: Catalogue) -> StoredResults:
        # Loading Matplotlib takes longer than answering most queries.
        from runner.results.drawing import stored_results

        return stored_results(
            self._database, checked_key(experiment, "experiment"), None if where is None else read_filter(where), catalogue
        )

    # Export.

    def export_runs(self, path: str | Path, *, where: str | None = None, columns: str | Sequence[str] | None = None) -> int:
        """Write a table of runs into a file; return the number of rows.

        Args:
            path: the file; its suffix .parquet, .csv, .jsonl or .npz is the format. The file appears only once it is complete.
            where: a filter; all runs if None.
            columns: the columns and parameters; if None, all of them, the parameters as `kind.name`.

        Raises:
            QueryError: the filter is wrong, or the format is unknown.
            ReportError: the file cannot be written.
        """
        # Loading NumPy takes longer than answering most queries.
        from runner.results.export import checked_suffix, export_frames

        checked_suffix(Path(path))
        return export_frames(Path(path), self.run_frames(where, columns=columns))

    def export_steps(
        self, path: str | Path, runs: Runs = None, *, where: str | None = None, series: str | Sequence[str] | None = None
    ) -> int:
        """Write trajectories into a file; return the number of iterates.

        Memory is bounded, whatever the number of runs. An NPZ archive holds an array for each run and series, such as `12/value`
        and `12/x`.

        Args:
            path: the file; its suffix .parquet, .csv, .jsonl or .npz is the format. The file appears only once it is complete.
            runs: a run, several runs, or a table of runs with their `id`; if None, the runs that satisfy `where`.
            where: a filter, in place of `runs`; all runs if both are None.
            series: the series to write, of `value`, `gradient_norm`, `x`, `gradient`; all if None.

        Raises:
            QueryError: a run or series does not exist, or the format is unknown.
            ReportError: the file cannot be written.
            StoreError: a trajectory is damaged.
        """
        # Loading NumPy takes longer than answering most queries.
        from runner.results.export import checked_suffix, export_frames, export_trajectories

        # This module loads NumPy too.
        from runner.store.reading.steps_table import chosen_series

        if checked_suffix(Path(path)) == ".npz":
            return export_trajectories(Path(path), self.trajectories(runs, where=where), chosen_series(series))
        return export_frames(Path(path), self.step_frames(runs, where=where, series=series))

    # Maintenance.

    def facts(self) -> Facts:
        """Return the kind, schema, size and contents of the database, and the programs that are computing for it.

        Raises:
            StoreError: the database cannot be read.
        """
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.summary import facts

        return facts(self._database)

    def verify(self) -> Iterator[VerifiedPart]:
        """Check that the whole database is intact; yield the result for each part of it.

        Raises:
            StoreError: the database cannot be read.
        """
        # Loading NumPy takes longer than answering most queries.
        from runner.store.verifying.verify import verify

        return verify(self._database)

    def replay(
        self, count: int, catalogue: Catalogue | None = None, seed: int | None = None, *, plugins: Sequence[str | Path] = ()
    ) -> Iterator[Replay]:
        """Compute stored runs again and compare the results with the stored ones, bit for bit.

        The runs are chosen at random. Superseded runs, failed runs and runs that reached their time limit are left out.

        Args:
            count: the number of runs to compute, or all if fewer are stored.
            catalogue: the plugins to compute with; if None, the installed ones and those in `plugins`.
            seed: the seed of the random choice; if None, each call makes another choice.
            plugins: paths of files with plugins to load first; ignored if `catalogue` is given.

        Raises:
            PluginError: a file cannot be loaded.
            StoreError: the database cannot be read.
        """
        # Only this method needs the engine.
        from runner.results.replay import replay

        return replay(self._database, _catalogue_with(plugins) if catalogue is None else catalogue, count, seed)

    def plan_deletion(
        self,
        runs: Runs = None,
        *,
        where: str | None = None,
        experiment: Key | Sequence[Key] | None = None,
        superseded: bool = False,
    ) -> Deletion:
        """Return the deletion that `delete` carries out: the runs that are named, and the runs that these have superseded.

        Give exactly one argument.

        Args:
            runs: a run, several runs, or a table of runs with their `id`.
            where: a filter; the runs that satisfy it.
            experiment: the row number or the name of an experiment, or several of them. Each is deleted together with the runs
                that belong to no other experiment.
            superseded: true to name every superseded run.

        Raises:
            QueryError: no argument or several are given, a run or experiment does not exist, or the filter is wrong.
            StoreError: the database cannot be read.
        """
        named = [runs is not None, where is not None, experiment is not None, superseded]
        if not any(named):
            raise QueryError("nothing is named to delete; name runs, a filter, an experiment, or superseded runs")
        if sum(named) > 1:
            raise QueryError(
                f"the runs to delete are named in {sum(named)} ways; name them in one way, such as the filter "
                'experiment = "lr_sweep" and outcome = "failed"'
            )
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.delete import plan_deletion

        numbers: list[int] = []
        if runs is not None or where is not None:
            with self._database.reading() as connection:
                numbers = [outline.id for outline in read_outlines(connection, chosen_runs(runs, where), self.name)]
        keys = () if experiment is None else experiment if isinstance(experiment, list | tuple) else (experiment,)
        return plan_deletion(self._database, numbers, [checked_key(key, "experiment") for key in keys], superseded)

    def delete(self, deletion: Deletion) -> None:
        """Carry out a deletion that `plan_deletion` returned. It cannot be undone.

        Raises:
            StoreError: the database cannot be written; nothing is deleted.
        """
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.delete import carry_out

        carry_out(self._database, deletion)

    def backup(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy an SQLite file as of one instant, even while other programs use it; return the copy's name.

        Args:
            path: the copy's name; if None, a name with the date, in the same folder.

        Raises:
            StoreError: the database is on a server, a file of that name exists, or the copy cannot be written. No part of
                the copy is left.
        """
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.backup import back_up

        return str(back_up(self._database, None if path is None else Path(path)))

    def copy(self, target: str | os.PathLike[str]) -> Mapping[str, int]:
        """Copy everything into a new or empty database and verify the copy.

        Args:
            target: the path or URL of the new database.

        Returns:
            The number of rows of each table.

        Raises:
            StoreError: the target is not empty, or one of the two cannot be read or written. No part of the copy is left.
        """
        # The verification loads NumPy.
        from runner.store.maintenance.copy import copy

        with closing(Database(str(target))) as database:
            return copy(self._database, database)

    def upgrade(self) -> str | None:
        """Bring the database to the current schema; return the name of the backup.

        Returns:
            The backup's name; None if the schema is current, or if the database is on a server, where no backup is made.

        Raises:
            StoreError: the database cannot be written; it is left unchanged.
        """
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.upgrade import upgrade

        backup = upgrade(self._database)
        return None if backup is None else str(backup)

    def vacuum(self) -> tuple[int, int]:
        """Release the space of deleted rows to the disk; return the size before and after, in bytes.

        Raises:
            StoreError: the database cannot be written; it is left unchanged.
        """
        # This import is deferred, because few programs maintain a database.
        from runner.store.maintenance.summary import vacuum

        return vacuum(self._database)


def open(name: str | os.PathLike[str]) -> ResultsDatabase:  # noqa: A001 - people write runner.open
    """Open an existing results database.

    Args:
        name: a path, or an SQLAlchemy URL such as `postgresql+psycopg://user@host/name`.

    Raises:
        StoreError: the database does not exist, or cannot be read.
    """
    return ResultsDatabase(name)


def _catalogue_with(plugins: Sequence[str | Path]) -> Catalogue:
    """Return the installed plugins and those of some files.

    Raises:
        PluginError: a file cannot be loaded.
    """
    # Finding plugins takes longer than answering most queries.
    from runner.registry.registry import Registry

    catalogue = Registry()
    for file in plugins:
        catalogue.load_file(Path(file))
    return catalogue

"""Exporting: runs and steps as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.database.asking import Asking
from runner.database.questions import Runs


class Exporting(Asking):
    """A results database that writes what it holds into other files."""

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
        from runner.exporting import checked_suffix, export_frames

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
        from runner.exporting import checked_suffix, export_frames, export_trajectories

        # Likewise.
        from runner.steps import chosen_series

        if checked_suffix(Path(path)) == ".npz":
            return export_trajectories(Path(path), self.trajectories(runs, where=where), chosen_series(series))
        return export_frames(Path(path), self.step_frames(runs, where=where, series=series))

"""Trajectories as tables: one row for each iterate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import QueryError
from runner.store.reading.run_record import RunOutline
from runner.tables.frame import Column, Frame, shortened

SERIES = ("value", "gradient_norm", "x", "gradient")


def chosen_series(series: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the chosen series without repetitions; all series if None.

    Raises:
        QueryError: a name is unknown.
    """
    if series is None:
        return SERIES
    names = tuple(name.strip() for name in series.split(",")) if isinstance(series, str) else tuple(series)
    for name in names:
        if name not in SERIES:
            raise QueryError(f"series: there is no {shortened(name)!r}; allowed: {', '.join(SERIES)}")
    return tuple(dict.fromkeys(names))


class StepTable:
    """The columns of a table of iterates, with enough columns for the run with the most coordinates.

    Args:
        runs: the runs of the table.
        series: the names of its series.
    """

    def __init__(self, runs: Sequence[RunOutline], series: Sequence[str]) -> None:
        self._rows = sum(run.steps + 1 for run in runs)
        self._numbers = [name for name in ("value", "gradient_norm") if name in series]
        self._points = {
            "x": max((run.dimension for run in runs if run.records_x), default=0) if "x" in series else 0,
            "gradient": max((run.dimension for run in runs if run.records_gradient), default=0) if "gradient" in series else 0,
        }

    @property
    def width(self) -> int:
        """The number of its columns."""
        return 2 + len(self._numbers) + sum(self._points.values())

    def require_at_most(self, numbers: int) -> None:
        """Check that the whole table has at most a number of cells.

        Raises:
            QueryError: it has more cells.
        """
        if self._rows * self.width > numbers:
            raise QueryError(
                f"steps: {self._rows:,} rows × {self.width:,} columns are more than the {numbers:,} numbers that one table "
                "may have; name fewer runs, choose columns with series=, or take the table in parts with step_frames"
            )

    def frame(self, trajectories: Sequence[tuple[RunOutline, Series]]) -> Frame:
        """Return the iterates of some runs, one run after another, from step 0 on."""
        lengths = [len(series.value) for _, series in trajectories]
        numbers = np.repeat(np.array([run.id for run, _ in trajectories], np.int64), lengths)
        steps = np.concatenate([np.empty(0, np.int64), *(np.arange(length) for length in lengths)])
        columns = [Column("run", "integer", numbers), Column("step", "integer", steps)]
        for name in self._numbers:
            columns.append(Column(name, "number", _joined([getattr(series, name) for _, series in trajectories])))
        for name, width in self._points.items():
            points: list[Array | None] = [getattr(series, name) for _, series in trajectories]
            for place in range(width):
                # A coordinate is missing in runs of a smaller dimension and in runs that do not record it.
                present = [each is not None and place < each.shape[1] for each in points]
                values = _joined(
                    [
                        each[:, place] if each is not None and is_present else np.zeros(length)
                        for each, is_present, length in zip(points, present, lengths, strict=True)
                    ]
                )
                missing = None if all(present) else ~np.repeat(present, lengths)
                columns.append(Column(f"{name}{place}", "number", values, missing))
        return Frame(columns)


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.empty(0), *arrays])

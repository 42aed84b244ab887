"""Trajectories as tables: a row for each iterate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import QueryError
from runner.store.reading.run_record import RunHead
from runner.tables.frame import Column, Frame, shortened

SERIES = ("value", "gradient_norm", "x", "gradient")


def chosen_series(series: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return which series are wanted; all if None.

    Raises:
        QueryError: there is no such series.
    """
    if series is None:
        return SERIES
    names = tuple(name.strip() for name in series.split(",")) if isinstance(series, str) else tuple(series)
    for name in names:
        if name not in SERIES:
            raise QueryError(f"series: there is no {shortened(name)!r}; allowed: {', '.join(SERIES)}")
    return tuple(dict.fromkeys(names))


class StepTable:
    """The columns of a table of iterates: wide enough for every run in it."""

    def __init__(self, runs: Sequence[RunHead], series: Sequence[str]) -> None:
        self._rows = sum(run.steps + 1 for run in runs)
        self._series = [name for name in ("value", "gradient_norm") if name in series]
        self._wide = {
            "x": max((run.dimension for run in runs if run.records_x), default=0) if "x" in series else 0,
            "gradient": max((run.dimension for run in runs if run.records_gradient), default=0) if "gradient" in series else 0,
        }

    @property
    def width(self) -> int:
        """How many columns it has."""
        return 2 + len(self._series) + sum(self._wide.values())

    def require_at_most(self, numbers: int) -> None:
        """Refuse to be held in memory as one piece if that takes more numbers than these.

        Raises:
            QueryError: it does.
        """
        if self._rows * self.width > numbers:
            raise QueryError(
                f"steps: {self._rows:,} rows × {self.width:,} columns are more than the {numbers:,} numbers that one table "
                "may have; name fewer runs, choose columns with series=, or take the table in parts with step_frames"
            )

    def frame(self, trajectories: Sequence[tuple[RunHead, Series]]) -> Frame:
        """Return the iterates of some runs, one run after another, from step 0 on."""
        lengths = [len(series.value) for _, series in trajectories]
        numbers = np.repeat(np.array([run.id for run, _ in trajectories], np.int64), lengths)
        steps = np.concatenate([np.empty(0, np.int64), *(np.arange(length) for length in lengths)])
        columns = [Column("run", "integer", numbers), Column("step", "integer", steps)]
        for name in self._series:
            columns.append(Column(name, "number", _joined([getattr(series, name) for _, series in trajectories])))
        for name, width in self._wide.items():
            points = [(getattr(series, name), length) for (_, series), length in zip(trajectories, lengths, strict=True)]
            columns += [_coordinate(name, place, points) for place in range(width)]
        return Frame(columns)


def _coordinate(name: str, place: int, points: Sequence[tuple[Array | None, int]]) -> Column:
    """Return one coordinate of all iterates; missing where a run has not so many, or they are not stored."""
    has = [x is not None and place < x.shape[1] for x, _ in points]
    values = _joined([x[:, place] if x is not None and there else np.zeros(n) for (x, n), there in zip(points, has, strict=True)])
    missing: NDArray[np.bool_] | None = None if all(has) else ~np.repeat(has, [n for _, n in points])
    return Column(f"{name}{place}", "number", values, missing)


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.empty(0), *arrays])

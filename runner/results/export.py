"""Writing tables and trajectories into files: part by part, so that memory is bounded, and never a part of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import QueryError, ReportError
from runner.store.reading.run_record import RunOutline
from runner.tables.frame import Frame
from runner.tables.npz_archive import write_arrays, write_columns
from runner.tables.output_files import parent_folders, target_file
from runner.tables.text_formats import csv_pieces, json_lines

SUFFIXES = (".parquet", ".csv", ".jsonl", ".npz")
"""The suffixes of tables in files; each names a format."""


def checked_suffix(path: Path) -> str:
    """Return a file's suffix, which names its format.

    Raises:
        QueryError: the suffix is not in `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise QueryError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format")
    return path.suffix


def export_frames(path: Path, frames: Iterable[Frame]) -> int:
    """Write one or more tables with the same columns into one file; return the number of rows.

    Raises:
        QueryError: the file's suffix is not in `SUFFIXES`.
        ReportError: the file cannot be written.
    """
    suffix = checked_suffix(path)
    rows = 0

    def counted() -> Iterator[Frame]:
        nonlocal rows
        for frame in frames:
            rows += len(frame)
            yield frame

    with _part_file(path) as part:
        if suffix == ".parquet":
            # The Arrow library is an extra, which only this format needs.
            from runner.tables.arrow import write_parquet

            write_parquet(part, (frame.columns for frame in counted()))
        elif suffix == ".npz":
            write_columns(part, counted())
        else:
            pieces: Callable[[Iterable[Frame]], Iterator[str]] = csv_pieces if suffix == ".csv" else json_lines
            with part.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces(counted()))
    return rows


def export_trajectories(path: Path, trajectories: Iterable[tuple[RunOutline, Series]], series: Iterable[str]) -> int:
    """Write trajectories into an NPZ archive, one array for each run and series; return the number of iterates.

    Args:
        path: the file.
        trajectories: the runs with their trajectories.
        series: the names of the series; the array of series `x` of run 12 is called `12/x`.

    Raises:
        ReportError: the file cannot be written.
    """
    iterates = 0
    names = tuple(series)

    def arrays() -> Iterator[tuple[str, Array]]:
        nonlocal iterates
        for run, trajectory in trajectories:
            iterates += len(trajectory.value)
            for name in names:
                array = getattr(trajectory, name)
                if array is not None:
                    yield f"{run.id}/{name}", array

    with _part_file(path) as part:
        write_arrays(part, arrays())
    return iterates


@contextmanager
def _part_file(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file in the same folder. Rename it to `path` at the end, or remove it after an exception.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        target = target_file(path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        with parent_folders(target):
            try:
                yield part
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error

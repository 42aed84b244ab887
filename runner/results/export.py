"""Export of tables and trajectories into files.

The data are written in portions, so that memory is bounded, and a file appears only once it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.errors import QueryError, ReportError
from runner.store.reading.run_record import RunOutline
from runner.tables.frame import Frame
from runner.tables.npz_archive import write_arrays, write_columns
from runner.tables.output_files import atomic_write
from runner.tables.text_formats import csv_pieces, json_lines

SUFFIXES = (".parquet", ".csv", ".jsonl", ".npz")
"""The suffixes of tables in files; each names a format."""


def checked_suffix(path: Path) -> str:
    """Return a file's suffix, which names its format.

    Raises:
        QueryError: the suffix is not in `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise QueryError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} (the suffix sets the format)")
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

    with _file_to_write(path) as part:
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

    with _file_to_write(path) as part:
        write_arrays(part, arrays())
    return iterates


@contextmanager
def _file_to_write(path: Path) -> Iterator[Path]:
    """Write a file as `atomic_write` does, but report an error of the operating system as a ReportError.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        with atomic_write(path) as part:
            yield part
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error

"""Tables and trajectories as files, whole or not there, written in parts so that memory stays bounded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from runner.tables.npz_archive import write_arrays, write_columns
from runner.contracts.figure import Series
from runner.errors import QueryError, ReportError
from runner.tables.output_files import parent_folders, target_file
from runner.tables.text_formats import csv_pieces, json_lines
from runner.tables.frame import Frame
from runner.store.reading.run_record import RunHead
from runner.contracts.arrays import Array


SUFFIXES = (".parquet", ".csv", ".jsonl", ".npz")


def checked_suffix(path: Path) -> str:
    """Return how a file's name ends, which says its format.

    Raises:
        QueryError: no such format is known.
    """
    if path.suffix not in SUFFIXES:
        raise QueryError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format")
    return path.suffix


def export_frames(path: Path, frames: Iterable[Frame]) -> int:
    """Write tables with the same columns, at least one, as one file; return how many rows they have.

    Raises:
        QueryError: the file's name ends in no known format.
        ReportError: the file cannot be written.
    """
    suffix = checked_suffix(path)
    count = _Count()
    with _part(path) as part:
        if suffix == ".parquet":
            # Loaded for those who want it.
            from runner.tables.arrow import write_parquet

            write_parquet(part, (frame.columns for frame in count.of(frames)))
        elif suffix == ".npz":
            write_columns(part, count.of(frames))
        else:
            pieces: Callable[[Iterable[Frame]], Iterator[str]] = csv_pieces if suffix == ".csv" else json_lines
            with part.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces(count.of(frames)))
    return count.rows


def export_trajectories(path: Path, trajectories: Iterable[tuple[RunHead, Series]], series: Iterable[str]) -> int:
    """Write trajectories as arrays into an NPZ archive, `RUN/value` and so on; return how many iterates they have.

    Raises:
        ReportError: the file cannot be written.
    """
    iterates = 0
    wanted = tuple(series)

    def arrays() -> Iterator[tuple[str, Array]]:
        nonlocal iterates
        for run, found in trajectories:
            iterates += len(found.value)
            for name in wanted:
                array = getattr(found, name)
                if array is not None:
                    yield f"{run.id}/{name}", array

    with _part(path) as part:
        write_arrays(part, arrays())
    return iterates


class _Count:
    """Counts the rows of tables that pass."""

    def __init__(self) -> None:
        self.rows = 0

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.rows += len(frame)
            yield frame


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """Give a file beside, which takes the place of the file at the end, or goes."""
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

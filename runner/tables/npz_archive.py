"""NPZ archives, written a part of an array at a time; the same arrays give the same bytes."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from runner.tables.frame import Frame

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member."""
BYTES_AT_ONCE = 2**24
"""So many bytes of a column are held in memory at a time."""


def write_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[np.float64]]]) -> None:
    """Write arrays one after another, by their names.

    Raises:
        OSError: the file cannot be written.
    """
    with _archive(path) as archive:
        for name, array in arrays:
            with _member(archive, name) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def write_columns(path: Path, frames: Iterable[Frame]) -> None:
    """Write each column of tables with the same columns, at least one, as one array; texts as text of fixed width.

    The tables come row by row and the archive wants column by column, so they are put into a nameless file beside it first.

    Raises:
        OSError: one of the files cannot be written.
    """
    with tempfile.TemporaryFile(dir=path.parent) as aside, _archive(path) as archive:
        for name, parts in _put_aside(aside, frames).items():
            with _member(archive, name) as file:
                _join(file, aside, parts)


class _Part:
    """A part of a column, and where in a file it is."""

    def __init__(self, file: IO[bytes], array: NDArray[Any]) -> None:
        self.dtype, self.length, self._place = array.dtype, len(array), file.tell()
        file.write(array.tobytes())

    def read(self, file: IO[bytes], rows: int) -> Iterator[NDArray[Any]]:
        """Give it piece by piece, each of so many rows at most."""
        for first in range(0, self.length, rows):
            count = min(rows, self.length - first)
            file.seek(self._place + first * self.dtype.itemsize)
            yield np.frombuffer(file.read(count * self.dtype.itemsize), self.dtype)


def _put_aside(file: IO[bytes], frames: Iterable[Frame]) -> dict[str, list[_Part]]:
    """Put all columns of all tables into a file; return the parts of each."""
    parts: dict[str, list[_Part]] = {}
    for frame in frames:
        for name in frame.names:
            parts.setdefault(name, []).append(_Part(file, _storable(frame[name])))
    return parts


def _join(file: IO[bytes], aside: IO[bytes], parts: Sequence[_Part]) -> None:
    """Write the parts of a column as one array, of a type that can hold them all."""
    dtype = np.result_type(*(part.dtype for part in parts))
    length = sum(part.length for part in parts)
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, described)
    for part in parts:
        for piece in part.read(aside, max(1, BYTES_AT_ONCE // dtype.itemsize)):
            file.write(_as_type(piece, dtype).tobytes())


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that NumPy need not pickle: objects as text."""
    return np.array([_word(value) for value in array], np.str_) if array.dtype == object else array


def _as_type(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    truths = array.dtype == np.bool_ and dtype.kind == "U"
    return (np.where(array, "true", "false") if truths else array).astype(dtype)


def _word(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True)

"""NPZ archives, written array by array in parts; the same arrays give the same bytes."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from runner.tables.frame import Frame

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member of an archive, fixed so that the bytes do not depend on the time."""
BYTES_AT_ONCE = 2**24
"""The number of bytes of a column that are held in memory at a time."""


def write_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[np.float64]]]) -> None:
    """Write named arrays into an archive, one after another.

    Raises:
        OSError: the file cannot be written.
    """
    with _archive(path) as archive:
        for name, array in arrays:
            with _member(archive, name) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def write_columns(path: Path, frames: Iterable[Frame]) -> None:
    """Write one or more tables with the same columns, each column as one array; texts are stored with a fixed width.

    Each table holds some of the rows, while the archive stores whole columns. Therefore all values are first written into a
    temporary file in the folder of the archive.

    Raises:
        OSError: one of the files cannot be written.
    """
    with tempfile.TemporaryFile(dir=path.parent) as buffer, _archive(path) as archive:
        columns: dict[str, list[_Part]] = {}
        for frame in frames:
            for name in frame.names:
                array = frame[name]
                if array.dtype == object:
                    # NumPy can store objects only as pickles.
                    array = np.array([_as_text(value) for value in array], np.str_)
                columns.setdefault(name, []).append(_Part(buffer, array))
        for name, parts in columns.items():
            dtype = np.result_type(*(part.dtype for part in parts))
            shape = (sum(part.length for part in parts),)
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            with _member(archive, name) as file:
                np.lib.format.write_array_header_1_0(file, header)
                for part in parts:
                    for piece in part.read(buffer, max(1, BYTES_AT_ONCE // dtype.itemsize)):
                        truth_as_text = piece.dtype == np.bool_ and dtype.kind == "U"
                        values = np.where(piece, "true", "false") if truth_as_text else piece
                        file.write(values.astype(dtype).tobytes())


class _Part:
    """A part of a column that has been written into a file, with its place in that file."""

    def __init__(self, file: IO[bytes], array: NDArray[Any]) -> None:
        self.dtype, self.length, self._place = array.dtype, len(array), file.tell()
        file.write(array.tobytes())

    def read(self, file: IO[bytes], rows: int) -> Iterator[NDArray[Any]]:
        """Yield the part in pieces of at most `rows` values."""
        for first in range(0, self.length, rows):
            count = min(rows, self.length - first)
            file.seek(self._place + first * self.dtype.itemsize)
            yield np.frombuffer(file.read(count * self.dtype.itemsize), self.dtype)


def _as_text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True)

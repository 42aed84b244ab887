"""Columns as Arrow, through a small library that needs no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from arro3.core import Array, DataType, RecordBatch, RecordBatchReader, Table

from runner.errors import ReportError

if TYPE_CHECKING:
    from runner.frames import Column

ROW_GROUP_VALUES = 2**21
"""So many values are held in memory until they are written together."""
FEWEST_ROWS = 1000
"""So many rows are written together at least: they have an entry for each column, kept until the end of the file is written."""
MOST_VALUES = 2**24
"""So many values are written together at most, however wide the table is."""
WIDE = 200
"""From so many columns on, what packs them takes more memory than they do: each has a dictionary and a compressor of its own."""

_TYPES = {
    "integer": DataType.int64,
    "number": DataType.float64,
    "text": DataType.string,
    "truth": DataType.bool,
}


def to_table(columns: Sequence[Column]) -> Table:
    """Return columns as a table; an array that is big-endian or strided is copied, any other taken as it is."""
    return Table.from_pydict({column.name: _array(column) for column in columns})


def _array(column: Column) -> Array:
    if isinstance(column.values, list) or column.missing is not None:
        return Array(column.listed(), type=_TYPES[column.kind]())
    values = column.values
    return Array.from_numpy(values if values.flags.c_contiguous else values.copy())


def write_parquet(path: Path, tables: Iterable[Sequence[Column]]) -> None:
    """Write tables with the same columns, at least one, as one Parquet file; holds a part of it in memory at a time.

    Raises:
        ReportError: the library that writes Parquet is not installed.
        OSError: the file cannot be written.
    """
    try:
        # Large, and needed for nothing else.
        from arro3.io import write_parquet as write
    except ImportError as error:
        install = "python -m pip install 'gradient-runner[parquet]'"
        raise ReportError(f"Parquet files need a library that is not installed; {install}") from error
    parts = iter(tables)
    first = to_table(next(parts))
    width = len(first.column_names)
    rows = min(max(FEWEST_ROWS, ROW_GROUP_VALUES // width), max(1, MOST_VALUES // width))
    packed = {"compression": "snappy", "dictionary_enabled": False} if width >= WIDE else {"compression": "zstd(3)"}

    def batches() -> Iterator[RecordBatch]:
        yield from first.to_batches()
        for part in parts:
            yield from to_table(part).to_batches()

    write(RecordBatchReader.from_batches(first.schema, batches()), path, max_row_group_size=rows, **packed)

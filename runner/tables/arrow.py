"""Columns as Arrow tables and Parquet files, by the optional libraries arro3-core and arro3-io."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ReportError

if TYPE_CHECKING:
    from arro3.core import Array, RecordBatch, Table

    from runner.tables.frame import Column

ROW_GROUP_VALUES = 2**21
"""So many values are held in memory until they are written together."""
FEWEST_ROWS = 1000
"""So many rows are written together at least: they have an entry for each column, kept until the end of the file is written."""
MOST_VALUES = 2**24
"""So many values are written together at most, however wide the table is."""
WIDE = 200
"""From so many columns on, what packs them takes more memory than they do: each has a dictionary and a compressor of its own."""

_TYPES = {"integer": "int64", "number": "float64", "text": "string", "truth": "bool"}


def to_table(columns: Sequence[Column]) -> Table:
    """Return columns as a table; an array that is big-endian or strided is copied, any other is shared.

    Raises:
        ReportError: arro3-core is not installed.
    """
    try:
        # An optional library of 11 MB.
        from arro3.core import Array, DataType, Table
    except ImportError as error:
        install = "python -m pip install 'gradient-runner[arrow]'"
        raise ReportError(
            f"an Arrow table needs arro3-core, which is not installed: {install}, or use dict(table), which needs no Arrow"
        ) from error

    def array(column: Column) -> Array:
        if isinstance(column.values, list) or column.missing is not None:
            return Array(column.listed(), type=getattr(DataType, _TYPES[column.kind])())
        values = column.values
        return Array.from_numpy(values if values.flags.c_contiguous else values.copy())

    return Table.from_pydict({column.name: array(column) for column in columns})


def write_parquet(path: Path, tables: Iterable[Sequence[Column]]) -> None:
    """Write tables with the same columns, at least one, as one Parquet file; holds a part of it in memory at a time.

    Raises:
        ReportError: the libraries that write Parquet are not installed.
        OSError: the file cannot be written.
    """
    try:
        # An optional library of 11 MB.
        from arro3.core import RecordBatchReader

        # An optional library of 23 MB.
        from arro3.io import write_parquet as write
    except ImportError as error:
        install = "python -m pip install 'gradient-runner[parquet]'"
        raise ReportError(f"a Parquet file needs arro3-io, which is not installed: {install}") from error
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

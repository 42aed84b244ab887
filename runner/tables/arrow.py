"""Arrow tables and Parquet files made from columns, with the optional libraries arro3-core and arro3-io."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ReportError

if TYPE_CHECKING:
    from arro3.core import Array, RecordBatch, Table

    from runner.tables.frame import Column

ROW_GROUP_VALUES = 2**21
"""The number of values that are collected in memory and written as one row group."""
FEWEST_ROWS = 1000
"""The smallest number of rows in a row group.

Each row group has an entry for each column, and all entries stay in memory until the file is complete.
"""
MOST_VALUES = 2**24
"""The largest number of values in a row group, even if it has fewer than `FEWEST_ROWS` rows."""
WIDE = 200
"""A table with at least this number of columns is wide: it is written with a light compression and without dictionaries.

Each column has a compressor and a dictionary of its own. In a wide table, these would need more memory than the values.
"""

_TYPES = {"integer": "int64", "number": "float64", "text": "string", "truth": "bool"}


def to_table(columns: Sequence[Column]) -> Table:
    """Return columns as an Arrow table. A big-endian or strided array is copied; any other array is shared with the table.

    Raises:
        ReportError: arro3-core is not installed.
    """
    try:
        # This library is optional, because it takes 11 MB.
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
    """Write one or more tables with the same columns into one Parquet file; only some of the rows are in memory at a time.

    Raises:
        ReportError: the libraries that write Parquet are not installed.
        OSError: the file cannot be written.
    """
    try:
        # This library is optional, because it takes 11 MB.
        from arro3.core import RecordBatchReader

        # This library is optional, because it takes 23 MB.
        from arro3.io import write_parquet as write
    except ImportError as error:
        install = "python -m pip install 'gradient-runner[parquet]'"
        raise ReportError(f"a Parquet file needs arro3-io, which is not installed: {install}") from error
    parts = iter(tables)
    first = to_table(next(parts))
    width = len(first.column_names)
    rows = min(max(FEWEST_ROWS, ROW_GROUP_VALUES // width), max(1, MOST_VALUES // width))
    options = {"compression": "snappy", "dictionary_enabled": False} if width >= WIDE else {"compression": "zstd(3)"}

    def batches() -> Iterator[RecordBatch]:
        yield from first.to_batches()
        for part in parts:
            yield from to_table(part).to_batches()

    write(RecordBatchReader.from_batches(first.schema, batches()), path, max_row_group_size=rows, **options)

"""Columns as Arrow, through a small library that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arro3.core import Array, DataType, Table

if TYPE_CHECKING:
    from runner.frames import Column

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

"""What an optimizer remembers between steps: arrays with a row for each run, which are cut where runs leave their batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from runner.contracts.optimizer import Mask, Memory


def arrays(memory: Memory) -> Iterator[Any]:
    """Yield the arrays of a memory."""
    if isinstance(memory, np.ndarray) and memory.ndim:
        yield memory
    elif isinstance(memory, tuple | list | dict):
        for item in memory.values() if isinstance(memory, dict) else memory:
            yield from arrays(item)


def without_rows(memory: Memory, runs: int) -> Any:
    """Return an array of a memory that has not a row for each run, or None.

    There may be just as many runs as a constant is long, so ask this of a run alone as well.
    """
    return next((array for array in arrays(memory) if len(array) != runs), None)


def same_row(memory: Memory, row: int, alone: Memory) -> bool:
    """Whether what is remembered of one run of a batch is what that run remembers alone, bit for bit."""
    together, singles = list(arrays(memory)), list(arrays(alone))
    if len(together) != len(singles):
        return False
    return all(_same(array[row : row + 1], single) for array, single in zip(together, singles, strict=True))


def _same(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    # Of arrays of Python's own objects the bytes are where they lie, and not what they are.
    return bool(one.dtype.hasobject or one.tobytes() == other.tobytes())


def take_memory(memory: Memory, rows: Mask, runs: int) -> Memory:
    """Return an optimizer's memory for some of the runs: arrays with a row for each run are cut, the rest is left."""
    if isinstance(memory, np.ndarray) and memory.ndim and len(memory) == runs:
        return memory[rows]
    if isinstance(memory, tuple) and hasattr(memory, "_fields"):
        return type(memory)(*(take_memory(item, rows, runs) for item in memory))
    if isinstance(memory, tuple | list):
        return type(memory)(take_memory(item, rows, runs) for item in memory)
    if isinstance(memory, dict):
        return {key: take_memory(item, rows, runs) for key, item in memory.items()}
    return memory

"""The memory of an optimizer between steps: arrays with a row for each run. The rows of runs that leave the batch are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from runner.contracts.optimizer import Mask, Memory


def arrays_in(memory: Memory) -> Iterator[Any]:
    """Yield the arrays in a memory and in its nested containers; scalars are left out."""
    if isinstance(memory, np.ndarray) and memory.ndim:
        yield memory
    elif isinstance(memory, tuple | list | dict):
        for item in memory.values() if isinstance(memory, dict) else memory:
            yield from arrays_in(item)


def array_without_rows(memory: Memory, runs: int) -> Any:
    """Return the first array of a memory whose length is not the number of runs; None if there is no such array."""
    return next((array for array in arrays_in(memory) if len(array) != runs), None)


def same_row(memory: Memory, row: int, alone: Memory) -> bool:
    """Return True if a run's part of the memory of its batch equals the memory of the run alone, bit for bit."""
    return _same_arrays([array[row : row + 1] for array in arrays_in(memory)], list(arrays_in(alone)))


def same_memory(one: Memory, other: Memory) -> bool:
    """Return True if the arrays of two memories are equal, bit for bit."""
    return _same_arrays(list(arrays_in(one)), list(arrays_in(other)))


def _same_arrays(some: Sequence[Any], others: Sequence[Any]) -> bool:
    if len(some) != len(others):
        return False
    for part, single in zip(some, others, strict=True):
        if part.dtype != single.dtype or part.shape != single.shape:
            return False
        # Object arrays hold pointers, so their bytes cannot be compared.
        if not part.dtype.hasobject and part.tobytes() != single.tobytes():
            return False
    return True


def take_memory(memory: Memory, rows: Mask, runs: int) -> Memory:
    """Return the memory for some of the runs: arrays with a row for each run are cut, and everything else is unchanged.

    Args:
        memory: the memory of the batch.
        rows: True for the runs that are kept, `(runs,)`.
        runs: the number of runs in the batch.
    """
    if isinstance(memory, np.ndarray) and memory.ndim and len(memory) == runs:
        return memory[rows]
    if isinstance(memory, tuple) and hasattr(memory, "_fields"):
        return type(memory)(*(take_memory(item, rows, runs) for item in memory))
    if isinstance(memory, tuple | list):
        return type(memory)(take_memory(item, rows, runs) for item in memory)
    if isinstance(memory, dict):
        return {key: take_memory(item, rows, runs) for key, item in memory.items()}
    return memory

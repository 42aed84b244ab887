"""The recording of every iterate of a batch, in memory that does not grow with the length of the runs."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.engine.trajectories import Chunk, chunk_steps
from runner.experiment.model import Rules

MEMORY_BYTES = 2**28
"""The number of bytes of full chunks that a batch keeps in memory; later chunks go to temporary files."""
SLAB_BYTES = 2**26
"""The size of a temporary file, unless one block is larger."""
STAGE_BYTES = 2**20
"""The number of bytes of iterates that are collected before they are sorted by run; they should fit into the CPU cache."""


@dataclass
class _Block:
    """The chunks that are being filled, one for each run that was going when the block began.

    Attributes:
        first_step: the number of its first iterate.
        filled: the number of iterates in it.
        raw: the memory, `(runs, bytes of a chunk)`.
        series: the same memory as big-endian float64, `(runs, series, iterates)`.
    """

    first_step: int
    filled: int
    raw: NDArray[np.uint8]
    series: NDArray[Any]


class Recorder:
    """The iterates of a batch's runs, collected into chunks.

    Attributes:
        chunks: for each run of the batch, its finished chunks.
        iterates: the number of iterates that have been recorded.
    """

    def __init__(self, runs: int, dimension: int, rules: Rules) -> None:
        self.chunks: list[list[Chunk]] = [[] for _ in range(runs)]
        self.iterates = 0
        self._x = slice(2, 2 + dimension) if rules.record_x else None
        self._width = rules.series(dimension)
        self._gradient = slice(self._width - dimension, self._width) if rules.record_gradient else None
        self._steps = chunk_steps(self._width, rules.stop.max_steps)
        self._full_bytes = 0
        # The next blocks are taken from the unused part of the latest temporary file.
        self._slab = np.empty(0, np.uint8)
        # These are the numbers of the runs that are still going, and their rows in the block.
        self._runs = np.arange(runs)
        self._places: NDArray[np.intp] | slice = slice(None)
        self._block = self._new_block(0)
        # Iterates are staged step after step, in the byte order of the machine, since this is fast to write. They are transposed
        # and converted once the stage is full.
        staged = max(1, min(self._steps, STAGE_BYTES // (8 * self._width * runs)))
        self._stage = np.empty((staged, self._width, runs))
        self._staged = 0

    def record(self, x: Array, value: Array, gradient_norm: Array, gradient: Array) -> None:
        """Record the next iterate of the runs that are still going.

        Args:
            x: the iterate, `(runs, dimension)`.
            value: f, `(runs,)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            gradient: ∇f, `(runs, dimension)`.

        Raises:
            OSError: the disk has no room for a temporary file.
        """
        if self._staged == len(self._stage) or self._block.filled + self._staged == self._steps:
            self._unload()
        if self._block.filled == self._steps:
            self._finish_block()
        row = self._stage[self._staged]
        row[0] = value
        row[1] = gradient_norm
        if self._x is not None:
            row[self._x] = x.T
        if self._gradient is not None:
            row[self._gradient] = gradient.T
        self._staged += 1
        self.iterates += 1

    def _unload(self) -> None:
        """Move the staged iterates into the chunks."""
        block, staged = self._block, self._staged
        block.series[self._places, :, block.filled : block.filled + staged] = self._stage[:staged].transpose(2, 1, 0)
        block.filled += staged
        self._staged = 0

    def end(self, ended: NDArray[np.bool_]) -> None:
        """Finish the chunks of the runs that have ended, and stop recording these runs.

        Args:
            ended: True for the runs that have ended, among those still going.
        """
        self._unload()
        places = self._current_places()
        for run, place in zip(self._runs[ended].tolist(), places[ended].tolist(), strict=True):
            self._finish_chunk(run, place)
        self._runs = self._runs[~ended]
        self._places = places[~ended]
        self._stage = np.empty((len(self._stage), self._width, len(self._runs)))

    def _current_places(self) -> NDArray[np.intp]:
        return np.arange(len(self._block.raw)) if isinstance(self._places, slice) else self._places

    def _finish_chunk(self, run: int, place: int) -> None:
        block = self._block
        if block.filled == 0:
            return
        if block.filled == self._steps:
            data: bytes | memoryview = block.raw[place].data
        else:
            data = block.series[place, :, : block.filled].tobytes()
        self.chunks[run].append(Chunk(block.first_step, block.filled, data))

    def _finish_block(self) -> None:
        # The new block is created first: if the disk has no room for it, nothing has changed, so no iterate is recorded twice.
        following = self._new_block(self._block.first_step + self._steps)
        for run, place in zip(self._runs.tolist(), self._current_places().tolist(), strict=True):
            self._finish_chunk(run, place)
        self._full_bytes += self._block.raw.nbytes
        self._places = slice(None)
        self._block = following

    def _new_block(self, first_step: int) -> _Block:
        shape = (len(self._runs), self._width * self._steps * 8)
        raw = np.empty(shape, np.uint8) if self._full_bytes < MEMORY_BYTES else self._memory_on_disk(shape)
        return _Block(first_step, 0, raw, raw.view(">f8").reshape(len(raw), self._width, self._steps))

    def _memory_on_disk(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Return memory that the operating system may move to a temporary file. The file vanishes when it is no longer used.

        Several blocks share a file, because a file for each block could exceed the limit of open files.

        Raises:
            OSError: the disk has no room for the file.
        """
        size = shape[0] * shape[1]
        if len(self._slab) < size:
            allocated = max(size, SLAB_BYTES)
            with tempfile.TemporaryFile(prefix="runner-") as file:
                # The space is allocated at once, because a full disk during a later write to the memory would end the process.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, allocated)
                self._slab = np.memmap(file, np.uint8, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=(allocated,))
        block, self._slab = self._slab[:size].reshape(shape), self._slab[size:]
        return block

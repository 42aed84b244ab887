"""Trajectories as arrays: chunks are read with bounded memory, checked, and joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from runner.contracts.figure import Series, StoredRun
from runner.contracts.outcomes import Outcome
from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.reading.run_record import RunOutline, RunRecord
from runner.store.reading.run_sql import driver_rows, has_row_number
from runner.store.writing.run_rows import chunk_checksum

RUNS_AT_ONCE = 1000
"""The largest number of runs whose trajectories are read with one query."""
BYTES_AT_ONCE = 2**26
"""The largest number of bytes of trajectories that are read with one query, unless one run has more."""
AnyRun = RunOutline | RunRecord | StoredRun
RunT = TypeVar("RunT", RunOutline, RunRecord, StoredRun)


def read_series(database: Database, runs: Sequence[RunT]) -> Iterator[tuple[RunT, Series]]:
    """Yield each run with its trajectory, in the order of the runs, with bounded memory.

    Raises:
        StoreError: a chunk is damaged or missing, a run was deleted since it was looked up, or the database cannot be read.
    """
    with database.reading() as connection:
        try:
            yield from trajectories_of(connection, runs, database.name)
        except StoreError:
            # A row number may belong to another run after a deletion, so a deleted run can look like a damaged one.
            for first in range(0, len(runs), RUNS_AT_ONCE):
                some = runs[first : first + RUNS_AT_ONCE]
                chosen = has_row_number("id", [run.id for run in some])
                identities = dict(driver_rows(connection, f"SELECT id, identity FROM run WHERE {chosen}"))
                for run in some:
                    if identities.get(run.id) != run.identity:
                        raise deletion_error(run, database.name) from None
            raise


def deletion_error(run: AnyRun, database: str) -> StoreError:
    """Return the error for a run that was deleted after it had been looked up."""
    return StoreError(f"database {database}: run {run.id} was deleted while it was being used; try again without it")


def trajectories_of(connection: Connection, runs: Sequence[RunT], database: str) -> Iterator[tuple[RunT, Series]]:
    """Yield each run with its trajectory, in the order of the runs, with bounded memory.

    Args:
        connection: a connection to the database.
        runs: the runs.
        database: the database's name, for messages.

    Raises:
        StoreError: a chunk is damaged or missing.
    """
    for some in portions(runs):
        missing = {run.id: run for run in some}
        query = "SELECT run_id, first_step, count, checksum, data FROM chunk WHERE {} ORDER BY run_id, first_step"
        rows = driver_rows(connection, query.format(has_row_number("run_id", missing)))
        found = {
            number: _series(missing.pop(number), chunks, database) for number, chunks in itertools.groupby(rows, itemgetter(0))
        }
        found |= {number: _series(run, (), database) for number, run in missing.items()}
        yield from ((run, found[run.id]) for run in some)
        # Free the memory before the next portion is read.
        del found


def portions(runs: Sequence[RunT], width: int = 0) -> Iterator[Sequence[RunT]]:
    """Split runs into portions whose trajectories have at most `BYTES_AT_ONCE` bytes together.

    Args:
        runs: the runs.
        width: the number of columns of the table for which the runs are read. If a run has more numbers than
            this for each iterate, its own number is used instead.
    """
    first = size = 0
    for place, run in enumerate(runs):
        added = 8 * (run.steps + 1) * max(width, 2 + run.dimension * (run.records_x + run.records_gradient))
        if place > first and (size + added > BYTES_AT_ONCE or place - first == RUNS_AT_ONCE):
            yield runs[first:place]
            first, size = place, 0
        size += added
    if runs:
        yield runs[first:]


def _series(run: AnyRun, chunks: Iterable[Any], database: str) -> Series:
    """Check the chunks of a run, and return its trajectory."""
    pieces = []
    step = 0
    for _, first_step, count, checksum, data in chunks:
        damaged = first_step != step or checksum != chunk_checksum(run.identity, step, count, data)
        if damaged or len(data) % (8 * count):
            raise StoreError(f"database {database}: the trajectory of run {run.id} is damaged at step {step}")
        pieces.append(np.frombuffer(data, ">f8").reshape(-1, count))
        step += count
    if step != run.steps + 1 and not (run.steps == step == 0 and run.outcome in (Outcome.FAILED, Outcome.TIMEOUT)):
        raise StoreError(f"database {database}: run {run.id} took {run.steps} steps, but {step} iterates are stored")
    if pieces and len(pieces[0]) != 2 + run.dimension * (run.records_x + run.records_gradient):
        raise StoreError(f"database {database}: the trajectory of run {run.id} is damaged at step 0")
    return assembled(pieces, run)


def assembled(pieces: Sequence[NDArray[Any]], run: AnyRun) -> Series:
    """Join the pieces of a trajectory, each of shape `(series, iterates)`.

    The series are f, ‖∇f‖, the coordinates of x if they are recorded, and the components of ∇f if they are recorded.
    """
    if not pieces:
        return Series(np.empty(0), np.empty(0), None)
    if len(pieces) == 1:
        whole = pieces[0].astype(float)
    else:
        whole = np.empty((len(pieces[0]), sum(piece.shape[1] for piece in pieces)))
        np.concatenate(pieces, axis=1, out=whole)
    x = whole[2 : 2 + run.dimension].T if run.records_x else None
    return Series(whole[0], whole[1], x, whole[-run.dimension :].T if run.records_gradient else None)

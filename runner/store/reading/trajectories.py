"""Trajectories as arrays, checked and joined, with bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from runner.contracts.arrays import Array
from runner.contracts.figure import Series
from runner.contracts.outcomes import Outcome
from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.reading.run_sql import driver_rows, has_row_number
from runner.store.writing.run_rows import chunk_checksum

RUNS_AT_ONCE = 1000
"""How many runs' trajectories are read with one query, at most."""
BYTES_AT_ONCE = 2**26
"""How many bytes of trajectories are read with one query, unless one run has more."""


class HasTrajectory(Protocol):
    """What is known of a run whose trajectory is to be read."""

    @property
    def id(self) -> int:
        """The row's number."""

    @property
    def identity(self) -> str:
        """SHA-256 over everything that decides the run's numbers."""

    @property
    def outcome(self) -> str:
        """How it ended."""

    @property
    def steps(self) -> int:
        """How many steps it took."""

    @property
    def dimension(self) -> int:
        """How many coordinates x has."""

    @property
    def records_x(self) -> bool:
        """Whether its iterates are stored."""

    @property
    def records_gradient(self) -> bool:
        """Whether its gradients are stored."""


RunT = TypeVar("RunT", bound=HasTrajectory)


def read_series(database: Database, runs: Sequence[RunT]) -> Iterator[tuple[RunT, Series]]:
    """Read trajectories, in the order given, with bounded memory.

    Raises:
        StoreError: a chunk is damaged or missing, a run was deleted since it was looked up, or the database cannot be read.
    """
    with database.reading() as connection:
        try:
            yield from trajectories_of(connection, runs, database.name)
        except StoreError:
            _refuse_deleted(connection, runs, database.name)
            raise


def _refuse_deleted(connection: Connection, runs: Sequence[HasTrajectory], database: str) -> None:
    """Say which run is gone, if one is: the number of a run that was deleted may be another's by now."""
    for first in range(0, len(runs), RUNS_AT_ONCE):
        some = runs[first : first + RUNS_AT_ONCE]
        chosen = has_row_number("id", [run.id for run in some])
        there = dict(driver_rows(connection, f"SELECT id, identity FROM run WHERE {chosen}"))
        for run in some:
            if there.get(run.id) != run.identity:
                raise deleted(run, database)


def deleted(run: HasTrajectory, database: str) -> StoreError:
    """Return what to raise of a run that is there no longer."""
    return StoreError(f"database {database}: run {run.id} was deleted after it had been found; do the same again with those left")


def trajectories_of(connection: Connection, runs: Sequence[RunT], database: str) -> Iterator[tuple[RunT, Series]]:
    """Read trajectories, in the order given, with bounded memory.

    Args:
        connection: to the database.
        runs: whose they are.
        database: its name, for messages.

    Raises:
        StoreError: a chunk is damaged or missing.
    """
    for some in portions(runs):
        trajectories = _trajectories(connection, some, database)
        yield from ((run, trajectories[run.id]) for run in some)
        # Before the next are there.
        del trajectories


def portions(runs: Sequence[RunT], width: int = 0) -> Iterator[Sequence[RunT]]:
    """Cut runs into portions whose trajectories together take little memory.

    Args:
        runs: the runs.
        width: how many numbers an iterate takes at least, as in a table that is as wide as the widest run needs.
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


def _trajectories(connection: Connection, runs: Sequence[HasTrajectory], database: str) -> dict[int, Series]:
    """Return trajectories by row number."""
    lacking = {run.id: run for run in runs}
    query = "SELECT run_id, first_step, count, checksum, data FROM chunk WHERE {} ORDER BY run_id, first_step"
    rows = driver_rows(connection, query.format(has_row_number("run_id", lacking)))
    found = {number: _series(lacking.pop(number), chunks, database) for number, chunks in itertools.groupby(rows, itemgetter(0))}
    return found | {number: _series(run, (), database) for number, run in lacking.items()}


def _series(run: HasTrajectory, chunks: Iterable[Any], database: str) -> Series:
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


def _joined(pieces: Sequence[NDArray[Any]]) -> Array:
    whole = np.empty((len(pieces[0]), sum(piece.shape[1] for piece in pieces)))
    np.concatenate(pieces, axis=1, out=whole)
    return whole


def assembled(pieces: Sequence[NDArray[Any]], run: HasTrajectory) -> Series:
    """Join the chunks of a trajectory, each `(series, iterates)`."""
    if not pieces:
        return Series(np.empty(0), np.empty(0), None)
    whole = pieces[0].astype(float) if len(pieces) == 1 else _joined(pieces)
    x = whole[2 : 2 + run.dimension].T if run.records_x else None
    return Series(whole[0], whole[1], x, whole[-run.dimension :].T if run.records_gradient else None)

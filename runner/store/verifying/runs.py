"""Whether runs are whole: their identities, and their summaries against every byte of their trajectories."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, Row, text

from runner.contracts.outcomes import Outcome
from runner.errors import StoreError
from runner.registry.identity import canonical_json, identity
from runner.store.connection import Database
from runner.store.reading.run_sql import restored_number
from runner.store.verifying.values import take_any_text
from runner.store.writing.run_rows import chunk_checksum, run_number

PORTION = 500
"""How many runs are read in one transaction."""
RUNS = """
    SELECT r.id, r.identity, r.dimension, r.records_x, r.records_gradient, r.outcome, r.steps,
           r.final_value, r.final_value_class, r.final_gradient_norm, r.final_gradient_norm_class,
           r.best_value, r.best_value_class, r.best_step, s.dimension AS start_dimension, s.x AS start,
           r.superseded_by, n.identity AS successor,
           o.canonical AS objective, g.canonical AS gradient, p.canonical AS optimizer, u.canonical AS rules
    FROM run r
    LEFT JOIN run n ON n.id = r.superseded_by
    LEFT JOIN start s ON s.id = r.start_id
    LEFT JOIN setting o ON o.id = r.objective_id
    LEFT JOIN setting g ON g.id = r.gradient_id
    LEFT JOIN setting p ON p.id = r.optimizer_id
    LEFT JOIN setting u ON u.id = r.rules_id
    WHERE r.id > :after ORDER BY r.id LIMIT :portion"""
CHUNKS = """
    SELECT run_id, first_step, count AS iterates, checksum, data FROM chunk
    WHERE run_id BETWEEN :first AND :last ORDER BY run_id, first_step"""
STRAY = """
    SELECT DISTINCT c.run_id FROM chunk c LEFT JOIN run r ON r.id = c.run_id WHERE r.id IS NULL ORDER BY c.run_id"""


class Found(Protocol):
    """Where findings are noted."""

    count: int
    problems: list[str]


def examine_runs(database: Database, runs: Found, trajectories: Found) -> None:
    """Look at every run, superseded ones too, with memory that does not grow with them.

    Raises:
        StoreError: the database cannot be read to the end.
    """
    after: int | None = -1
    while after is not None:
        with database.reading() as connection:
            take_any_text(connection)
            after = _portion(connection, after, runs, trajectories)
    with database.reading() as connection:
        for (run_id,) in connection.execute(text(STRAY)):
            trajectories.problems.append(f"run {run_id}: is not there, but has a trajectory")


def _portion(connection: Connection, after: int, runs: Found, trajectories: Found) -> int | None:
    """Look at the next runs; return the number of the last, None at the end, or where a damaged file has no order."""
    rows = connection.execute(text(RUNS), {"after": after, "portion": PORTION}).all()
    if not rows:
        return None
    for before, number in itertools.pairwise([after, *(row.id for row in rows)]):
        if number <= before:
            runs.problems.append(f"run {number} comes after run {before} in the file, so that no more of the runs can be found")
            return None
    streaming = connection.execution_options(stream_results=True, max_row_buffer=16)
    found = streaming.execute(text(CHUNKS), {"first": rows[0].id, "last": rows[-1].id})
    for row, chunks in _with_chunks(rows, found):
        runs.count += 1
        trajectories.count += 1
        runs.problems += [f"run {row.id}: {problem}" for problem in _sensibly(_wrong_with_run(row))]
        wrong = _sensibly(_wrong_with_trajectory(row, chunks))
        trajectories.problems += [f"run {row.id}: {problem}" for problem in wrong]
    return int(rows[-1].id)


def _with_chunks(rows: Iterable[Row[Any]], chunks: Iterable[Row[Any]]) -> Iterator[tuple[Row[Any], Iterable[Row[Any]]]]:
    """Yield each run with its chunks; both come in the order of the runs, and some may be without the other."""
    groups = itertools.groupby(chunks, key=lambda chunk: chunk.run_id)
    run_id, group = next(groups, (None, iter(())))
    for row in rows:
        while run_id is not None and run_id < row.id:
            run_id, group = next(groups, (None, iter(())))
        yield row, group if run_id == row.id else ()


def _sensibly(problems: Iterator[str]) -> Iterator[str]:
    """Yield problems; what cannot even be looked at is one, for a damaged row may hold anything."""
    try:
        yield from problems
    except (TypeError, ValueError, OverflowError, MemoryError, StoreError) as error:
        yield f"makes no sense: {error}"


def _wrong_with_run(row: Row[Any]) -> Iterator[str]:
    missing = [axis for axis in ("objective", "gradient", "optimizer", "rules", "start") if getattr(row, axis) is None]
    if missing:
        yield f"refers to a row that is not there: {', '.join(missing)}"
        return
    start = canonical_json(np.frombuffer(row.start, ">f8").tolist())
    if row.identity != identity(row.objective, row.gradient, row.optimizer, row.rules, start):
        yield "its identity is not that of its plugins, rules and start"
    if row.dimension != row.start_dimension:
        yield f"has {row.dimension} coordinates, and its start {row.start_dimension}"
    if row.superseded_by is not None and row.successor != row.identity:
        yield f"is superseded by run {row.superseded_by}, which is not the same one computed again"


def _wrong_with_trajectory(row: Row[Any], chunks: Iterable[Row[Any]]) -> Iterator[str]:
    width = 2 + row.dimension * (bool(row.records_x) + bool(row.records_gradient))
    step, best, best_step, last = 0, math.inf, 0, (math.nan, math.nan)
    for chunk in chunks:
        problem = _wrong_with_chunk(row, chunk, step, width)
        if problem is not None:
            yield problem
            return
        series = np.frombuffer(chunk.data, ">f8").reshape(width, chunk.iterates)
        if step == 0 and row.records_x and series[2 : 2 + row.dimension, 0].tobytes() != row.start:
            yield "does not begin at its start"
        lowest = int(np.argmin(np.where(np.isnan(series[0]), math.inf, series[0])))
        if series[0, lowest] < best:
            best, best_step = float(series[0, lowest]), step + lowest
        last = (float(series[0, -1]), float(series[1, -1]))
        step += chunk.iterates
    lost = row.outcome in (Outcome.FAILED, Outcome.TIMEOUT) and row.steps == step == 0
    if step != row.steps + 1 and not lost:
        yield f"took {row.steps} steps, but {step} iterates are stored"
        return
    best = best if best < math.inf else math.nan
    yield from _differences(row, {"final_value": last[0], "final_gradient_norm": last[1], "best_value": best})
    if row.best_step != best_step:
        yield f"best_step is {row.best_step} in its row, and {best_step} in its trajectory"


def _wrong_with_chunk(row: Row[Any], chunk: Row[Any], step: int, width: int) -> str | None:
    if chunk.first_step != step:
        return f"a chunk begins at step {chunk.first_step}, where step {step} should follow"
    if chunk.iterates < 1 or len(chunk.data) != 8 * width * chunk.iterates:
        return f"the chunk at step {step} has {len(chunk.data)} bytes, which is not {chunk.iterates} iterates of {width} numbers"
    if chunk.checksum != chunk_checksum(row.identity, step, chunk.iterates, chunk.data):
        return f"the chunk at step {step} does not match its checksum"
    return None


def _differences(row: Row[Any], expected: dict[str, float]) -> Iterator[str]:
    for name, value in expected.items():
        number, number_class = getattr(row, name), getattr(row, f"{name}_class")
        stored = restored_number(number, number_class)
        if not _is(stored, value):
            yield f"{name} is {stored!r} in its row, and {value!r} in its trajectory"
        elif number != run_number(value):
            yield f"{name} is compared as {number!r}, and is {value!r} in its trajectory"


def _is(stored: float, value: float) -> bool:
    """Whether a number is what its row says: 0.0 may be −0.0, for rows had no sign of zero once."""
    if math.isnan(stored) or math.isnan(value):
        return math.isnan(stored) and math.isnan(value)
    return stored == value and math.copysign(1.0, stored) >= math.copysign(1.0, value)

"""The check of runs: their identities, and the agreement of each row with every byte of its trajectory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sqlalchemy import Row, text

from runner.contracts.outcomes import Outcome
from runner.errors import StoreError
from runner.registry.identity import canonical_json, identity
from runner.store.connection import Database
from runner.store.reading.run_sql import restored_number
from runner.store.verifying.part import VerifiedPart
from runner.store.verifying.values import accept_invalid_text
from runner.store.writing.run_rows import chunk_checksum, sql_number

RUNS_AT_ONCE = 500
"""The number of runs that are read in one transaction."""
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
TRAJECTORIES_WITHOUT_RUN = """
    SELECT DISTINCT c.run_id FROM chunk c LEFT JOIN run r ON r.id = c.run_id WHERE r.id IS NULL ORDER BY c.run_id"""


def check_runs(database: Database, runs: VerifiedPart, trajectories: VerifiedPart) -> None:
    """Check every run, including superseded ones, in memory that does not grow with their number.

    Raises:
        StoreError: the database cannot be read to the end.
    """
    after = -1
    while True:
        with database.reading() as connection:
            accept_invalid_text(connection)
            rows = connection.execute(text(RUNS), {"after": after, "portion": RUNS_AT_ONCE}).all()
            if not rows:
                break
            unordered = [pair for pair in itertools.pairwise([after, *(row.id for row in rows)]) if pair[1] <= pair[0]]
            if unordered:
                before, number = unordered[0]
                runs.problems.append(f"run {number} comes after run {before} in the file, so further runs cannot be checked")
                break
            streaming = connection.execution_options(stream_results=True, max_row_buffer=16)
            chunks = streaming.execute(text(CHUNKS), {"first": rows[0].id, "last": rows[-1].id})
            for row, chunks_of_run in _with_chunks(rows, chunks):
                runs.count += 1
                trajectories.count += 1
                for part, problems in ((runs, _run_problems(row)), (trajectories, _trajectory_problems(row, chunks_of_run))):
                    try:
                        for problem in problems:
                            part.problems.append(f"run {row.id}: {problem}")
                    except (TypeError, ValueError, OverflowError, MemoryError) as error:
                        # A damaged row may hold any value, even one that cannot be compared.
                        part.problems.append(f"run {row.id}: holds invalid content: {error}")
            after = int(rows[-1].id)
    with database.reading() as connection:
        for (run_id,) in connection.execute(text(TRAJECTORIES_WITHOUT_RUN)):
            trajectories.problems.append(f"run {run_id}: is missing, but has a trajectory")


def _with_chunks(rows: Iterable[Row[Any]], chunks: Iterable[Row[Any]]) -> Iterator[tuple[Row[Any], Iterable[Row[Any]]]]:
    """Yield each run with its chunks. Both are sorted by run number; a run may have no chunks, and chunks may have no run."""
    groups = itertools.groupby(chunks, key=lambda chunk: chunk.run_id)
    run_id, group = next(groups, (None, iter(())))
    for row in rows:
        while run_id is not None and run_id < row.id:
            run_id, group = next(groups, (None, iter(())))
        yield row, group if run_id == row.id else ()


def _run_problems(row: Row[Any]) -> Iterator[str]:
    missing = [axis for axis in ("objective", "gradient", "optimizer", "rules", "start") if getattr(row, axis) is None]
    if missing:
        yield f"refers to a row that is missing: {', '.join(missing)}"
        return
    start = canonical_json(np.frombuffer(row.start, ">f8").tolist())
    if row.identity != identity(row.objective, row.gradient, row.optimizer, row.rules, start):
        yield "its identity is not that of its plugins, rules and start"
    if row.dimension != row.start_dimension:
        yield f"its dimension is {row.dimension}, but its start has dimension {row.start_dimension}"
    if row.superseded_by is not None and row.successor != row.identity:
        fault = "is missing" if row.successor is None else "has another identity"
        yield f"is superseded by run {row.superseded_by}, which {fault}"


def _trajectory_problems(row: Row[Any], chunks: Iterable[Row[Any]]) -> Iterator[str]:
    """Yield the differences between a run's row and its trajectory; after a damaged chunk, nothing more is compared."""
    width = 2 + row.dimension * (bool(row.records_x) + bool(row.records_gradient))
    step, best_value, best_step = 0, math.inf, 0
    final_value = final_gradient_norm = math.nan
    for chunk in chunks:
        if chunk.first_step != step:
            yield f"a chunk begins at step {chunk.first_step}, where step {step} should follow"
            return
        if chunk.iterates < 1 or len(chunk.data) != 8 * width * chunk.iterates:
            yield f"the chunk at step {step} has {len(chunk.data)} bytes, not {chunk.iterates} iterates of {width} numbers"
            return
        if chunk.checksum != chunk_checksum(row.identity, step, chunk.iterates, chunk.data):
            yield f"the chunk at step {step} does not match its checksum"
            return
        series = np.frombuffer(chunk.data, ">f8").reshape(width, chunk.iterates)
        if step == 0 and row.records_x and series[2 : 2 + row.dimension, 0].tobytes() != row.start:
            yield "its first iterate is not its start"
        lowest = int(np.argmin(np.where(np.isnan(series[0]), math.inf, series[0])))
        if series[0, lowest] < best_value:
            best_value, best_step = float(series[0, lowest]), step + lowest
        final_value, final_gradient_norm = float(series[0, -1]), float(series[1, -1])
        step += chunk.iterates
    has_no_iterates = row.outcome in (Outcome.FAILED, Outcome.TIMEOUT) and row.steps == step == 0
    if step != row.steps + 1 and not has_no_iterates:
        yield f"took {row.steps} steps, but {step} iterates are stored"
        return
    for name, value in (
        ("final_value", final_value),
        ("final_gradient_norm", final_gradient_norm),
        ("best_value", best_value if best_value < math.inf else math.nan),
    ):
        number, number_class = getattr(row, name), getattr(row, f"{name}_class")
        try:
            stored = restored_number(number, number_class)
        except StoreError:
            yield f"{name} cannot be read: its number is {number!r}, and its class is {number_class!r}"
            return
        if not _is_equal(stored, value):
            yield f"{name} is {stored!r} in its row, and {value!r} in its trajectory"
        elif number != sql_number(value):
            yield f"{name} is {number!r} for filters and sorting, and {value!r} in its trajectory"
    if row.best_step != best_step:
        yield f"best_step is {row.best_step} in its row, and {best_step} in its trajectory"


def _is_equal(stored: float, value: float) -> bool:
    """Return whether a stored number equals a value. A stored 0.0 may stand for −0.0, because older rows lack signs of zero."""
    if math.isnan(stored) or math.isnan(value):
        return math.isnan(stored) and math.isnan(value)
    return stored == value and math.copysign(1.0, stored) >= math.copysign(1.0, value)

"""Stored trajectories: every bit is kept, damage is noticed, and plain SQL reads each step."""

from __future__ import annotations

import math
import zlib
from typing import cast

import numpy as np
import pytest

from runner.contracts.arrays import norm
from runner.contracts.objective import HasGradient
from runner.contracts.outcomes import Outcome
from runner.engine.trajectories import Evaluations, Trajectory
from runner.errors import StoreError
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from tests.support.databases import ENVIRONMENT, SPECIAL, opened, run_into, store_series
from tests.support.experiment_texts import SMALL


def test_special_numbers_survive_bit_for_bit(tmp_path, write):
    database = tmp_path / "r.db"
    store_series(database, write(), SPECIAL)
    results = read_results(Database(str(database)), "small")
    ((_, series),) = list(results.series(results.runs))
    expected = np.array(SPECIAL).tobytes()
    assert series.value.tobytes() == expected
    assert series.gradient_norm.tobytes() == expected
    assert series.x is not None
    assert np.ascontiguousarray(series.x[:, 0]).tobytes() == expected


def test_every_step_can_be_read_by_plain_sql(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    results = read_results(Database(str(database)), "small")
    with Database(str(database)).reading() as connection:
        for run, series in results.series(results.runs):
            rows = connection.exec_driver_sql(
                f"SELECT step, value, gradient_norm, x0, x1 FROM steps WHERE run_id = {run.id} ORDER BY step"
            ).fetchall()
            assert [row[0] for row in rows] == list(range(run.steps + 1))
            assert [row[1] for row in rows] == series.value.tolist()
            assert [row[2] for row in rows] == series.gradient_norm.tolist()
            assert series.x is not None
            assert [row[3] for row in rows] == series.x[:, 0].tolist()
            assert [row[4] for row in rows] == (series.x[:, 1].tolist() if run.dimension > 1 else [None] * len(rows))


class TestDamage:
    @pytest.mark.parametrize("seed", range(20))
    def test_a_flipped_byte_is_noticed(self, tmp_path, write, seed):
        database = tmp_path / "r.db"
        run = store_series(database, write(), SPECIAL)
        rng = np.random.default_rng(seed)
        with opened(database) as connection:
            data = bytearray(connection.execute("SELECT data FROM chunk").fetchone()[0])
            data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
            connection.execute("UPDATE chunk SET data = ?", (bytes(data),))
        results = read_results(Database(str(database)), "small")
        assert results.runs[0].identity == run.identity
        with pytest.raises(StoreError) as caught:
            list(results.series(results.runs))
        assert str(caught.value) == f"database {database}: the trajectory of run 1 is damaged at step 0"

    def test_a_missing_chunk_is_noticed(self, tmp_path, write):
        database = tmp_path / "r.db"
        store_series(database, write(), SPECIAL)
        with opened(database) as connection:
            connection.execute("DELETE FROM chunk")
        results = read_results(Database(str(database)), "small")
        with pytest.raises(StoreError) as caught:
            list(results.series(results.runs))
        assert str(caught.value) == f"database {database}: run 1 took 8 steps, but 0 iterates are stored"

    def test_checksum_agrees_with_the_documentation(self, tmp_path, write):
        database = tmp_path / "r.db"
        run = store_series(database, write(), SPECIAL)
        with opened(database) as connection:
            data, checksum = connection.execute("SELECT data, checksum FROM chunk").fetchone()
        assert checksum == zlib.crc32(f"{run.identity}:0:{len(SPECIAL)}".encode() + data)


def test_stopped_run_without_iterates_can_be_read(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    gone = Trajectory(
        plan.runs[0].identity, Outcome.TIMEOUT, "took longer", 0, Evaluations(0, 0, 0), math.nan, math.nan, math.nan, 0, 0, ()
    )
    recording.save(plan.runs[:1], [gone], {})
    store.close()
    results = read_results(Database(str(database)), "small")
    ((run, series),) = results.series(results.runs)
    assert (run.outcome, len(series.value)) == ("timeout", 0)


@pytest.mark.parametrize("records_x", [True, False])
def test_gradients_are_recorded_on_request(tmp_path, write, records_x):
    database = tmp_path / "r.db"
    record = f"\n[record]\nx = {str(records_x).lower()}\ngradient = true\n"
    plan, _ = run_into(write(SMALL + record), database)
    results = read_results(Database(str(database)), "small")
    objectives = {run.identity: run.objective.plugin for run in plan.runs}
    starts = {run.identity: run.start.x for run in plan.runs}
    for run, series in results.series(results.runs):
        assert (run.records_x, run.records_gradient) == (records_x, True)
        assert (series.x is not None) == records_x
        assert series.gradient is not None
        at_start = cast(HasGradient, objectives[run.identity]).gradient(starts[run.identity][None, :])
        assert series.gradient[0].tobytes() == at_start[0].tobytes()
        np.testing.assert_array_equal(norm(series.gradient), series.gradient_norm)
        if series.x is not None:
            np.testing.assert_array_equal(cast(HasGradient, objectives[run.identity]).gradient(series.x), series.gradient)

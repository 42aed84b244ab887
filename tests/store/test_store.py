"""The results database: bits survive, one transaction for each batch, foreign files are refused, readers never write."""

from __future__ import annotations

import math
import struct
import zlib
from typing import cast

import numpy as np
import pytest

from runner.contracts.arrays import norm
from runner.contracts.objective import HasGradient
from runner.contracts.outcomes import Outcome
from runner.engine.trajectories import Chunk, Evaluations, Trajectory
from runner.errors import StoreError
from runner.experiment.model import Landmark
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from tests.support.databases import (
    AROUND,
    SPECIAL,
    SUPPORTED,
    Watcher,
    bowl,
    contents,
    opened,
    run_into,
    store_series,
    trajectory_of,
)
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


@pytest.mark.parametrize("final", [math.nan, math.inf, -math.inf, 0.25, -3.0])
def test_final_values_keep_their_class(tmp_path, write, final):
    database = tmp_path / "r.db"
    store_series(database, write(), [1.0], final)
    (run,) = read_results(Database(str(database)), "small").runs
    assert struct.pack("d", run.final_value) == struct.pack("d", final)
    with opened(database) as connection:
        kind, below = connection.execute("SELECT final_value_class, final_value < 0.3 FROM run").fetchone()
    assert kind == {math.inf: "inf", -math.inf: "-inf"}.get(final, "nan" if math.isnan(final) else "finite")
    assert below == (None if math.isnan(final) else int(final < 0.3)), "NaN must satisfy no comparison"


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


def test_the_documented_views_answer(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    with opened(database) as connection:
        assert connection.execute("SELECT name, runs FROM experiments").fetchall() == [("small", 12)]
        slow = connection.execute(
            "SELECT count(*) FROM runs JOIN parameters p ON p.run_id = runs.id WHERE p.name = 'learning_rate' AND p.number < 0.2"
        ).fetchone()
        assert slow == (4,)
        limits = connection.execute(
            "SELECT DISTINCT number FROM parameters WHERE kind = 'rules' AND name = 'max_steps'"
        ).fetchall()
        assert limits == [(50.0,)]
        gaps = connection.execute("SELECT final_gap, outcome FROM runs WHERE objective = 'quadratic'").fetchall()
        assert all((gap < 1e-12) == (outcome == "converged") for gap, outcome in gaps)


def test_two_runs_of_an_experiment_give_the_same_bits(tmp_path, write):
    path = write()
    run_into(path, tmp_path / "a.db")
    run_into(path, tmp_path / "b.db")
    assert contents(tmp_path / "a.db") == contents(tmp_path / "b.db")
    assert len({row[0] for row in contents(tmp_path / "a.db")}) == 12


def test_the_batch_size_changes_no_bit(tmp_path, write):
    run_into(write(), tmp_path / "a.db")
    run_into(write(name="one.toml", text=write().read_text() + "[execution]\nmax_batch = 1\n"), tmp_path / "b.db")
    assert contents(tmp_path / "a.db") == contents(tmp_path / "b.db")


def test_reordering_the_file_or_writing_a_number_otherwise_computes_nothing(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    text = (
        write()
        .read_text()
        .replace("[0.1, 0.3, 1.1]", "[1.10, 0.30, 1e-1]")
        .replace("low = -3.0, high = 3.0", "high = 3, low = -3")
    )
    objectives = text.index("[[objective]]"), text.index("[[gradient]]")
    reordered = text[: objectives[0]] + text[objectives[1] :] + text[objectives[0] : objectives[1]]
    plan, computed = run_into(write(reordered), database)
    assert (len(plan.runs), computed) == (12, [])


def test_only_what_is_missing_is_computed(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    before = contents(database)
    with opened(database) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM run WHERE id IN (2, 3, 11)")
    assert len(contents(database)) == len(before) - 3
    _, computed = run_into(write(), database)
    assert len(computed) == 3
    assert contents(database) == before


def test_running_again_keeps_the_old_runs_as_superseded(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    before = contents(database)
    _, computed = run_into(write(), database, rerun=True)
    assert len(computed) == 12
    assert contents(database) == before
    with opened(database) as connection:
        assert connection.execute("SELECT count(*) FROM run WHERE superseded_by IS NOT NULL").fetchone() == (12,)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (12,)
        assert connection.execute("SELECT runs FROM experiments").fetchone() == (12,)


def test_a_batch_that_cannot_be_written_leaves_nothing(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, AROUND)
    first, second = plan.runs[:2]
    good = Trajectory(first.identity, Outcome.MAX_STEPS, "", 0, Evaluations(1, 1, 0), 1, 1, 1, 0, 0, (Chunk(0, 1, b"x" * 24),))
    twice = Trajectory(second.identity, Outcome.MAX_STEPS, "", 0, Evaluations(1, 1, 0), 1, 1, 1, 0, 0, good.chunks * 2)
    with pytest.raises(StoreError, match="UNIQUE constraint failed: chunk.run_id, chunk.first_step"):
        recording.save([first, second], [good, twice], {})
    assert contents(database) == []
    recording.save([first], [good], {})
    store.close()
    assert len(contents(database)) == 1


def test_a_run_stored_by_somebody_else_meanwhile_is_not_stored_twice(tmp_path, write):
    database = tmp_path / "r.db"
    stores = Store(str(database)), Store(str(database))
    plans = [make_plan(read(write(), Registry(), Choices()), store, Choices()) for store in stores]
    for store, plan in zip(stores, plans, strict=True):
        execute(plan, store, Registry(), Choices(), Watcher())
        store.close()
    assert len(plans[1].todo) == 12
    with opened(database) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (12,)


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

    def test_the_checksum_is_that_of_the_documentation(self, tmp_path, write):
        database = tmp_path / "r.db"
        run = store_series(database, write(), SPECIAL)
        with opened(database) as connection:
            data, checksum = connection.execute("SELECT data, checksum FROM chunk").fetchone()
        assert checksum == zlib.crc32(f"{run.identity}:0:{len(SPECIAL)}".encode() + data)


class TestForeignFiles:
    def test_text_is_refused_and_left_alone(self, tmp_path):
        path = tmp_path / "notes.db"
        path.write_text("shopping list: nothing that is a database")
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == f"database {path}: is not an SQLite database; name another file"
        assert path.read_text().startswith("shopping")

    def test_another_programs_database_is_refused(self, tmp_path):
        path = tmp_path / "other.db"
        with opened(path) as connection:
            connection.execute("CREATE TABLE bookmark (url TEXT)")
        before = path.read_bytes()
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == f"database {path}: belongs to another program (its tables: bookmark); name another file"
        assert path.read_bytes() == before

    def test_another_schema_is_refused(self, tmp_path, write):
        path = tmp_path / "r.db"
        run_into(write(), path)
        with opened(path) as connection:
            connection.execute("UPDATE runner_schema SET version_num = '9999'")
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == (
            f"database {path}: has schema 9999, and this version of runner reads 0003 and older ones; "
            "use the version of runner that wrote it, or name another file"
        )

    def test_an_empty_file_becomes_a_database(self, tmp_path, write):
        path = tmp_path / "r.db"
        path.touch()
        _, computed = run_into(write(), path)
        assert len(computed) == 12

    def test_a_database_without_tables_becomes_one_of_ours(self, tmp_path, write):
        path = tmp_path / "r.db"
        with opened(path) as connection:
            connection.execute("VACUUM")
        assert path.stat().st_size > 0
        _, computed = run_into(write(), path)
        assert len(computed) == 12

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            (
                "nonsense://x",
                f"database nonsense://x: nonsense is not supported; {SUPPORTED}",
            ),
            ("://", f"database ://: is neither a path nor a database URL; {SUPPORTED}"),
            ("sqlite://", "database sqlite://: results are kept in a file; give its path"),
        ],
    )
    def test_a_bad_url_is_told(self, name, message):
        with pytest.raises(StoreError) as caught:
            Store(name)
        assert str(caught.value) == message

    def test_asking_creates_nothing(self, tmp_path):
        assert Store(str(tmp_path / "none.db")).find(["x"]) == {}
        assert list(tmp_path.iterdir()) == []

    def test_readers_cannot_write(self, tmp_path, write):
        path = tmp_path / "r.db"
        run_into(write(), path)
        with (
            pytest.raises(StoreError, match="cannot be written; the file or its folder is read-only"),
            Database(str(path)).reading() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM run")


def test_landmarks_are_kept_with_the_objective(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    runs = read_results(Database(str(database)), "small").runs
    quadratic = next(run for run in runs if run.objective == "quadratic")
    assert (quadratic.minimum_value, quadratic.curvature) == (0.0, (2.0, 2.0))
    regression = next(run for run in runs if run.objective == "linear_regression")
    assert regression.curvature is not None
    assert 0 < regression.curvature[0] < regression.curvature[1]
    assert isinstance(Landmark(0.0, np.zeros(1), None).x, np.ndarray)


def test_whether_a_sweep_may_run_does_not_depend_on_its_batches(tmp_path, write):
    path = bowl(write, "a", starts="[1.0, -1.0]", end="[execution]\nmax_batch = 1\n")
    run_into(path, tmp_path / "r.db")
    runs = read_results(Database(str(tmp_path / "r.db")), "a").runs
    assert [run.outcome for run in runs] == ["max_steps", "non_finite"] * 2


def test_what_worked_before_is_not_refused_for_the_rest(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(bowl(write, "a", starts="[1.0]"), database)
    _, computed = run_into(bowl(write, "a", starts="[1.0, -1.0]"), database)
    assert len(computed) == 2


def test_other_code_under_the_same_name_leaves_other_experiments_alone(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(bowl(write, "a"), database)
    before = [run.final_value for run in read_results(Database(str(database)), "a").runs]
    run_into(bowl(write, "b", scale="2.0"), database)
    assert [run.final_value for run in read_results(Database(str(database)), "a").runs] == before
    assert [run.final_value for run in read_results(Database(str(database)), "b").runs] != before


def test_runs_shared_by_experiments_follow_a_rerun_by_the_same_code(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(bowl(write, "a"), database)
    run_into(bowl(write, "b"), database)
    run_into(bowl(write, "b"), database, rerun=True)
    assert {run.id for run in read_results(Database(str(database)), "a").runs} == {5, 6, 7, 8}


def test_a_reordered_file_is_reported_in_its_own_order(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(bowl(write, "a"), database)
    path = bowl(write, "a", starts="[2.0, 1.0]")
    run_into(write(path.read_text().replace("[0.1, 0.2]", "[0.2, 0.1]"), "a.toml"), database)
    runs = read_results(Database(str(database)), "a").runs
    assert [(run.parameters["optimizer.learning_rate"], run.start) for run in runs] == [(0.2, 0), (0.2, 1), (0.1, 0), (0.1, 1)]
    starts = [series.x[0, 0] for _, series in read_results(Database(str(database)), "a").series(runs)]
    assert starts == [2.0, 1.0, 2.0, 1.0]


def test_a_plan_that_somebody_overtook_makes_no_members_twice(tmp_path, write):
    database = tmp_path / "r.db"
    path = bowl(write, "a")
    run_into(path, database)
    store, catalogue = Store(str(database)), Registry()
    plan = make_plan(read(path, catalogue, Choices()), store, Choices())
    run_into(path, database, rerun=True)
    execute(plan, store, catalogue, Choices(), Watcher())
    store.close()
    assert [run.id for run in read_results(Database(str(database)), "a").runs] == [5, 6, 7, 8]


def test_a_database_that_is_removed_meanwhile_is_told(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, AROUND)
    database.unlink()
    with pytest.raises(StoreError) as caught:
        recording.save(plan.runs[:1], [trajectory_of(plan.runs[0])], {})
    store.close()
    assert str(caught.value) == f"database {database}: was removed or replaced while it was in use; run the same command again"


def test_a_run_that_was_stopped_has_no_iterates_and_can_be_read(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, AROUND)
    gone = Trajectory(
        plan.runs[0].identity, Outcome.TIMEOUT, "took longer", 0, Evaluations(0, 0, 0), math.nan, math.nan, math.nan, 0, 0, ()
    )
    recording.save(plan.runs[:1], [gone], {})
    store.close()
    results = read_results(Database(str(database)), "small")
    ((run, series),) = results.series(results.runs)
    assert (run.outcome, len(series.value)) == ("timeout", 0)


@pytest.mark.parametrize("records_x", [True, False])
def test_gradients_are_recorded_where_the_experiment_asks(tmp_path, write, records_x):
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


def test_a_choice_that_is_off_leaves_the_identity_as_it_was(write):
    off, on = (
        make_plan(read(write(SMALL + f"\n[record]\ngradient = {asked}\n"), Registry(), Choices()), Store("none.db"), Choices())
        for asked in ("false", "true")
    )
    plain = make_plan(read(write(), Registry(), Choices()), Store("none.db"), Choices())
    assert [run.identity for run in off.runs] == [run.identity for run in plain.runs]
    assert not {run.identity for run in on.runs} & {run.identity for run in plain.runs}

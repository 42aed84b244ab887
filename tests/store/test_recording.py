"""The writing of runs: one transaction for each batch, runs resumed and superseded, nothing stored twice."""

from __future__ import annotations

import numpy as np
import pytest

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
from tests.support.databases import ENVIRONMENT, Watcher, opened, run_into, stored_bits, trajectory_of, write_bowl_experiment
from tests.support.experiment_texts import SMALL


def test_two_runs_of_an_experiment_give_the_same_bits(tmp_path, write):
    path = write()
    run_into(path, tmp_path / "a.db")
    run_into(path, tmp_path / "b.db")
    assert stored_bits(tmp_path / "a.db") == stored_bits(tmp_path / "b.db")
    assert len({row[0] for row in stored_bits(tmp_path / "a.db")}) == 12


def test_the_batch_size_changes_no_bit(tmp_path, write):
    run_into(write(), tmp_path / "a.db")
    run_into(write(name="one.toml", text=write().read_text() + "[execution]\nmax_batch = 1\n"), tmp_path / "b.db")
    assert stored_bits(tmp_path / "a.db") == stored_bits(tmp_path / "b.db")


def test_reordering_the_file_or_respelling_a_number_computes_nothing(tmp_path, write):
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
    before = stored_bits(database)
    with opened(database) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM run WHERE id IN (2, 3, 11)")
    assert len(stored_bits(database)) == len(before) - 3
    _, computed = run_into(write(), database)
    assert len(computed) == 3
    assert stored_bits(database) == before


def test_running_again_keeps_the_old_runs_as_superseded(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    before = stored_bits(database)
    _, computed = run_into(write(), database, rerun=True)
    assert len(computed) == 12
    assert stored_bits(database) == before
    with opened(database) as connection:
        assert connection.execute("SELECT count(*) FROM run WHERE superseded_by IS NOT NULL").fetchone() == (12,)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (12,)
        assert connection.execute("SELECT runs FROM experiments").fetchone() == (12,)


def test_a_batch_that_cannot_be_written_leaves_nothing(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    first, second = plan.runs[:2]
    good = Trajectory(first.identity, Outcome.MAX_STEPS, "", 0, Evaluations(1, 1, 0), 1, 1, 1, 0, 0, (Chunk(0, 1, b"x" * 24),))
    twice = Trajectory(second.identity, Outcome.MAX_STEPS, "", 0, Evaluations(1, 1, 0), 1, 1, 1, 0, 0, good.chunks * 2)
    with pytest.raises(StoreError, match="UNIQUE constraint failed: chunk.run_id, chunk.first_step"):
        recording.save([first, second], [good, twice], {})
    assert stored_bits(database) == []
    recording.save([first], [good], {})
    store.close()
    assert len(stored_bits(database)) == 1


def test_run_stored_by_another_process_meanwhile_is_not_stored_twice(tmp_path, write):
    database = tmp_path / "r.db"
    stores = Store(str(database)), Store(str(database))
    plans = [make_plan(read(write(), Registry(), Choices()), store, Choices()) for store in stores]
    for store, plan in zip(stores, plans, strict=True):
        execute(plan, store, Registry(), Choices(), Watcher())
        store.close()
    assert len(plans[1].todo) == 12
    with opened(database) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (12,)


def test_known_minimum_is_stored_with_the_objective(tmp_path, write):
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
    path = write_bowl_experiment(write, "a", starts="[1.0, -1.0]", end="[execution]\nmax_batch = 1\n")
    run_into(path, tmp_path / "r.db")
    runs = read_results(Database(str(tmp_path / "r.db")), "a").runs
    assert [run.outcome for run in runs] == ["max_steps", "non_finite"] * 2


def test_experiment_that_ran_before_is_not_refused_for_new_starts(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write_bowl_experiment(write, "a", starts="[1.0]"), database)
    _, computed = run_into(write_bowl_experiment(write, "a", starts="[1.0, -1.0]"), database)
    assert len(computed) == 2


def test_a_database_that_is_removed_meanwhile_is_reported(tmp_path, write):
    database = tmp_path / "r.db"
    store = Store(str(database))
    plan = make_plan(read(write(), Registry(), Choices()), store, Choices())
    recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
    database.unlink()
    with pytest.raises(StoreError) as caught:
        recording.save(plan.runs[:1], [trajectory_of(plan.runs[0])], {})
    store.close()
    assert str(caught.value) == f"database {database}: was removed or replaced while it was in use; run the same command again"


def test_option_that_is_off_does_not_change_the_identity(write):
    off, on = (
        make_plan(read(write(SMALL + f"\n[record]\ngradient = {asked}\n"), Registry(), Choices()), Store("none.db"), Choices())
        for asked in ("false", "true")
    )
    plain = make_plan(read(write(), Registry(), Choices()), Store("none.db"), Choices())
    assert [run.identity for run in off.runs] == [run.identity for run in plain.runs]
    assert not {run.identity for run in on.runs} & {run.identity for run in plain.runs}

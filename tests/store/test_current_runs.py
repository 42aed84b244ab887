"""The runs that count for an experiment, after its file or its plugins have changed."""

from __future__ import annotations

from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from tests.support.databases import Watcher, run_into, write_bowl_experiment


def test_changed_code_leaves_other_experiments_alone(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write_bowl_experiment(write, "a"), database)
    before = [run.final_value for run in read_results(Database(str(database)), "a").runs]
    run_into(write_bowl_experiment(write, "b", scale="2.0"), database)
    assert [run.final_value for run in read_results(Database(str(database)), "a").runs] == before
    assert [run.final_value for run in read_results(Database(str(database)), "b").runs] != before


def test_runs_shared_by_experiments_follow_a_rerun_by_the_same_code(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write_bowl_experiment(write, "a"), database)
    run_into(write_bowl_experiment(write, "b"), database)
    run_into(write_bowl_experiment(write, "b"), database, rerun=True)
    assert {run.id for run in read_results(Database(str(database)), "a").runs} == {5, 6, 7, 8}


def test_a_reordered_file_is_reported_in_its_own_order(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write_bowl_experiment(write, "a"), database)
    path = write_bowl_experiment(write, "a", starts="[2.0, 1.0]")
    run_into(write(path.read_text().replace("[0.1, 0.2]", "[0.2, 0.1]"), "a.toml"), database)
    runs = read_results(Database(str(database)), "a").runs
    assert [(run.parameters["optimizer.learning_rate"], run.start) for run in runs] == [(0.2, 0), (0.2, 1), (0.1, 0), (0.1, 1)]
    starts = [series.x[0, 0] for _, series in read_results(Database(str(database)), "a").series(runs)]
    assert starts == [2.0, 1.0, 2.0, 1.0]


def test_outdated_plan_adds_no_run_twice(tmp_path, write):
    database = tmp_path / "r.db"
    path = write_bowl_experiment(write, "a")
    run_into(path, database)
    store, catalogue = Store(str(database)), Registry()
    plan = make_plan(read(path, catalogue, Choices()), store, Choices())
    run_into(path, database, rerun=True)
    execute(plan, store, catalogue, Choices(), Watcher())
    store.close()
    assert [run.id for run in read_results(Database(str(database)), "a").runs] == [5, 6, 7, 8]

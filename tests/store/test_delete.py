"""The deletion of runs and experiments, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runner
from runner.errors import QueryError, StoreError
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.writing.recording import Store
from tests.support.database_rows import counts, problems, rows, run_into
from tests.support.databases import ENVIRONMENT, trajectory_of, write_bowl_experiment

ONE_WAY = 'name them in one way, such as the filter experiment = "lr_sweep" and outcome = "failed"'


class TestDeleting:
    @pytest.fixture
    def filled(self, name: str, write: Callable[..., Path]) -> Iterator[runner.ResultsDatabase]:
        """Two experiments that share two runs; four runs of one of them were computed twice."""
        run_into(write_bowl_experiment(write, "a"), name)
        run_into(write_bowl_experiment(write, "b", starts="[2.0, 3.0]"), name)
        run_into(write_bowl_experiment(write, "b", starts="[2.0, 3.0]"), name, rerun=True)
        with runner.open(name) as database:
            yield database

    def test_runs_are_deleted_with_their_rows(self, filled, name):
        before = counts(name)
        del before["parameter"]
        assert before == {
            "experiment": 2, "environment": 1, "setting": 5, "landmark": 0, "start": 3, "run": 10, "experiment_run": 8, "chunk": 10,
        }  # fmt: skip
        plan = filled.plan_deletion([1])
        assert (plan.runs, plan.superseded, plan.experiments) == ((1,), 0, ())
        filled.delete(plan)
        assert (counts(name)["run"], counts(name)["chunk"], counts(name)["experiment_run"]) == (9, 9, 7)
        assert problems(name) == []

    def test_run_is_deleted_with_the_runs_that_it_superseded(self, filled, name):
        (newest,) = (run for run in filled.runs("learning_rate = 0.1")["id"] if filled.run(int(run)).start == (3.0,))
        plan = filled.plan_deletion([int(newest)])
        assert (len(plan.runs), plan.superseded) == (2, 1)
        filled.delete(plan)
        assert problems(name) == []

    def test_runs_are_chosen_by_a_filter(self, filled, name):
        filled.delete(filled.plan_deletion(where="learning_rate = 0.2"))
        assert filled.runs()["optimizer.learning_rate"].tolist() == [0.1, 0.1, 0.1]
        assert counts(name)["setting"] == 4, "no run has the other learning rate"
        assert problems(name) == []

    def test_experiment_is_deleted_with_the_runs_of_its_own(self, filled, name):
        filled.delete(filled.plan_deletion(experiment="b"))
        assert filled.experiments()["name"].tolist() == ["a"]
        assert filled.experiments()["runs"].tolist() == [4]
        assert len(filled.runs()) == 4
        assert counts(name)["start"] == 2
        assert problems(name) == []

    def test_deletion_of_the_last_experiment_leaves_no_rows(self, filled, name):
        for experiment in ("a", "b"):
            filled.delete(filled.plan_deletion(experiment=experiment))
        assert set(counts(name).values()) == {0}

    def test_superseded_runs_alone_can_go(self, filled, name):
        plan = filled.plan_deletion(superseded=True)
        assert plan.superseded == len(plan.runs) == 4
        filled.delete(plan)
        assert filled.facts().superseded == 0
        assert len(filled.runs()) == 6
        assert problems(name) == []

    def test_missing_runs_are_reported(self, filled, name):
        with pytest.raises(QueryError) as caught:
            filled.plan_deletion(experiment="none")
        assert str(caught.value) == f"database {name}: holds no experiment 'none'; `runner list` shows all experiments"
        with pytest.raises(QueryError, match="holds no run 99"):
            filled.plan_deletion([99])

    @pytest.mark.parametrize(
        ("ways", "message"),
        [
            ({}, "nothing is named to delete; name runs, a filter, an experiment, or superseded runs"),
            ({"runs": [1], "experiment": "a"}, f"the runs to delete are named in 2 ways; {ONE_WAY}"),
            ({"runs": [], "where": "id = 1"}, f"the runs to delete are named in 2 ways; {ONE_WAY}"),
            ({"where": "id = 1", "experiment": "a", "superseded": True}, f"the runs to delete are named in 3 ways; {ONE_WAY}"),
        ],
    )
    def test_runs_must_be_named_in_one_way(self, filled, ways, message):
        with pytest.raises(QueryError) as caught:
            filled.plan_deletion(**ways)
        assert str(caught.value) == message

    def test_runs_may_be_given_singly_as_a_table_or_not_at_all(self, filled):
        assert filled.plan_deletion(1).runs == (1,)
        found = filled.runs("learning_rate = 0.2")
        assert filled.plan_deletion(found) == filled.plan_deletion(found["id"].tolist())
        assert filled.plan_deletion([]).runs == ()

    def test_sweep_in_progress_keeps_its_settings_and_experiment(self, filled, name, write):
        store, catalogue = Store(name), Registry()
        plan = make_plan(read(write(), catalogue, Choices()), store, Choices())
        recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
        settings = counts(name)["setting"]
        filled.delete(filled.plan_deletion([1]))
        assert counts(name)["setting"] == settings
        with pytest.raises(StoreError) as caught:
            filled.delete(filled.plan_deletion(experiment="a"))
        assert str(caught.value) == (
            f"database {name}: process {os.getpid()} may be computing runs of the experiment; "
            "wait until it has ended, or stop it, then try again"
        )
        recording.close()
        store.close()
        filled.delete(filled.plan_deletion(experiment="a"))
        assert problems(name) == []

    def test_runs_changed_since_the_plan_are_kept(self, filled, name, write):
        newest = int(max(filled.runs()["id"]))
        planned = [filled.plan_deletion([newest]), filled.plan_deletion(experiment="a")]
        filled.delete(filled.plan_deletion([newest]))
        run_into(write_bowl_experiment(write, "b", starts="[7.0]"), name)
        assert newest in filled.runs('experiment = "b"')["id"], "another run has got the number"
        run_into(write_bowl_experiment(write, "c", starts="[1.0, 2.0]"), name)
        before = rows(name)
        for plan in planned:
            with pytest.raises(StoreError) as caught:
                filled.delete(plan)
            assert str(caught.value) == (
                f"database {name}: the runs to delete have changed since the deletion was planned, so nothing was deleted; check them and try again"
            )
        assert rows(name) == before

    def test_number_of_a_deleted_run_can_be_used_again(self, filled, name, write):
        store, rerun = Store(name), Choices(rerun=True)
        plan = make_plan(read(write_bowl_experiment(write, "a"), Registry(), rerun), store, rerun)
        recording = store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT)
        recording.claim(plan.runs, plan.stored)
        filled.delete(filled.plan_deletion(filled.runs()["id"].tolist()))
        for run in reversed(plan.runs):
            recording.save([run], [trajectory_of(run)], plan.stored)
        recording.close()
        store.close()
        assert sorted(filled.runs('experiment = "a"')["identity"]) == sorted(run.identity for run in plan.runs)
        assert filled.facts().superseded == 0

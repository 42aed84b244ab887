"""What the store promises, on SQLite and on a real PostgreSQL server: bits, superseding, claims, deleting, copying, verifying."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Table, text

import runner
from runner.contracts.outcomes import OUTCOMES
from runner.errors import QueryError, StoreError
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.results import results_database as asking
from runner.store.connection import ADVISORY_LOCK, Database
from runner.store.maintenance import copy as copying
from runner.store.maintenance.copy import copy
from runner.store.reading.stored_results import read_results
from runner.store.schema import metadata
from runner.store.verifying.verify import verify
from runner.store.writing.recording import Store
from tests.support.databases import AROUND, SPECIAL, Watcher, bowl, psycopg_connection, store_series, trajectory_of
from tests.support.experiment_texts import SMALL

ONE_WAY = 'and all of them would go; give one, such as the filter experiment = "lr_sweep" and outcome = "failed"'
PAYLOADS = [0x7FF0000000000001, 0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF, 0xFFF8DEADBEEF0001, 0xFFF0000000000001]
"""NaN has many bits."""
TABLES = [table.name for table in metadata.sorted_tables if table.name not in ("worker", "claim", "runner_schema")]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Name databases that are not there yet, of each system."""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("server_database")
        return make
    names = iter(range(10))
    return lambda: str(tmp_path / f"r{next(names)}.db")


@pytest.fixture
def name(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def other_system(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> str:
    """A new database of the other system."""
    if "://" in name:
        return str(tmp_path / "other.db")
    make: Callable[[], str] = request.getfixturevalue("server_database")
    return make()


def test_a_writer_on_a_server_waits_for_another_and_gives_up_in_the_end(request):
    url = request.getfixturevalue("server_database")()
    with closing(Database(url)) as database:
        database.create()
        with psycopg_connection(url) as other, other.transaction():
            other.execute(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
            message = r"another program has been writing to it for 0 s; end that program"
            with pytest.raises(StoreError, match=message), database.writing(patience=0.2):
                pass
        with database.writing(patience=0.2) as connection:
            assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0


def run_into(path: Path, name: str, **choices: bool) -> tuple[int, int]:
    """Return how many runs the grid has and how many were computed."""
    store, catalogue, watcher, wanted = Store(name), Registry(), Watcher(), Choices(**choices)
    plan = make_plan(read(path, catalogue, wanted), store, wanted)
    execute(plan, store, catalogue, wanted, watcher)
    store.close()
    return len(plan.runs), len(watcher.saved_runs)


def rows(name: str, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of some tables, NaN and −0.0 told apart."""
    with closing(Database(name)) as database, database.reading() as connection:
        found = {}
        for table in map(metadata.tables.__getitem__, tables or TABLES):
            columns = ", ".join(column.name for column in table.columns)
            order = ", ".join(column.name for column in table.primary_key)
            told = connection.execute(text(f"SELECT {columns} FROM {table.name} ORDER BY {order}"))
            found[table.name] = [tuple(map(exact, row)) for row in told]
    return found


def exact(value: object) -> object:
    if isinstance(value, float):
        return value.hex()
    return int(value) if isinstance(value, bool) else value


def problems(name: str) -> list[str]:
    with closing(Database(name)) as database:
        return [problem for check in verify(database) for problem in check.problems]


def change(name: str, command: str, **values: object) -> None:
    with closing(Database(name)) as database, database.writing() as connection:
        connection.execute(text(command), values)


def counts(name: str) -> dict[str, int]:
    return {table: len(found) for table, found in rows(name).items()}


class TestRuns:
    def test_a_sweep_is_stored_resumed_and_superseded(self, name, write):
        path = write()
        assert run_into(path, name) == (12, 12)
        assert run_into(path, name) == (12, 0)
        before = rows(name, "chunk")["chunk"]
        assert run_into(path, name, rerun=True) == (12, 12)
        with runner.open(name) as database:
            assert list(database.runs()["id"]) == list(range(13, 25))
            assert database.facts().superseded == 12
            assert database.experiments()["runs"].tolist() == [12]
        after = rows(name, "chunk")["chunk"]
        assert [(chunk[0], chunk[-1]) for chunk in after] == [
            (run + offset, data) for offset in (0, 12) for run, *_, data in before
        ]
        assert problems(name) == []

    def test_every_bit_survives(self, name, write):
        payloads = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in PAYLOADS]
        values = [*SPECIAL, *payloads]
        store_series(name, write(), values, final=math.nan)
        with closing(Database(name)) as database:
            results = read_results(database, "small")
            ((run, series),) = list(results.series(results.runs))
        assert series.value.tobytes() == np.array(values).tobytes()
        assert series.value.view(np.uint64)[-len(PAYLOADS) :].tolist() == PAYLOADS
        assert math.isnan(run.final_value)

    @pytest.mark.parametrize("final", [math.nan, math.inf, -math.inf, -0.0, 5e-324, -3.0])
    def test_summaries_hold_every_number(self, name, write, final):
        store_series(name, write(), [1.0], final)
        with runner.open(name) as database:
            assert database.run(1).final_value == pytest.approx(final, abs=0, nan_ok=True)
            assert len(database.runs("final_value < 0.3")) == (final < 0.3)
        kept = rows(name, "run")["run"][0]
        assert (-0.0).hex() not in kept, "or databases would differ"

    def test_a_text_may_hold_anything(self, name, write):
        broken = SMALL.replace('name = "quadratic"', 'name = "odd"').replace('"small"', '"small"\nplugins = ["odd.py"]', 1)
        write(ODD, "odd.py")
        run_into(write(broken), name)
        with runner.open(name) as database:
            errors = set(database.runs('outcome = "failed"')["error"])
        assert errors == {"LookupError: nul \\0, ∇f, 'quotes', \"double\", {braces}, %s, \\"}
        assert problems(name) == []


ODD = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Odd(runner.Objective):
    '''f(x) = x², and an odd text far from zero.'''
    dimension = 1
    def value(self, x):
        if abs(x).max() > 2:
            raise LookupError("nul \\0, ∇f, 'quotes', \\"double\\", {braces}, %s, \\\\")
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"odd": Odd}
"""


class TestClaims:
    def test_a_run_is_claimed_once_and_free_again_at_the_end(self, name, write):
        catalogue = Registry()
        stores = [Store(name) for _ in range(2)]
        plan = make_plan(read(write(), catalogue, Choices()), stores[0], Choices())
        first, second = (store.begin(plan.experiment, plan.runs, {}, AROUND) for store in stores)
        identities = [run.identity for run in plan.runs]
        assert first.claim(plan.runs[:8], {}).ours == tuple(identities[:8])
        division = second.claim(plan.runs, {})
        assert division.ours == tuple(identities[8:])
        assert dict(division.held) == dict.fromkeys(identities[:8], f"process {os.getpid()}")
        first.close()
        assert second.claim(plan.runs[:8], {}).ours == tuple(identities[:8])
        second.close()
        assert rows(name, "claim", "worker") == {"claim": [], "worker": []}
        for store in stores:
            store.close()

    def test_what_another_has_stored_is_taken_into_the_experiment(self, name, write):
        path = write()
        store, catalogue, watcher = Store(name), Registry(), Watcher()
        plan = make_plan(read(path, catalogue, Choices()), store, Choices())
        run_into(write(SMALL.replace('"small"', '"other"'), "other.toml"), name)
        execute(plan, store, catalogue, Choices(), watcher)
        store.close()
        assert watcher.saved_runs == []
        with runner.open(name) as database:
            assert database.experiments()["runs"].tolist() == [12, 12]
            assert len(database.runs('experiment = "small"')) == 12

    def test_processes_divide_a_sweep(self, name, write, tmp_path):
        write(SMALL + "[execution]\nmax_batch = 1\n")
        command = [
            sys.executable,
            "-c",
            "from runner.cli import main; main()",
            "run",
            "small.toml",
            "--no-report",
            "--format",
            "json",
        ]
        processes = [
            subprocess.Popen([*command, "--db", name], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        endings = [(*process.communicate(timeout=120), process.returncode) for process in processes]
        assert [(told, code) for _, told, code in endings] == [("", 0)] * 4
        assert sum(sum(json.loads(out)["computed"].values()) for out, *_ in endings) == 12
        assert problems(name) == []


class TestDeleting:
    @pytest.fixture
    def filled(self, name: str, write: Callable[..., Path]) -> Iterator[runner.ResultsDatabase]:
        """Two experiments that share two runs; four of one were computed twice."""
        run_into(bowl(write, "a"), name)
        run_into(bowl(write, "b", starts="[2.0, 3.0]"), name)
        run_into(bowl(write, "b", starts="[2.0, 3.0]"), name, rerun=True)
        with runner.open(name) as database:
            yield database

    def test_runs_go_with_all_that_is_theirs(self, filled, name):
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

    def test_a_run_goes_with_those_that_it_superseded(self, filled, name):
        (newest,) = (run for run in filled.runs("learning_rate = 0.1")["id"] if filled.run(int(run)).start == (3.0,))
        plan = filled.plan_deletion([int(newest)])
        assert (len(plan.runs), plan.superseded) == (2, 1)
        filled.delete(plan)
        assert problems(name) == []

    def test_a_filter_chooses(self, filled, name):
        filled.delete(filled.plan_deletion(where="learning_rate = 0.2"))
        assert filled.runs()["optimizer.learning_rate"].tolist() == [0.1, 0.1, 0.1]
        assert counts(name)["setting"] == 4, "the other learning rate belongs to nobody"
        assert problems(name) == []

    def test_an_experiment_goes_with_the_runs_that_are_only_its_own(self, filled, name):
        filled.delete(filled.plan_deletion(experiment="b"))
        assert filled.experiments()["name"].tolist() == ["a"]
        assert filled.experiments()["runs"].tolist() == [4]
        assert len(filled.runs()) == 4
        assert counts(name)["start"] == 2
        assert problems(name) == []

    def test_the_last_experiment_leaves_nothing(self, filled, name):
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

    def test_what_is_not_there_is_told(self, filled, name):
        with pytest.raises(QueryError) as caught:
            filled.plan_deletion(experiment="none")
        assert str(caught.value) == f"database {name}: holds no experiment 'none'; `runner list` shows what there is"
        with pytest.raises(QueryError, match="holds no run 99"):
            filled.plan_deletion([99])

    @pytest.mark.parametrize(
        ("ways", "message"),
        [
            ({}, "nothing is named to delete; name runs, a filter, an experiment, or superseded runs"),
            ({"runs": [1], "experiment": "a"}, f"runs to delete are named in 2 ways, {ONE_WAY}"),
            ({"runs": [], "where": "id = 1"}, f"runs to delete are named in 2 ways, {ONE_WAY}"),
            ({"where": "id = 1", "experiment": "a", "superseded": True}, f"runs to delete are named in 3 ways, {ONE_WAY}"),
        ],
    )
    def test_runs_are_named_in_one_way(self, filled, ways, message):
        with pytest.raises(QueryError) as caught:
            filled.plan_deletion(**ways)
        assert str(caught.value) == message

    def test_runs_may_be_one_or_a_table_or_none(self, filled):
        assert filled.plan_deletion(1).runs == (1,)
        found = filled.runs("learning_rate = 0.2")
        assert filled.plan_deletion(found) == filled.plan_deletion(found["id"].tolist())
        assert filled.plan_deletion([]).runs == ()

    def test_who_is_computing_keeps_its_settings_and_its_experiment(self, filled, name, write):
        store, catalogue = Store(name), Registry()
        plan = make_plan(read(write(), catalogue, Choices()), store, Choices())
        recording = store.begin(plan.experiment, plan.runs, {}, AROUND)
        settings = counts(name)["setting"]
        filled.delete(filled.plan_deletion([1]))
        assert counts(name)["setting"] == settings
        with pytest.raises(StoreError) as caught:
            filled.delete(filled.plan_deletion(experiment="a"))
        assert str(caught.value) == (
            f"database {name}: process {os.getpid()} may be computing runs of the experiment; "
            "wait for its end or stop it, then try again"
        )
        recording.close()
        store.close()
        filled.delete(filled.plan_deletion(experiment="a"))
        assert problems(name) == []

    def test_what_changed_since_it_was_planned_stays(self, filled, name, write):
        newest = int(max(filled.runs()["id"]))
        planned = [filled.plan_deletion([newest]), filled.plan_deletion(experiment="a")]
        filled.delete(filled.plan_deletion([newest]))
        run_into(bowl(write, "b", starts="[7.0]"), name)
        assert newest in filled.runs('experiment = "b"')["id"], "another run has got the number"
        run_into(bowl(write, "c", starts="[1.0, 2.0]"), name)
        before = rows(name)
        for plan in planned:
            with pytest.raises(StoreError) as caught:
                filled.delete(plan)
            assert str(caught.value) == (
                f"database {name}: what was to be deleted has changed meanwhile; look at it and try again"
            )
        assert rows(name) == before

    def test_a_run_that_was_to_be_superseded_and_is_deleted_leaves_its_number_free(self, filled, name, write):
        store, rerun = Store(name), Choices(rerun=True)
        plan = make_plan(read(bowl(write, "a"), Registry(), rerun), store, rerun)
        recording = store.begin(plan.experiment, plan.runs, {}, AROUND)
        recording.claim(plan.runs, plan.stored)
        filled.delete(filled.plan_deletion(filled.runs()["id"].tolist()))
        for run in reversed(plan.runs):
            recording.save([run], [trajectory_of(run)], plan.stored)
        recording.close()
        store.close()
        assert sorted(filled.runs('experiment = "a"')["identity"]) == sorted(run.identity for run in plan.runs)
        assert filled.facts().superseded == 0


class TestCopying:
    def test_there_and_back_every_bit_is_the_same(self, name, other_system, tmp_path, write):
        run_into(write(), name)
        run_into(write(), name, rerun=True)
        run_into(bowl(write, "a"), name)
        back = str(tmp_path / "back.db")
        for source, target in ((name, other_system), (other_system, back)):
            with closing(Database(source)) as old, closing(Database(target)) as new:
                copied = copy(old, new)
            assert copied == counts(name)
            assert rows(target) == rows(name)
            assert problems(target) == []
        assert run_into(write(), back) == (12, 0)

    def test_a_copy_goes_only_where_nothing_is(self, name, new_database, write):
        run_into(write(), name)
        target = new_database()
        run_into(bowl(write, "a"), target)
        before = rows(target)
        with closing(Database(name)) as old, closing(Database(target)) as new, pytest.raises(StoreError) as caught:
            copy(old, new)
        assert str(caught.value) == (
            f"database {target}: holds 4 runs of 1 experiments, and a copy goes only where nothing is; name a new one"
        )
        assert rows(target) == before

    def test_an_empty_database_is_filled(self, name, new_database, write):
        run_into(write(), name)
        target = new_database()
        with closing(Database(target)) as new:
            new.create()
        with closing(Database(name)) as old, closing(Database(target)) as new:
            copy(old, new)
        assert rows(target) == rows(name)

    def test_a_damaged_original_is_not_copied_in_silence(self, name, new_database, write):
        run_into(write(), name)
        change(name, "UPDATE run SET steps = 3 WHERE id = 2")
        target = new_database()
        with closing(Database(name)) as old, closing(Database(target)) as new, pytest.raises(StoreError) as caught:
            copy(old, new)
        assert str(caught.value) == (
            f"database {target}: the copy is not whole: run 2: took 3 steps, but 51 iterates are stored; "
            "see what `runner verify` says of the original"
        )


class TestReading:
    def test_a_table_in_parts_is_of_one_instant(self, name, write, monkeypatch):
        run_into(write(), name)
        monkeypatch.setattr(asking, "RUNS_AT_ONCE", 5)
        with runner.open(name) as database, runner.open(name) as other:
            before = list(database.runs().rows())
            parts = database.run_frames()
            first = next(parts)
            other.delete(other.plan_deletion(experiment="small"))
            assert [row for part in (first, *parts) for row in part.rows()] == before
            assert len(database.runs()) == 0

    def test_a_copy_is_of_one_instant(self, name, new_database, write, monkeypatch):
        run_into(write(), name)
        before, target, copy_table = rows(name), new_database(), copying._copy_table

        def interrupted(table: Table, old: Connection, new: Connection, into: str) -> int:
            copied = copy_table(table, old, new, into)
            with runner.open(name) as other:
                other.delete(other.plan_deletion(where="id < 99"))
            return copied

        monkeypatch.setattr(copying, "_copy_table", interrupted)
        with closing(Database(name)) as old, closing(Database(target)) as new:
            copy(old, new)
        assert rows(target) == before
        assert counts(name)["run"] == 0

    @pytest.mark.parametrize("successor", [False, True])
    def test_a_run_that_was_deleted_after_it_was_found_is_told(self, name, write, successor):
        run_into(write(), name)
        with closing(Database(name)) as database:
            results = read_results(database, "small", catalogue=Registry())
            with runner.open(name) as other:
                other.delete(other.plan_deletion([12]))
            if successor:
                run_into(bowl(write, "a", starts="[7.0]"), name)
            last = results.runs[-1]
            for ask in (lambda: list(results.series(results.runs)), lambda: results.objective(last)):
                with pytest.raises(StoreError) as caught:
                    ask()
                assert str(caught.value) == (
                    f"database {name}: run 12 was deleted after it had been found; do the same again with those left"
                )

    def test_a_reader_cannot_write(self, name, write):
        run_into(write(), name)
        before = rows(name)
        with closing(Database(name)) as database:
            for command in ("DELETE FROM run", "UPDATE run SET steps = 1", "DROP TABLE chunk"):
                with pytest.raises(StoreError) as caught, database.reading() as connection:
                    connection.execute(text(command))
                words = f"cannot execute {' '.join(command.split()[: 2 - ('run' in command)])} in a read-only transaction"
                refusal = words if "://" in name else "cannot be written; the file or its folder is read-only"
                assert str(caught.value) == f"database {name}: {refusal}"
        assert rows(name) == before


class TestVerifying:
    def test_a_flipped_bit_is_found(self, name, write):
        run_into(write(), name)
        assert problems(name) == []
        data = bytearray(rows(name, "chunk")["chunk"][4][-1])
        data[100] ^= 4
        change(name, "UPDATE chunk SET data = :data WHERE run_id = 5", data=bytes(data))
        assert problems(name) == ["run 5: the chunk at step 0 does not match its checksum"]

    def test_runs_have_the_same_bits_when_computed_again(self, name, write):
        run_into(write(), name)
        with runner.open(name) as database:
            assert {replay.verdict for replay in database.replay(12, Registry())} == {"same"}
            assert [replay.verdict for replay in database.replay(3)] == ["same"] * 3

    def test_facts_are_told(self, name, write):
        run_into(write(), name)
        with runner.open(name) as database:
            facts = database.facts()
            before, after = database.vacuum()
        assert (facts.experiments, facts.runs, facts.superseded, facts.at_work) == (1, 12, 0, ())
        assert facts.iterates == sum(chunk[2] for chunk in rows(name, "chunk")["chunk"])
        assert min(facts.bytes, before, after) > 0
        assert facts.system.startswith("PostgreSQL" if "://" in name else "SQLite")

    def test_values_that_nobody_wrote_are_named(self, name, write):
        run_into(write(), name)
        change(name, "UPDATE run SET seconds = -1, finished_at = 1e300, outcome = 'fine', dimension = -1 WHERE id = 2")
        change(name, "UPDATE landmark SET minimiser = :half WHERE setting_id = 1", half=b"1234")
        found = problems(name)
        assert found[:5] == [
            "table landmark, setting_id 1: minimiser is b'1234', and must be numbers of 8 bytes each",
            "table run, id 2: dimension is -1, and must be a whole number from 0 to 2147483647",
            f"table run, id 2: outcome is 'fine', and must be one of {', '.join(OUTCOMES)}",
            "table run, id 2: seconds is -1.0, and must be a number from 0 to 1.79769313486232e+308",
            "table run, id 2: finished_at is 1e+300, and must be a number from 0 to 253402300799",
        ]

    def test_what_does_not_belong_is_named(self, name, write):
        run_into(write(), name)
        change(name, "DELETE FROM experiment_run WHERE run_id = 12")
        if "://" in name:
            change(name, "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            change(name, "CREATE TRIGGER away BEFORE INSERT OR DELETE ON chunk FOR EACH ROW EXECUTE FUNCTION nothing()")
        else:
            change(name, "CREATE TRIGGER away AFTER INSERT ON chunk BEGIN DELETE FROM chunk; END")
        assert problems(name) == [
            "trigger away is not runner's, and may change chunk whenever it is written",
            "run 12: belongs to no experiment",
        ]


def test_the_server_listens_on_a_socket_only(server_url):
    assert "host=/" in server_url or "%2F" in server_url or os.sep in server_url.partition("host=")[2], server_url

"""Runs stored, read and verified, on SQLite and on a PostgreSQL server."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Insert, text

import runner
from runner.contracts.outcomes import OUTCOMES
from runner.errors import StoreError
from runner.registry.registry import Registry
from runner.results import results_database as asking
from runner.store.connection import ADVISORY_LOCK, Database
from runner.store.maintenance import copy as copying
from runner.store.maintenance.copy import copy
from runner.store.reading.stored_results import read_results
from runner.store.writing.shared_rows import insert_rows
from tests.support.database_rows import change, counts, problems, rows, run_into
from tests.support.databases import SPECIAL, psycopg_connection, store_series, write_bowl_experiment
from tests.support.experiment_texts import SMALL

PAYLOADS = [0x7FF0000000000001, 0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF, 0xFFF8DEADBEEF0001, 0xFFF0000000000001]
"""Bit patterns of NaN."""


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

    def test_text_may_hold_any_character(self, name, write):
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


class TestReading:
    def test_table_in_parts_is_read_from_one_snapshot(self, name, write, monkeypatch):
        run_into(write(), name)
        monkeypatch.setattr(asking, "RUNS_AT_ONCE", 5)
        with runner.open(name) as database, runner.open(name) as other:
            before = list(database.runs().rows())
            parts = database.run_frames()
            first = next(parts)
            other.delete(other.plan_deletion(experiment="small"))
            assert [row for part in (first, *parts) for row in part.rows()] == before
            assert len(database.runs()) == 0

    def test_copy_is_made_from_one_snapshot(self, name, new_database, write, monkeypatch):
        run_into(write(), name)
        before, target = rows(name), new_database()

        def insert_and_delete(connection: Connection, statement: Insert, values: Sequence[Mapping[str, Any]]) -> None:
            insert_rows(connection, statement, values)
            with runner.open(name) as other:
                other.delete(other.plan_deletion(where="id < 99"))

        monkeypatch.setattr(copying, "insert_rows", insert_and_delete)
        with closing(Database(name)) as old, closing(Database(target)) as new:
            copy(old, new)
        assert rows(target) == before
        assert counts(name)["run"] == 0

    @pytest.mark.parametrize("successor", [False, True])
    def test_a_run_that_was_deleted_after_it_was_found_is_reported(self, name, write, successor):
        run_into(write(), name)
        with closing(Database(name)) as database:
            results = read_results(database, "small", catalogue=Registry())
            with runner.open(name) as other:
                other.delete(other.plan_deletion([12]))
            if successor:
                run_into(write_bowl_experiment(write, "a", starts="[7.0]"), name)
            last = results.runs[-1]
            for ask in (lambda: list(results.series(results.runs)), lambda: results.objective(last)):
                with pytest.raises(StoreError) as caught:
                    ask()
                assert str(caught.value) == (f"database {name}: run 12 was deleted while it was being used; try again without it")

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

    def test_summary_of_the_database(self, name, write):
        run_into(write(), name)
        with runner.open(name) as database:
            facts = database.facts()
            before, after = database.vacuum()
        assert (facts.experiments, facts.runs, facts.superseded, facts.at_work) == (1, 12, 0, ())
        assert facts.iterates == sum(chunk[2] for chunk in rows(name, "chunk")["chunk"])
        assert min(facts.bytes, before, after) > 0
        assert facts.system.startswith("PostgreSQL" if "://" in name else "SQLite")

    def test_impossible_values_are_named(self, name, write):
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

    def test_foreign_objects_are_named(self, name, write):
        run_into(write(), name)
        change(name, "DELETE FROM experiment_run WHERE run_id = 12")
        if "://" in name:
            change(name, "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            change(name, "CREATE TRIGGER away BEFORE INSERT OR DELETE ON chunk FOR EACH ROW EXECUTE FUNCTION nothing()")
        else:
            change(name, "CREATE TRIGGER away AFTER INSERT ON chunk BEGIN DELETE FROM chunk; END")
        assert problems(name) == [
            "trigger away is not one of runner's, and may change table chunk when it is written",
            "run 12: belongs to no experiment",
        ]


def test_the_server_listens_on_a_socket_only(server_url):
    assert "host=/" in server_url or "%2F" in server_url or os.sep in server_url.partition("host=")[2], server_url

"""Copies of databases, between SQLite and PostgreSQL."""

from __future__ import annotations

from contextlib import closing

import pytest

from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.maintenance.copy import copy
from tests.support.database_rows import change, counts, problems, rows, run_into
from tests.support.databases import write_bowl_experiment


class TestCopying:
    def test_copy_there_and_back_has_the_same_bits(self, name, other_system, tmp_path, write):
        run_into(write(), name)
        run_into(write(), name, rerun=True)
        run_into(write_bowl_experiment(write, "a"), name)
        back = str(tmp_path / "back.db")
        for source, target in ((name, other_system), (other_system, back)):
            with closing(Database(source)) as old, closing(Database(target)) as new:
                copied = copy(old, new)
            assert copied == counts(name)
            assert rows(target) == rows(name)
            assert problems(target) == []
        assert run_into(write(), back) == (12, 0)

    def test_target_of_a_copy_must_be_empty(self, name, new_database, write):
        run_into(write(), name)
        target = new_database()
        run_into(write_bowl_experiment(write, "a"), target)
        before = rows(target)
        with closing(Database(name)) as old, closing(Database(target)) as new, pytest.raises(StoreError) as caught:
            copy(old, new)
        assert str(caught.value) == (
            f"database {target}: holds 4 runs of 1 experiments, and a copy needs a new or empty database; name another one"
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

    def test_damage_of_the_original_is_reported(self, name, new_database, write):
        run_into(write(), name)
        change(name, "UPDATE run SET steps = 3 WHERE id = 2")
        target = new_database()
        with closing(Database(name)) as old, closing(Database(target)) as new, pytest.raises(StoreError) as caught:
            copy(old, new)
        assert str(caught.value) == (
            f"database {target}: the copy is damaged: run 2: took 3 steps, but 51 iterates are stored; "
            "`runner verify` shows if the original is damaged too"
        )

"""The views that the documentation describes."""

from __future__ import annotations

import math
import struct

import pytest

from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from tests.support.databases import opened, run_into, store_series


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


def test_documented_views_can_be_queried(tmp_path, write):
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

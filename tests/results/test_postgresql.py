"""Queries on PostgreSQL give the same answers as on SQLite, and SQL cannot write."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runner
from runner.errors import QueryError
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.writing.recording import Store
from tests.support.databases import Watcher, psycopg_connection
from tests.support.filters import LEAVES, TWO_OPTIMIZERS, larger

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
ALLOWED = "one SELECT over the views runs, steps, parameters and experiments is allowed, and nothing that writes"
TIMES = ("seconds", "finished_at")
Both = tuple[runner.ResultsDatabase, runner.ResultsDatabase]


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    name = f"asked{uuid.uuid4().hex}"  # all processes of the tests share the server
    with psycopg_connection(server_url) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server_url.replace("/postgres?", f"/{name}?")
    with psycopg_connection(server_url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def both(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The same runs in PostgreSQL and in SQLite."""
    folder = tmp_path_factory.mktemp("both")
    (folder / "e.toml").write_text(TWO_OPTIMIZERS, encoding="utf-8")
    for name in (url, str(folder / "r.db")):
        store, catalogue = Store(name), Registry()
        plan = make_plan(read(folder / "e.toml", catalogue, Choices()), store, Choices())
        execute(plan, store, catalogue, Choices(), Watcher())
        with store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE run SET final_value = NULL, final_value_class = 'nan' WHERE id = 2")
            connection.exec_driver_sql("UPDATE run SET final_value = NULL, final_value_class = '-nan' WHERE id = 7")
            connection.exec_driver_sql("UPDATE run SET final_value = 0, final_value_class = '-0.0' WHERE id = 5")
            connection.exec_driver_sql("UPDATE run SET best_value = 'inf', best_value_class = 'inf' WHERE id = 3" if name == url
                                       else "UPDATE run SET best_value = 9e999, best_value_class = 'inf' WHERE id = 3")  # fmt: skip
        store.close()
    with runner.open(url) as there, runner.open(str(folder / "r.db")) as here:
        yield there, here


def rows(database: runner.ResultsDatabase, **question: Any) -> list[dict[str, Any]]:
    frame = database.runs(**question)
    return [
        {name: repr(value) for name, value in zip(frame.names, row, strict=True) if name not in TIMES} for row in frame.rows()
    ]


def test_runs_are_the_same(both):
    there, here = both
    assert rows(there) == rows(here)
    for sort in ("-final_value,id", "learning_rate,-steps", "optimizer.momentum", "final_gap"):
        assert rows(there, sort=sort, columns="id") == rows(here, sort=sort, columns="id")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(LEAVES, larger, max_leaves=6))
def test_a_filter_means_the_same(both, meant):
    text, _ = meant
    there, here = both
    assert rows(there, where=text, columns="id") == rows(here, where=text, columns="id"), text


@pytest.mark.parametrize(
    "where",
    [
        "dimension in (1, 1.5, 99999999999, 1e300)",
        "steps = 99999999999999999999",
        "steps < inf and steps > -inf and id in (1, nan, inf)",
        "outcome like '%VERGED' and not outcome like 'DI%' and error like ''",
        "identity like '%\\\\' or error like '\x1f'",
        'experiment = "small" and experiment in (1, 1.0) and not experiment != 1 and experiment like "SM%"',
        "behaviour is null or final_value is nan or optimizer.momentum is not null",
    ],
)
def test_expressions_that_the_systems_treat_differently(both, where):
    there, here = both
    assert rows(there, where=where, columns="id") == rows(here, where=where, columns="id")


def test_one_run_and_its_steps(both, tmp_path):
    there, here = both
    ours, theirs = here.run(5), there.run(5)
    assert (theirs.identity, theirs.optimizer, theirs.start, theirs.minimum) == (
        ours.identity,
        ours.optimizer,
        ours.start,
        ours.minimum,
    )
    assert there.run(ours.identity[:12]).id == 5
    for name in ("value", "gradient_norm", "x0", "x1"):
        assert np.array_equal(there.steps()[name], here.steps()[name], equal_nan=True)
    assert list(there.experiments()["runs"]) == list(here.experiments()["runs"])
    assert there.export_steps(tmp_path / "a.npz") == here.export_steps(tmp_path / "b.npz") > 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert there.export_runs(tmp_path / "a.csv", columns="id,outcome,learning_rate") == 24
    here.export_runs(tmp_path / "b.csv", columns="id,outcome,learning_rate")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_figures_are_the_same_bytes(both, tmp_path):
    for name, database in zip("ab", both, strict=True):
        database.plot(tmp_path / f"{name}.svg", "outcomes", "small", where="learning_rate < 1")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_sql(both):
    for database in both:
        answer = database.sql(
            "SELECT objective, count(*) AS n, avg(steps) > 0 AS some FROM runs GROUP BY objective ORDER BY 1", limit=1
        )
        assert [row[:2] for row in answer.frame.rows()] == [("linear_regression", 12)]
        assert answer.more


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM run", f'syntax error at or near "DELETE": {ALLOWED}'),
        ("COMMIT", f'syntax error at or near "COMMIT": {ALLOWED}'),
        ("SELECT 1; DELETE FROM run", f"cannot insert multiple commands into a prepared statement: {ALLOWED}"),
        ("COPY run TO PROGRAM 'true'", f'syntax error at or near "COPY": {ALLOWED}'),
        ("WITH gone AS (DELETE FROM run RETURNING id) SELECT * FROM gone", None),
        ("SELECT set_config('transaction_read_only', 'off', true)", None),
        ("SELECT nextval('x')", 'relation "x" does not exist'),
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1 / 0 FROM runs", "division by zero"),
        ("SELECT '%s', ?", None),
        ("", f"syntax error at end of input: {ALLOWED}"),
    ],
)
def test_sql_cannot_write(both, url, query, message):
    with psycopg_connection(url) as connection:
        before = connection.execute("SELECT count(*), sum(steps) FROM run").fetchone()
        with pytest.raises(QueryError) as error:
            both[0].sql(query)
        assert connection.execute("SELECT count(*), sum(steps) FROM run").fetchone() == before
    assert str(error.value).startswith("SQL: ")
    assert message is None or str(error.value) == f"SQL: {message}"


def test_sql_keeps_its_time_limit(both):
    with pytest.raises(QueryError) as error:
        both[0].sql("SELECT pg_sleep(20)", seconds=0.2)
    assert str(error.value) == "SQL: takes longer than 0.2 s; query less data, or allow more time"


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 250, 251, 300])
def test_sql_rows_come_in_portions_and_are_complete(both, limit):
    answer = both[0].sql("SELECT n FROM generate_series(1, 251) AS n", limit=limit)
    assert answer.frame["n"].tolist() == list(range(1, min(limit, 251) + 1))
    assert answer.more == (limit < 251)
    assert both[0].sql("SELECT 1 AS a, 2 AS b WHERE false", limit=limit).frame.names == ("a", "b")


def test_sql_keeps_its_time_limit_over_all_portions(both):
    with pytest.raises(QueryError) as error:
        both[0].sql("SELECT pg_sleep(0.001) FROM generate_series(1, 20000)", limit=20000, seconds=2.0)
    assert str(error.value) == "SQL: takes longer than 2 s; query less data, or allow more time"


# 4 GB, of which 256 MB are allowed.
LARGE = "SELECT repeat('x', 1000000) AS t FROM generate_series(1, 4000)"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is of Linux")
def test_sql_keeps_its_memory_limit(both, url):
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    command = [sys.executable, "-c", "from runner.cli import main; main()", "sql", LARGE, "--limit", "4000", "--db", url]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: SQL: returns more than 256 MiB; query less data, or use `runner export`\n"


def test_commands_take_a_url(both, url, runner_cli: Callable[..., Any], tmp_path: Path):
    done = runner_cli("runs", "--where", "id = 3", "--columns", "id,outcome", "--format", "csv", env={"RUNNER_DB": url})
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "id,outcome"

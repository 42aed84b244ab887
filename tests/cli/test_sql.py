"""`runner sql`, and the views in the shell of SQLite."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import runner

ALLOWED = "one SELECT over the views runs, steps, parameters and experiments is allowed, and nothing that writes"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM run", f"not authorized: {ALLOWED}"),
        ("UPDATE runs SET steps = 0", "cannot modify runs because it is a view"),
        ("DROP VIEW runs", f"not authorized: {ALLOWED}"),
        ("CREATE TEMP TABLE x(a)", f"not authorized: {ALLOWED}"),
        ("ATTACH 'x.db' AS x", f"not authorized: {ALLOWED}"),
        ("VACUUM INTO 'y.db'", f"authorization denied: {ALLOWED}"),
        ("PRAGMA journal_mode = DELETE", f"not authorized: {ALLOWED}"),
        ("BEGIN", f"not authorized: {ALLOWED}"),
        ("SELECT 1; DELETE FROM run", f"You can only execute one statement at a time: {ALLOWED}"),
        ("SELECT load_extension('x')", f"not authorized to use function: load_extension: {ALLOWED}"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("", f"'' returns no rows: {ALLOWED}"),
        ("SELECT zeroblob(100000000)", "string or blob too big"),
        (
            "SELECT hex(zeroblob(4000000)) FROM runs, runs r, runs s",
            "returns more than 256 MiB; query less data, or use `runner export`",
        ),
    ],
)
def test_sql_cannot_write(stored, query, message):
    before = stored.read_bytes()
    with runner.open(str(stored)) as database, pytest.raises(runner.RunnerError) as error:
        database.sql(query, limit=100_000)
    assert (error.value.exit_code, str(error.value)) == (2, f"SQL: {message}")
    assert stored.read_bytes() == before
    assert {path.name for path in stored.parent.iterdir()} <= {"e.toml", "r.db", "r.db-wal", "r.db-shm"}


def test_sql(ask):
    done = ask("sql", "SELECT objective, count(*) FROM runs GROUP BY 1", "--format", "csv")
    assert (done.code, done.err, done.out) == (0, "", "objective,count(*)\nlinear_regression,12\nquadratic,12\n")
    steps = "SELECT step, value, x0, x'00ff', NULL AS x, 1 AS x FROM steps WHERE run_id = 1 ORDER BY step"
    done = ask("sql", steps, "--limit", 2, "--format", "json")
    assert [(row["step"], row["x'00ff'"], row["x"], row["x_2"]) for row in done.json] == [
        (0, "00ff", None, 1),
        (1, "00ff", None, 1),
    ]
    assert done.err == "only the first 2 rows are shown; --limit shows more\n"
    counting = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT x FROM c"
    for rows, told in ((1000, ""), (1001, "only the first 1,000 rows are shown; --limit shows more\n")):
        done = ask("sql", counting.format(rows), "--format", "csv")
        assert (done.code, done.out.count("\n"), done.err) == (0, 1001, told)
    forever = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    done = ask("sql", forever, "--seconds", 0.2)
    assert (done.code, done.err) == (2, "error: SQL: takes longer than 0.2 s; query less data, or allow more time\n")


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the sqlite3 shell is not installed")
def test_views_work_in_the_sqlite3_shell(stored):
    query = (
        "SELECT r.objective, p.number, s.value FROM runs r JOIN steps s ON s.run_id = r.id JOIN parameters p ON p.run_id = r.id "
    )
    query += "AND p.name = 'learning_rate' WHERE r.id = 1 AND s.step = 0; SELECT name, runs FROM experiments;"
    done = subprocess.run(["sqlite3", "-readonly", str(stored), query], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first, *experiments = done.stdout.splitlines()
    with runner.open(str(stored)) as database:
        ((_, series),) = database.trajectories(1)
    assert first.split("|")[:2] == ["quadratic", "0.1"]
    assert float(first.split("|")[2]) == pytest.approx(series.value[0], rel=1e-12)
    assert experiments == ["fifty|12", "twenty|12"]

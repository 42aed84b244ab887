"""Stored values that runner never writes: `runner verify` finds them, and no command ends in an internal error."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Column

from runner.store.schema import allowed_values, metadata, schema_version
from tests.support.command_line import Done, call_in_current_folder
from tests.support.databases import opened
from tests.support.paths import KEPT_DATABASE

NOT_UTF8 = "CAST(x'ff' AS TEXT)"
ODD = ("'x'", "''", "x''", "x'ff00'", NOT_UTF8, "9223372036854775807", "-1", "1e300", "9e999", "0.5", "NULL")
COLUMNS = [column for table in metadata.sorted_tables if table is not schema_version for column in table.columns]
ASKING = [
    ["list"],
    ["runs", "--format", "json"],
    ["show", "26"],
    ["steps", "26"],
    ["export", "runs", "r.parquet"],
    ["compare", "kept", "again"],
    ["db", "info"],
    ["show", "26", "--format", "json"],
    ["list", "--format", "csv"],
    ["sql", "SELECT * FROM runs"],
    ["export", "runs", "r.csv"],
    ["delete", "26", "--dry-run"],
]
REPORT = ["report", "kept", "--output", "report", "--figures", "convergence"]


def kinds_after(database: Path, column: Column[object], odd: str) -> set[str]:
    """Copy the database, change one value, and return the types in its column; empty if SQLite refuses the value."""
    # A file that an earlier command still has open must not be written again, so it is removed first.
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    shutil.copy(KEPT_DATABASE, database)
    table, key = column.table.name, next(iter(column.table.primary_key.columns)).name
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        if table in ("worker", "claim"):
            connection.execute("INSERT INTO worker VALUES (1, 'token', 'host', 'boot', 1, 1.0, 1.0)")
            connection.execute("INSERT INTO claim VALUES (?, 1)", ("0" * 64,))
        try:
            connection.execute(f"UPDATE {table} SET {column.name} = {odd} WHERE {key} = (SELECT max({key}) FROM {table})")
        except sqlite3.IntegrityError:
            return set()
        return {kind for (kind,) in connection.execute(f"SELECT DISTINCT typeof({column.name}) FROM {table}")}


def missed(column: Column[object], odd: str, kinds: set[str], verified: Done) -> bool:
    """Return whether `runner verify` fails to report a value that its column may not hold."""
    allowed = allowed_values(column)
    right = {allowed.sqlite_type, "null"} if allowed.nullable else {allowed.sqlite_type}
    if kinds <= right and odd != NOT_UTF8:
        return False
    return verified.code != 4 or not re.search(
        rf"^  table {column.table.name}, .*: {column.name} is ", verified.out, re.MULTILINE
    )


def look(column: Column[object], odd: str, commands: Sequence[list[str]], run: Callable[..., Done]) -> None:
    """Change a value, and check the answers of the commands and of `runner verify`."""
    kinds = kinds_after(Path("r.db"), column, odd)
    for command in commands:
        done = run(*command, "--db", "r.db")
        assert done.code in (0, 2, 4), (odd, command, done)
    verified = run("verify", "--db", "r.db")
    assert verified.code in (0, 4), (odd, verified)
    assert not kinds or not missed(column, odd, kinds, verified), (odd, verified)


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_impossible_value_is_found_by_verify(tmp_path, monkeypatch, capsys, column):
    monkeypatch.chdir(tmp_path)
    first = COLUMNS.index(column)
    for place in range(first % 2, len(ODD), 2):
        look(column, ODD[place], [ASKING[(first + place) % len(ASKING)]], partial(call_in_current_folder, monkeypatch, capsys))


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_no_command_ends_in_an_internal_error(tmp_path, monkeypatch, capsys, column):
    monkeypatch.chdir(tmp_path)
    for place, odd in enumerate(ODD):
        drawn = (COLUMNS.index(column) + place) % len(ODD) < 2
        look(column, odd, [*ASKING, REPORT] if drawn else ASKING, partial(call_in_current_folder, monkeypatch, capsys))


MESSAGES = {
    "UPDATE run SET outcome = 'foo' WHERE id = 1": (
        ["steps", "1"],
        "holds invalid content (run.outcome is 'foo', and must be one of converged, max_steps, stalled, diverged, non_finite, "
        "timeout, failed)",
    ),
    "UPDATE run SET records_x = 2 WHERE id = 1": (
        ["steps", "1"],
        "holds invalid content (run.records_x is 2, and must be a truth value, 0 or 1)",
    ),
    "UPDATE experiment SET created_at = 'x'": (
        ["list"],
        "holds invalid content (experiment.created_at is 'x', and must be a number from 0 to 253402300799)",
    ),
    "UPDATE run SET finished_at = 1e300, seconds = 9e999 WHERE id = 26": (
        ["show", "26"],
        "holds invalid content (run.seconds is inf, and must be a number from 0 to 1.79769313486232e+308)",
    ),
    "UPDATE run SET value_evaluations = 'x' WHERE id = 26": (
        ["export", "runs", "r.parquet"],
        "holds invalid content (run.value_evaluations is 'x', and must be a whole number from 0 to 9223372036854775807)",
    ),
    "UPDATE landmark SET minimiser = x'00'": (
        ["show", "26"],
        "holds invalid content (error: unpack requires a buffer of 0 bytes)",
    ),
    "UPDATE run SET environment_id = 99 WHERE id = 26": (
        ["show", "26"],
        "holds invalid content (a row refers to a row that is missing)",
    ),
    "UPDATE environment SET packages = '[1]'": (
        ["show", "26"],
        "holds invalid content (environment.packages is [1], and must be versions by distribution)",
    ),
}


@pytest.mark.parametrize("change", MESSAGES)
def test_nonsense_is_reported_with_a_remedy(tmp_path, monkeypatch, capsys, change):
    monkeypatch.chdir(tmp_path)
    shutil.copy(KEPT_DATABASE, "r.db")
    with opened(Path("r.db")) as connection:
        connection.execute(change)
    command, message = MESSAGES[change]
    done = call_in_current_folder(monkeypatch, capsys, *command, "--db", "r.db")
    assert (done.code, done.out) == (4, "")
    assert done.err == f"error: database r.db: {message}; `runner verify` reports whether it is damaged, and where\n"


def test_nan_is_out_of_bounds():
    seconds = allowed_values(metadata.tables["run"].c.seconds)
    assert seconds.include([1.0, 2.0])
    assert not seconds.include([1.0, float("nan")])
    assert not seconds.include([float("nan"), 1.0])


def test_invalid_utf8_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(KEPT_DATABASE, "r.db")
    with opened(Path("r.db")) as connection:
        connection.execute(f"UPDATE run SET behaviour = {NOT_UTF8} WHERE id = 26")
    done = call_in_current_folder(monkeypatch, capsys, "show", "26", "--db", "r.db")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "error: database r.db: is damaged: a text in column behaviour is not valid UTF-8; "
        "`runner verify` lists the damage; use a backup\n"
    )

"""Databases of older schemas can be read, and after an upgrade equal new ones, with the same runs bit for bit."""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

import runner
from runner.cli import COMMANDS as RUNNER_COMMANDS
from runner.errors import OutdatedDatabase, StoreError
from runner.store.connection import Database
from runner.store.maintenance.upgrade import upgrade
from runner.store.run_columns import RUN_COLUMNS
from runner.store.schema import SCHEMA_VERSION, metadata
from runner.store.verifying.verify import verify
from tests.assets.make_database import EXPERIMENT, PLUGIN
from tests.support.databases import opened, psycopg_connection, stored_bits
from tests.support.paths import ASSETS

OLD = sorted(path.stem.removeprefix("schema_") for path in ASSETS.glob("schema_*.db"))
OLDER = [version for version in OLD if version != SCHEMA_VERSION]
TODAY = time.strftime("%Y-%m-%d")


@pytest.fixture(params=OLDER)
def version(request: pytest.FixtureRequest) -> str:
    """An older schema."""
    return str(request.param)


@pytest.fixture
def old(version: str, tmp_path: Path) -> Path:
    """A database of an older schema."""
    shutil.copy(ASSETS / f"schema_{version}.db", tmp_path / "old.db")
    return tmp_path / "old.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def old_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of schema 0001, in a file and on a server."""
    shutil.copy(ASSETS / "schema_0001.db", tmp_path / "old.db")
    name = str(tmp_path / "old.db")
    if request.param == "postgresql":
        name = request.getfixturevalue("server_database")()
        with psycopg_connection(name) as connection:
            connection.execute((ASSETS / "schema_0001_postgresql.sql").read_text())
        fill(name, tmp_path / "old.db")
    with closing(Database(name)) as database:
        yield database


def fill(url: str, source: Path) -> None:
    """Copy the rows of an old file to the same schema on a server."""
    with psycopg_connection(url) as server, opened(source) as file, server.transaction():
        for table in metadata.sorted_tables:
            if table.name in ("worker", "claim", "runner_schema"):
                continue
            cursor = file.execute(f"SELECT * FROM {table.name}")
            columns = [column[0] for column in cursor.description]
            places = ", ".join("%s" for _ in columns)
            for row in cursor:
                values = [bool(value) if name == "records_x" else value for name, value in zip(columns, row, strict=True)]
                server.execute(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places})", values)


def layout(connection: Connection) -> dict[str, Any]:
    """Return everything in which two layouts can differ: tables, columns in order, constraints, indexes and views."""
    looked = inspect(connection)
    found: dict[str, Any] = {}
    for table in looked.get_table_names():
        found[table] = {
            "columns": [{**column, "type": repr(column["type"])} for column in looked.get_columns(table)],
            "primary key": looked.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(map(str, looked.get_foreign_keys(table))),
            "unique": sorted(map(str, looked.get_unique_constraints(table))),
            "checks": sorted(map(str, looked.get_check_constraints(table))),
            "indexes": sorted(re.sub(r"<[^>]*>", "", str(index)) for index in looked.get_indexes(table)),
        }
    found["views"] = {view: looked.get_view_definition(view) for view in looked.get_view_names()}
    if connection.dialect.name == "sqlite":
        found["kinds"] = sorted(connection.execute(text("PRAGMA main.table_list")).all())
        found["index definitions"] = sorted(
            connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")).all()
        )
    return found


def rows(database: Database, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table, without the columns that only newer schemas have."""
    newer = {column.name for column in RUN_COLUMNS if column.since != "0001"} if table == "run" else {"target"}
    columns = ", ".join(column.name for column in metadata.tables[table].columns if column.name not in newer)
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1, 2"))]


KEPT = ["experiment", "environment", "setting", "landmark", "start", "run", "experiment_run", "chunk"]


def test_an_upgraded_database_has_the_layout_of_a_new_one_and_the_same_runs(old_database, tmp_path, request):
    before = {table: rows(old_database, table) for table in KEPT}
    assert old_database.schema == "0001"
    upgrade(old_database)
    assert {table: rows(old_database, table) for table in KEPT} == before
    name = str(tmp_path / "new.db") if old_database.path else request.getfixturevalue("server_database")()
    with closing(Database(name)) as new:
        new.create()
        with new.reading() as made, old_database.reading() as upgraded:
            assert layout(upgraded) == layout(made)
        assert [check.problems for check in verify(old_database)] == [[] for _ in verify(old_database)]
        with old_database.reading() as connection:
            gradients = connection.execute(text("SELECT DISTINCT records_gradient, behaviour FROM run")).all()
            told = connection.execute(text("SELECT DISTINCT number, text FROM parameter WHERE name = 'record_gradient'")).all()
            assert (gradients, told) == ([(False, None)], [(None, "false")])


def test_an_older_database_can_be_read_without_an_upgrade(old_database):
    assert old_database.exists()
    assert old_database.outdated is not None
    assert [check.problems for check in verify(old_database)] == [[] for _ in verify(old_database)]
    with old_database.reading() as connection:
        ways = connection.execute(
            text("SELECT outcome, count(behaviour), count(*) FROM runs GROUP BY outcome ORDER BY outcome")
        ).all()
    assert ways == [("converged", 0, 10), ("diverged", 0, 3), ("failed", 0, 3), ("max_steps", 0, 4), ("non_finite", 0, 4)]


def test_an_older_database_cannot_be_written_and_the_message_says_what_to_do(old_database):
    before = rows(old_database, "run")
    with pytest.raises(StoreError) as caught, old_database.writing():
        pass
    name, backup = old_database.name, "makes a backup and " if old_database.path else ""
    assert str(caught.value) == (
        f"database {name}: has schema 0001: it can be read but not written; "
        f"`runner db upgrade --db {shlex.quote(name)}` {backup}brings it to schema {SCHEMA_VERSION}"
    )
    assert rows(old_database, "run") == before


COMMANDS = [
    ["list"],
    ["runs"],
    ["runs", "--where", "learning_rate < 0.2 and behaviour is null"],
    ["runs", "--where", "record_gradient = false"],
    ["show", "1"],
    ["steps", "1"],
    ["sql", "SELECT * FROM runs"],
    ["verify"],
    ["verify", "--replay", "2"],
    ["db", "info"],
    ["db", "backup"],
    ["db", "copy", "copy.db"],
    ["delete", "1", "--dry-run"],
]


@pytest.mark.parametrize("arguments", [each for each in COMMANDS if each[0] in RUNNER_COMMANDS], ids=" ".join)
def test_every_command_that_reads_reads_an_older_file(old, version, runner_cli, arguments):
    before = old.read_bytes()
    done = runner_cli(*arguments, "--db", "old.db")
    assert done.code == 0, done.err
    told = (
        f"warning: database old.db: has the older schema {version}; `runner db upgrade --db old.db` makes a backup and brings it "
        f"to schema {SCHEMA_VERSION}\n"
    )
    assert done.err.removesuffix("only the first 20 are shown; --limit shows more\n") == ("" if arguments[0] == "db" else told)
    assert old.read_bytes() == before


@pytest.mark.parametrize("arguments", [["run", "small.toml"], ["delete", "1", "--yes"], ["db", "vacuum"]], ids=" ".join)
def test_commands_that_write_refuse_an_older_file(old, version, runner_cli, write, arguments):
    write()
    before = old.read_bytes()
    done = runner_cli(*arguments, "--db", "old.db")
    assert done.code == 4
    assert done.err.splitlines()[-1] == (
        f"error: database old.db: has schema {version}: it can be read but not written; "
        f"`runner db upgrade --db old.db` makes a backup and brings it to schema {SCHEMA_VERSION}"
    )
    assert old.read_bytes() == before
    assert not list(old.parent.glob("results*"))


def test_an_upgrade_makes_a_backup_and_overwrites_none(old, version, runner_cli):
    before = old.read_bytes()
    first = old.with_name(f"old.schema_{version}.{TODAY}.db")
    first.write_bytes(b"precious")
    done = runner_cli("db", "upgrade", "--db", "old.db")
    copy = f"old.schema_{version}.{TODAY}.2.db"
    assert (done.code, done.err) == (0, "")
    assert done.out == f"old.db: upgraded from schema {version} to {SCHEMA_VERSION}; backup: {copy}\n"
    assert first.read_bytes() == b"precious"
    assert stored_bits(old.with_name(copy)) == stored_bits(old)
    with opened(old.with_name(copy)) as connection:
        assert connection.execute("SELECT * FROM runner_schema").fetchall() == [(version,)]
    again = runner_cli("db", "upgrade", "--db", "old.db")
    assert (again.code, again.out) == (0, f"old.db: already has schema {SCHEMA_VERSION}\n")
    assert before != old.read_bytes()
    assert sorted(path.name for path in old.parent.glob("*.db")) == sorted(["old.db", first.name, copy])


def test_upgraded_database_can_be_written(old, runner_cli, write):
    write(EXPERIMENT)
    write(PLUGIN, "wall.py")
    assert runner_cli("db", "upgrade", "--db", "old.db").code == 0
    done = runner_cli("run", "small.toml", "--db", "old.db", "--no-report", "--format", "json")
    # The failed runs are kept. Only runs of plugins whose code has changed since are computed again.
    assert (done.code, done.json["stored_before"]) == (1, 24)
    assert all(plugin.split()[0] in ("objective", "gradient", "optimizer") for plugin in done.json["changed"])
    assert runner_cli("verify", "--db", "old.db", "--replay", "3", "--plugin", "wall.py").code == 0


def test_an_upgrade_that_cannot_be_backed_up_changes_nothing(old, version, monkeypatch):
    def fail(part: Path, path: Path) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.store.sqlite_files._take_name", fail)
    before = old.read_bytes()
    with closing(Database(str(old))) as database, pytest.raises(StoreError) as caught:
        upgrade(database)
    name = old.with_name(f"old.schema_{version}.{TODAY}.db")
    assert str(caught.value) == f"database {old}: cannot be copied to {name}: No space left on device"
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir() if path.suffix not in (".db-wal", ".db-shm")] == ["old.db"]


def test_opening_an_older_database_from_python_warns(old, version):
    with pytest.warns(OutdatedDatabase, match=f"has the older schema {version}"), runner.open(str(old)) as database:
        assert len(database.runs()) == 24


def test_every_released_schema_is_kept():
    assert [f"{number:04}" for number in range(1, int(SCHEMA_VERSION) + 1)] == OLD

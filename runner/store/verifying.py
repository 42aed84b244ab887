"""Whether a results database is whole: the file, what runs share, the runs, their trajectories, their places in experiments."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from sqlalchemy import Connection, inspect, text

from runner.errors import StoreError
from runner.identity import canonical
from runner.store.connection import Database
from runner.store.parameter_values import Stored
from runner.store.schema import SCHEMA_VERSION, metadata, views
from runner.store.shared_rows import digest_of_environment, digest_of_setting
from runner.store.verifying_runs import examine_runs
from runner.store.verifying_settings import wrong_with_setting
from runner.store.verifying_values import examine_values

AT_MOST = 100
"""How many problems of the file itself are listed."""


@dataclass
class Check:
    """What was looked at, and what is wrong with it.

    Attributes:
        name: what was looked at, in the plural.
        count: how many.
        problems: what is wrong, a sentence each.
    """

    name: str
    count: int = 0
    problems: list[str] = field(default_factory=list)


def verify(database: Database) -> Iterator[Check]:
    """Look at everything, one kind of thing after another; writes nothing.

    Raises:
        StoreError: the database cannot be opened.
    """
    if database.path is not None:
        yield _guarded(database, "pages", _pages)
        yield _guarded(database, "references", _references)
    if database.exists() and database.schema == SCHEMA_VERSION:
        yield _guarded(database, "layout", _layout)
    yield _guarded(database, "values", _values)
    yield _guarded(database, "settings", _settings)
    yield _guarded(database, "parameters", _parameters)
    yield _guarded(database, "starts", _starts)
    yield _guarded(database, "environments", _environments)
    runs, trajectories = Check("runs"), Check("trajectories")
    try:
        examine_runs(database, runs, trajectories)
    except StoreError as error:
        runs.problems.append(f"cannot be read to the end: {error}")
    yield runs
    yield trajectories
    yield _guarded(database, "memberships", _memberships)


def _guarded(database: Database, name: str, look: Callable[[Connection, Check], None]) -> Check:
    check = Check(name)
    try:
        with database.reading() as connection:
            look(connection, check)
    except StoreError as error:
        check.problems.append(f"cannot be read to the end: {error}")
    return check


def _pages(connection: Connection, check: Check) -> None:
    check.count = int(connection.execute(text("PRAGMA page_count")).scalar_one())
    told = [line for (line,) in connection.execute(text(f"PRAGMA integrity_check({AT_MOST})"))]
    check.problems += [" ".join(str(line).split()) for line in told if line != "ok"]


def _references(connection: Connection, check: Check) -> None:
    for table, row, target, _ in connection.execute(text("PRAGMA main.foreign_key_check")):
        which = "a row" if row is None else f"row {row}"
        check.problems.append(f"{which} of table {table} refers to a row of {target} that is not there")
    tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    check.count = sum(len(connection.execute(text(f'PRAGMA main.foreign_key_list("{table}")')).all()) for table in tables)


def _layout(connection: Connection, check: Check) -> None:
    """Look for all that belongs to today's schema; what somebody added is theirs."""
    looked = inspect(connection)
    there = {("view", name) for name in looked.get_view_names()}
    for table in looked.get_table_names():
        there |= {("table", table), *(("column", f"{table}.{column['name']}") for column in looked.get_columns(table))}
        there |= {("index", str(index["name"])) for index in looked.get_indexes(table)}
    wanted = {("view", name) for name in views(connection.dialect.name)}
    for each in metadata.sorted_tables:
        wanted |= {("table", each.name), *(("column", str(column)) for column in each.columns)}
        wanted |= {("index", str(index.name)) for index in each.indexes}
    check.count = len(wanted)
    check.problems += [f"{kind} {name} is missing" for kind, name in sorted(wanted - there)]


def _values(connection: Connection, check: Check) -> None:
    for count, problems in examine_values(connection):
        check.count += count
        check.problems += problems


def _settings(connection: Connection, check: Check) -> None:
    for number, digest, kind, name, words, fingerprint in connection.execute(
        text("SELECT id, digest, kind, name, canonical, fingerprint FROM setting ORDER BY id")
    ):
        check.count += 1
        if digest != digest_of_setting(kind, fingerprint, words):
            check.problems.append(f"setting {number} ({kind} {name}): does not match its checksum")


def _parameters(connection: Connection, check: Check) -> None:
    """Look whether the parameters, by which runs are found, are those of their settings."""
    stored: dict[int, dict[str, Stored]] = defaultdict(dict)
    for number, name, *value in connection.execute(text("SELECT setting_id, name, number, text FROM parameter")):
        check.count += 1
        stored[number][name] = cast(Stored, tuple(value))
    for number, kind, name, words in connection.execute(text("SELECT id, kind, name, canonical FROM setting ORDER BY id")):
        try:
            problems = list(wrong_with_setting(kind, name, words, stored[number]))
        except (TypeError, ValueError, KeyError, AttributeError):
            problems = ["its canonical text makes no sense"]
        check.problems += [f"setting {number} ({kind} {name}): {problem}" for problem in problems]


def _starts(connection: Connection, check: Check) -> None:
    for number, digest, dimension, x in connection.execute(text("SELECT id, digest, dimension, x FROM start ORDER BY id")):
        check.count += 1
        whole = isinstance(x, bytes) and len(x) == 8 * dimension
        if not whole or digest != hashlib.sha256(canonical(np.frombuffer(x, ">f8").tolist()).encode()).hexdigest():
            check.problems.append(f"start {number}: does not match its checksum")


def _environments(connection: Connection, check: Check) -> None:
    for number, digest, python, platform, cpu, packages, commit in connection.execute(
        text("SELECT id, digest, python, platform, cpu, packages, git_commit FROM environment ORDER BY id")
    ):
        check.count += 1
        values = {"python": python, "platform": platform, "cpu": cpu, "packages": packages, "git_commit": commit}
        if digest != digest_of_environment(values):
            check.problems.append(f"environment {number}: does not match its checksum")


def _memberships(connection: Connection, check: Check) -> None:
    check.count = int(connection.execute(text("SELECT count(*) FROM experiment_run")).scalar_one())
    doubled = """
        SELECT e.name, m.position, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
        GROUP BY e.id, e.name, m.position HAVING count(*) > 1 ORDER BY e.id, m.position"""
    for name, position, count in connection.execute(text(doubled)):
        check.problems.append(f"experiment {name}: {count} runs stand at place {position} of its grid")
    twice = """
        SELECT e.name, r.identity, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
        JOIN run r ON r.id = m.run_id GROUP BY e.id, e.name, r.identity HAVING count(*) > 1 ORDER BY e.id, r.identity"""
    for name, identity, count in connection.execute(text(twice)):
        check.problems.append(f"experiment {name}: has {count} runs with the identity {identity[:12]}")
    homeless = """
        SELECT m.experiment_id, m.run_id FROM experiment_run m LEFT JOIN run r ON r.id = m.run_id
        WHERE r.id IS NULL ORDER BY m.experiment_id, m.run_id"""
    for experiment, run in connection.execute(text(homeless)):
        check.problems.append(f"experiment {experiment}: run {run} of it is not there")

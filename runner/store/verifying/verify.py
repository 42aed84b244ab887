"""Whether a results database is whole: the file, what runs share, the runs, their trajectories, their places in experiments."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from sqlalchemy import Connection, text

from runner.errors import StoreError
from runner.registry.identity import canonical_json
from runner.store.connection import Database
from runner.store.reading.parameter_values import ParameterRow
from runner.store.schema import SCHEMA_VERSION
from runner.store.verifying.layout import parts_of_schema, wrong_with_layout
from runner.store.verifying.memberships import incomplete, wrong_with_memberships
from runner.store.verifying.runs import examine_runs
from runner.store.verifying.settings import wrong_with_setting
from runner.store.verifying.values import examine_values, take_any_text
from runner.store.writing.shared_rows import digest_of_environment, digest_of_setting

AT_MOST = 100
"""How many problems of the file itself are listed."""


@dataclass
class Check:
    """What was looked at, and what is wrong with it.

    Attributes:
        name: what was looked at, in the plural.
        count: how many.
        problems: what is wrong, a sentence each.
        notes: what is worth knowing and not wrong.
    """

    name: str
    count: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
            take_any_text(connection)
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
    check.count = len(parts_of_schema(connection.dialect.name))
    check.problems += wrong_with_layout(connection)


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
    stored: dict[int, dict[str, ParameterRow]] = defaultdict(dict)
    for number, name, *value in connection.execute(text("SELECT setting_id, name, number, text FROM parameter")):
        check.count += 1
        stored[number][name] = cast(ParameterRow, tuple(value))
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
        if not whole or digest != hashlib.sha256(canonical_json(np.frombuffer(x, ">f8").tolist()).encode()).hexdigest():
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
    check.problems += wrong_with_memberships(connection)
    check.notes += incomplete(connection)

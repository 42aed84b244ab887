"""Single runs: the lookup of a run by its key, its record, and the outlines that are needed to read trajectories."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, select

from runner.errors import QueryError
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.parameter_values import KEYS_AT_ONCE, read_settings
from runner.store.reading.question import Question
from runner.store.reading.run_record import KnownMinimum, Membership, RunOutline, RunRecord, SettingRecord
from runner.store.reading.run_sql import driver_rows, has_row_number, run_values
from runner.store.reading.runs_table import run_query
from runner.store.run_columns import SETTING_KINDS
from runner.store.schema import ImpossibleValue, check_row, checked_rows, short_repr
from runner.tables.frame import shortened

SHORTEST_KEY = 4
"""The smallest number of characters of an identity by which a run can be looked up."""
SHOWN_CHARACTERS = 12
"""The number of characters of an identity that messages show."""
RECORD_FIELDS = frozenset(field.name for field in dataclasses.fields(RunRecord))
OUTLINE_COLUMNS = tuple(schema.run.c[name] for name in RunOutline._fields)
TRUTH_VALUES: dict[Any, Any] = {0: False, 1: True}
"""SQLite stores truth values as numbers."""


def read_run(database: Database, run: int | str) -> RunRecord:
    """Return the record of a run.

    Args:
        database: the database.
        run: the run's row number, or the beginning of its identity.

    Raises:
        QueryError: no run has the key, or several runs have it.
        StoreError: the database cannot be read.
    """
    table = schema.run
    with database.reading() as connection:
        number = find_run(connection, run, database.name)
        row = connection.execute(select(table).where(table.c.id == number)).mappings().one()
        check_row(table, row)
        settings: dict[str, Any] = {kind: _setting(connection, row[f"{kind}_id"]) for kind in SETTING_KINDS}
        return RunRecord(
            **run_values(row, RECORD_FIELDS),
            **settings,
            start=_floats(connection.execute(select(schema.start.c.x).where(schema.start.c.id == row["start_id"])).scalar_one()),
            minimum=_minimum(connection, row["objective_id"]),
            target=_target(connection, number, settings["rules"]),
            experiments=_memberships(connection, number),
            environment=_environment(connection, row["environment_id"]),
        )


def find_run(connection: Connection, run: int | str, database: str) -> int:
    """Return the row number of a run.

    Args:
        connection: a connection to the database.
        run: the run's row number, or at least four characters of the beginning of its identity.
        database: the database's name, for messages.

    Raises:
        QueryError: no run has the key, or the identities of several runs begin with it.
    """
    text = str(run).strip().lower()
    table = schema.run
    if text.isascii() and text.isdigit() and len(text) < SHOWN_CHARACTERS:
        number = connection.execute(select(table.c.id).where(table.c.id == int(text))).scalar_one_or_none()
        if number is not None:
            return int(number)
    found: Sequence[Any] = ()
    if isinstance(run, str) and re.fullmatch(rf"[0-9a-f]{{{SHORTEST_KEY},64}}", text):
        # Identities are hexadecimal, so those that begin with the text are smaller than the text followed by a g.
        begins = (table.c.identity >= text) & (table.c.identity < text + "g") & table.c.superseded_by.is_(None)
        found = connection.execute(select(table.c.id, table.c.identity).where(begins).order_by(table.c.identity).limit(4)).all()
    if len(found) > 1:
        several = ", ".join(identity[: max(SHOWN_CHARACTERS, len(text) + 2)] for _, identity in found[:3])
        more = ", …" if len(found) > 3 else ""
        raise QueryError(f"database {database}: several runs begin with {text}: {several}{more}; give more characters")
    if not found:
        key = shortened(str(run))
        raise QueryError(
            f"database {database}: holds no run {key if key.isalnum() else repr(key)}; give a row number, or at least "
            f"{SHORTEST_KEY} characters of an identity, as `runner runs` shows them"
        )
    return int(found[0][0])


def _setting(connection: Connection, number: int) -> SettingRecord:
    table = schema.setting
    columns = (table.c.canonical, table.c.fingerprint)
    ((canonical, fingerprint),) = checked_rows(columns, [connection.execute(select(*columns).where(table.c.id == number)).one()])
    stored = read_settings(connection, [number])[number]
    return SettingRecord(stored.kind, stored.name, stored.parameters, canonical, fingerprint)


def _minimum(connection: Connection, objective: int) -> KnownMinimum | None:
    table = schema.landmark
    row = connection.execute(select(table).where(table.c.setting_id == objective)).mappings().one_or_none()
    if row is None:
        return None
    check_row(table, row)
    curvature = (row["curvature_min"], row["curvature_max"])
    return KnownMinimum(
        row["minimum_value"], _floats(row["minimiser"]), None if None in curvature else cast(tuple[float, float], curvature)
    )


def _target(connection: Connection, number: int, rules: SettingRecord) -> float | None:
    """Return the smallest target of a run's experiments, or its rule `gap`; None if neither is set."""
    member, experiment = schema.experiment_run, schema.experiment
    query = select(experiment.c.target).join(member, member.c.experiment_id == experiment.c.id).where(member.c.run_id == number)
    rows = checked_rows(query.selected_columns, connection.execute(query).all())
    gap = rules.parameters.get("gap")
    targets = [target for (target,) in rows if target is not None]
    return min(targets) if targets else float(gap) if isinstance(gap, int | float) else None


def _memberships(connection: Connection, number: int) -> tuple[Membership, ...]:
    member, experiment = schema.experiment_run, schema.experiment
    query = (
        select(experiment.c.id, experiment.c.name, member.c.position, member.c.start_number)
        .join(experiment, experiment.c.id == member.c.experiment_id)
        .where(member.c.run_id == number)
        .order_by(experiment.c.id)
    )
    return tuple(Membership(*row) for row in checked_rows(query.selected_columns, connection.execute(query)))


def _environment(connection: Connection, number: int) -> Mapping[str, str | Mapping[str, str]]:
    table = schema.environment
    row: dict[str, Any] = dict(connection.execute(select(table).where(table.c.id == number)).mappings().one())
    check_row(table, row)
    packages = json.loads(row["packages"])
    if not isinstance(packages, dict):
        raise ImpossibleValue(f"{table.c.packages} is {short_repr(packages)}, and must be versions by distribution")
    return {**{name: str(row[name]) for name in ("python", "platform", "cpu", "git_commit")}, "packages": packages}


def _floats(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f">{len(data) // 8}d", data)


def read_outlines(connection: Connection, chosen: Question | Sequence[int | str], database: str) -> list[RunOutline]:
    """Return the outlines of runs.

    Args:
        connection: a connection to the database.
        chosen: a question, or a list of row numbers and beginnings of identities. The outlines are in the same order.
        database: the database's name, for messages.

    Raises:
        QueryError: a key has no run or several runs, or the question has an unknown name.
    """
    if isinstance(chosen, Question):
        numbers = list(connection.execute(run_query(connection, chosen).with_only_columns(schema.run.c.id)).scalars())
    else:
        numbers = [each if isinstance(each, int) else find_run(connection, each, database) for each in chosen]
    query = f"SELECT {', '.join(column.name for column in OUTLINE_COLUMNS)} FROM run WHERE "
    found: dict[int, RunOutline] = {}
    for first in range(0, len(numbers), KEYS_AT_ONCE):
        rows = driver_rows(connection, query + has_row_number("id", numbers[first : first + KEYS_AT_ONCE]))
        outlines = (
            RunOutline(number, identity, outcome, steps, dimension, TRUTH_VALUES.get(x, x), TRUTH_VALUES.get(gradient, gradient))
            for number, identity, outcome, steps, dimension, x, gradient in rows
        )
        found |= {outline.id: outline for outline in checked_rows(OUTLINE_COLUMNS, outlines)}
    for number in numbers:
        if number not in found:
            find_run(connection, number, database)
    return [found[number] for number in numbers]


def runs_without_outcomes(database: Database, outcomes: Collection[str]) -> list[int]:
    """Return the row numbers of the current runs whose outcome is not among the given ones.

    Raises:
        StoreError: the database cannot be read.
    """
    run = schema.run
    query = select(run.c.id).where(run.c.superseded_by.is_(None), run.c.outcome.not_in(outcomes)).order_by(run.c.id)
    with database.reading() as connection:
        return list(connection.execute(query).scalars())

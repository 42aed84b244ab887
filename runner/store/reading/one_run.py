"""One run with everything that is known of it, found by its row number or the beginning of its identity."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, select

from runner.errors import QueryError
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.parameter_values import LOOKUP, read_settings
from runner.store.reading.question import Question
from runner.store.reading.run_record import KnownMinimum, Membership, RunHead, RunRecord, SettingRecord
from runner.store.reading.run_sql import driver_rows, has_row_number, run_values
from runner.store.reading.runs_table import run_query
from runner.store.run_columns import SETTING_KINDS
from runner.store.schema import ImpossibleValue, check_row, checked_rows, short_repr
from runner.tables.frame import shortened

SHORTEST = 4
"""So many characters of an identity name a run, if no other begins with them."""
SHOWN = 12
FIELDS = frozenset(field.name for field in dataclasses.fields(RunRecord))


def read_run(database: Database, run: int | str) -> RunRecord:
    """Return a run.

    Args:
        database: where it is.
        run: its row number, or the beginning of its identity.

    Raises:
        QueryError: there is none, or several begin so.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        number = find_run(connection, run, database.name)
        return _record(connection, number)


def replayable(database: Database, without: Collection[str]) -> list[int]:
    """Return the row numbers of the runs that did not end in one of some ways.

    Raises:
        StoreError: the database cannot be read.
    """
    run = schema.run
    query = select(run.c.id).where(run.c.superseded_by.is_(None), run.c.outcome.not_in(without)).order_by(run.c.id)
    with database.reading() as connection:
        return list(connection.execute(query).scalars())


def find_run(connection: Connection, run: int | str, database: str) -> int:
    """Return the row number of a run, given that or the beginning of its identity, in at least four characters.

    Raises:
        QueryError: there is none, or several begin so.
    """
    text = str(run).strip().lower()
    table = schema.run
    if text.isascii() and text.isdigit() and len(text) < SHOWN:
        number = connection.execute(select(table.c.id).where(table.c.id == int(text))).scalar_one_or_none()
        if number is not None:
            return int(number)
    if isinstance(run, int) or not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", text):
        raise _no_run(run, database)
    # Identities are hexadecimal, so every one that begins so lies before the same with a g behind it.
    begins = (table.c.identity >= text) & (table.c.identity < text + "g") & table.c.superseded_by.is_(None)
    found = connection.execute(select(table.c.id, table.c.identity).where(begins).order_by(table.c.identity).limit(4)).all()
    if not found:
        raise _no_run(run, database)
    if len(found) > 1:
        several = ", ".join(identity[: max(SHOWN, len(text) + 2)] for _, identity in found[:3])
        more = ", …" if len(found) > 3 else ""
        raise QueryError(f"database {database}: several runs begin with {text}: {several}{more}; give more characters")
    return int(found[0][0])


def _no_run(run: int | str, database: str) -> QueryError:
    text = shortened(str(run))
    name = text if text.isalnum() else repr(text)
    return QueryError(
        f"database {database}: holds no run {name}; give a row number, or at least {SHORTEST} characters of an identity, as "
        "`runner runs` shows them"
    )


def _record(connection: Connection, number: int) -> RunRecord:
    table = schema.run
    row = connection.execute(select(table).where(table.c.id == number)).mappings().one()
    check_row(table, row)
    settings: dict[str, Any] = {kind: _setting(connection, row[f"{kind}_id"]) for kind in SETTING_KINDS}
    return RunRecord(
        **run_values(row, FIELDS),
        **settings,
        start=_floats(connection.execute(select(schema.start.c.x).where(schema.start.c.id == row["start_id"])).scalar_one()),
        minimum=_minimum(connection, row["objective_id"]),
        experiments=tuple(_memberships(connection, number)),
        environment=_environment(connection, row["environment_id"]),
    )


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
    known = None if None in curvature else cast(tuple[float, float], curvature)
    return KnownMinimum(row["minimum_value"], _floats(row["minimiser"]), known)


def _memberships(connection: Connection, number: int) -> Iterable[Membership]:
    member, experiment = schema.experiment_run, schema.experiment
    query = (
        select(experiment.c.id, experiment.c.name, member.c.position, member.c.start_number)
        .join(experiment, experiment.c.id == member.c.experiment_id)
        .where(member.c.run_id == number)
        .order_by(experiment.c.id)
    )
    return [Membership(*row) for row in checked_rows(query.selected_columns, connection.execute(query))]


def _environment(connection: Connection, number: int) -> Mapping[str, str | Mapping[str, str]]:
    table = schema.environment
    row: dict[str, Any] = dict(connection.execute(select(table).where(table.c.id == number)).mappings().one())
    check_row(table, row)
    kept = {name: str(row[name]) for name in ("python", "platform", "cpu", "git_commit")}
    packages = json.loads(row["packages"])
    if not isinstance(packages, dict):
        raise ImpossibleValue(f"{table.c.packages} is {short_repr(packages)}, and must be versions by distribution")
    return {**kept, "packages": packages}


def _floats(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f">{len(data) // 8}d", data)


TRUTH = {0: False, 1: True}
"""SQLite has no truth values."""
COLUMNS = tuple(schema.run.c[name] for name in RunHead._fields)


def read_heads(connection: Connection, wanted: Question | Sequence[int | str], database: str) -> list[RunHead]:
    """Return runs.

    Args:
        connection: to the database.
        wanted: a question; or row numbers and beginnings of identities, which are answered in their order.
        database: its name, for messages.

    Raises:
        QueryError: there is no such run, several begin so, or the question names what is not there.
    """
    if isinstance(wanted, Question):
        numbers = list(connection.execute(run_query(connection, wanted).with_only_columns(schema.run.c.id)).scalars())
    else:
        numbers = [each if isinstance(each, int) else find_run(connection, each, database) for each in wanted]
    found = {}
    for first in range(0, len(numbers), LOOKUP):
        found.update(_heads(connection, numbers[first : first + LOOKUP]))
    for number in numbers:
        if number not in found:
            find_run(connection, number, database)
    return [found[number] for number in numbers]


def _heads(connection: Connection, numbers: Sequence[int]) -> dict[int, RunHead]:
    query = f"SELECT {', '.join(column.name for column in COLUMNS)} FROM run WHERE "
    heads = checked_rows(COLUMNS, (_head(row) for row in driver_rows(connection, query + has_row_number("id", numbers))))
    return {head.id: head for head in heads}


def _head(row: tuple[Any, ...]) -> RunHead:
    number, identity, outcome, steps, dimension, records_x, records_gradient = row
    x, gradient = TRUTH.get(records_x, records_x), TRUTH.get(records_gradient, records_gradient)
    return RunHead(number, identity, outcome, steps, dimension, x, gradient)

"""Rows that runs share: settings with their parameters and landmarks, starts, environments. Each is written once."""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import Connection, Insert, Table, delete, func, select

from runner.contracts.parameters import ParameterValue
from runner.engine.environment import Environment
from runner.experiment.model import Landmark, Rules, Start
from runner.registry.setting import Setting
from runner.store import schema
from runner.store.reading.parameter_values import nearest

LOOKUP = 5000
"""How many keys go into one query."""


@dataclass(frozen=True)
class SettingRow:
    """A setting as the database holds it.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the plugin's name.
        canonical: JSON of name and parameters.
        fingerprint: of the plugin's code.
        parameters: every parameter.
    """

    kind: str
    name: str
    canonical: str
    fingerprint: str
    parameters: Mapping[str, ParameterValue]

    @classmethod
    def of(cls, setting: Setting) -> SettingRow:
        """Describe a plugin's setting."""
        return cls(setting.kind, setting.name, setting.canonical, setting.fingerprint, setting.parameters)

    @classmethod
    def of_rules(cls, rules: Rules) -> SettingRow:
        """Describe what holds for every run of an experiment."""
        recorded = {"record_x": rules.record_x, "record_gradient": rules.record_gradient}
        return cls("rules", "rules", rules.canonical, "", {**asdict(rules.stop), **recorded})

    @property
    def digest(self) -> str:
        """SHA-256 of kind, canonical and fingerprint."""
        return digest_of_setting(self.kind, self.fingerprint, self.canonical)


def digest_of_setting(kind: str, fingerprint: str, canonical: str) -> str:
    """Return SHA-256 of what makes two settings the same."""
    return _sha256(f"{kind}\n{fingerprint}\n{canonical}".encode())


def put_settings(connection: Connection, settings: Sequence[SettingRow]) -> list[int]:
    """Write the settings that are not there yet; return the row number of each."""
    digests = [setting.digest for setting in settings]
    by_digest = dict(zip(digests, settings, strict=True))
    ids, new = _put(connection, schema.setting, list(by_digest))
    rows = [
        {
            "id": ids[digest],
            "digest": digest,
            "kind": by_digest[digest].kind,
            "name": by_digest[digest].name,
            "canonical": by_digest[digest].canonical,
            "fingerprint": by_digest[digest].fingerprint,
        }
        for digest in new
    ]
    insert(connection, schema.setting.insert(), rows)
    parameters = [
        {"setting_id": ids[digest], "name": name, **typed(value)}
        for digest in new
        for name, value in by_digest[digest].parameters.items()
    ]
    insert(connection, schema.parameter.insert(), parameters)
    return [ids[digest] for digest in digests]


def put_landmarks(connection: Connection, landmarks: Mapping[int, Landmark]) -> None:
    """Write what is known of objectives' minima, by the settings' row numbers, unless as much was known before."""
    table = schema.landmark
    known = connection.execute(select(table.c.setting_id, table.c.curvature_max).where(table.c.setting_id.in_(landmarks))).all()
    enough = {number for number, curvature in known if curvature is not None or landmarks[number].curvature is None}
    landmarks = {number: landmark for number, landmark in landmarks.items() if number not in enough}
    if landmarks:
        connection.execute(delete(table).where(table.c.setting_id.in_(landmarks)))
    rows = [
        {
            "setting_id": setting_id,
            "minimum_value": landmark.value + 0.0,  # SQLite has no −0.0, and what is stored must not depend on the database
            "minimiser": landmark.x.astype(">f8").tobytes(),
            "curvature_min": landmark.curvature[0] + 0.0 if landmark.curvature else None,
            "curvature_max": landmark.curvature[1] + 0.0 if landmark.curvature else None,
        }
        for setting_id, landmark in landmarks.items()
    ]
    insert(connection, schema.landmark.insert(), rows)


def put_starts(connection: Connection, starts: Sequence[Start]) -> list[int]:
    """Write the starts that are not there yet; return the row number of each."""
    digests = [_sha256(start.canonical.encode()) for start in starts]
    by_digest = dict(zip(digests, starts, strict=True))
    ids, new = _put(connection, schema.start, list(by_digest))
    rows = [
        {
            "id": ids[digest],
            "digest": digest,
            "dimension": len(by_digest[digest].x),
            "x": by_digest[digest].x.astype(">f8").tobytes(),
        }
        for digest in new
    ]
    insert(connection, schema.start.insert(), rows)
    return [ids[digest] for digest in digests]


def put_environment(connection: Connection, environment: Environment) -> int:
    """Write the environment unless it is there; return its row number."""
    values = {**asdict(environment), "packages": json.dumps(environment.packages, sort_keys=True)}
    digest = digest_of_environment(values)
    ids, new = _put(connection, schema.environment, [digest])
    insert(connection, schema.environment.insert(), [{"id": ids[digest], "digest": digest, **values} for digest in new])
    return ids[digest]


def digest_of_environment(values: Mapping[str, str]) -> str:
    """Return SHA-256 of the columns of an environment."""
    return _sha256(json.dumps(values, sort_keys=True).encode())


def typed(value: ParameterValue) -> dict[str, float | str | None]:
    """Return the columns that hold a parameter's value."""
    if isinstance(value, bool):
        return {"number": None, "text": "true" if value else "false"}
    if isinstance(value, int | float):
        number = nearest(value) + 0.0
        return {"number": None if math.isnan(number) else number, "text": None}
    if isinstance(value, tuple):
        return {"number": None, "text": json.dumps(value)}
    return {"number": None, "text": None if value is None else str(value)}


def insert(connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, if there are any.

    Args:
        connection: within a transaction.
        statement: the insert, without values.
        rows: plain values the driver takes as they are, each row with the same columns.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    # Handed to the driver as they are: SQLAlchemy would look at each value of each row, for as long as the writing itself takes.
    values = list(map(operator.itemgetter(*order), rows)) if order else rows
    connection.exec_driver_sql(str(compiled), cast(Any, values))


def next_id(connection: Connection, table: Table) -> int:
    """Return the first row number that is free. The caller holds the write lock, so it stays free."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


def _put(connection: Connection, table: Table, digests: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return the row number of each digest, old or new, and those that are new."""
    ids: dict[str, int] = {}
    for first in range(0, len(digests), LOOKUP):
        known = select(table.c.digest, table.c.id).where(table.c.digest.in_(digests[first : first + LOOKUP]))
        ids.update((digest, number) for digest, number in connection.execute(known))
    new = [digest for digest in digests if digest not in ids]
    first_id = next_id(connection, table)
    ids.update((digest, first_id + offset) for offset, digest in enumerate(new))
    return ids, new


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

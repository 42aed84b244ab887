"""The rows that runs share: settings with their parameters and landmarks, starts and environments. Each is written once."""

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
from runner.store.reading.parameter_values import KEYS_AT_ONCE, nearest_float


@dataclass(frozen=True)
class SettingRow:
    """A plugin's setting, or the rules of an experiment, as table `setting` holds it.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the plugin's name, or `rules`.
        canonical: the canonical JSON text of name and parameters.
        fingerprint: the fingerprint of the plugin's code; empty for rules.
        parameters: all parameters, by name.
    """

    kind: str
    name: str
    canonical: str
    fingerprint: str
    parameters: Mapping[str, ParameterValue]

    @classmethod
    def of(cls, setting: Setting) -> SettingRow:
        """Return the row of a plugin's setting."""
        return cls(setting.kind, setting.name, setting.canonical, setting.fingerprint, setting.parameters)

    @classmethod
    def of_rules(cls, rules: Rules) -> SettingRow:
        """Return the row of the rules that hold for every run of an experiment."""
        recorded = {"record_x": rules.record_x, "record_gradient": rules.record_gradient}
        return cls("rules", "rules", rules.canonical, "", {**asdict(rules.stop), **recorded})

    @property
    def digest(self) -> str:
        """The SHA-256 of kind, fingerprint and canonical text."""
        return digest_of_setting(self.kind, self.fingerprint, self.canonical)


def digest_of_setting(kind: str, fingerprint: str, canonical: str) -> str:
    """Return the SHA-256 of kind, fingerprint and canonical text. Two settings share it if and only if they are the same."""
    return _sha256(f"{kind}\n{fingerprint}\n{canonical}".encode())


def store_settings(connection: Connection, settings: Sequence[SettingRow]) -> list[int]:
    """Write the settings that are not stored yet; return the row number of each."""
    digests = [setting.digest for setting in settings]
    by_digest = dict(zip(digests, settings, strict=True))
    ids, new = _row_numbers(connection, schema.setting, list(by_digest))
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
    insert_rows(connection, schema.setting.insert(), rows)
    parameters = [
        {"setting_id": ids[digest], "name": name, **parameter_columns(value)}
        for digest in new
        for name, value in by_digest[digest].parameters.items()
    ]
    insert_rows(connection, schema.parameter.insert(), parameters)
    return [ids[digest] for digest in digests]


def store_landmarks(connection: Connection, landmarks: Mapping[int, Landmark]) -> None:
    """Write the known minima of objectives, unless equally complete ones are stored.

    Args:
        connection: a connection within a transaction.
        landmarks: the minima, by the row number of the objective's setting.
    """
    table = schema.landmark
    known = connection.execute(select(table.c.setting_id, table.c.curvature_max).where(table.c.setting_id.in_(landmarks))).all()
    complete = {number for number, curvature in known if curvature is not None or landmarks[number].curvature is None}
    landmarks = {number: landmark for number, landmark in landmarks.items() if number not in complete}
    if landmarks:
        connection.execute(delete(table).where(table.c.setting_id.in_(landmarks)))
    rows = [
        {
            "setting_id": setting_id,
            "minimum_value": landmark.value + 0.0,  # SQLite stores no −0.0; see `sql_number`.
            "minimiser": landmark.x.astype(">f8").tobytes(),
            "curvature_min": landmark.curvature[0] + 0.0 if landmark.curvature else None,
            "curvature_max": landmark.curvature[1] + 0.0 if landmark.curvature else None,
        }
        for setting_id, landmark in landmarks.items()
    ]
    insert_rows(connection, schema.landmark.insert(), rows)


def store_starts(connection: Connection, starts: Sequence[Start]) -> list[int]:
    """Write the starts that are not stored yet; return the row number of each."""
    digests = [_sha256(start.canonical.encode()) for start in starts]
    by_digest = dict(zip(digests, starts, strict=True))
    ids, new = _row_numbers(connection, schema.start, list(by_digest))
    rows = [
        {
            "id": ids[digest],
            "digest": digest,
            "dimension": len(by_digest[digest].x),
            "x": by_digest[digest].x.astype(">f8").tobytes(),
        }
        for digest in new
    ]
    insert_rows(connection, schema.start.insert(), rows)
    return [ids[digest] for digest in digests]


def store_environment(connection: Connection, environment: Environment) -> int:
    """Write the environment unless it is stored; return its row number."""
    values = {**asdict(environment), "packages": json.dumps(environment.packages, sort_keys=True)}
    digest = digest_of_environment(values)
    ids, new = _row_numbers(connection, schema.environment, [digest])
    insert_rows(connection, schema.environment.insert(), [{"id": ids[digest], "digest": digest, **values} for digest in new])
    return ids[digest]


def digest_of_environment(values: Mapping[str, str]) -> str:
    """Return the SHA-256 of the columns of an environment."""
    return _sha256(json.dumps(values, sort_keys=True).encode())


def parameter_columns(value: ParameterValue) -> dict[str, float | str | None]:
    """Return the columns `number` and `text` for a parameter's value."""
    if isinstance(value, bool):
        return {"number": None, "text": "true" if value else "false"}
    if isinstance(value, int | float):
        number = nearest_float(value) + 0.0
        return {"number": None if math.isnan(number) else number, "text": None}
    if isinstance(value, tuple):
        return {"number": None, "text": json.dumps(value)}
    return {"number": None, "text": None if value is None else str(value)}


def insert_rows(connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; do nothing for an empty list.

    Args:
        connection: a connection within a transaction.
        statement: the insert, without values.
        rows: the rows, all with the same columns, as values that the driver takes without conversion.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    # The driver gets the rows directly, because SQLAlchemy would inspect each value, which takes as long as the writing itself.
    values = list(map(operator.itemgetter(*order), rows)) if order else rows
    connection.exec_driver_sql(str(compiled), cast(Any, values))


def next_id(connection: Connection, table: Table) -> int:
    """Return the first free row number. It stays free, because the caller holds the write lock."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


def _row_numbers(connection: Connection, table: Table, digests: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return the row number of each digest, and the digests that are not stored yet; these get the next free numbers."""
    ids: dict[str, int] = {}
    for first in range(0, len(digests), KEYS_AT_ONCE):
        known = select(table.c.digest, table.c.id).where(table.c.digest.in_(digests[first : first + KEYS_AT_ONCE]))
        ids.update((digest, number) for digest, number in connection.execute(known))
    new = [digest for digest in digests if digest not in ids]
    first_id = next_id(connection, table)
    ids.update((digest, first_id + offset) for offset, digest in enumerate(new))
    return ids, new


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""Writing to the results database: one transaction for each batch, one writer at a time."""

from __future__ import annotations

import hashlib
import math
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runner.environment import Environment
from runner.experiment import Chunk, Experiment, Landmark, Rules, Run, Setting, Trajectory
from runner.store import schema
from runner.store.connection import Database
from runner.store.shared_rows import (
    LOOKUP,
    SettingRow,
    insert,
    next_id,
    put_environment,
    put_landmarks,
    put_settings,
    put_starts,
)


@dataclass(frozen=True)
class StoredState:
    """What the database holds of a run.

    Attributes:
        id: the row's number.
        outcome: how it ended.
        fingerprints: of the code of its objective, gradient backend and optimizer.
    """

    id: int
    outcome: str
    fingerprints: tuple[str, str, str]


@dataclass(frozen=True)
class _Numbers:
    """Row numbers of what the runs of an experiment share."""

    experiment: int
    environment: int
    rules: int
    settings: Mapping[Setting, int]
    starts: Mapping[str, int]
    positions: Mapping[str, int]


class Store:
    """The results database, as the pipeline uses it.

    Attributes:
        database: where it is.
    """

    def __init__(self, name: str) -> None:
        self.database = Database(name)

    def find(self, identities: Sequence[str]) -> dict[str, StoredState]:
        """Return what is stored of these runs; creates nothing.

        Raises:
            StoreError: the database cannot be read, or is not one of ours.
        """
        if not self.database.exists():
            return {}
        with self.database.reading() as connection:
            return _current(connection, identities)

    def begin(
        self,
        experiment: Experiment,
        runs: Sequence[Run],
        landmarks: Mapping[Setting, Landmark],
        environment: Environment,
    ) -> Recording:
        """Note the experiment, its settings and starts, and which of its runs are already there.

        Args:
            experiment: the experiment.
            runs: its grid.
            landmarks: what is known of its objectives' minima.
            environment: where it is computed.

        Raises:
            StoreError: the database cannot be created or written.
        """
        self.database.create()
        settings = list({setting: None for run in runs for setting in (run.objective, run.gradient, run.optimizer)})
        starts = list({run.start.canonical: run.start for run in runs}.values())
        with self.database.writing() as connection:
            rows = [SettingRow.of(setting) for setting in settings] + [SettingRow.of_rules(experiment.rules)]
            *setting_ids, rules_id = put_settings(connection, rows)
            numbers = _Numbers(
                experiment=_put_experiment(connection, experiment, runs),
                environment=put_environment(connection, environment),
                rules=rules_id,
                settings=dict(zip(settings, setting_ids, strict=True)),
                starts=dict(zip((start.canonical for start in starts), put_starts(connection, starts), strict=True)),
                positions={run.identity: position for position, run in enumerate(runs)},
            )
            put_landmarks(connection, {numbers.settings[setting]: mark for setting, mark in landmarks.items()})
            # Under the write lock, and not as of `find`: somebody may have superseded runs since, or have reordered the grid.
            current = _current(connection, [run.identity for run in runs])
            member = schema.experiment_run
            connection.execute(delete(member).where(member.c.experiment_id == numbers.experiment))
            _put_members(connection, numbers, [(run, current[run.identity].id) for run in runs if run.identity in current])
        return Recording(self.database, experiment.rules, numbers)

    def close(self) -> None:
        """Give back the connections."""
        self.database.close()


class Recording:
    """The writing of one experiment's runs."""

    def __init__(self, database: Database, rules: Rules, numbers: _Numbers) -> None:
        self._database = database
        self._rules = rules
        self._numbers = numbers

    @property
    def experiment(self) -> int:
        """The experiment's row number."""
        return self._numbers.experiment

    def save(self, runs: Sequence[Run], trajectories: Sequence[Trajectory], replaced: Mapping[str, StoredState]) -> None:
        """Store a batch in one transaction.

        Args:
            runs: the runs.
            trajectories: what became of each, in the same order.
            replaced: stored runs that these supersede. A run that somebody else stored meanwhile is left as it is.

        Raises:
            StoreError: the database cannot be written; nothing of the batch is kept.
        """
        with self._database.writing() as connection:
            there = _current(connection, [run.identity for run in runs])
            pairs = [
                (run, trajectory)
                for run, trajectory in zip(runs, trajectories, strict=True)
                if run.identity not in there or there[run.identity] == replaced.get(run.identity)
            ]
            first_id = next_id(connection, schema.run)
            ids = {run.identity: first_id + offset for offset, (run, _) in enumerate(pairs)}
            replacing = [(there[run.identity], run, ids[run.identity]) for run, _ in pairs if run.identity in there]
            _supersede(connection, replacing, self._numbers.experiment)
            now = time.time()
            insert(
                connection, schema.run.insert(), [self._run_row(run, outcome, ids[run.identity], now) for run, outcome in pairs]
            )
            insert(connection, schema.chunk.insert(), [
                _chunk_row(ids[run.identity], run.identity, chunk) for run, outcome in pairs for chunk in outcome.chunks
            ])  # fmt: skip
            members = [(run, ids[run.identity] if run.identity in ids else there[run.identity].id) for run in runs]
            _put_members(connection, self._numbers, members)

    def _run_row(self, run: Run, trajectory: Trajectory, run_id: int, now: float) -> dict[str, Any]:
        numbers = self._numbers
        return {
            "id": run_id,
            "identity": run.identity,
            "objective_id": numbers.settings[run.objective],
            "gradient_id": numbers.settings[run.gradient],
            "optimizer_id": numbers.settings[run.optimizer],
            "rules_id": numbers.rules,
            "start_id": numbers.starts[run.start.canonical],
            "environment_id": numbers.environment,
            "dimension": len(run.start.x),
            "records_x": self._rules.record_x,
            "records_gradient": self._rules.record_gradient,
            "outcome": trajectory.outcome.value,
            "behaviour": trajectory.behaviour and trajectory.behaviour.value,
            "error": trajectory.error,
            "steps": trajectory.steps,
            "value_evaluations": trajectory.evaluations.value,
            "gradient_evaluations": trajectory.evaluations.gradient,
            "hessian_evaluations": trajectory.evaluations.hessian,
            "final_value": _number(trajectory.final_value),
            "final_value_class": _number_class(trajectory.final_value),
            "final_gradient_norm": _number(trajectory.final_gradient_norm),
            "final_gradient_norm_class": _number_class(trajectory.final_gradient_norm),
            "best_value": _number(trajectory.best_value),
            "best_value_class": _number_class(trajectory.best_value),
            "best_step": trajectory.best_step,
            "seconds": trajectory.seconds,
            "finished_at": now,
        }


def chunk_checksum(identity: str, first_step: int, count: int, data: bytes | memoryview) -> int:
    """Return CRC-32 over a chunk and where it belongs, so that a chunk in the wrong place is noticed too."""
    return zlib.crc32(data, zlib.crc32(f"{identity}:{first_step}:{count}".encode()))


def _chunk_row(run_id: int, identity: str, chunk: Chunk) -> dict[str, Any]:
    checksum = chunk_checksum(identity, chunk.first_step, chunk.count, chunk.data)
    return {
        "run_id": run_id,
        "first_step": chunk.first_step,
        "count": chunk.count,
        "checksum": checksum,
        "data": chunk.data,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number_class(value: float) -> str:
    return "finite" if math.isfinite(value) else str(value)


def _current(connection: Connection, identities: Sequence[str]) -> dict[str, StoredState]:
    run = schema.run
    objective, gradient, optimizer = (schema.setting.alias() for _ in range(3))
    query = (
        select(
            run.c.identity,
            run.c.id,
            run.c.outcome,
            objective.c.fingerprint,
            gradient.c.fingerprint,
            optimizer.c.fingerprint,
        )
        .join(objective, objective.c.id == run.c.objective_id)
        .join(gradient, gradient.c.id == run.c.gradient_id)
        .join(optimizer, optimizer.c.id == run.c.optimizer_id)
        .where(run.c.superseded_by.is_(None))
    )
    found: dict[str, StoredState] = {}
    for first in range(0, len(identities), LOOKUP):
        rows = connection.execute(query.where(run.c.identity.in_(identities[first : first + LOOKUP])))
        found.update({identity: StoredState(run_id, outcome, tuple(prints)) for identity, run_id, outcome, *prints in rows})
    return found


def _supersede(connection: Connection, replacing: Sequence[tuple[StoredState, Run, int]], experiment: int) -> None:
    """Mark old runs as superseded, and let the new ones take their places: everywhere if the same code computed both.

    If not, other experiments keep what they have, for a plugin of the same name may be another one there.
    """
    if not replacing:
        return
    run, member = schema.run, schema.experiment_run
    marks = [{"old": old.id, "new": new} for old, _, new in replacing]
    connection.execute(update(run).where(run.c.id == bindparam("old")).values(superseded_by=bindparam("new")), marks)
    places = update(member).where(member.c.run_id == bindparam("old")).values(run_id=bindparam("new"))
    everywhere = [mark for mark, (old, new, _) in zip(marks, replacing, strict=True) if old.fingerprints == _fingerprints(new)]
    here = [mark for mark in marks if mark not in everywhere]
    if everywhere:
        connection.execute(places, everywhere)
    if here:
        connection.execute(places.where(member.c.experiment_id == experiment), here)


def _fingerprints(run: Run) -> tuple[str, str, str]:
    return run.objective.fingerprint, run.gradient.fingerprint, run.optimizer.fingerprint


def _put_experiment(connection: Connection, experiment: Experiment, runs: Sequence[Run]) -> int:
    """Write the experiment, or update it if it had the same grid before; return its row number."""
    table = schema.experiment
    digest = hashlib.sha256("\n".join(sorted(run.identity for run in runs)).encode()).hexdigest()
    latest = {"description": experiment.description, "source": experiment.source, "last_run_at": time.time()}
    same = (table.c.name == experiment.name) & (table.c.digest == digest)
    number = connection.execute(select(table.c.id).where(same)).scalar_one_or_none()
    if number is not None:
        connection.execute(update(table).where(same).values(**latest))
        return int(number)
    number = next_id(connection, table)
    created = {"id": number, "name": experiment.name, "digest": digest, "created_at": latest["last_run_at"]}
    insert(connection, table.insert(), [{**created, **latest}])
    return number


def _put_members(connection: Connection, numbers: _Numbers, members: Sequence[tuple[Run, int]]) -> None:
    if not members:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [
        {
            "experiment_id": numbers.experiment,
            "run_id": run_id,
            "position": numbers.positions[run.identity],
            "start_number": run.start.number,
        }
        for run, run_id in members
    ]
    insert(connection, dialect.insert(schema.experiment_run).on_conflict_do_nothing(), rows)

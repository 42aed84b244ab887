"""The recording of an experiment's runs: one transaction for each batch, one writer at a time."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runner.engine.environment import Environment
from runner.engine.trajectories import Trajectory
from runner.experiment.model import Experiment, Landmark, Rules, Run
from runner.registry.setting import Setting
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.current_runs import StoredState, find_current_runs
from runner.store.writing.claims import ClaimResult, Claims
from runner.store.writing.run_rows import RowNumbers, chunk_row, run_row
from runner.store.writing.shared_rows import (
    SettingRow,
    insert_rows,
    next_id,
    store_environment,
    store_landmarks,
    store_settings,
    store_starts,
)


class Store:
    """The results database, as the pipeline uses it.

    Attributes:
        database: the file or server.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self.database = Database(name)

    def find(self, identities: Sequence[str]) -> dict[str, StoredState]:
        """Return the states of the given runs that are stored and current, by identity. A missing database is not created.

        Raises:
            StoreError: the database cannot be read, or is not a results database.
        """
        if not self.database.exists():
            return {}
        with self.database.reading() as connection:
            return find_current_runs(connection, identities)

    def begin(
        self, experiment: Experiment, runs: Sequence[Run], landmarks: Mapping[Setting, Landmark], environment: Environment
    ) -> Recording:
        """Store the experiment with its settings and starts, and make the runs that are already stored its members.

        Args:
            experiment: the experiment.
            runs: all runs of its grid.
            landmarks: the known minima of its objectives.
            environment: the machine and the packages that compute the runs.

        Raises:
            StoreError: the database cannot be created or written.
        """
        self.database.create()
        settings = list({setting: None for run in runs for setting in (run.objective, run.gradient, run.optimizer)})
        starts = list({run.start.canonical: run.start for run in runs}.values())
        with self.database.writing() as connection:
            rows = [SettingRow.of(setting) for setting in settings] + [SettingRow.of_rules(experiment.rules)]
            *setting_ids, rules_id = store_settings(connection, rows)
            numbers = RowNumbers(
                experiment=_store_experiment(connection, experiment, runs),
                environment=store_environment(connection, environment),
                rules=rules_id,
                settings=dict(zip(settings, setting_ids, strict=True)),
                starts=dict(zip((start.canonical for start in starts), store_starts(connection, starts), strict=True)),
                positions={run.identity: position for position, run in enumerate(runs)},
            )
            store_landmarks(connection, {numbers.settings[setting]: mark for setting, mark in landmarks.items()})
            # Runs are read again under the write lock, because another process may have changed them since `find`.
            stored = find_current_runs(connection, [run.identity for run in runs])
            member = schema.experiment_run
            connection.execute(delete(member).where(member.c.experiment_id == numbers.experiment))
            _add_members(connection, numbers, [(run, stored[run.identity].id) for run in runs if run.identity in stored])
            claims = Claims(self.database)
            # While this process is registered, no other process deletes the settings, even if no run refers to them yet.
            claims.register(connection)
        return Recording(self.database, experiment.rules, numbers, claims)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


class Recording:
    """The recording of one experiment, from its first batch to its last."""

    def __init__(self, database: Database, rules: Rules, numbers: RowNumbers, claims: Claims) -> None:
        self._database = database
        self._rules = rules
        self._numbers = numbers
        self._claims = claims

    @property
    def experiment(self) -> int:
        """The experiment's row number."""
        return self._numbers.experiment

    def claim(self, runs: Sequence[Run], replaced: Mapping[str, StoredState]) -> ClaimResult:
        """Claim runs, so that no other process computes them too.

        Runs that another process has stored since they were last read become members of the experiment.

        Args:
            runs: the runs that this process wants to compute.
            replaced: the stored runs that they are to supersede.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._database.writing() as connection:
            return self._claim(connection, runs, replaced)

    def save(
        self,
        runs: Sequence[Run],
        trajectories: Sequence[Trajectory],
        replaced: Mapping[str, StoredState],
        following: Sequence[Run] = (),
    ) -> ClaimResult:
        """Store a batch in one transaction.

        Args:
            runs: the runs.
            trajectories: their trajectories, in the same order.
            replaced: the stored runs that they supersede. If another process has stored a run in the meantime, its row is kept.
            following: runs to claim in the same transaction.

        Raises:
            StoreError: the database cannot be written; nothing of the batch is kept.
        """
        with self._database.writing() as connection:
            identities = [run.identity for run in runs]
            # Runs to be replaced are read again: one may have been deleted, and another run may have its number now.
            is_new = self._claims.holds(connection, identities) and replaced.keys().isdisjoint(identities)
            stored = {} if is_new else find_current_runs(connection, identities)
            pairs = [
                (run, trajectory)
                for run, trajectory in zip(runs, trajectories, strict=True)
                if run.identity not in stored or stored[run.identity] == replaced.get(run.identity)
            ]
            first_id = next_id(connection, schema.run)
            ids = {run.identity: first_id + offset for offset, (run, _) in enumerate(pairs)}
            superseded = [(stored[run.identity], run, ids[run.identity]) for run, _ in pairs if run.identity in stored]
            _supersede(connection, superseded, self._numbers.experiment)
            rows = [run_row(self._numbers, self._rules, run, trajectory, ids[run.identity]) for run, trajectory in pairs]
            insert_rows(connection, schema.run.insert(), rows)
            insert_rows(connection, schema.chunk.insert(), [
                chunk_row(ids[run.identity], run.identity, chunk) for run, trajectory in pairs for chunk in trajectory.chunks
            ])  # fmt: skip
            _add_members(connection, self._numbers, [(run, ids[run.identity]) for run, _ in pairs])
            kept = [(run, stored[run.identity].id) for run in runs if run.identity not in ids]
            _replace_members(connection, self._numbers, kept)
            self._claims.release(connection, identities)
            return self._claim(connection, following, replaced)

    def _claim(self, connection: Connection, runs: Sequence[Run], replaced: Mapping[str, StoredState]) -> ClaimResult:
        if not runs:
            return ClaimResult((), {}, {})
        result = self._claims.claim(connection, [run.identity for run in runs], replaced)
        stored = result.stored_elsewhere
        members = [(run, stored[run.identity].id) for run in runs if run.identity in stored]
        _replace_members(connection, self._numbers, members)
        return result

    def close(self) -> None:
        """Give up the claims on all runs that are not stored. If this fails, the claims end with this process."""
        self._claims.end()


def _supersede(connection: Connection, superseded: Sequence[tuple[StoredState, Run, int]], experiment: int) -> None:
    """Mark old runs as superseded, and let the new runs take their places in experiments.

    If the same code computed both, the new run takes the place in every experiment. If not, it takes the place only in this
    experiment, because another experiment may use other plugins with the same names.

    Args:
        connection: a connection within a transaction.
        superseded: each old run, with the run that supersedes it and the new row number.
        experiment: this experiment's row number.
    """
    if not superseded:
        return
    run, member = schema.run, schema.experiment_run
    marks = [{"old": old.id, "new": new_id} for old, _, new_id in superseded]
    connection.execute(update(run).where(run.c.id == bindparam("old")).values(superseded_by=bindparam("new")), marks)
    places = update(member).where(member.c.run_id == bindparam("old")).values(run_id=bindparam("new"))
    everywhere: list[dict[str, int]] = []
    here: list[dict[str, int]] = []
    for mark, (old, new, _) in zip(marks, superseded, strict=True):
        is_same_code = old.fingerprints == (new.objective.fingerprint, new.gradient.fingerprint, new.optimizer.fingerprint)
        (everywhere if is_same_code else here).append(mark)
    if everywhere:
        connection.execute(places, everywhere)
    if here:
        connection.execute(places.where(member.c.experiment_id == experiment), here)


def _store_experiment(connection: Connection, experiment: Experiment, runs: Sequence[Run]) -> int:
    """Write the experiment, or update the stored experiment of the same name and grid; return its row number."""
    table = schema.experiment
    digest = hashlib.sha256("\n".join(sorted(run.identity for run in runs)).encode()).hexdigest()
    latest: dict[str, Any] = {
        "description": experiment.description,
        "source": experiment.source,
        "target": experiment.target,
        "last_run_at": time.time(),
    }
    is_same = (table.c.name == experiment.name) & (table.c.digest == digest)
    number = connection.execute(select(table.c.id).where(is_same)).scalar_one_or_none()
    if number is not None:
        connection.execute(update(table).where(is_same).values(**latest))
        return int(number)
    number = next_id(connection, table)
    created = {"id": number, "name": experiment.name, "digest": digest, "created_at": latest["last_run_at"]}
    insert_rows(connection, table.insert(), [{**created, **latest}])
    return number


def _replace_members(connection: Connection, numbers: RowNumbers, members: Sequence[tuple[Run, int]]) -> None:
    """Put runs that another process stored into the places of their predecessors in the experiment."""
    member = schema.experiment_run
    places = [{"place": numbers.positions[run.identity]} for run, _ in members]
    if places:
        is_place = (member.c.experiment_id == numbers.experiment) & (member.c.position == bindparam("place"))
        connection.execute(delete(member).where(is_place), places)
    _add_members(connection, numbers, members)


def _add_members(connection: Connection, numbers: RowNumbers, members: Sequence[tuple[Run, int]]) -> None:
    """Make runs members of the experiment, each with its row number."""
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
    insert_rows(connection, dialect.insert(schema.experiment_run).on_conflict_do_nothing(), rows)

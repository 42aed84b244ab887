"""Writing to the results database: one transaction for each batch, one writer at a time."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runner.engine.environment import Environment
from runner.engine.trajectories import Trajectory
from runner.experiment.model import Experiment, Landmark, Rules, Run
from runner.registry.setting import Setting
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.current_runs import StoredState, current
from runner.store.writing.claims import Claims, Division
from runner.store.writing.run_rows import Numbers, chunk_row, run_row
from runner.store.writing.shared_rows import SettingRow, insert, next_id, put_environment, put_landmarks, put_settings, put_starts


class Store:
    """The results database, as the pipeline uses it.

    Attributes:
        database: where it is.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self.database = Database(name)

    def find(self, identities: Sequence[str]) -> dict[str, StoredState]:
        """Return what is stored of these runs; creates nothing.

        Raises:
            StoreError: the database cannot be read, or is not one of ours.
        """
        if not self.database.exists():
            return {}
        with self.database.reading() as connection:
            return current(connection, identities)

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
            numbers = Numbers(
                experiment=_put_experiment(connection, experiment, runs),
                environment=put_environment(connection, environment),
                rules=rules_id,
                settings=dict(zip(settings, setting_ids, strict=True)),
                starts=dict(zip((start.canonical for start in starts), put_starts(connection, starts), strict=True)),
                positions={run.identity: position for position, run in enumerate(runs)},
            )
            put_landmarks(connection, {numbers.settings[setting]: mark for setting, mark in landmarks.items()})
            # Under the write lock, and not as of `find`: somebody may have superseded runs since, or have reordered the grid.
            there = current(connection, [run.identity for run in runs])
            member = schema.experiment_run
            connection.execute(delete(member).where(member.c.experiment_id == numbers.experiment))
            _put_members(connection, numbers, [(run, there[run.identity].id) for run in runs if run.identity in there])
            claims = Claims(self.database)
            # From here on nobody takes the settings away, though no run may refer to them yet.
            claims.begin(connection)
        return Recording(self.database, experiment.rules, numbers, claims)

    def close(self) -> None:
        """Give back the connections."""
        self.database.close()


class Recording:
    """The writing of one experiment's runs."""

    def __init__(self, database: Database, rules: Rules, numbers: Numbers, claims: Claims) -> None:
        self._database = database
        self._rules = rules
        self._numbers = numbers
        self._claims = claims

    @property
    def experiment(self) -> int:
        """The experiment's row number."""
        return self._numbers.experiment

    def claim(self, runs: Sequence[Run], replaced: Mapping[str, StoredState]) -> Division:
        """Claim what is free of some runs, so that no other process computes it too.

        Args:
            runs: the runs, all of them to be computed as far as this process knows.
            replaced: stored runs that they are to supersede. What another process stored meanwhile is taken into the experiment.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._database.writing() as connection:
            return self._divide(connection, runs, replaced)

    def save(
        self,
        runs: Sequence[Run],
        trajectories: Sequence[Trajectory],
        replaced: Mapping[str, StoredState],
        following: Sequence[Run] = (),
    ) -> Division:
        """Store a batch in one transaction.

        Args:
            runs: the runs.
            trajectories: what became of each, in the same order.
            replaced: stored runs that these supersede. A run that somebody else stored meanwhile is left as it is.
            following: runs to claim in the same transaction.

        Raises:
            StoreError: the database cannot be written; nothing of the batch is kept.
        """
        with self._database.writing() as connection:
            there = self._there(connection, [run.identity for run in runs], replaced)
            pairs = [
                (run, trajectory)
                for run, trajectory in zip(runs, trajectories, strict=True)
                if run.identity not in there or there[run.identity] == replaced.get(run.identity)
            ]
            first_id = next_id(connection, schema.run)
            ids = {run.identity: first_id + offset for offset, (run, _) in enumerate(pairs)}
            replacing = [(there[run.identity], run, ids[run.identity]) for run, _ in pairs if run.identity in there]
            _supersede(connection, replacing, self._numbers.experiment)
            rows = [run_row(self._numbers, self._rules, run, outcome, ids[run.identity]) for run, outcome in pairs]
            insert(connection, schema.run.insert(), rows)
            insert(connection, schema.chunk.insert(), [
                chunk_row(ids[run.identity], run.identity, chunk) for run, outcome in pairs for chunk in outcome.chunks
            ])  # fmt: skip
            _put_members(connection, self._numbers, [(run, ids[run.identity]) for run, _ in pairs])
            _adopt(connection, self._numbers, [(run, there[run.identity].id) for run in runs if run.identity not in ids])
            self._claims.release(connection, [run.identity for run in runs])
            return self._divide(connection, following, replaced)

    def _there(
        self, connection: Connection, identities: Sequence[str], replaced: Mapping[str, StoredState]
    ) -> dict[str, StoredState]:  # fmt: skip
        # What is to be replaced is looked up again: it may be deleted by now, and its number another run's.
        if self._claims.holds(connection, identities) and replaced.keys().isdisjoint(identities):
            return {}
        return current(connection, identities)

    def _divide(self, connection: Connection, runs: Sequence[Run], replaced: Mapping[str, StoredState]) -> Division:
        if not runs:
            return Division((), {}, {})
        division = self._claims.take(connection, [run.identity for run in runs], replaced)
        members = [(run, division.stored[run.identity].id) for run in runs if run.identity in division.stored]
        _adopt(connection, self._numbers, members)
        return division

    def close(self) -> None:
        """Give back what is claimed and not stored.

        Raises:
            StoreError: the database cannot be written; what is claimed is free when this process has ended.
        """
        self._claims.end()


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


def _adopt(connection: Connection, numbers: Numbers, members: Sequence[tuple[Run, int]]) -> None:
    """Make runs that another process stored members of the experiment, in place of what stood there."""
    member = schema.experiment_run
    places = [{"place": numbers.positions[run.identity]} for run, _ in members]
    if places:
        there = (member.c.experiment_id == numbers.experiment) & (member.c.position == bindparam("place"))
        connection.execute(delete(member).where(there), places)
    _put_members(connection, numbers, members)


def _put_members(connection: Connection, numbers: Numbers, members: Sequence[tuple[Run, int]]) -> None:
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

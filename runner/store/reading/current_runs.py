"""The current runs of an experiment's grid: those that are stored and not superseded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from runner.store import schema
from runner.store.reading.parameter_values import KEYS_AT_ONCE


@dataclass(frozen=True)
class StoredState:
    """The state of a stored run.

    Attributes:
        id: the run's row number.
        outcome: the reason why the run ended.
        fingerprints: the code fingerprints of its objective, gradient backend and optimizer.
    """

    id: int
    outcome: str
    fingerprints: tuple[str, str, str]


def find_current_runs(connection: Connection, identities: Sequence[str]) -> dict[str, StoredState]:
    """Return the states of the current runs with the given identities, by identity."""
    run = schema.run
    objective, gradient, optimizer = (schema.setting.alias() for _ in range(3))
    query = (
        select(run.c.identity, run.c.id, run.c.outcome, objective.c.fingerprint, gradient.c.fingerprint, optimizer.c.fingerprint)
        .join(objective, objective.c.id == run.c.objective_id)
        .join(gradient, gradient.c.id == run.c.gradient_id)
        .join(optimizer, optimizer.c.id == run.c.optimizer_id)
        .where(run.c.superseded_by.is_(None))
    )
    found: dict[str, StoredState] = {}
    # On a new database, binding thousands of identities would take most of the time.
    if connection.execute(select(run.c.id).limit(1)).first() is None:
        return found
    for first in range(0, len(identities), KEYS_AT_ONCE):
        rows = connection.execute(query.where(run.c.identity.in_(identities[first : first + KEYS_AT_ONCE])))
        for identity, number, outcome, *fingerprints in rows:
            found[identity] = StoredState(number, outcome, tuple(fingerprints))
    return found

"""What is stored of runs: for each identity at most one run that no other has superseded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from runner.store import schema
from runner.store.writing.shared_rows import LOOKUP


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


def current(connection: Connection, identities: Sequence[str]) -> dict[str, StoredState]:
    """Return what is stored of runs, by identity."""
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
    if connection.execute(select(run.c.id).limit(1)).first() is None:
        return found  # of a new database, for which binding thousands of identities would be the longest part
    for first in range(0, len(identities), LOOKUP):
        rows = connection.execute(query.where(run.c.identity.in_(identities[first : first + LOOKUP])))
        found.update({identity: StoredState(run_id, outcome, tuple(prints)) for identity, run_id, outcome, *prints in rows})
    return found

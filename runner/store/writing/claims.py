"""Who computes which runs, while several processes work at one database: a run is claimed before it is computed.

A claim ends in the transaction that stores its run, with the sweep of the process that holds it, or when that process is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from runner.errors import StoreError
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.current_runs import StoredState, current
from runner.store.writing.shared_rows import LOOKUP, insert
from runner.store.writing.workers import SIGN_SECONDS, Worker, words

SHORT_PATIENCE = 5.0
"""How many seconds a sign of life, or the last word of a sweep, waits for other writers."""


@dataclass(frozen=True)
class Division:
    """What is whose of some runs, by their identities.

    Attributes:
        ours: claimed, and to be computed by this process.
        stored: what another process has stored since this one looked.
        held: what another process is computing, with that process in words.
    """

    ours: tuple[str, ...]
    stored: Mapping[str, StoredState]
    held: Mapping[str, str]


class Claims:
    """The claims of one sweep of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._worker = Worker.here()
        self._row: int | None = None
        self._held: set[str] = set()
        self._ended = threading.Event()
        self._signs: threading.Thread | None = None

    def begin(self, connection: Connection) -> None:
        """Be known as somebody who is computing."""
        self._own_row(connection)

    def take(self, connection: Connection, identities: Sequence[str], expected: Mapping[str, StoredState]) -> Division:
        """Claim what is free of some runs.

        Args:
            connection: within a transaction that keeps all other writers out.
            identities: of the runs.
            expected: what this process saw stored of them, and wants to replace.
        """
        alone = self._worker.remove_gone(connection)
        worker_id = self._own_row(connection)
        held = {} if alone else _held_by_others(connection, identities, worker_id)
        there = current(connection, identities)
        stored = {identity: state for identity, state in there.items() if state != expected.get(identity)}
        ours = tuple(identity for identity in identities if identity not in held and identity not in stored)
        insert(connection, schema.claim.insert(), [{"identity": identity, "worker_id": worker_id} for identity in ours])
        self._held.update(ours)
        return Division(ours, stored, {identity: name for identity, name in held.items() if identity not in stored})

    def holds(self, connection: Connection, identities: Sequence[str]) -> bool:
        """Whether these runs have been this sweep's ever since it claimed them, so that nobody else can have stored any."""
        if not self._held.issuperset(identities):
            return False
        self._own_row(connection)  # which forgets all claims if somebody took this process for gone
        return self._held.issuperset(identities)

    def release(self, connection: Connection, identities: Sequence[str]) -> None:
        """End the claims on runs that are stored in this transaction."""
        claim = schema.claim
        self._held.difference_update(identities)
        those = delete(claim).where(claim.c.worker_id == self._row)
        if self._held:
            connection.execute(those.where(claim.c.identity == bindparam("run")), [{"run": identity} for identity in identities])
        elif self._row is not None:
            connection.execute(those)

    def _own_row(self, connection: Connection) -> int:
        """Return the number of this sweep's row; another one than before if somebody has taken this process for gone."""
        self._row, new = self._worker.put(connection)
        if new:
            self._held.clear()
        if self._signs is None:
            self._signs = threading.Thread(target=self._give_signs, name="signs of life", daemon=True)
            self._signs.start()
        return self._row

    def end(self) -> None:
        """Give back all that is claimed and not stored, so that others may compute it."""
        if self._signs is None:
            return
        self._ended.set()
        self._worker.end()
        # What keeps the database from being written is told by those who write results; a worker that has ended is found out.
        with suppress(StoreError), self._database.writing(patience=SHORT_PATIENCE) as connection:
            self._worker.remove(connection)

    def _give_signs(self) -> None:
        while not self._ended.wait(SIGN_SECONDS):
            with suppress(StoreError), self._database.writing(patience=SHORT_PATIENCE) as connection:
                self._worker.sign(connection)


def _held_by_others(connection: Connection, identities: Sequence[str], worker_id: int) -> dict[str, str]:
    claim, worker = schema.claim, schema.worker
    query = select(claim.c.identity, worker.c.host, worker.c.process).join(worker, worker.c.id == claim.c.worker_id)
    found: dict[str, str] = {}
    for first in range(0, len(identities), LOOKUP):
        some = identities[first : first + LOOKUP]
        rows = connection.execute(query.where(claim.c.identity.in_(some), claim.c.worker_id != worker_id))
        found.update({identity: words(host, process) for identity, host, process in rows})
    return found

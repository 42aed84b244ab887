"""Claims, by which several processes divide the runs of one database: a process claims a run before it computes it.

A claim ends in the transaction that stores its run, at the end of the sweep that holds it, or when the process is found dead.
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
from runner.store.reading.current_runs import StoredState, find_current_runs
from runner.store.reading.parameter_values import KEYS_AT_ONCE
from runner.store.writing.shared_rows import insert_rows
from runner.store.writing.workers import SIGN_OF_LIFE_SECONDS, Worker, process_name

SHORT_PATIENCE = 5.0
"""The seconds that a sign of life, or the end of a sweep, waits for other writers."""


@dataclass(frozen=True)
class ClaimResult:
    """The answer to a request to claim runs. The identity of each run is in exactly one of the three attributes.

    Attributes:
        claimed: the runs that this process has claimed and is to compute.
        stored_elsewhere: the runs that another process has stored since this process read the database.
        held_elsewhere: the runs that another process is computing, with the name of that process.
    """

    claimed: tuple[str, ...]
    stored_elsewhere: Mapping[str, StoredState]
    held_elsewhere: Mapping[str, str]


class Claims:
    """The claims of one sweep of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._worker = Worker.of_this_process()
        self._row_id: int | None = None
        self._held: set[str] = set()
        self._ended = threading.Event()
        self._signs_of_life: threading.Thread | None = None

    def register(self, connection: Connection) -> int:
        """Return the number of this sweep's row, which is written if it is missing; give signs of life from now on.

        The row is missing at the first call, and after another process treated this process as dead. In the second case, all
        claims are lost.
        """
        self._row_id, is_new = self._worker.register(connection)
        if is_new:
            self._held.clear()
        if self._signs_of_life is None:
            self._signs_of_life = threading.Thread(target=self._give_signs_of_life, name="signs of life", daemon=True)
            self._signs_of_life.start()
        return self._row_id

    def claim(self, connection: Connection, identities: Sequence[str], expected: Mapping[str, StoredState]) -> ClaimResult:
        """Claim the given runs, except those that another process holds or has stored.

        Args:
            connection: a connection within a transaction that keeps all other writers out.
            identities: the identities of the runs.
            expected: the stored runs that this process has read and wants to replace.
        """
        is_only_worker = self._worker.remove_dead(connection)
        worker_id = self.register(connection)
        held: dict[str, str] = {}
        if not is_only_worker:
            claim, worker = schema.claim, schema.worker
            query = select(claim.c.identity, worker.c.host, worker.c.process).join(worker, worker.c.id == claim.c.worker_id)
            for first in range(0, len(identities), KEYS_AT_ONCE):
                some = identities[first : first + KEYS_AT_ONCE]
                rows = connection.execute(query.where(claim.c.identity.in_(some), claim.c.worker_id != worker_id))
                held.update({identity: process_name(host, process) for identity, host, process in rows})
        found = find_current_runs(connection, identities)
        stored = {identity: state for identity, state in found.items() if state != expected.get(identity)}
        claimed = tuple(identity for identity in identities if identity not in held and identity not in stored)
        rows_to_insert = [{"identity": identity, "worker_id": worker_id} for identity in claimed]
        insert_rows(connection, schema.claim.insert(), rows_to_insert)
        self._held.update(claimed)
        return ClaimResult(claimed, stored, {identity: name for identity, name in held.items() if identity not in stored})

    def holds(self, connection: Connection, identities: Sequence[str]) -> bool:
        """Return whether this sweep has held these runs since it claimed them; if so, no other process has stored them."""
        if not self._held.issuperset(identities):
            return False
        self.register(connection)  # This call clears all claims if another process has treated this process as dead.
        return self._held.issuperset(identities)

    def release(self, connection: Connection, identities: Sequence[str]) -> None:
        """End the claims on runs that are stored in this transaction."""
        claim = schema.claim
        self._held.difference_update(identities)
        own_claims = delete(claim).where(claim.c.worker_id == self._row_id)
        if self._held:
            keys = [{"run": identity} for identity in identities]
            connection.execute(own_claims.where(claim.c.identity == bindparam("run")), keys)
        elif self._row_id is not None:
            connection.execute(own_claims)

    def end(self) -> None:
        """Give up the claims on all runs that are not stored, so that other processes may compute them."""
        if self._signs_of_life is None:
            return
        self._ended.set()
        self._worker.end()
        # If this fails, the writers of results report why, and other processes find that this worker has ended.
        with suppress(StoreError), self._database.writing(patience=SHORT_PATIENCE) as connection:
            self._worker.remove(connection)

    def _give_signs_of_life(self) -> None:
        while not self._ended.wait(SIGN_OF_LIFE_SECONDS):
            with suppress(StoreError), self._database.writing(patience=SHORT_PATIENCE) as connection:
                self._worker.give_sign_of_life(connection)

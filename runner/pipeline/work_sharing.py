"""The share of a grid that this process computes, while other processes may compute other parts of the same grid."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Container, Iterator, Mapping, Sequence

from runner.engine.dispatch import Parcel
from runner.engine.trajectories import Descent
from runner.experiment.model import Run
from runner.pipeline.plan import Observer
from runner.store.reading.current_runs import StoredState
from runner.store.writing.claims import ClaimResult
from runner.store.writing.recording import Recording

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""The first and the longest pause, in seconds, before this process checks again which batches other processes hold."""


class Share:
    """The batches that this process computes and stores. Each batch is claimed in the database before it is computed.

    Batches are claimed one by one, so that processes that began at different times all have work. A batch is claimed when it is
    needed, or in the transaction that stores another batch.
    """

    def __init__(
        self, recording: Recording, parcels: Sequence[Parcel], runs: Mapping[str, Run], replaced: Mapping[str, StoredState],
        observer: Observer,
    ) -> None:  # fmt: skip
        """Begin without claims.

        Args:
            recording: the recording of the experiment in the database.
            parcels: the batches of the whole plan.
            runs: the runs of the plan, by identity.
            replaced: the stored runs that are computed again and replaced, by identity.
            observer: the receiver of the other processes' progress.
        """
        self._recording = recording
        self._runs = runs
        self._replaced = replaced
        self._observer = observer
        self._unclaimed = deque(parcels)
        self._claimed: deque[Parcel] = deque()
        self._held_elsewhere: list[Parcel] = []

    def parcels(self) -> Iterator[Parcel]:
        """Claim and yield batches, until all remaining batches are held by other processes."""
        while self._claimed or self._unclaimed:
            if self._claimed:
                yield self._claimed.popleft()
            else:
                parcel = self._unclaimed.popleft()
                self._assign([parcel], self._recording.claim(self._members([parcel]), self._replaced))

    def save(self, descent: Descent) -> None:
        """Store a batch, and claim another in the same transaction if no claimed batch is left."""
        trajectories = descent.trajectories
        runs = [self._runs[trajectory.identity] for trajectory in trajectories]
        following = [self._unclaimed.popleft()] if self._unclaimed and not self._claimed else []
        self._assign(following, self._recording.save(runs, trajectories, self._replaced, self._members(following)))

    def wait_for_batches(self) -> bool:
        """Return True if a batch is left to compute, and False at the end of the plan.

        While other processes compute all remaining batches, wait until they have stored them or given them up.
        """
        pause, last_holder = FIRST_PAUSE, ""
        while self._held_elsewhere and not self._claimed and not self._unclaimed:
            parcels, self._held_elsewhere = self._held_elsewhere, []
            result = self._recording.claim(self._members(parcels), self._replaced)
            self._assign(parcels, result)
            if self._held_elsewhere and not self._claimed:
                counts = Counter(result.held_elsewhere.values())
                holder = min(counts, key=lambda name: (-counts[name], name))
                if holder != last_holder:
                    self._observer.waiting(len(result.held_elsewhere), holder)
                    last_holder = holder
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 1.5 * pause)
        return bool(self._claimed or self._unclaimed)

    def _members(self, parcels: Sequence[Parcel]) -> list[Run]:
        return [self._runs[identity] for parcel in parcels for identity in parcel.batch.identities]

    def _assign(self, parcels: Sequence[Parcel], result: ClaimResult) -> None:
        """Sort the runs of batches into those that this process claimed, those that others hold, and those that are stored."""
        claimed = set(result.claimed)
        for parcel in parcels:
            self._claimed += _part(parcel, claimed)
            self._held_elsewhere += _part(parcel, result.held_elsewhere)
        if result.stored_elsewhere:
            self._observer.stored_elsewhere(len(result.stored_elsewhere))


def _part(parcel: Parcel, identities: Container[str]) -> list[Parcel]:
    """Return the part of a batch with these runs: one parcel, or an empty list."""
    batch = parcel.batch
    rows = [row for row, identity in enumerate(batch.identities) if identity in identities]
    if not rows:
        return []
    return [parcel if len(rows) == len(batch) else Parcel(batch.only(rows), parcel.files)]

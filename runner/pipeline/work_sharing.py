"""The share of a grid that this process computes, while others may be computing other parts of the same grid."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from runner.engine.dispatch import Parcel
from runner.engine.trajectories import Descent
from runner.experiment.model import Run
from runner.store.reading.current_runs import StoredState
from runner.store.writing.claims import Division
from runner.store.writing.recording import Recording

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


class Listener(Protocol):
    """Who is told of the other processes."""

    def stored_elsewhere(self, count: int) -> None:
        """Another process stored so many of the runs that were to be computed here."""

    def waiting(self, count: int, holder: str) -> None:
        """Nothing is left but runs that others are computing just now."""


class Share:
    """Batches that are claimed one by one, so that processes which began at different times all have something to do.

    A batch is claimed when it is asked for, or a little earlier: with the transaction that stores another one.
    """

    def __init__(
        self, recording: Recording, parcels: Sequence[Parcel], runs: Mapping[str, Run], replaced: Mapping[str, StoredState],
        listener: Listener,
    ) -> None:  # fmt: skip
        self._recording = recording
        self._runs = runs
        self._replaced = replaced
        self._listener = listener
        self._unseen = deque(parcels)
        self._ready: deque[Parcel] = deque()
        self._elsewhere: list[Parcel] = []

    def parcels(self) -> Iterator[Parcel]:
        """Yield what is claimed for this process. Waits for nobody: who waits stores nothing meanwhile."""
        while self._ready or self._unseen:
            if self._ready:
                yield self._ready.popleft()
            else:
                parcel = self._unseen.popleft()
                self._sort([parcel], self._recording.claim(self._members(parcel), self._replaced))

    def save(self, descent: Descent) -> None:
        """Store a batch, and claim another one if none is ready."""
        trajectories = descent.trajectories
        following = [self._unseen.popleft()] if self._unseen and not self._ready else []
        members = [run for parcel in following for run in self._members(parcel)]
        runs = [self._runs[trajectory.identity] for trajectory in trajectories]
        self._sort(following, self._recording.save(runs, trajectories, self._replaced, members))

    def more(self) -> bool:
        """Whether there is something left to compute. Waits while others are computing all that is left."""
        pause, told = FIRST_PAUSE, ""
        while self._elsewhere and not self._ready and not self._unseen:
            parcels, self._elsewhere = self._elsewhere, []
            members = [run for parcel in parcels for run in self._members(parcel)]
            division = self._recording.claim(members, self._replaced)
            self._sort(parcels, division)
            if self._elsewhere and not self._ready:
                told = self._tell(division, told)
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 1.5 * pause)
        return bool(self._ready or self._unseen)

    def _members(self, parcel: Parcel) -> list[Run]:
        return [self._runs[identity] for identity in parcel.batch.identities]

    def _sort(self, parcels: Sequence[Parcel], division: Division) -> None:
        ours = set(division.ours)
        for parcel in parcels:
            self._ready += _only(parcel, ours.__contains__)
            self._elsewhere += _only(parcel, division.held.__contains__)
        if division.stored:
            self._listener.stored_elsewhere(len(division.stored))

    def _tell(self, division: Division, told: str) -> str:
        """Say who is waited for, once for each."""
        holder = min(Counter(division.held.values()).items(), key=lambda each: (-each[1], each[0]))[0]
        if holder != told:
            self._listener.waiting(len(division.held), holder)
        return holder


def _only(parcel: Parcel, wanted: Callable[[str], bool]) -> list[Parcel]:
    """Return the part of a parcel with the runs that are wanted: one parcel, or none."""
    batch = parcel.batch
    rows = [row for row, identity in enumerate(batch.identities) if wanted(identity)]
    if not rows:
        return []
    return [parcel if len(rows) == len(batch) else Parcel(batch.only(rows), parcel.files)]

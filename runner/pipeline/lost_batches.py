"""Batches that are computed where a run may hang or end its process: what is lost is computed again, all but that run."""

from __future__ import annotations

import itertools
from collections.abc import Generator

from runner.contracts.executor import Lost
from runner.engine.dispatch import dispatched
from runner.engine.loop import descend, lost
from runner.engine.parcel import Parcel
from runner.engine.trajectories import Descent
from runner.pipeline.work_sharing import Share
from runner.registry.setting import Setting

PARTS = 4
"""Into how many a lost batch is cut: half the stops of halves, and no more to compute even where any size costs the same."""
SECONDS_OF_GRACE = 2.0


def limit(parcel: Parcel) -> float | None:
    """Return the seconds a batch may go without an iterate before it is stopped from outside, whatever its size.

    A batch in which none hangs comes to the end of its time by itself, at its next iterate; that is why each iterate counts, and
    not the batch: how long thousands of runs take together says nothing. If a single step takes so long because there are many
    runs, a part of them takes less.
    """
    wall_time = parcel.batch.rules.stop.wall_time
    return None if wall_time is None else 2 * wall_time + SECONDS_OF_GRACE


def recovered(executor: Setting, share: Share) -> Generator[Descent]:
    """Compute the batches; one that is lost is cut up until the run that lost it stands alone, and that run has failed.

    Raises:
        PluginError: the executor fails.
    """
    parts: list[Parcel] = []
    # Parts are claimed already, and nobody waits for others with a claim in hand: they might be waiting for this one.
    while parts or share.more():
        work, parts = itertools.chain(parts, share.parcels()), []
        for descent in dispatched(executor, descend, Descent, work, limit):
            if not isinstance(descent, Lost):
                yield descent
            elif len(descent.item.batch) == 1:
                yield lost(descent.item.batch, descent.reason, descent.timed_out)
            else:
                parts += _parts(descent.item)


def _parts(parcel: Parcel) -> list[Parcel]:
    runs = range(len(parcel.batch))
    size = -(-len(runs) // PARTS)
    return [Parcel(parcel.batch.only(runs[first : first + size]), parcel.files) for first in runs[::size]]

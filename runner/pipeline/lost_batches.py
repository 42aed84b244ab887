"""Batches that an executor lost: each is divided and computed again until the run that stops its process stands alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.contracts.executor import Lost
from runner.contracts.outcomes import Outcome
from runner.engine.batch import Batch
from runner.engine.dispatch import Parcel, dispatch
from runner.engine.loop import descend
from runner.engine.trajectories import Descent, Evaluations, Trajectory
from runner.pipeline.work_sharing import Share
from runner.registry.setting import Setting

PARTS = 4
"""The number of parts into which a lost batch is divided.

With quarters, half as many time-outs find the run at fault as with halves, and the number of runs that are computed again is not
larger.
"""
SECONDS_OF_GRACE = 2.0
"""The time, in seconds, by which the limit of silence exceeds twice `wall_time`."""


def silence_limit(parcel: Parcel) -> float | None:
    """Return the seconds that a batch of any size may go without an iterate before the executor stops it.

    A batch ends by itself at the first iterate after its time is up, so the limit is needed only for an iterate whose
    computation does not end. The time of a whole batch is not a criterion, because it grows with the number of runs. If one step
    of many runs exceeds the limit, the parts into which the batch is then divided need less time.
    """
    wall_time = parcel.batch.rules.stop.wall_time
    return None if wall_time is None else 2 * wall_time + SECONDS_OF_GRACE


def compute_all(executor: Setting, share: Share) -> Generator[Descent]:
    """Compute the batches of this process's share, and yield their results.

    A lost batch is divided and its parts are computed, until the run at fault is a batch of its own. The outcome of this run is
    `timeout` if the executor stopped it for its silence, and `failed` otherwise. If the executor knows the last step of the run,
    the run is computed again up to this step.

    Raises:
        PluginError: the executor fails.
    """
    parts: list[Parcel] = []
    # This process has claimed the parts already. It must not wait for other processes, because these may wait for the parts.
    while parts or share.wait_for_batches():
        work, parts = itertools.chain(parts, share.parcels()), []
        runs: list[Lost[Parcel]] = []
        for descent in dispatch(executor, descend, Descent, work, silence_limit):
            if not isinstance(descent, Lost):
                yield descent
                continue
            batch = descent.item.batch
            if len(batch) > 1:
                size = math.ceil(len(batch) / PARTS)
                rows = range(len(batch))
                parts += [Parcel(batch.only(rows[first : first + size]), descent.item.files) for first in rows[::size]]
            else:
                runs.append(descent)
        yield from _recomputed(executor, runs)


def _recomputed(executor: Setting, runs: Sequence[Lost[Parcel]]) -> Generator[Descent]:
    """Compute lost runs again up to their last steps, and yield them with the reasons for which they were lost."""
    reasons = {lost.item.batch.identities: lost for lost in runs}
    steps = {identities: lost.step for identities, lost in reasons.items() if lost.step is not None}
    again = [lost.item for lost in runs if lost.step is not None]
    for identities in reasons.keys() - steps.keys():
        yield _without_steps(reasons[identities])
    if not again:
        return
    for descent in dispatch(executor, _UpToStep(steps), Descent, again, silence_limit):
        lost = reasons[descent.item.batch.identities if isinstance(descent, Lost) else descent.identities]
        if isinstance(descent, Lost):
            yield _without_steps(lost)
            continue
        (trajectory,) = descent.trajectories
        yield Descent((replace(trajectory, outcome=_outcome(lost), error=lost.reason),), descent.warnings)


@dataclass(frozen=True)
class _UpToStep:
    """The function that computes a run up to its last step.

    Attributes:
        steps: the last step of each run; the key is a tuple with the run's identity.
    """

    steps: Mapping[tuple[str, ...], int]

    def __call__(self, batch: Batch) -> Descent:
        return descend(batch, self.steps[batch.identities])


def _outcome(lost: Lost[Parcel]) -> Outcome:
    return Outcome.TIMEOUT if lost.timed_out else Outcome.FAILED


def _without_steps(lost: Lost[Parcel]) -> Descent:
    """Return the result of a lost run whose steps are not known."""
    trajectory = Trajectory(
        identity=lost.item.batch.identities[0],
        outcome=_outcome(lost),
        error=lost.reason,
        steps=0,
        evaluations=Evaluations(0, 0, 0),
        final_value=math.nan,
        final_gradient_norm=math.nan,
        best_value=math.nan,
        best_step=0,
        seconds=0.0,
        chunks=(),
    )
    return Descent((trajectory,))

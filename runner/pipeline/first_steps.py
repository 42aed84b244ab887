"""The first steps of every combination of plugins, tried before anything is written."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from runner.contracts.executor import Lost
from runner.engine.batch_safety import Rehearsal, rehearse
from runner.engine.dispatch import Parcel, dispatch
from runner.errors import PluginError
from runner.experiment.model import Run
from runner.pipeline.lost_batches import silence_limit
from runner.registry.setting import Setting

Combination = tuple[str, str, str]


def try_first_steps(executor: Setting, parcels: Sequence[Parcel], todo: Mapping[str, Run], known: Collection[Run] = ()) -> None:
    """Refuse the experiment if no run of some combination of plugins can take a step.

    A combination of which a batch is lost is let through: its descent will tell.

    Args:
        executor: where to try.
        parcels: the batches.
        todo: their runs, by identity.
        known: runs that are stored already; their combinations worked once, and are let through.

    Raises:
        PluginError: no run of a combination can take a step, or the executor fails.
    """
    fine = {_combination(run) for run in known}
    problems: dict[Combination, str] = {}
    for rehearsal in dispatch(executor, rehearse, Rehearsal, parcels, silence_limit):
        identities = rehearsal.item.batch.identities if isinstance(rehearsal, Lost) else rehearsal.identities
        combination = _combination(todo[identities[0]])
        if isinstance(rehearsal, Lost) or rehearsal.problem is None:
            fine.add(combination)
        else:
            problems.setdefault(combination, rehearsal.problem)
    faults: dict[str, list[Combination]] = defaultdict(list)
    for combination, problem in problems.items():
        if combination not in fine:
            faults[problem].append(combination)
    if faults:
        counts = Counter(map(_combination, todo.values()))
        raise PluginError("\n".join(_told(problem, places, counts) for problem, places in faults.items()))


def _combination(run: Run) -> Combination:
    return run.objective.name, run.gradient.name, run.optimizer.name


def _told(problem: str, places: Sequence[Combination], counts: Mapping[Combination, int]) -> str:
    """Say one fault once, and of which combinations it is."""
    runs, whose = sum(counts[place] for place in places), "its" if len(places) == 1 else "their"
    axes = [list(dict.fromkeys(names)) for names in zip(*places, strict=True)]
    if math.prod(map(len, axes)) == len(places):
        where = " × ".join(", ".join(names) for names in axes)
    else:
        where = "; ".join(" × ".join(place) for place in places)
    return f"{where}: none of {whose} {runs} runs can take a step: {problem}"

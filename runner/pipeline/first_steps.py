"""The trial of the first steps of every combination of plugins, before anything is written."""

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
"""The names of an objective, a gradient backend and an optimizer."""


def try_first_steps(executor: Setting, parcels: Sequence[Parcel], todo: Mapping[str, Run], known: Collection[Run] = ()) -> None:
    """Refuse the experiment if no run of some combination of plugins can take a step.

    If the executor loses a batch, the combination of this batch is accepted: the computation will show which run is at fault.

    Args:
        executor: the executor that computes the first steps.
        parcels: the batches.
        todo: the runs of the batches, by identity.
        known: runs that are stored already; their combinations have worked before, and are accepted.

    Raises:
        PluginError: no run of a combination can take a step, or the executor fails.
    """
    passed = {_combination(run) for run in known}
    problems: dict[Combination, str] = {}
    for rehearsal in dispatch(executor, rehearse, Rehearsal, parcels, silence_limit):
        identities = rehearsal.item.batch.identities if isinstance(rehearsal, Lost) else rehearsal.identities
        combination = _combination(todo[identities[0]])
        if isinstance(rehearsal, Lost) or rehearsal.problem is None:
            passed.add(combination)
        else:
            problems.setdefault(combination, rehearsal.problem)
    combinations: dict[str, list[Combination]] = defaultdict(list)
    for combination, problem in problems.items():
        if combination not in passed:
            combinations[problem].append(combination)
    if not combinations:
        return
    runs = Counter(map(_combination, todo.values()))
    messages = []
    for problem, refused in combinations.items():
        axes = [list(dict.fromkeys(names)) for names in zip(*refused, strict=True)]
        if math.prod(map(len, axes)) == len(refused):
            where = " × ".join(", ".join(names) for names in axes)
        else:
            where = "; ".join(" × ".join(combination) for combination in refused)
        count = sum(runs[combination] for combination in refused)
        possessive = "its" if len(refused) == 1 else "their"
        messages.append(f"{where}: none of {possessive} {count} runs can take a step: {problem}")
    raise PluginError("\n".join(messages))


def _combination(run: Run) -> Combination:
    return run.objective.name, run.gradient.name, run.optimizer.name

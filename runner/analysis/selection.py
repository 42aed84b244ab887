"""A few runs that stand for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.analysis.summary import LEARNING_RATE
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import BEHAVIOURS


def one_of_each_behaviour(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """Return a run of each behaviour that occurs, in the order crawling, monotone, oscillating, diverging.

    Of the runs that moved alike, those from the first start among them are put in the order of their learning rates, and the
    middle one is taken. Runs without a behaviour are left out.
    """
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.behaviour is not None:
            groups.setdefault(run.behaviour, []).append(run)
    order = sorted(BEHAVIOURS, key=lambda behaviour: str(behaviour) != "crawling")
    return [_middle(groups[behaviour]) for behaviour in order if behaviour in groups]


def _middle(runs: Sequence[StoredRun]) -> StoredRun:
    first = min(run.start for run in runs)
    beside = sorted((run for run in runs if run.start == first), key=_learning_rate)
    return beside[len(beside) // 2]


def _learning_rate(run: StoredRun) -> float:
    value = run.parameters.get(LEARNING_RATE)
    return float(value) if isinstance(value, int | float) else 0.0

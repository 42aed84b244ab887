"""Selection of a few runs that represent all runs."""

from __future__ import annotations

from collections.abc import Iterable

from runner.analysis.summary import LEARNING_RATE
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import BEHAVIOURS


def one_of_each_behaviour(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """Return one run of each behaviour that occurs, in the order crawling, monotone, oscillating, diverging.

    Among the runs with the same behaviour, only those from the lowest start number are considered. They are sorted by learning
    rate, and the middle run is returned. Runs without a behaviour are left out.
    """
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.behaviour is not None:
            groups.setdefault(run.behaviour, []).append(run)
    chosen = []
    for behaviour in sorted(BEHAVIOURS, key=lambda behaviour: str(behaviour) != "crawling"):
        if behaviour in groups:
            first = min(run.start for run in groups[behaviour])
            candidates = sorted((run for run in groups[behaviour] if run.start == first), key=_learning_rate)
            chosen.append(candidates[len(candidates) // 2])
    return chosen


def _learning_rate(run: StoredRun) -> float:
    value = run.parameters.get(LEARNING_RATE)
    return float(value) if isinstance(value, int | float) else 0.0

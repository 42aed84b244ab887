"""The trial of the first step: runs that cannot take it are named before anything is computed. They are computed like others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.contracts.executor import Lost
from runner.engine.batch import batches
from runner.engine.batch_safety import Rehearsal, rehearse
from runner.engine.dispatch import Parcel, dispatch
from runner.experiment.grid import setting_names
from runner.experiment.model import Experiment, Run
from runner.pipeline.lost_batches import silence_limit
from runner.registry.setting import Setting

MOST_RUNS_TRIED = 20
"""The largest number of runs that are tried for one objective, gradient backend and optimizer."""
MOST_SETTINGS_TRIED = 100
"""The largest number of pairs of an objective and a gradient backend that are tried for one combination of plugins."""
MOST_NAMES = 5
"""The largest number of settings that a message names."""

Plugins = tuple[str, str, str]
"""The names of an objective, a gradient backend and an optimizer."""
Group = tuple[Setting, Setting, str]
"""An objective, a gradient backend and the name of an optimizer."""


@dataclass(frozen=True)
class Stuck:
    """Runs of which no run that was tried can take a step.

    Attributes:
        combination: the names of their plugins, with the varied parameters if other settings of the same plugins can take a step.
        problem: the reason, in words.
        runs: the number of runs.
        tried: the number of runs that were tried.
    """

    combination: str
    problem: str
    runs: int
    tried: int

    def __str__(self) -> str:
        """Return a sentence for the user."""
        if self.runs == 1:
            return f"{self.combination}: the only run cannot take a step: {self.problem}"
        if self.tried == self.runs:
            return f"{self.combination}: none of {self.runs:,} runs can take a step: {self.problem}"
        some = f"{self.tried:,} runs that were tried, of {self.runs:,},"
        return f"{self.combination}: none of {some} can take a step: {self.problem}"


def try_first_steps(experiment: Experiment, todo: Sequence[Run], files: tuple[Path, ...]) -> list[Stuck]:
    """Try the first step of some runs of each objective, gradient backend and optimizer, until a run can take it.

    If the executor loses a batch, its runs are left out: the computation will show which run is at fault.

    Args:
        experiment: the experiment.
        todo: the runs that are to be computed.
        files: the plugin files that worker processes load.

    Raises:
        PluginError: the executor fails.
    """
    groups: dict[Group, list[Run]] = defaultdict(list)
    for run in todo:
        groups[run.objective, run.gradient, run.optimizer.name].append(run)
    chosen: dict[Plugins, list[Group]] = defaultdict(list)
    for group in groups:
        chosen[_plugins(group)].append(group)
    tried = {group: _spread(groups[group]) for some in chosen.values() for group in some[:MOST_SETTINGS_TRIED]}
    group_of = {run.identity: group for group, runs in tried.items() for run in runs}
    passed: set[Group] = set()

    def parcels() -> Iterator[Parcel]:
        for group, runs in tried.items():
            for batch, _ in batches(runs, experiment.rules, MOST_RUNS_TRIED):
                if group not in passed:
                    yield Parcel(batch, files)

    problems: dict[Group, str] = {}
    for rehearsal in dispatch(experiment.executor, rehearse, Rehearsal, parcels(), silence_limit):
        identities = rehearsal.item.batch.identities if isinstance(rehearsal, Lost) else rehearsal.identities
        group = group_of[identities[0]]
        if isinstance(rehearsal, Lost) or rehearsal.problem is None:
            passed.add(group)
        else:
            problems.setdefault(group, rehearsal.problem)
    stuck = {group: problem for group, problem in problems.items() if group not in passed}
    return _combined(experiment, groups, tried, stuck) if stuck else []


def _combined(
    experiment: Experiment,
    groups: Mapping[Group, Sequence[Run]],
    tried: Mapping[Group, Sequence[Run]],
    stuck: Mapping[Group, str],
) -> list[Stuck]:
    """Return one item for each problem, with all settings that have it."""
    sound = {_plugins(group) for group in tried if group not in stuck}
    names = setting_names(experiment)
    by_problem: dict[str, dict[Plugins, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group, problem in stuck.items():
        plugins = _plugins(group)
        by_problem[problem][(names[group[0]], names[group[1]], group[2]) if plugins in sound else plugins].append(group)
    untried: dict[Plugins, int] = defaultdict(int)
    for group, runs in groups.items():
        if group not in tried:
            untried[_plugins(group)] += len(runs)
    result = []
    for problem, combinations in by_problem.items():
        axes = [list(dict.fromkeys(axis)) for axis in zip(*combinations, strict=True)]
        if math.prod(map(len, axes)) == len(combinations):
            where = " × ".join(_shortened(axis, ", ") for axis in axes)
        else:
            where = _shortened([" × ".join(combination) for combination in combinations], "; ")
        members = [group for some in combinations.values() for group in some]
        count = sum(len(groups[group]) for group in members)
        # Settings beyond the most that are tried belong to the first problem of their plugins.
        count += sum(untried.pop(combination, 0) for combination in combinations)
        result.append(Stuck(where, problem, count, sum(len(tried[group]) for group in members)))
    return result


def _plugins(group: Group) -> Plugins:
    objective, gradient, optimizer = group
    return objective.name, gradient.name, optimizer


def _spread(runs: Sequence[Run]) -> list[Run]:
    """Return at most `MOST_RUNS_TRIED` of the runs, evenly spread, beginning with the first."""
    stride = -(-len(runs) // MOST_RUNS_TRIED)
    return list(runs[::stride])


def _shortened(texts: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(texts) - MOST_NAMES:,} more" if len(texts) > MOST_NAMES else ""
    return separator.join(texts[:MOST_NAMES]) + more

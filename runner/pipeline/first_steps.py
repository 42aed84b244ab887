"""The trial of the first step: runs that cannot take it are named before anything is computed. They are computed like others."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from runner.contracts.executor import Lost
from runner.engine.batch import batches
from runner.engine.batch_safety import REPEAT, Rehearsal, rehearse
from runner.engine.dispatch import Parcel, dispatch
from runner.experiment.grid import setting_names
from runner.experiment.labels import Scalar, label
from runner.experiment.model import Experiment, Run
from runner.pipeline.lost_batches import silence_limit
from runner.registry.setting import Setting

MOST_RUNS_TRIED = 20
"""The largest number of runs that are tried for one setting."""
MOST_SETTINGS_TRIED = 100
"""The largest number of settings that are tried for one combination of plugins, unless some of them are stuck."""
MOST_SETTINGS_OF_A_FAULTY_PLUGIN = 2_000
"""The largest number of settings that are tried for a combination of plugins if some of its settings are stuck."""
MOST_NAMES = 5
"""The largest number of settings that a message names."""

Item = TypeVar("Item")
Plugins = tuple[str, str, str]
"""The names of an objective, a gradient backend and an optimizer."""
Group = tuple[Setting, Setting, str, str]
"""An objective, a gradient backend, and the name and the structure of an optimizer, which leaves out its float parameters."""


@dataclass(frozen=True)
class Stuck:
    """Runs that cannot take a step; some of them may not have been tried.

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
        some = f"none of the {self.tried:,} runs that were tried (of {self.runs:,})"
        return f"{self.combination}: {some} can take a step: {self.problem}"


@dataclass(frozen=True)
class FirstSteps:
    """The result of trying the first steps.

    Attributes:
        stuck: the runs that cannot take a step.
        unrepeatable: a sentence for each plugin that gave other numbers when the first steps were computed again.
        untried: the number of runs of settings that were not tried, although another setting of their plugins is stuck.
    """

    stuck: tuple[Stuck, ...] = ()
    unrepeatable: tuple[str, ...] = ()
    untried: int = 0

    @property
    def warnings(self) -> list[str]:
        """A sentence for each problem that was found, and for the runs that were not tried."""
        more = f"further settings of these plugins, with {self.untried:,} runs, were not tried"
        return [*map(str, self.stuck), *([more] if self.untried else []), *self.unrepeatable]


def try_first_steps(experiment: Experiment, todo: Sequence[Run], files: tuple[Path, ...]) -> FirstSteps:
    """Try the first step of some runs of each objective, gradient backend and optimizer, until a run can take it.

    After a run has taken its first step, its first steps are computed a second time.

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
        groups[run.objective, run.gradient, run.optimizer.name, run.optimizer.structure].append(run)
    settings: dict[Plugins, list[Group]] = defaultdict(list)
    for group in groups:
        settings[_plugins(group)].append(group)
    tried: dict[Group, Sequence[Run]] = {}
    passed: set[Group] = set()
    problems: dict[Group, str] = {}
    unrepeatable: dict[Group, str] = {}

    def try_groups(some: Iterable[Group]) -> None:
        chosen = {group: _spread(groups[group], MOST_RUNS_TRIED) for group in some if group not in tried}
        tried.update(chosen)
        group_of = {run.identity: group for group, runs in chosen.items() for run in runs}
        parcels = (
            Parcel(batch, files)
            for group, runs in chosen.items()
            for batch, _ in batches(runs, experiment.rules, MOST_RUNS_TRIED)
            if group not in passed
        )
        for rehearsal in dispatch(experiment.executor, rehearse, Rehearsal, parcels, silence_limit):
            identities = rehearsal.item.batch.identities if isinstance(rehearsal, Lost) else rehearsal.identities
            group = group_of[identities[0]]
            if isinstance(rehearsal, Lost) or rehearsal.problem is None:
                passed.add(group)
                if isinstance(rehearsal, Rehearsal) and rehearsal.unrepeatable is not None:
                    unrepeatable.setdefault(group, rehearsal.unrepeatable)
            else:
                problems.setdefault(group, rehearsal.problem)

    try_groups(group for some in settings.values() for group in _spread(some, MOST_SETTINGS_TRIED))
    sound = {_plugins(group) for group in passed}
    mixed = sound & {_plugins(group) for group in problems.keys() - passed}
    if mixed:
        try_groups(group for plugins in mixed for group in settings[plugins][:MOST_SETTINGS_OF_A_FAULTY_PLUGIN])
    stuck = {group: problems[group] for group in groups if group in problems and group not in passed}
    untried: Counter[Plugins] = Counter()
    for group in groups.keys() - tried.keys():
        untried[_plugins(group)] += len(groups[group])
    found = []
    for where, problem, members in _combined(experiment, groups, tried, stuck):
        # Settings beyond the largest number that is tried are assigned to the first problem of their plugins.
        more = sum(untried.pop(plugins, 0) for plugins in dict.fromkeys(map(_plugins, members)) if plugins not in sound)
        count = sum(len(groups[group]) for group in members) + more
        found.append(Stuck(where, problem, count, sum(len(tried[group]) for group in members)))
    others = (f"{where}: {problem}{REPEAT}" for where, problem, _ in _combined(experiment, groups, tried, unrepeatable))
    return FirstSteps(tuple(found), tuple(others), sum(untried[plugins] for plugins in mixed))


def _combined(
    experiment: Experiment, groups: Mapping[Group, Sequence[Run]], tried: Collection[Group], problems: Mapping[Group, str]
) -> Iterator[tuple[str, str, list[Group]]]:
    """Yield for each problem the settings that have it, in words, the problem, and the groups.

    A setting has its varied parameters in brackets if other settings of the same plugins do not have a problem.
    """
    if not problems:
        return
    sound = {_plugins(group) for group in tried if group not in problems}
    names = setting_names(experiment)
    optimizer_names = _optimizer_names(groups)
    by_problem: dict[str, dict[Plugins, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group, problem in problems.items():
        combination = _plugins(group)
        if combination in sound:
            combination = names[group[0]], names[group[1]], optimizer_names[group[3]]
        by_problem[problem][combination].append(group)
    for problem, combinations in by_problem.items():
        axes = [list(dict.fromkeys(axis)) for axis in zip(*combinations, strict=True)]
        if math.prod(map(len, axes)) == len(combinations):
            where = " × ".join(_shortened(axis, ", ") for axis in axes)
        else:
            where = _shortened([" × ".join(combination) for combination in combinations], "; ")
        yield where, problem, [group for some in combinations.values() for group in some]


def _plugins(group: Group) -> Plugins:
    objective, gradient, optimizer, _ = group
    return objective.name, gradient.name, optimizer


def _optimizer_names(groups: Mapping[Group, Sequence[Run]]) -> dict[str, str]:
    """Return a name for each structure of an optimizer, with the parameters in which the structures of its plugin differ."""
    shared: dict[str, tuple[str, Mapping[str, Scalar]]] = {}
    for (_, _, name, structure), runs in groups.items():
        settings = list(dict.fromkeys(run.optimizer for run in runs))
        first = cast(Mapping[str, Scalar], settings[0].parameters)
        same = {key: value for key, value in first.items() if all(each.parameters.get(key) == value for each in settings)}
        shared[structure] = name, same
    settings_of = [
        (
            name,
            {key: value for key, value in same.items() if all(key in each for other, each in shared.values() if other == name)},
        )
        for name, same in shared.values()
    ]
    return dict(zip(shared, label(settings_of, numbers=True).labels, strict=True))


def _spread(items: Sequence[Item], most: int) -> Sequence[Item]:
    """Return at most `most` of the items, evenly spread, beginning with the first."""
    return items[:: -(-len(items) // most)]


def _shortened(texts: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(texts) - MOST_NAMES:,} more" if len(texts) > MOST_NAMES else ""
    return separator.join(texts[:MOST_NAMES]) + more

"""The plan of an experiment: its grid, the runs that are stored, and the runs that remain to be computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from runner.contracts.objective import Minimum, Objective
from runner.contracts.outcomes import Outcome
from runner.engine.trajectories import Trajectory
from runner.errors import ExperimentError
from runner.experiment.grid import expand, setting_names
from runner.experiment.model import Experiment, Run, Skipped
from runner.experiment.reader import read_experiment
from runner.pipeline.known_minima import minimum_of
from runner.registry.catalogue import Catalogue
from runner.registry.setting import Setting, choose_executor
from runner.store.reading.current_runs import StoredState
from runner.store.writing.recording import Store


@dataclass(frozen=True)
class Choices:
    """The user's choices beyond the experiment file.

    Attributes:
        overrides: changes to the file, `path.to.key=value`.
        rerun: True to compute everything again.
        retry_failed: True to compute failed and timed-out runs again.
        fail_fast: True to stop after the first batch with a failed run.
        executor: the name of the executor; None to use the executor in the file.
        jobs: the value of the executor's parameter `jobs`; None to leave it as it is.
    """

    overrides: tuple[str, ...] = ()
    rerun: bool = False
    retry_failed: bool = False
    fail_fast: bool = False
    executor: str | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Plan:
    """The work that running an experiment needs.

    Attributes:
        experiment: the experiment.
        runs: its grid.
        skipped: the grid points that are left out, and the reasons.
        repeated: the number of grid points that are the same as an earlier grid point.
        stored: the state of the grid's runs that are in the database, by identity.
        todo: the runs to compute, in the order of the grid.
        changed: for each plugin whose code has changed, the number of stored runs that are stale for this reason.
        minima: the known minima of the objectives of its runs.
    """

    experiment: Experiment
    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    repeated: int
    stored: Mapping[str, StoredState]
    todo: tuple[Run, ...]
    changed: Mapping[str, int]
    minima: Mapping[Setting, Minimum]


class Observer(Protocol):
    """The receiver of the progress of a plan's execution."""

    def began(self, plan: Plan) -> None:
        """Receive the plan, which has been checked, when computing begins."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """Receive a batch that has been stored in the database."""

    def warned(self, warning: str) -> None:
        """Receive a warning for the user."""

    def stored_elsewhere(self, count: int) -> None:
        """Receive the number of runs of the plan that another process has just stored."""

    def waiting(self, count: int, holder: str) -> None:
        """Receive the number of runs that other processes are computing, when no other runs are left.

        Args:
            count: the number of runs.
            holder: the process that computes most of them.
        """


def read(path: Path, catalogue: Catalogue, choices: Choices) -> Experiment:
    """Read and validate an experiment, and apply the user's choices.

    Raises:
        ExperimentError: the file or a choice is wrong.
    """
    experiment = read_experiment(path, catalogue, choices.overrides)
    return replace(experiment, executor=choose_executor(experiment.executor, catalogue, choices.executor, choices.jobs))


def make_plan(experiment: Experiment, store: Store, choices: Choices) -> Plan:
    """Expand an experiment, and look up its runs in the database. Nothing is written.

    Raises:
        ExperimentError: all grid points are excluded or impossible.
        StoreError: the database cannot be read.
    """
    grid = expand(experiment)
    minima, unusable = _known_minima(grid.runs)
    runs = tuple(run for run in grid.runs if run.objective not in unusable)
    skipped = (*grid.skipped, *_skipped_for_minima(experiment, grid.runs, unusable))
    if not runs:
        reasons = [f"{each.combination}: {each.reason}" for each in skipped]
        raise ExperimentError(str(experiment.path), [f"every grid point is left out: {reason}" for reason in reasons])
    stored = store.find([run.identity for run in runs])
    changed: Counter[str] = Counter()
    todo = []
    for run in runs:
        state = stored.get(run.identity)
        if state is None:
            todo.append(run)
            continue
        settings = (run.objective, run.gradient, run.optimizer)
        stale = [
            f"{setting.kind} {setting.name}"
            for setting, fingerprint in zip(settings, state.fingerprints, strict=True)
            if setting.fingerprint != fingerprint
        ]
        changed.update(stale)
        retried = choices.retry_failed and state.outcome in (Outcome.FAILED, Outcome.TIMEOUT)
        if stale or choices.rerun or retried:
            todo.append(run)
    return Plan(experiment, runs, skipped, grid.repeated, stored, tuple(todo), changed, minima)


def _known_minima(runs: Sequence[Run]) -> tuple[dict[Setting, Minimum], dict[Setting, str]]:
    """Return the known minima of the objectives of some runs, and the reason for each objective whose minimum cannot be used."""
    minima: dict[Setting, Minimum] = {}
    unusable: dict[Setting, str] = {}
    for objective in dict.fromkeys(run.objective for run in runs):
        try:
            minimum = minimum_of(cast(Objective, objective.plugin))
            if minimum is not None:
                minima[objective] = minimum
        except ValueError as error:
            unusable[objective] = f"because its minimum cannot be used: {error}"
    return minima, unusable


def _skipped_for_minima(experiment: Experiment, runs: Sequence[Run], unusable: Mapping[Setting, str]) -> list[Skipped]:
    """Return the grid points of the objectives whose minimum cannot be used."""
    names = setting_names(experiment) if unusable else {}
    counts = Counter(
        (f"{names[run.objective]} × {run.gradient.name} × {run.optimizer.name}", unusable[run.objective])
        for run in runs
        if run.objective in unusable
    )
    return [Skipped(combination, reason, count) for (combination, reason), count in counts.items()]

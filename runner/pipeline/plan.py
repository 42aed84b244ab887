"""The plan of an experiment: its grid, what is stored of it, and what remains to be computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.contracts.outcomes import Outcome
from runner.errors import ExperimentError
from runner.experiment.grid import expand
from runner.experiment.model import Experiment, Run, Skipped
from runner.experiment.reader import read_experiment
from runner.registry.catalogue import Catalogue
from runner.registry.setting import choose_executor
from runner.store.reading.current_runs import StoredState
from runner.store.writing.recording import Store

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Choices:
    """What the user asked for beyond the experiment file.

    Attributes:
        overrides: changes to the file, `path.to.key=value`.
        rerun: compute everything again.
        retry_failed: compute failed and timed-out runs again.
        fail_fast: stop at the first failed run.
        executor: where to compute, instead of where the file says.
        jobs: how much at a time, for an executor with that parameter.
    """

    overrides: tuple[str, ...] = ()
    rerun: bool = False
    retry_failed: bool = False
    fail_fast: bool = False
    executor: str | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Plan:
    """What running an experiment would do.

    Attributes:
        experiment: the experiment.
        runs: its grid.
        skipped: what was left out of the grid, and why.
        repeated: how many grid points were the same as others.
        stored: what the database holds of the grid.
        todo: the runs to compute, in the order of the grid.
        changed: for each plugin whose code changed since, how many stored runs that makes stale.
    """

    experiment: Experiment
    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    repeated: int
    stored: Mapping[str, StoredState]
    todo: tuple[Run, ...]
    changed: Mapping[str, int]


def read(path: Path, catalogue: Catalogue, choices: Choices) -> Experiment:
    """Read and validate an experiment, as the user chose to change it.

    Raises:
        ExperimentError: the file or a choice is wrong.
    """
    experiment = read_experiment(path, catalogue, choices.overrides)
    return replace(experiment, executor=choose_executor(experiment.executor, catalogue, choices.executor, choices.jobs))


def make_plan(experiment: Experiment, store: Store, choices: Choices) -> Plan:
    """Expand an experiment, and ask the database what it holds of it; writes nothing.

    Raises:
        ExperimentError: nothing is left of the grid.
        PluginError: a gradient backend cannot say whether it serves an objective.
        StoreError: the database cannot be read.
    """
    grid = expand(experiment)
    if not grid.runs:
        reasons = [f"{skipped.combination}: {skipped.reason}" for skipped in grid.skipped]
        raise ExperimentError(str(experiment.path), [f"nothing is left of the grid: {reason}" for reason in reasons])
    stored = store.find([run.identity for run in grid.runs])
    changed: Counter[str] = Counter()
    todo = tuple(run for run in grid.runs if _is_due(run, stored.get(run.identity), choices, changed))
    return Plan(experiment, grid.runs, grid.skipped, grid.repeated, stored, todo, changed)


def _is_due(run: Run, state: StoredState | None, choices: Choices, changed: Counter[str]) -> bool:
    if state is None:
        return True
    settings = (run.objective, run.gradient, run.optimizer)
    stale = [
        f"{setting.kind} {setting.name}"
        for setting, fingerprint in zip(settings, state.fingerprints, strict=True)
        if setting.fingerprint != fingerprint
    ]
    changed.update(stale)
    retried = choices.retry_failed and state.outcome in (Outcome.FAILED, Outcome.TIMEOUT)
    return bool(stale) or choices.rerun or retried

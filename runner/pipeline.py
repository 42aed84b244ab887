"""The life of an experiment, wired in one place: read, expand, leave out what is stored, descend, save, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from runner.analysis.curvature import hessian_spectrum
from runner.analysis.summary import settings_table, summarize, summarize_settings, summary_table
from runner.config import read_experiment
from runner.contracts import ComputesHessian, Executor, Figure, GradientBackend, HasMinimum, Lost, Objective, Results
from runner.descent import descend, lost, rehearse
from runner.environment import environment
from runner.errors import Interrupted, PluginError
from runner.evaluation import Evaluator
from runner.experiment import Batch, Descent, Experiment, Landmark, Run, Setting, Skipped, Trajectory
from runner.grid import batches, expand
from runner.offers import Catalogue
from runner.report.page import Table, WrittenReport, write_report
from runner.rowwise import Array
from runner.stopping import Outcome
from runner.store import Store, StoredState

SECONDS_OF_GRACE = 2.0
LARGEST_SPECTRUM = 200
"""The largest dimension in which the eigenvalues of a Hessian are computed for the report."""


class Observer(Protocol):
    """Who is told how a sweep goes."""

    def began(self, plan: Plan) -> None:
        """The plan is made and checked; computing begins."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """A batch is in the database."""

    def warned(self, warning: str) -> None:
        """Something the user should know."""


@dataclass(frozen=True)
class Choices:
    """What the user asked for beyond the experiment file.

    Attributes:
        overrides: changes to the file, `path.to.key=value`.
        rerun: compute everything again.
        retry_failed: compute failed and timed-out runs again.
        fail_fast: stop at the first failed run.
    """

    overrides: tuple[str, ...] = ()
    rerun: bool = False
    retry_failed: bool = False
    fail_fast: bool = False


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


@dataclass
class Finished:
    """What running an experiment did.

    Attributes:
        outcomes: how the runs computed now ended.
        warnings: what the user should know.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


def make_plan(path: Path, store: Store, catalogue: Catalogue, choices: Choices) -> Plan:
    """Read, validate and expand an experiment, and ask the database what it holds of it; writes nothing.

    Raises:
        ExperimentError: the file is wrong, or its grid is empty.
        StoreError: the database cannot be read.
    """
    experiment = read_experiment(path, catalogue, choices.overrides)
    grid = expand(experiment)
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


def execute(plan: Plan, store: Store, catalogue: Catalogue, choices: Choices, observer: Observer) -> Finished:
    """Compute what a plan has to do, and store it batch by batch.

    Raises:
        PluginError: a plugin cannot take a first step anywhere; nothing has been written.
        StoreError: the database cannot be written.
        Interrupted: the user pressed Ctrl-C; what was saved before is kept.
    """
    experiment = plan.experiment
    work = list(batches(plan.todo, experiment.rules, experiment.max_batch))
    _rehearse(experiment, {batch.identities: members for batch, members in work}, [batch for batch, _ in work])
    axes = (*experiment.objectives, *experiment.gradients, *experiment.optimizers)
    distributions = {catalogue.find(setting.kind, setting.name).distribution for setting in axes}
    around = environment(experiment.path.parent, distributions - {""})
    recording = store.begin(experiment, plan.runs, plan.stored, _landmarks(plan), around)
    finished = Finished()
    runs = {run.identity: run for run in plan.todo}
    observer.began(plan)
    try:
        for descent in _descents(experiment, [batch for batch, _ in work]):
            recording.save([runs[t.identity] for t in descent.trajectories], descent.trajectories, plan.stored)
            _note(descent, finished, observer)
            if choices.fail_fast and finished.outcomes[Outcome.FAILED]:
                break
    except KeyboardInterrupt as error:
        stored = len(plan.runs) - len(plan.todo) + finished.outcomes.total()
        raise Interrupted(
            f"interrupted: {stored:,} of {len(plan.runs):,} runs are stored; the same command again computes the rest"
        ) from error
    return finished


def _rehearse(experiment: Experiment, work: Mapping[tuple[str, ...], Sequence[Run]], batched: Sequence[Batch]) -> None:
    """Refuse the experiment if no run of some batch can take a step; a batch that is lost is left to its descent."""
    executor = cast(Executor, experiment.executor.plugin)
    problems: dict[str, None] = {}
    for rehearsal in executor.map(rehearse, batched, _limit):
        if not isinstance(rehearsal, Lost) and rehearsal.problem is not None:
            runs = work[rehearsal.identities]
            names = " × ".join(setting.name for setting in (runs[0].objective, runs[0].gradient, runs[0].optimizer))
            problems[f"{names}: none of its {len(runs)} runs can take a step: {rehearsal.problem}"] = None
    if problems:
        raise PluginError("\n".join(problems))


def _descents(experiment: Experiment, work: Sequence[Batch]) -> Iterator[Descent]:
    """Compute the batches; one that is lost is halved until the run that lost it stands alone, and that run has failed."""
    executor = cast(Executor, experiment.executor.plugin)
    waiting = list(work)
    while waiting:
        halves: list[Batch] = []
        for descent in executor.map(descend, waiting, _limit):
            if not isinstance(descent, Lost):
                yield descent
            elif len(descent.item) == 1:
                yield lost(descent.item, descent.reason, descent.timed_out)
            else:
                middle = len(descent.item) // 2
                halves += [descent.item.only(range(middle)), descent.item.only(range(middle, len(descent.item)))]
        waiting = halves


def _limit(batch: Batch) -> float | None:
    """The seconds after which a batch is stopped from outside: twice what its runs may take, for it stops by itself before."""
    wall_time = batch.rules.stop.wall_time
    return None if wall_time is None else 2 * wall_time * len(batch) + SECONDS_OF_GRACE


def _note(descent: Descent, finished: Finished, observer: Observer) -> None:
    finished.outcomes.update(trajectory.outcome for trajectory in descent.trajectories)
    for warning in descent.warnings:
        finished.warnings.append(warning)
        observer.warned(warning)
    observer.saved(descent.trajectories)


def _landmarks(plan: Plan) -> dict[Setting, Landmark]:
    """Return what the objectives of a grid know of their minima, with the curvature there."""
    marks = {}
    for objective in dict.fromkeys(run.objective for run in plan.runs):
        function = objective.plugin
        if isinstance(function, HasMinimum):
            try:
                minimum = function.minimum
                x = np.array(minimum.x, dtype=np.float64).reshape(-1)
                value = np.asarray(minimum.value, dtype=np.float64).reshape(-1)[0].item()
                marks[objective] = Landmark(value, x, _curvature(cast(Objective, function), x, plan.experiment.gradients))
            except Exception as error:
                raise PluginError(f"objective {objective.name}: its minimum cannot be used: {error}") from error
    return marks


def _curvature(objective: Objective, x: Array, gradients: Sequence[Setting]) -> tuple[float, float] | None:
    if len(x) > LARGEST_SPECTRUM:
        return None
    for setting in gradients:
        backend = cast(GradientBackend, setting.plugin)
        if isinstance(backend, ComputesHessian) and backend.refusal(objective, "hessian") is None:
            return hessian_spectrum(Evaluator(objective, backend, 1).hessian(x[None, :])[0])
    return None


def find_figures(experiment: Experiment, catalogue: Catalogue) -> list[tuple[str, Figure]]:
    """Return the figures of an experiment's report, by name.

    Raises:
        PluginError: there is no such figure, or it cannot be loaded.
    """
    return [(name, cast(Figure, catalogue.find("figure", name).cls())) for name in experiment.figures]


def report(results: Results, figures: Sequence[tuple[str, Figure]], folder: Path, command: str) -> WrittenReport:
    """Write the report of an experiment from the database alone.

    Args:
        results: the experiment, as the database holds it.
        figures: what to draw.
        folder: where to write.
        command: what to type to compute the results again.

    Raises:
        StoreError: the database is damaged.
        ReportError: the folder cannot be written.
    """
    summary = Table(*summary_table(summarize(results.runs)))
    settings = Table(*settings_table(summarize_settings(results.runs)))
    return write_report(folder, results, figures, summary, settings, command)

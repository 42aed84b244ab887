"""Execution of a plan: compute what is missing, and store it batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.contracts.executor import HasWorkers
from runner.contracts.outcomes import Outcome
from runner.engine.batch import batches
from runner.engine.dispatch import Parcel
from runner.engine.environment import environment
from runner.engine.trajectories import Descent, Trajectory
from runner.errors import Interrupted, PluginError
from runner.experiment.model import Experiment
from runner.pipeline.first_steps import try_first_steps
from runner.pipeline.known_minima import landmarks
from runner.pipeline.lost_batches import compute_all
from runner.pipeline.plan import Choices, Plan
from runner.pipeline.work_sharing import Share
from runner.registry.catalogue import Catalogue
from runner.registry.setting import Setting
from runner.store.writing.recording import Store


class Observer(Protocol):
    """Who is told how a sweep goes."""

    def began(self, plan: Plan) -> None:
        """The plan is made and checked; computing begins."""

    def saved(self, trajectories: Sequence[Trajectory]) -> None:
        """A batch is in the database."""

    def warned(self, warning: str) -> None:
        """Something the user should know."""

    def stored_elsewhere(self, count: int) -> None:
        """Another process stored so many of the runs that were to be computed here."""

    def waiting(self, count: int, holder: str) -> None:
        """Nothing is left but runs that others are computing just now, and most of them by that one."""


@dataclass
class Finished:
    """What running an experiment did.

    Attributes:
        experiment: the experiment's row number in the database.
        outcomes: how the runs computed now ended.
        warnings: what the user should know.
    """

    experiment: int
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


def execute(plan: Plan, store: Store, catalogue: Catalogue, choices: Choices, observer: Observer) -> Finished:
    """Compute what a plan has to do, and store it batch by batch.

    Raises:
        PluginError: a plugin cannot take a first step anywhere, and nothing has been written; or the executor fails, and what was
            saved before is kept.
        StoreError: the database cannot be written.
        Interrupted: the user pressed Ctrl-C; what was saved before is kept.
    """
    experiment = plan.experiment
    work = batches(plan.todo, experiment.rules, _largest_batch(experiment, len(plan.todo)))
    axes = (*experiment.objectives, *experiment.gradients, *experiment.optimizers)
    files = _local_files(axes, catalogue)
    parcels = [Parcel(batch, files) for batch, _ in work]
    todo = {run.identity: run for run in plan.todo}
    known = [run for run in plan.runs if run.identity in plan.stored]
    try_first_steps(experiment.executor, parcels, todo, known)
    distributions = {catalogue.find(setting.kind, setting.name).distribution for setting in axes}
    around = environment(experiment.path.parent, distributions - {""})
    store.database.told = observer.warned
    recording = store.begin(experiment, plan.runs, landmarks(plan.runs, experiment.gradients), around)
    finished = Finished(recording.experiment)
    share = Share(recording, parcels, todo, plan.stored, observer)
    observer.began(plan)
    try:
        with closing(recording), closing(compute_all(experiment.executor, share)) as descents:
            for descent in descents:
                share.save(descent)
                _note(descent, finished, observer)
                if choices.fail_fast and finished.outcomes[Outcome.FAILED]:
                    break
    except KeyboardInterrupt as error:
        raise Interrupted(_interruption(plan, store, finished, choices)) from error
    return finished


def _interruption(plan: Plan, store: Store, finished: Finished, choices: Choices) -> str:
    if choices.rerun:
        done = finished.outcomes.total()
        return f"interrupted: {done:,} of {len(plan.todo):,} runs were computed again and stored; the same command begins anew"
    # Asked, and not counted: the interruption may have come between the storing of a batch and its counting.
    stored = len(store.find([run.identity for run in plan.runs]))
    return f"interrupted: {stored:,} of {len(plan.runs):,} runs are stored; the same command again computes the rest"


def _largest_batch(experiment: Experiment, runs: int) -> int:
    """Return how many runs may advance together, such that each of several workers has something to do.

    Not fewer: a step may cost as much for few runs as for many, and cut like this no worker takes more steps than one would
    alone.

    Raises:
        PluginError: the executor cannot say how many workers it has.
    """
    executor = experiment.executor.plugin
    try:
        workers = max(1, int(executor.workers)) if isinstance(executor, HasWorkers) else 1
    except Exception as error:
        name = f"{type(executor).__name__}.workers"
        raise PluginError(f"executor {experiment.executor.name}: {name} raised {type(error).__name__}: {error}") from error
    return max(1, min(experiment.max_batch, -(-runs // workers)))


def _local_files(settings: Iterable[Setting], catalogue: Catalogue) -> tuple[Path, ...]:
    """Return the plugin files, named by the experiment, that these settings come from."""
    files: dict[Path, None] = {}
    for setting in settings:
        offer = catalogue.find(setting.kind, setting.name)
        if not offer.distribution:
            files[Path(offer.source).resolve()] = None
        files |= dict.fromkeys(_local_files(setting.wrapped.values(), catalogue))
    return tuple(files)


def _note(descent: Descent, finished: Finished, observer: Observer) -> None:
    finished.outcomes.update(trajectory.outcome for trajectory in descent.trajectories)
    for warning in descent.warnings:
        if warning not in finished.warnings:
            finished.warnings.append(warning)
            observer.warned(warning)
    observer.saved(descent.trajectories)

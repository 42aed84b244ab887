"""The life of an experiment, wired in one place: read, expand, leave out what is stored, descend, save, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from runner.analysis.learning_rates import CAPTION, rate_sweeps, rates_export, rates_table
from runner.analysis.summary import SUMMARY_CAPTION, settings_table, summarize, summarize_settings, summary_table
from runner.capabilities import Capability
from runner.config import read_experiment
from runner.contracts import Figure, Results
from runner.environment import environment
from runner.errors import ExperimentError, Interrupted, PluginError
from runner.execution import chosen_executor
from runner.experiment import Experiment, Run, Setting, Skipped
from runner.grid import batches, expand
from runner.landmarks import landmarks
from runner.offers import Catalogue
from runner.parcel import Parcel
from runner.recovery import recovered
from runner.rehearsing import try_first_steps
from runner.shares import Share
from runner.stopping import Outcome
from runner.store import Store, StoredState
from runner.trajectories import Descent, Trajectory

if TYPE_CHECKING:
    from runner.report.page import WrittenReport


@runtime_checkable
class HasWorkers(Protocol, metaclass=Capability):
    """An executor that computes several batches at the same time."""

    @property
    def workers(self) -> int:
        """How many."""


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


def read(path: Path, catalogue: Catalogue, choices: Choices) -> Experiment:
    """Read and validate an experiment, as the user chose to change it.

    Raises:
        ExperimentError: the file or a choice is wrong.
    """
    experiment = read_experiment(path, catalogue, choices.overrides)
    return replace(experiment, executor=chosen_executor(experiment.executor, catalogue, choices.executor, choices.jobs))


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
        with closing(recording), closing(recovered(experiment.executor, share)) as descents:
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


def find_figures(experiment: Experiment, catalogue: Catalogue) -> list[tuple[str, Figure]]:
    """Return the figures of an experiment's report, by name.

    Raises:
        ExperimentError: there is no such figure, or it cannot be loaded.
    """
    found, problems = [], []
    for number, name in enumerate(experiment.figures):
        try:
            found.append((name, cast(Figure, catalogue.find("figure", name).cls())))
        except PluginError as error:
            problems.append(f"report.figures[{number}]: {error}")
    if problems:
        raise ExperimentError(str(experiment.path), problems)
    return found


def report(
    results: Results, figures: Sequence[tuple[str, Figure]], folder: Path, command: str, computes: bool = True
) -> WrittenReport:
    """Write the report of an experiment from the database alone.

    Args:
        results: the experiment, as the database holds it.
        figures: what to draw.
        folder: where to write.
        command: what to type to compute the results again, or to draw them again.
        computes: which of the two it does.

    Raises:
        StoreError: the database is damaged.
        ReportError: the folder cannot be written.
    """
    # Matplotlib takes longer to load than a small sweep to compute, and many calls write no report.
    from runner.report.page import Section, Table, write_report

    summary, settings = summary_table(summarize(results.runs)), settings_table(summarize_settings(results.runs))
    sections = [Section("summary", "Summary", SUMMARY_CAPTION, Table(*summary), Table(*settings))]
    if sweeps := rate_sweeps(results):
        sections.append(Section("rates", "Learning rates", CAPTION, Table(*rates_table(sweeps)), Table(*rates_export(sweeps))))
    return write_report(folder, results, figures, sections, command, computes)

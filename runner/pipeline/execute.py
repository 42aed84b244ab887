"""The execution of a plan: compute the missing runs, and store them batch by batch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.contracts.executor import HasWorkers
from runner.contracts.outcomes import Outcome
from runner.contracts.reached import Reached, place_reached
from runner.engine.batch import batches
from runner.engine.dispatch import Parcel
from runner.engine.environment import environment
from runner.engine.trajectories import Trajectory
from runner.errors import Interrupted, PluginError, describe
from runner.experiment.grid import setting_names
from runner.experiment.model import Experiment, Landmark, Run
from runner.pipeline.first_steps import FirstSteps, try_first_steps
from runner.pipeline.known_minima import landmarks
from runner.pipeline.lost_batches import compute_all
from runner.pipeline.plan import Choices, Observer, Plan
from runner.pipeline.work_sharing import Share
from runner.registry.catalogue import Catalogue, Offer
from runner.registry.setting import Setting
from runner.store.writing.recording import Store

MOST_LINES = 20
"""The largest number of warnings of one kind that are printed."""


@dataclass
class ExecutionResult:
    """The result of executing a plan.

    Attributes:
        experiment: the row number of the experiment in the database.
        outcomes: the number of computed runs by outcome.
        warnings: warnings for the user, each once.
    """

    experiment: int
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


def execute(plan: Plan, store: Store, catalogue: Catalogue, choices: Choices, observer: Observer) -> ExecutionResult:
    """Compute the runs that a plan lists, and store them batch by batch.

    Runs that fail are stored with their reasons, even if all runs fail.

    Raises:
        PluginError: the executor fails; all batches that were saved before are kept.
        StoreError: the database cannot be written.
        Interrupted: the user pressed Ctrl-C; all batches that were saved before are kept.
    """
    experiment = plan.experiment
    offers = _offers(experiment, catalogue)
    files = _plugin_files(offers)
    size = _largest_batch(experiment, len(plan.todo))
    parcels = [Parcel(batch, files) for batch, _ in batches(plan.todo, experiment.rules, size)]

    todo = {run.identity: run for run in plan.todo}
    marks, warnings = landmarks(plan.minima, experiment.gradients)
    warnings += some_of(try_first_steps(experiment, plan.todo, files).warnings)
    for warning in warnings:
        observer.warned(warning)

    distributions = {offers[setting].distribution for axis in experiment.axes.values() for setting in axis} - {""}
    here = environment(experiment.path.parent, distributions)
    store.database.report_wait = observer.warned
    recording = store.begin(experiment, plan.runs, marks, here)
    finished = ExecutionResult(recording.experiment, warnings=warnings)
    doubtful: dict[tuple[Setting, Setting], list[Trajectory]] = defaultdict(list)
    share = Share(recording, parcels, todo, plan.stored, observer)
    observer.began(plan)
    disproved: set[Setting] = set()
    try:
        with closing(recording), closing(compute_all(experiment.executor, share)) as descents:
            for descent in descents:
                share.save(descent)
                finished.outcomes.update(trajectory.outcome for trajectory in descent.trajectories)
                for warning in descent.warnings:
                    plugin, unrepeatable, _ = warning.partition(" is not reproducible")
                    known = warning if not unrepeatable else f"{plugin}{unrepeatable}"
                    if not any(known in each for each in finished.warnings):
                        finished.warnings.append(warning)
                        observer.warned(warning)
                for warning in _wrong_minima(todo, marks, experiment, descent.trajectories, disproved):
                    finished.warnings.append(warning)
                    observer.warned(warning)
                observer.saved(descent.trajectories)
                for trajectory in descent.trajectories:
                    if trajectory.remark:
                        run = todo[trajectory.identity]
                        doubtful[run.objective, run.gradient].append(trajectory)
                if choices.fail_fast and finished.outcomes[Outcome.FAILED]:
                    break
    except KeyboardInterrupt as error:
        if choices.rerun:
            done = f"{finished.outcomes.total():,} of {len(plan.todo):,} runs were computed again and stored"
            raise Interrupted(f"interrupted: {done}; the same command computes all runs again") from error
        # The number comes from the database, because a batch may have been stored and not yet counted.
        stored = len(store.find([run.identity for run in plan.runs]))
        done = f"{stored:,} of {len(plan.runs):,} runs are stored"
        raise Interrupted(f"interrupted: {done}; the same command again computes the rest") from error
    for warning in some_of(list(_remarks(experiment, todo, doubtful, "\n".join(finished.warnings)))):
        finished.warnings.append(warning)
        observer.warned(warning)
    return finished


def _remarks(
    experiment: Experiment, todo: Mapping[str, Run], doubtful: Mapping[tuple[Setting, Setting], Sequence[Trajectory]], said: str
) -> Iterator[str]:
    """For each objective and gradient backend, yield a sentence with the number of runs that carry a remark and the first remark.

    Args:
        experiment: the experiment.
        todo: the runs that were computed, by identity.
        doubtful: the runs that carry a remark, by objective and gradient backend.
        said: the earlier warnings. They may contain a remark as the reason why no run of a setting can take a step.
    """
    names = setting_names(experiment) if doubtful else {}
    for (objective, gradient), trajectories in doubtful.items():
        first = trajectories[0]
        if first.remark.removeprefix("at step 0, ") in said:
            continue
        total = sum(run.objective == objective and run.gradient == gradient for run in todo.values())
        where = "the only run" if total == 1 else f"{len(trajectories):,} of {total:,} runs"
        setting = f"{names[objective]} × {names[gradient]} × {names[todo[first.identity].optimizer]}"
        yield f"derivatives are doubtful in {where} of {names[objective]} × {names[gradient]}; {setting}, {first.remark}"


def trial(plan: Plan, catalogue: Catalogue) -> FirstSteps:
    """Try the first steps of the runs that a plan lists; nothing is written.

    Raises:
        PluginError: the executor fails.
    """
    return try_first_steps(plan.experiment, plan.todo, _plugin_files(_offers(plan.experiment, catalogue)))


def _wrong_minima(
    todo: Mapping[str, Run],
    marks: Mapping[Setting, Landmark],
    experiment: Experiment,
    trajectories: Sequence[Trajectory],
    disproved: set[Setting],
) -> Iterator[str]:
    """Yield a warning for each objective whose stated minimum lies above a value that a run found.

    Args:
        todo: the runs, by identity.
        marks: the stated minima.
        experiment: the experiment, which states the target.
        trajectories: the results of a batch.
        disproved: the objectives about which a warning was given before; the new ones are added.
    """
    names: Mapping[Any, str] = {}
    target = experiment.rules.stop.gap if experiment.target is None else experiment.target
    for trajectory in trajectories:
        run = todo[trajectory.identity]
        mark = marks.get(run.objective)
        if mark is None or not trajectory.best_value < mark.value or run.objective in disproved:
            continue
        place = trajectory.resting_place
        facts = (None, None, None, None) if place is None else (place.at_rest, None, place.value_error, None)
        if place_reached(trajectory.final_value, trajectory.best_value, mark.value, target, *facts) == Reached.BELOW:
            disproved.add(run.objective)
            names = names or setting_names(experiment)
            yield (
                f"objective {names[run.objective]}: the stated minimum {mark.value!r} is wrong: a run with "
                f"{names[run.optimizer]} from start {run.start.number} found f = {trajectory.best_value!r} at step "
                f"{trajectory.best_step:,}; correct the minimum, because the column `reached` is `below` for such runs"
            )


def some_of(lines: Sequence[str]) -> list[str]:
    """Return lines for the terminal: all lines, or the first few and a line with the number of the others."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more:,} more like this"] if more > 1 else list(lines)


def _offers(experiment: Experiment, catalogue: Catalogue) -> dict[Setting, Offer]:
    """Return the plugin of each setting of an experiment."""
    settings = _with_wrapped(setting for axis in experiment.axes.values() for setting in axis)
    return {setting: catalogue.find(setting.kind, setting.name) for setting in list(settings)}


def _plugin_files(offers: Mapping[Setting, Offer]) -> tuple[Path, ...]:
    """Return the plugin files that other processes load."""
    return tuple({Path(offer.source).resolve(): None for offer in offers.values() if not offer.distribution})


def _with_wrapped(settings: Iterable[Setting]) -> Iterator[Setting]:
    """Yield settings, each followed by the settings of its wrapped plugins."""
    for setting in settings:
        yield setting
        yield from _with_wrapped(setting.wrapped.values())


def _largest_batch(experiment: Experiment, runs: int) -> int:
    """Return the largest number of runs that may advance together, such that each of several workers has a batch.

    Smaller batches would take longer, because a step may take as long for few runs as for many. With batches of this size, no
    worker takes more steps than a single worker would.

    Raises:
        PluginError: the executor cannot say how many workers it has.
    """
    executor = experiment.executor.plugin
    try:
        workers = max(1, int(executor.workers)) if isinstance(executor, HasWorkers) else 1
    except Exception as error:
        name = f"{type(executor).__name__}.workers"
        raise PluginError(f"executor {experiment.executor.name}: {name} raised {describe(error)}") from error
    return max(1, min(experiment.max_batch, -(-runs // workers)))

"""Replay: stored runs are computed again, to check that the results still have the same bits."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from runner.contracts.figure import Series
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.outcomes import Outcome
from runner.engine.batch import Batch
from runner.engine.batch_safety import find_unrepeatable
from runner.engine.environment import environment
from runner.engine.loop import descend
from runner.engine.trajectories import Trajectory
from runner.errors import PluginError
from runner.experiment.model import Rules, StoppingRules
from runner.registry.catalogue import Catalogue
from runner.registry.setting import Setting, restore_setting
from runner.store.connection import Database
from runner.store.reading.one_run import read_run, runs_without_outcomes
from runner.store.reading.run_record import RunRecord, SettingRecord
from runner.store.reading.steps_table import SERIES
from runner.store.reading.trajectories import assembled, read_series

Verdict = Literal["same", "different", "not reproducible", "other circumstances", "impossible"]
Axis = Literal["objective", "gradient", "optimizer"]
AXES: tuple[Axis, ...] = ("objective", "gradient", "optimizer")
REPETITIONS = 2
"""The number of times that a run with different bits is computed once more, to find out if it is reproducible."""
UNIMPORTANT = ("sqlalchemy",)
"""Packages of the stored environment that cannot change the numbers of a run."""


@dataclass(frozen=True)
class Replay:
    """The result of computing a stored run again.

    Attributes:
        run: the run's row number.
        verdict: `same` if all bits agree; `not reproducible` if they do not, and two computations here do not agree either;
            `different` if only the stored bits differ, although code and environment are unchanged; `other circumstances` if code
            or environment has changed; `impossible` if the run cannot be computed here.
        words: the first difference and the changed circumstances, or the reason why the run cannot be computed; empty if the
            verdict is `same`.
    """

    run: int
    verdict: Verdict
    words: str


def replay(database: Database, catalogue: Catalogue, count: int, seed: int | None) -> Iterator[Replay]:
    """Compute randomly chosen runs again, and yield the result for each.

    Superseded runs, failed runs and runs that reached their time limit are left out.

    Args:
        database: the database that holds the runs.
        catalogue: the plugins to compute with.
        count: the number of runs to compute, or all if fewer are stored.
        seed: the seed of the random choice; if None, each call makes another choice.

    Raises:
        StoreError: the database cannot be read, or a trajectory is damaged.
    """
    candidates = runs_without_outcomes(database, (Outcome.FAILED, Outcome.TIMEOUT))
    chosen = random.Random(seed).sample(candidates, min(count, len(candidates)))
    for run_id in sorted(chosen):
        yield _replay_one(read_run(database, run_id), database, catalogue)


def _replay_one(record: RunRecord, database: Database, catalogue: Catalogue) -> Replay:
    try:
        settings = {axis: _restored(axis, cast(SettingRecord, getattr(record, axis)), catalogue) for axis in AXES}
        rules = _rules(record.rules.canonical)
    except PluginError as error:
        return Replay(record.id, "impossible", str(error))
    batch = Batch(
        (record.identity,),
        cast(Objective, settings["objective"].plugin),
        cast(GradientBackend, settings["gradient"].plugin),
        cast(Optimizer, settings["optimizer"].plugin),
        np.array([record.start]),
        rules,
    )
    ((_, stored),) = read_series(database, [record])
    computed, trajectory = _computed(batch, record)
    if trajectory.outcome == Outcome.TIMEOUT:
        wall_time = f"wall_time = {rules.stop.wall_time:g}"
        return Replay(record.id, "impossible", f"the rule {wall_time} ends it at step {trajectory.steps:,} here")
    step = _first_difference(stored, computed)
    if step is not None:
        difference = f"has different bits from step {step} on"
    elif trajectory.outcome != record.outcome:
        difference = f"ended as {record.outcome}, and ends as {trajectory.outcome} now"
    else:
        return Replay(record.id, "same", "")
    for _ in range(REPETITIONS):
        again, other = _computed(batch, record)
        step = _first_difference(computed, again)
        if step is not None or other.outcome != trajectory.outcome:
            where = f"differ from step {step} on" if step is not None else "end differently"
            cause = find_unrepeatable(batch, rules.stop.max_steps)
            words = f"{difference}; two computations of it here {where} too{f': {cause}' if cause else ''}"
            return Replay(record.id, "not reproducible", words)
    changes = _changed_circumstances(record, settings)
    if not changes:
        return Replay(record.id, "different", difference)
    return Replay(record.id, "other circumstances", f"{difference}; {', '.join(changes)}")


def _computed(batch: Batch, record: RunRecord) -> tuple[Series, Trajectory]:
    (trajectory,) = descend(batch).trajectories
    pieces = [np.frombuffer(chunk.data, ">f8").reshape(-1, chunk.count) for chunk in trajectory.chunks]
    return assembled(pieces, record), trajectory


def _restored(axis: Axis, record: SettingRecord, catalogue: Catalogue) -> Setting:
    # The paths of files are among the texts. The canonical text holds only hashes of the files.
    texts = [value for value in record.parameters.values() if isinstance(value, str)]
    return restore_setting(axis, record.canonical, catalogue, texts)


def _rules(canonical: str) -> Rules:
    """Restore the stopping and recording rules from their canonical JSON.

    Raises:
        PluginError: the rules were written by another version of this package, and this version does not know them.
    """
    stored = json.loads(canonical)
    known = {field.name for field in fields(StoppingRules)}
    stop: dict[str, Any] = {
        key: float.fromhex(value) if isinstance(value, str) else value for key, value in stored["stop"].items()
    }
    if not stop.keys() <= known:
        raise PluginError(f"its stopping rules are of another version: {', '.join(sorted(stop.keys() - known))}")
    rules = Rules(StoppingRules(**stop), stored["record"]["x"], stored["record"].get("gradient", False))
    if rules.canonical != canonical:
        raise PluginError("its stopping rules are of another version")
    return rules


def _first_difference(stored: Series, computed: Series) -> int | None:
    """Return the first step at which two trajectories have different bits; None if they agree."""
    steps = []
    for name in SERIES:
        one, other = getattr(stored, name), getattr(computed, name)
        if one is None or other is None:
            continue
        length = min(len(one), len(other))
        if length:
            bits = [np.ascontiguousarray(series[:length]).view(np.uint64).reshape(length, -1) for series in (one, other)]
            steps += np.flatnonzero((bits[0] != bits[1]).any(axis=1))[:1].tolist()
        if len(one) != len(other):
            steps.append(length)
    return min(steps, default=None)


def _changed_circumstances(record: RunRecord, settings: Mapping[Axis, Setting]) -> list[str]:
    """Return a phrase for each part of the code and of the environment that has changed since a run was computed."""
    changed = [
        f"the code of {axis} {setting.name} has changed since"
        for axis, setting in settings.items()
        if setting.fingerprint != getattr(record, axis).fingerprint
    ]
    packages = cast(Mapping[str, str], record.environment["packages"])
    here = environment(Path(), packages)
    now: dict[str, object] = {"python": here.python, "platform": here.platform, "cpu": here.cpu}
    then: dict[str, object] = {name: record.environment[name] for name in now}
    important: Sequence[str] = [name for name in packages if name not in UNIMPORTANT]
    now |= {name: here.packages.get(name, "not installed") for name in important}
    then |= {name: packages[name] for name in important}
    return changed + [f"computed with {name} {then[name]}, here {now[name]}" for name in now if now[name] != then[name]]

"""Computing stored runs again, to see whether they still have the same bits."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast
import numpy as np
from runner.engine.batch import Batch
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.figure import Series
from runner.engine.loop import descend
from runner.engine.environment import environment
from runner.errors import PluginError
from runner.experiment.model import Rules
from runner.registry.setting import Setting
from runner.registry.catalogue import Catalogue
from runner.contracts.outcomes import Outcome
from runner.store.reading.run_record import RunRecord, SettingRecord
from runner.registry.setting import restore_setting
from runner.experiment.model import StoppingRules
from runner.store.connection import Database
from runner.store.reading.one_run import read_run, replayable
from runner.store.reading.trajectories import assembled, read_series


Verdict = Literal["same", "different", "other circumstances", "impossible"]
Axis = Literal["objective", "gradient", "optimizer"]
AXES: tuple[Axis, ...] = ("objective", "gradient", "optimizer")
UNIMPORTANT = ("sqlalchemy",)
"""Packages that have no part in the numbers."""


@dataclass(frozen=True)
class Replay:
    """What came of computing a run again.

    Attributes:
        run: its row number.
        verdict: `same` bits; `different` ones though code and environment are the same; different ones under
            `other circumstances`; or `impossible` to compute here.
        words: what differs, or why; empty where nothing does.
    """

    run: int
    verdict: Verdict
    words: str


def replay(database: Database, catalogue: Catalogue, count: int, seed: int | None) -> Iterator[Replay]:
    """Compute runs again that are chosen at random among those that ended by themselves.

    Args:
        database: where they are.
        catalogue: where their plugins are looked up.
        count: how many, at most.
        seed: of the choice; another choice each time if None.

    Raises:
        StoreError: the database cannot be read, or a trajectory is damaged.
    """
    candidates = replayable(database, (Outcome.FAILED, Outcome.TIMEOUT))
    chosen = random.Random(seed).sample(candidates, min(count, len(candidates)))
    for run_id in sorted(chosen):
        yield _replay(read_run(database, run_id), database, catalogue)


def _replay(record: RunRecord, database: Database, catalogue: Catalogue) -> Replay:
    try:
        settings = {kind: _made(kind, cast(SettingRecord, getattr(record, kind)), catalogue) for kind in AXES}
        rules = _rules(record.rules.canonical)
    except PluginError as error:
        return Replay(record.id, "impossible", str(error))
    ((_, stored),) = read_series(database, [record])
    computed, outcome = _computed(record, settings, rules)
    words = _difference(record, stored, computed, outcome)
    if words is None:
        return Replay(record.id, "same", "")
    circumstances = _circumstances(record, settings)
    if not circumstances:
        return Replay(record.id, "different", words)
    return Replay(record.id, "other circumstances", f"{words}; {', '.join(circumstances)}")


def _made(kind: Axis, record: SettingRecord, catalogue: Catalogue) -> Setting:
    texts = [value for value in record.parameters.values() if isinstance(value, str)]
    return restore_setting(kind, record.canonical, catalogue, texts)


def _rules(canonical: str) -> Rules:
    """Make the rules again from their canonical JSON.

    Raises:
        PluginError: they are of another version.
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


def _computed(record: RunRecord, settings: Mapping[Axis, Setting], rules: Rules) -> tuple[Series, str]:
    plugins = [settings[kind].plugin for kind in AXES]
    batch = Batch(
        (record.identity,),
        cast(Objective, plugins[0]),
        cast(GradientBackend, plugins[1]),
        cast(Optimizer, plugins[2]),
        np.array([record.start]),
        rules,
    )
    (trajectory,) = descend(batch).trajectories
    pieces = [np.frombuffer(chunk.data, ">f8").reshape(-1, chunk.count) for chunk in trajectory.chunks]
    return assembled(pieces, record), trajectory.outcome


def _difference(record: RunRecord, stored: Series, computed: Series, outcome: str) -> str | None:
    """Say in what two computations differ first, if they do."""
    names = ("value", "gradient_norm", "x", "gradient")
    steps = [_first_difference(getattr(stored, name), getattr(computed, name)) for name in names]
    found = [step for step in steps if step is not None]
    if found:
        return f"has other bits from step {min(found)} on"
    return None if outcome == record.outcome else f"ended as {record.outcome}, and ends as {outcome} now"


def _first_difference(stored: Any, computed: Any) -> int | None:
    """Return the first step at which two series have other bits; None if they are the same."""
    if stored is None or computed is None:
        return None
    length = min(len(stored), len(computed))
    if length == 0:
        return None if len(stored) == len(computed) else 0
    bits = [np.ascontiguousarray(series[:length]).view(np.uint64).reshape(length, -1) for series in (stored, computed)]
    differing = np.flatnonzero((bits[0] != bits[1]).any(axis=1))
    if differing.size:
        return int(differing[0])
    return None if len(stored) == len(computed) else length


def _circumstances(record: RunRecord, settings: Mapping[Axis, Setting]) -> list[str]:
    """Say what is not as it was when a run was computed."""
    changed = [
        f"the code of {kind} {setting.name} has changed since"
        for kind, setting in settings.items()
        if setting.fingerprint != getattr(record, kind).fingerprint
    ]
    packages = cast(Mapping[str, str], record.environment["packages"])
    here = environment(Path(), packages)
    now: dict[str, object] = {"python": here.python, "platform": here.platform, "cpu": here.cpu}
    then: dict[str, object] = {name: record.environment[name] for name in now}
    important: Sequence[str] = [name for name in packages if name not in UNIMPORTANT]
    now |= {name: here.packages.get(name, "not installed") for name in important}
    then |= {name: packages[name] for name in important}
    return changed + [f"computed with {name} {then[name]}, here {now[name]}" for name in now if now[name] != then[name]]

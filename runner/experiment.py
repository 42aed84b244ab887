"""What one experiment file becomes: an Experiment, its Runs, and the Trajectories they leave.

Everything here is frozen and says nothing of how it is computed or stored.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from runner.behaviour import Behaviour
from runner.contracts import GradientBackend, Kind, Objective, Optimizer, Plugin
from runner.parameters import ParameterValue, parameters_of
from runner.rowwise import Array
from runner.stopping import Outcome, StoppingRules

PluginT = TypeVar("PluginT", bound=Plugin)

IDENTITY_VERSION = "runner/1"
"""Part of every run's identity: raised when the engine itself would compute other numbers from the same settings."""

CHUNK_STEPS = 1020
"""No power of two: the runs' chunks lie one after another while they fill, and would share the same few cache lines."""
CHUNK_BYTES = 2**18


def canonical(value: object) -> str:
    """Return JSON text that is the same for the same value: keys sorted, floats as `float.hex()`, files by their content.

    Raises:
        OSError: a file cannot be read.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Path):
        return {"sha256": hashlib.sha256(value.read_bytes()).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, eq=False)
class Setting:
    """One plugin with one value for each of its parameters.

    Attributes:
        kind: which of the grid's axes it stands on.
        name: the plugin's name.
        plugin: the plugin itself, made with these parameters.
        parameters: every parameter, defaults included.
        canonical: JSON of name and parameters; part of a run's identity.
        structure: the same without the float parameters in which the runs of one batch may differ.
        fingerprint: of the plugin's code.
        wrapped: the settings of the plugins that it wraps, by the parameter that holds them.
    """

    kind: Kind
    name: str
    plugin: Plugin
    parameters: Mapping[str, ParameterValue]
    canonical: str
    structure: str
    fingerprint: str
    wrapped: Mapping[str, Setting]

    @classmethod
    def of(cls, kind: Kind, name: str, plugin: Plugin, fingerprint: str, wrapped: Mapping[str, Setting] | None = None) -> Setting:
        """Describe a plugin made with plain numbers.

        The parameters of a plugin that it wraps count as its own, with the wrapped plugin's name under the parameter that holds
        it; where both have a parameter of one name, the wrapped one's has the holder's name and a dot before it.

        Raises:
            OSError: a file that a parameter names cannot be read.
        """
        inner = wrapped or {}
        known = parameters_of(type(plugin))
        own = {key: cast(ParameterValue, getattr(plugin, key)) for key in known if key not in inner}
        fixed = {key: value for key, value in own.items() if not (known[key].batched and isinstance(value, float))}
        parameters = {**own, **{key: setting.name for key, setting in inner.items()}}
        for key, setting in inner.items():
            for name_inside, value in setting.parameters.items():
                parameters[f"{key}.{name_inside}" if name_inside in parameters else name_inside] = value
        whole = {key: json.loads(setting.canonical) for key, setting in inner.items()}
        shape = {key: json.loads(setting.structure) for key, setting in inner.items()}
        return cls(
            kind,
            name,
            plugin,
            parameters,
            canonical({"name": name, "parameters": {**own, **whole}}),
            canonical({"name": name, "parameters": {**fixed, **shape}}),
            _joined_fingerprint([fingerprint, *(setting.fingerprint for setting in inner.values())]),
            inner,
        )


def _joined_fingerprint(fingerprints: Sequence[str]) -> str:
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Start:
    """A starting point.

    Attributes:
        number: its place among the experiment's starts, from 0.
        x: the coordinates, `(dimension,)`.
        canonical: JSON of the coordinates; part of a run's identity.
    """

    number: int
    x: Array
    canonical: str


@dataclass(frozen=True)
class Rules:
    """What holds for every run of an experiment: when to stop, and what to record.

    Attributes:
        stop: the stopping rules.
        record_x: whether the iterates are recorded beside f and ‖∇f‖.
        record_gradient: whether the gradients are recorded too, component by component.
    """

    stop: StoppingRules
    record_x: bool
    record_gradient: bool = False

    @property
    def canonical(self) -> str:
        """JSON of the rules; part of a run's identity."""
        # Named only where it is on: runs without it keep the identity that they had before there was such a choice.
        gradient = {"gradient": True} if self.record_gradient else {}
        return canonical({"stop": asdict(self.stop), "record": {"x": self.record_x, **gradient}})

    def series(self, dimension: int) -> int:
        """How many numbers are recorded at each iterate."""
        return 2 + dimension * (self.record_x + self.record_gradient)


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """One grid point.

    Attributes:
        identity: SHA-256 over everything that decides its numbers, in hexadecimal.
        objective: the objective.
        gradient: the gradient backend.
        optimizer: the optimizer.
        start: the starting point.
    """

    identity: str
    objective: Setting
    gradient: Setting
    optimizer: Setting
    start: Start


def identities(rules: Rules, cells: Sequence[tuple[Setting, Setting, Setting, Start]]) -> list[str]:
    """Return the identity of each grid point."""
    text = rules.canonical
    return [
        identity(objective.canonical, gradient.canonical, optimizer.canonical, text, start.canonical)
        for objective, gradient, optimizer, start in cells
    ]


def identity(objective: str, gradient: str, optimizer: str, rules: str, start: str) -> str:
    """Return SHA-256 of the canonical JSON of all that decides a run's numbers, from the canonical JSON of its parts.

    The text is put together in the order of the sorted keys, so it is the canonical JSON of the whole.
    """
    return hashlib.sha256(
        f'{{"gradient":{gradient},"objective":{objective},"optimizer":{optimizer},"rules":{rules},"start":{start},'
        f'"version":"{IDENTITY_VERSION}"}}'.encode()
    ).hexdigest()


@dataclass(frozen=True)
class Skipped:
    """Grid points that were left out.

    Attributes:
        combination: which, in words.
        reason: why, in words.
        runs: how many.
    """

    combination: str
    reason: str
    runs: int


@dataclass(frozen=True)
class Exclusion:
    """One `[[exclude]]` table: drops the combinations that match all of its conditions.

    Attributes:
        conditions: by kind, the allowed plugin name under `name`, and allowed parameter values under their names.
    """

    conditions: Mapping[Kind, Mapping[str, tuple[Any, ...]]]

    def matches(self, settings: Mapping[Kind, Setting]) -> bool:
        """Whether every condition holds for a combination."""
        return all(
            (settings[kind].name if key == "name" else settings[kind].parameters.get(key)) in values
            for kind, conditions in self.conditions.items()
            for key, values in conditions.items()
        )


@dataclass(frozen=True)
class Experiment:
    """One experiment file, validated whole.

    Attributes:
        path: the file.
        name: what its results are called.
        description: what it says of itself.
        source: the text of the file, with any overrides named after it.
        objectives: the first axis of the grid.
        gradients: the second.
        optimizers: the third.
        starts: the fourth, for each of the objectives.
        rules: stopping and recording.
        exclude: combinations that the file drops.
        executor: where batches are computed.
        figures: names of the figures in the report.
        max_batch: the most runs that advance together.
    """

    path: Path
    name: str
    description: str
    source: str
    objectives: tuple[Setting, ...]
    gradients: tuple[Setting, ...]
    optimizers: tuple[Setting, ...]
    starts: tuple[tuple[Start, ...], ...]
    rules: Rules
    exclude: tuple[Exclusion, ...]
    executor: Setting
    figures: tuple[str, ...]
    max_batch: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Runs that differ only in numbers, and so advance together.

    Attributes:
        identities: of the runs, in order.
        objective: made with columns `(runs, 1)` where the runs differ.
        gradient: likewise.
        optimizer: likewise.
        start: the starting points, `(runs, dimension)`.
        rules: stopping and recording.
    """

    identities: tuple[str, ...]
    objective: Objective
    gradient: GradientBackend
    optimizer: Optimizer
    start: Array
    rules: Rules

    def __len__(self) -> int:
        return len(self.identities)

    def only(self, rows: Sequence[int]) -> Batch:
        """Return the batch of some of its runs, by their numbers."""
        index = np.asarray(rows)
        plugins = (self.objective, self.gradient, self.optimizer)
        objective, gradient, optimizer = (
            take_row(plugin, rows[0]) if len(rows) == 1 else take_rows(plugin, index) for plugin in plugins
        )
        identities = tuple(self.identities[row] for row in rows)
        return Batch(
            identities,
            cast(Objective, objective),
            cast(GradientBackend, gradient),
            cast(Optimizer, optimizer),
            self.start[index],
            self.rules,
        )


def take_rows(plugin: PluginT, rows: NDArray[Any]) -> PluginT:
    """Return the plugin for some of the runs: its columns cut to `rows` (numbers or a mask), everything else as it is."""
    changed: dict[str, Any] = {}
    for field in fields(cast(Any, plugin)):
        value = getattr(plugin, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value[rows]
        elif isinstance(value, Plugin) and (kept := take_rows(value, rows)) is not value:
            changed[field.name] = kept
    return with_columns(plugin, changed) if changed else plugin


def with_columns(plugin: PluginT, changed: Mapping[str, Any]) -> PluginT:
    """Return a copy of a plugin with other values in some fields, and without its constructor, which may know of numbers only."""
    copy = object.__new__(type(plugin))
    for field in fields(cast(Any, plugin)):
        object.__setattr__(copy, field.name, changed.get(field.name, getattr(plugin, field.name)))
    return copy


def take_row(plugin: PluginT, row: int) -> PluginT:
    """Return the plugin for one of the runs alone: made with numbers, as if there had been no others."""
    changed: dict[str, Any] = {}
    for field in fields(cast(Any, plugin)):
        value = getattr(plugin, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value[row].item()
        elif isinstance(value, Plugin) and (alone := take_row(value, row)) is not value:
            changed[field.name] = alone
    return cast(PluginT, replace(cast(Any, plugin), **changed)) if changed else plugin


@dataclass(frozen=True, eq=False)
class Landmark:
    """What is known of an objective's global minimum.

    Attributes:
        value: the smallest value.
        x: where, `(dimension,)`.
        curvature: smallest and largest eigenvalue of the Hessian there, or None.
    """

    value: float
    x: Array
    curvature: tuple[float, float] | None


@dataclass(frozen=True)
class Evaluations:
    """How often the objective was computed for one run, whoever asked.

    Attributes:
        value: times f.
        gradient: times ∇f.
        hessian: times ∇²f.
    """

    value: int
    gradient: int
    hessian: int


def chunk_steps(dimension: int, rules: Rules) -> int:
    """How many iterates of a run go into one chunk."""
    return max(1, min(rules.stop.max_steps + 1, CHUNK_STEPS, CHUNK_BYTES // (8 * rules.series(dimension))))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive iterates of one run.

    Attributes:
        first_step: the number of its first iterate.
        count: how many iterates.
        data: big-endian float64, series after series, each `count` long: f, ‖∇f‖, then each coordinate of x and each
            component of ∇f, where recorded.
    """

    first_step: int
    count: int
    data: bytes | memoryview

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        data: Any = pickle.PickleBuffer(memoryview(self.data).toreadonly()) if protocol >= 5 else bytes(self.data)
        return Chunk, (self.first_step, self.count, data)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What became of one run.

    Attributes:
        identity: the run's.
        outcome: how it ended.
        error: why it failed, else the empty string.
        steps: how many steps it took.
        evaluations: how often f, ∇f, ∇²f were computed.
        final_value: f at the last iterate, NaN if there is none.
        final_gradient_norm: ‖∇f‖ there.
        best_value: the smallest f seen, NaN if there is none.
        best_step: the iterate where it was first seen.
        seconds: the run's share of its batch's time.
        chunks: its iterates, in order.
        behaviour: how it moved; None if it took no step, or nothing can be told.
    """

    identity: str
    outcome: Outcome
    error: str
    steps: int
    evaluations: Evaluations
    final_value: float
    final_gradient_norm: float
    best_value: float
    best_step: int
    seconds: float
    chunks: tuple[Chunk, ...]
    behaviour: Behaviour | None = None


@dataclass(frozen=True)
class Descent:
    """What came of a batch.

    Attributes:
        trajectories: one for each run, in the order of the batch.
        warnings: what the user should know, in sentences.
    """

    trajectories: tuple[Trajectory, ...]
    warnings: tuple[str, ...] = ()

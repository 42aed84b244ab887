"""What one experiment file becomes: an Experiment and its Runs.

Everything here is frozen and says nothing of how it is computed or stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from runner.contracts import Kind, Plugin
from runner.identity import canonical, identity
from runner.parameters import ParameterValue, parameters_of
from runner.rowwise import Array
from runner.stopping import StoppingRules


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

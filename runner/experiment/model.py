"""The classes of an experiment and its runs. They hold data only, and know nothing of computing or storing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.contracts.arrays import Array
from runner.contracts.parameters import ParameterValue, parameter
from runner.contracts.plugin import Kind
from runner.registry.identity import canonical_json, identity
from runner.registry.setting import Setting


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


@dataclass(frozen=True, eq=False)
class UnusableSetting:
    """A setting whose plugin cannot be used because of a fault in its code. The other settings of the experiment are computed.

    Attributes:
        kind: the kind of plugin.
        name: the plugin's name.
        parameters: its parameters by name, with those of the plugins that it wraps.
        reason: the fault, in words.
        path: the place in the experiment file, or None.
    """

    kind: Kind
    name: str
    parameters: Mapping[str, ParameterValue]
    reason: str
    path: str | None = None


@dataclass(frozen=True)
class StoppingRules:
    """The `[stop]` table of an experiment. `runner/engine/stopping.py` applies the rules."""

    max_steps: int = parameter(1000, at_least=1, doc="the most steps a run may take")
    gradient_norm: float | None = parameter(None, at_least=0, doc="converged once ‖∇f‖ is at most this")
    gap: float | None = parameter(None, at_least=0, doc="converged once f differs from f* by at most this, where f* is known")
    step_length: float | None = parameter(None, at_least=0, doc="stalled once a step moves x no further than this")
    divergence_limit: float = parameter(
        1e12, above=1, finite=False, doc="diverged once |f| exceeds this many times max(1, |f(x₀)|)"
    )
    wall_time: float | None = parameter(None, above=0, doc="seconds of computing a run may use")


@dataclass(frozen=True)
class Rules:
    """The rules that all runs of an experiment share, for stopping and for recording.

    Attributes:
        stop: the stopping rules.
        record_x: True if the iterates are recorded in addition to f and ‖∇f‖.
        record_gradient: True if the gradients are recorded too, component by component.
    """

    stop: StoppingRules
    record_x: bool
    record_gradient: bool = False

    @property
    def canonical(self) -> str:
        """JSON of the rules; part of a run's identity."""
        # The key is left out if it has its default value, so that runs computed before the key existed keep their identity.
        gradient = {"gradient": True} if self.record_gradient else {}
        return canonical_json({"stop": asdict(self.stop), "record": {"x": self.record_x, **gradient}})

    def series(self, dimension: int) -> int:
        """Return the number of values that are recorded at each iterate."""
        return 2 + dimension * (self.record_x + self.record_gradient)


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """One point of an experiment's grid.

    Attributes:
        identity: SHA-256, in hexadecimal, over everything on which its numbers depend.
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
    """Grid points that are left out.

    Attributes:
        combination: the names of objective, gradient backend and optimizer, with × between them; an unusable setting has its
            varied parameters in brackets.
        reason: the reason, in words.
        runs: the number of grid points.
    """

    combination: str
    reason: str
    runs: int


@dataclass(frozen=True)
class Exclusion:
    """One `[[exclude]]` table, which drops the combinations that match all of its conditions.

    Attributes:
        conditions: for each kind, the plugin names that match, under the key `name`, and the values that match, under the name
            of their parameter.
    """

    conditions: Mapping[Kind, Mapping[str, tuple[Any, ...]]]

    def matches(self, settings: Mapping[Kind, Setting | UnusableSetting]) -> bool:
        """Return True if a combination fulfils every condition."""
        return all(
            (settings[kind].name if key == "name" else settings[kind].parameters.get(key)) in values
            for kind, conditions in self.conditions.items()
            for key, values in conditions.items()
        )


@dataclass(frozen=True)
class Experiment:
    """One experiment file, validated as a whole.

    Attributes:
        path: the file.
        name: the name under which results are stored.
        description: a text for the report.
        source: the text of the file, with the overrides in comments after it.
        objectives: the first axis of the grid.
        gradients: the second axis.
        optimizers: the third axis.
        starts: the fourth axis: the starting points for each objective.
        rules: the rules for stopping and recording.
        exclude: combinations that the file drops.
        executor: the executor that computes the batches.
        figures: names of the figures in the report.
        target: the largest f − f* of a run that reached the minimum; None if the file does not state it.
        max_batch: the largest number of runs that advance together.
        unusable: further settings of the first three axes, whose grid points are skipped.
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
    target: float | None
    max_batch: int
    unusable: tuple[UnusableSetting, ...] = ()

    @property
    def axes(self) -> dict[Kind, tuple[Setting, ...]]:
        """The settings of each axis except the starts, by the kind of their plugins."""
        return {"objective": self.objectives, "gradient": self.gradients, "optimizer": self.optimizers}

    @property
    def all_settings(self) -> list[list[Setting | UnusableSetting]]:
        """The settings of each of these axes, usable ones first."""
        return [[*axis, *(each for each in self.unusable if each.kind == kind)] for kind, axis in self.axes.items()]


@dataclass(frozen=True, eq=False)
class Landmark:
    """The known global minimum of an objective.

    Attributes:
        value: the smallest value.
        x: the point at which f has this value, `(dimension,)`.
        curvature: the smallest and the largest eigenvalue of the Hessian there; None if they were not computed.
    """

    value: float
    x: Array
    curvature: tuple[float, float] | None

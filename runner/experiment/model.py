"""What one experiment file becomes: an Experiment and its Runs.

Everything here is frozen and says nothing of how it is computed or stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.contracts.arrays import Array
from runner.contracts.plugin import Kind
from runner.experiment.stopping_rules import StoppingRules
from runner.registry.identity import canonical, identity
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

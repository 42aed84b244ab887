"""Batches: runs that differ only in numbers, and advance together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective, known_minimum
from runner.contracts.optimizer import Optimizer
from runner.contracts.parameters import parameters_of
from runner.contracts.plugin import Plugin
from runner.engine.trajectories import chunk_steps
from runner.experiment.model import Rules, Run
from runner.registry.setting import Setting

PluginT = TypeVar("PluginT", bound=Plugin)


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


BATCH_BYTES = 2**27
"""The most memory for the part of a batch's trajectories that is being filled."""


def batches(runs: Sequence[Run], rules: Rules, max_batch: int) -> Iterator[tuple[Batch, Sequence[Run]]]:
    """Yield the runs in batches that differ only in numbers, each with its runs in the same order."""
    groups: dict[tuple[str | bool, ...], list[Run]] = defaultdict(list)
    known = _minima_known(runs) if rules.stop.gap is not None else {}
    for run in runs:
        structures = run.objective.structure, run.gradient.structure, run.optimizer.structure
        groups[*structures, known.get(run.objective.canonical, False)].append(run)
    for group in groups.values():
        dimension = len(group[0].start.x)
        width = 8 * rules.series(dimension)
        size = max(1, min(max_batch, BATCH_BYTES // (width * chunk_steps(dimension, rules))))
        for first in range(0, len(group), size):
            members = group[first : first + size]
            yield _batch(members, rules), members


def _minima_known(runs: Sequence[Run]) -> dict[str, bool]:
    """Return for each objective whether it knows its minimum, which decides how its runs are stopped."""
    known = {}
    for objective in {run.objective.canonical: run.objective for run in runs}.values():
        try:
            known[objective.canonical] = known_minimum(objective.plugin) is not None
        except Exception:  # what it raises is told when the minimum is needed
            known[objective.canonical] = True
    return known


def _batch(runs: Sequence[Run], rules: Rules) -> Batch:
    return Batch(
        tuple(run.identity for run in runs),
        cast(Objective, _with_columns([run.objective for run in runs])),
        cast(GradientBackend, _with_columns([run.gradient for run in runs])),
        cast(Optimizer, _with_columns([run.optimizer for run in runs])),
        np.array([run.start.x for run in runs]),
        rules,
    )


def _with_columns(settings: Sequence[Setting]) -> Plugin:
    """Return one plugin for all: a column `(runs, 1)` for each float parameter in which they differ."""
    first = settings[0]
    if all(setting is first for setting in settings):
        return first.plugin
    columns: dict[str, Any] = {}
    for name, known in parameters_of(type(first.plugin)).items():
        values = [] if known.plugin else [setting.parameters[name] for setting in settings]
        # By their text, in which 0.0 and −0.0 differ as they do in the runs' identities.
        if known.batched and isinstance(values[0], float) and len(set(map(repr, values))) > 1:
            columns[name] = np.array(values, dtype=np.float64)[:, None]
    for name, wrapped in first.wrapped.items():
        together = _with_columns([setting.wrapped[name] for setting in settings])
        if together is not wrapped.plugin:
            columns[name] = together
    return with_columns(first.plugin, columns) if columns else first.plugin

"""Batches: runs that differ only in numbers, and so advance together as arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective, may_know_minimum
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

    A float parameter in which the runs differ is a column `(runs, 1)` in its plugin.

    Attributes:
        identities: the identities of the runs, in order.
        objective: the objective.
        gradient: the gradient backend.
        optimizer: the optimizer.
        start: the starting points, `(runs, dimension)`.
        rules: the rules of stopping and recording.
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
        """Return a batch of the runs in the given rows; the plugins of a single run have numbers in place of columns."""
        index = np.asarray(rows)
        plugins = (self.objective, self.gradient, self.optimizer)
        objective, gradient, optimizer = (
            take_row(plugin, rows[0]) if len(rows) == 1 else take_rows(plugin, index) for plugin in plugins
        )
        return Batch(
            tuple(self.identities[row] for row in rows),
            cast(Objective, objective),
            cast(GradientBackend, gradient),
            cast(Optimizer, optimizer),
            self.start[index],
            self.rules,
        )


def take_rows(plugin: PluginT, rows: NDArray[Any]) -> PluginT:
    """Return the plugin for some of the runs: its columns are cut to `rows` (numbers or a mask), and other fields stay."""
    changed: dict[str, Any] = {}
    for field in fields(cast(Any, plugin)):
        value = getattr(plugin, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value[rows]
        elif isinstance(value, Plugin) and (kept := take_rows(value, rows)) is not value:
            changed[field.name] = kept
    return _with_fields(plugin, changed) if changed else plugin


def take_row(plugin: PluginT, row: int) -> PluginT:
    """Return the plugin for a single run, with numbers in place of columns."""
    changed: dict[str, Any] = {}
    for field in fields(cast(Any, plugin)):
        value = getattr(plugin, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value[row].item()
        elif isinstance(value, Plugin) and (alone := take_row(value, row)) is not value:
            changed[field.name] = alone
    return cast(PluginT, replace(cast(Any, plugin), **changed)) if changed else plugin


def _with_fields(plugin: PluginT, changed: Mapping[str, Any]) -> PluginT:
    """Return a copy with other values in some fields. The constructor is not called, because it may accept numbers only."""
    copy = object.__new__(type(plugin))
    for field in fields(cast(Any, plugin)):
        object.__setattr__(copy, field.name, changed.get(field.name, getattr(plugin, field.name)))
    return copy


BATCH_BYTES = 2**27
"""The largest total size, in bytes, of the chunks that a batch fills at the same time."""


def batches(runs: Sequence[Run], rules: Rules, max_batch: int) -> Iterator[tuple[Batch, Sequence[Run]]]:
    """Yield batches of at most `max_batch` runs that differ only in numbers, each with its runs in the same order.

    The chunks of each batch also fit into `BATCH_BYTES`, unless those of a single run exceed it.
    """
    # An objective may know its minimum for some parameters only. Runs with and without such parameters do not share a batch.
    objectives = {run.objective.canonical: run.objective.plugin for run in runs}
    knows_minimum = {canonical: may_know_minimum(objective) for canonical, objective in objectives.items()}
    groups: dict[tuple[str | bool, ...], list[Run]] = defaultdict(list)
    for run in runs:
        structures = run.objective.structure, run.gradient.structure, run.optimizer.structure
        groups[*structures, knows_minimum[run.objective.canonical]].append(run)
    for group in groups.values():
        width = rules.series(len(group[0].start.x))
        size = max(1, min(max_batch, BATCH_BYTES // (8 * width * chunk_steps(width, rules.stop.max_steps))))
        for first in range(0, len(group), size):
            members = group[first : first + size]
            batch = Batch(
                tuple(run.identity for run in members),
                cast(Objective, _joined([run.objective for run in members])),
                cast(GradientBackend, _joined([run.gradient for run in members])),
                cast(Optimizer, _joined([run.optimizer for run in members])),
                np.array([run.start.x for run in members]),
                rules,
            )
            yield batch, members


def _joined(settings: Sequence[Setting]) -> Plugin:
    """Return one plugin for several settings: each float parameter in which they differ is a column `(runs, 1)`."""
    first = settings[0]
    if all(setting is first for setting in settings):
        return first.plugin
    columns: dict[str, Any] = {}
    for name, known in parameters_of(type(first.plugin)).items():
        values = [] if known.plugin else [setting.parameters[name] for setting in settings]
        # The values are compared as text, because 0.0 and −0.0 are different values in the identities of runs.
        if known.batched and isinstance(values[0], float) and len(set(map(repr, values))) > 1:
            columns[name] = np.array(values, dtype=np.float64)[:, None]
    for name, wrapped in first.wrapped.items():
        joined = _joined([setting.wrapped[name] for setting in settings])
        if joined is not wrapped.plugin:
            columns[name] = joined
    return _with_fields(first.plugin, columns) if columns else first.plugin

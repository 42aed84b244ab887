"""Runs that advance together, and plugins made for some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from runner.contracts import GradientBackend, Objective, Optimizer, Plugin
from runner.experiment import Rules
from runner.rowwise import Array

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

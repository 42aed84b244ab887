"""The hooks: each returns the plugins of one kind that a plugin file offers, as a mapping from name to class.

A plugin file implements a hook with `@runner.hookimpl`. A new kind of plugin needs a hook here and a line in the table
`PLUGIN_KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pluggy

from runner.contracts.executor import Executor
from runner.contracts.figure import Figure
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer

PROJECT = "runner"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""The decorator for a function that offers the plugins of a plugin file."""


@hookspec
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer functions to minimise, by their name in `[[objective]]`."""
    return {}


@hookspec
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer ways to differentiate, by their name in `[[gradient]]`."""
    return {}


@hookspec
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer optimizers, by their name in `[[optimizer]]`."""
    return {}


@hookspec
def runner_executors() -> Mapping[str, type[Executor]]:
    """Offer executors, by their name in `[execution]`."""
    return {}


@hookspec
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer figures, by their name in `[report]`."""
    return {}

"""The hooks: each returns what a plugin file offers, as a mapping from name to class.

A plugin file implements one with `@runner.hookimpl`. A hook added here is a kind added to the tool.
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
"""Decorator for the function by which a plugin file offers its plugins."""


@hookspec
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer functions to minimise, by the name used in `[[objective]]`."""
    return {}


@hookspec
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer ways to differentiate, by the name used in `[[gradient]]`."""
    return {}


@hookspec
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer optimizers, by the name used in `[[optimizer]]`."""
    return {}


@hookspec
def runner_executors() -> Mapping[str, type[Executor]]:
    """Offer places to compute, by the name used in `[execution]`."""
    return {}


@hookspec
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer pictures for the report, by the name used in `[report]`."""
    return {}

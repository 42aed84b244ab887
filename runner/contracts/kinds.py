"""The kinds of plugins and their base classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.contracts.executor import Executor
from runner.contracts.figure import Figure
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Kind, Plugin

if TYPE_CHECKING:
    pass


PLUGIN_CLASSES: Mapping[Kind, type[Plugin]] = {
    "objective": Objective,
    "gradient": GradientBackend,
    "optimizer": Optimizer,
    "executor": Executor,
    "figure": Figure,
}

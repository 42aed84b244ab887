"""Contract checks that plugin authors run on their own plugins: as tests, at a prompt, or with `runner plugins check`.

    import pytest
    from runner.testing import checks

    @pytest.mark.parametrize("check", checks(MyOptimizer(learning_rate=0.1)), ids=str)
    def test_contract(check):
        check()

A check that fails raises AssertionError with a message that names the problem. Pass a plugin whose float parameters are single
numbers: the checks create the columns of a sweep themselves. `check_objective` and the functions for the other kinds run all
checks of a kind in one call.
"""

from __future__ import annotations

import importlib
from typing import Any, cast

from runner.contracts.executor import Executor
from runner.contracts.figure import Figure
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Kind, Plugin
from runner.testing.check import FAILED, OK, SKIPPED, Check, Finding
from runner.testing.optimizers import STEPS

__all__ = [
    "FAILED",
    "OK",
    "SKIPPED",
    "Check",
    "Finding",
    "check_executor",
    "check_figure",
    "check_gradient_backend",
    "check_objective",
    "check_optimizer",
    "checks",
]


def checks(plugin: Plugin, *, objective: Objective | None = None, steps: int = STEPS) -> list[Check]:
    """Return the checks for the kind of a plugin, in their order; a check runs when it is called.

    Args:
        plugin: the plugin, whose float parameters are single numbers.
        objective: the objective on which a gradient backend is checked. The default is two objectives: a sum of squares with
            derivatives, and a function that offers values alone.
        steps: the number of steps within which an optimizer must reach the bottom of the bowl.

    Raises:
        TypeError: `plugin` is not an instance of a plugin class.
    """
    for kind, row in PLUGIN_KINDS.items():
        if isinstance(plugin, row.plugin_class):
            # Each module is loaded on first use, because the checks of figures import Matplotlib.
            module = importlib.import_module(f"runner.testing.{kind}s")
            options: dict[str, dict[str, Any]] = {"gradient": {"objective": objective}, "optimizer": {"steps": steps}}
            return cast(list[Check], module.checks_of(plugin, **options.get(kind, {})))
    class_names = ", ".join(f"runner.{row.plugin_class.__name__}" for row in PLUGIN_KINDS.values())
    raise TypeError(f"checks are for an instance of {class_names}, not {plugin!r}")


def check_objective(objective: Objective) -> None:
    """Check an objective: shapes, purity, a batch against single runs, its derivatives and its minimum.

    Raises:
        AssertionError: a check failed; the message names the problem.
    """
    _check(objective, "objective")


def check_gradient_backend(backend: GradientBackend, objective: Objective) -> None:
    """Check a gradient backend on an objective: shapes, purity, a batch against single runs, and its derivatives.

    Raises:
        AssertionError: a check failed; the message names the problem.
    """
    _check(backend, "gradient", objective=objective)


def check_optimizer(optimizer: Optimizer, steps: int = STEPS) -> None:
    """Check an optimizer on a bowl: shapes, purity, a batch against single runs, its memory and its convergence.

    The bowl is f(x) = ½ (x₁ − 1)² + (x₂ + ½)². Make the optimizer with parameters with which it converges on the bowl.

    Args:
        optimizer: the optimizer.
        steps: the number of steps within which f must fall to a hundredth of its first value.

    Raises:
        AssertionError: a check failed; the message names the problem.
    """
    _check(optimizer, "optimizer", steps=steps)


def check_executor(executor: Executor) -> None:
    """Check an executor: it yields every result once, with the same bits as this process computes.

    Raises:
        AssertionError: a check failed; the message names the problem.
    """
    _check(executor, "executor")


def check_figure(figure: Figure) -> None:
    """Check a figure on made-up results: it draws, has a caption, and handles diverged and failed runs.

    Raises:
        AssertionError: a check failed; the message names the problem.
    """
    _check(figure, "figure")


def _check(plugin: Plugin, kind: Kind, objective: Objective | None = None, steps: int = STEPS) -> None:
    plugin_class = PLUGIN_KINDS[kind].plugin_class
    if not isinstance(plugin, plugin_class):
        raise AssertionError(f"{type(plugin).__name__} must be a subclass of runner.{plugin_class.__name__}")
    for check in checks(plugin, objective=objective, steps=steps):
        if check.finding.verdict == FAILED:
            check()

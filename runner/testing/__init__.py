"""Contract checks that plugin authors run on their own plugins: as tests, at a prompt, or with `runner plugins check`.

    import pytest
    from runner.testing import checks

    @pytest.mark.parametrize("check", checks(MyOptimizer(learning_rate=0.1)), ids=str)
    def test_contract(check):
        check()

A check that fails raises AssertionError with a sentence that says what is wrong. Give it the plugin made with numbers; the
columns of a sweep are made here. `check_objective` and its like run all checks of a kind in one call.
"""

from __future__ import annotations

import importlib
from typing import Any, cast

from runner.contracts.executor import Executor
from runner.contracts.figure import Figure
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import KINDS
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
    """Return the checks of a plugin, by its kind, in their order; each is run when it is called.

    Args:
        plugin: the plugin, made with numbers.
        objective: what a gradient backend is checked on; a sum of squares and a function that knows nothing but its values, where
            none is given.
        steps: within how many steps an optimizer has to get to the bottom of the bowl.

    Raises:
        TypeError: it is no plugin.
    """
    for kind, row in KINDS.items():
        if isinstance(plugin, row.plugin_class):
            # The module is loaded when it is needed: that of figures brings Matplotlib along.
            module = importlib.import_module(f"runner.testing.{kind}s")
            options: dict[str, dict[str, Any]] = {"gradient": {"objective": objective}, "optimizer": {"steps": steps}}
            return cast(list[Check], module.checks_of(plugin, **options.get(kind, {})))
    wanted_names = ", ".join(f"runner.{row.plugin_class.__name__}" for row in KINDS.values())
    raise TypeError(f"checks are for an instance of {wanted_names}, not {plugin!r}")


def check_objective(objective: Objective) -> None:
    """Check an objective: shapes, purity, the batch against single runs, derivatives, the minimum.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _check(objective, "objective")


def check_gradient_backend(backend: GradientBackend, objective: Objective) -> None:
    """Check a gradient backend on an objective: shapes, purity, the batch against single runs, and the numbers.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _check(backend, "gradient", objective=objective)


def check_optimizer(optimizer: Optimizer, steps: int = STEPS) -> None:
    """Check an optimizer on a bowl: shapes, purity, the batch against single runs, memory, and that it gets to the bottom.

    The bowl is f(x) = ½ (x₁ − 1)² + (x₂ + ½)². Make the optimizer with parameters with which it converges there.

    Args:
        optimizer: the optimizer.
        steps: within how many steps f has to fall to a hundredth of what it was.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _check(optimizer, "optimizer", steps=steps)


def check_executor(executor: Executor) -> None:
    """Check an executor: every result is there, once, and has the bits that it has here.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _check(executor, "executor")


def check_figure(figure: Figure) -> None:
    """Check a figure on made-up results: it draws, says something, and does not stumble over lost or diverged runs.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _check(figure, "figure")


def _check(plugin: Plugin, kind: Kind, objective: Objective | None = None, steps: int = STEPS) -> None:
    wanted = KINDS[kind].plugin_class
    if not isinstance(plugin, wanted):
        raise AssertionError(f"{type(plugin).__name__} must be a subclass of runner.{wanted.__name__}")
    for check in checks(plugin, objective=objective, steps=steps):
        if check.finding.verdict == FAILED:
            check()

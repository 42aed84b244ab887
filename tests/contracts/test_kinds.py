"""The table of kinds and capabilities, and everything that reads it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

import numpy as np
import pytest
from click.testing import CliRunner

from runner import Array
from runner.cli.plugins.show import show
from runner.contracts import hookspecs
from runner.contracts.capabilities import Capability, CapabilityMeta, Evaluation
from runner.contracts.kinds import PLUGIN_KINDS, capability_for
from runner.contracts.plugin import Kind, Quantity
from runner.engine.evaluation import Evaluator
from runner.errors import PluginError
from runner.registry.registry import Registry
from runner.testing import checks
from runner_plugins.gradients.finite_difference import FiniteDifference

PLUGIN = '''
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Bowl(runner.Objective):
    """f(x) = Σ xᵢ²."""
    dimension = 2
    def value(self, x):
        return (x * x).sum(axis=-1)
    def laplacian(self, x):
        return 4.0 + 0.0 * x[:, 0]

@runner.hookimpl
def runner_objectives():
    return {"bowl": Bowl}
'''


@runtime_checkable
class HasLaplacian(Protocol, metaclass=CapabilityMeta):
    """An objective that knows the trace of its Hessian."""

    def laplacian(self, x: Array) -> Array:
        """Return Δf at each row: `(runs, dimension) -> (runs,)`."""


@pytest.fixture
def with_laplacian(monkeypatch) -> Iterator[None]:
    """Add one line to the table."""
    line = Capability(HasLaplacian, "Laplacian", {"laplacian": Evaluation((), counts=("hessian",))})
    kind = PLUGIN_KINDS["objective"]
    monkeypatch.setitem(PLUGIN_KINDS, "objective", replace(kind, capabilities=(*kind.capabilities, line)))


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "bowl.py"
    path.write_text(PLUGIN)
    return path


def bowl(path: Path) -> Any:
    registry = Registry()
    registry.load_file(path)
    return registry.find("objective", "bowl").cls()


@pytest.mark.usefixtures("with_laplacian")
class TestOneLineAddsACapability:
    def test_plugins_show_names_it(self, file):
        assert re.search(r"^offers +Laplacian$", CliRunner().invoke(show, [str(file)]).output, re.MULTILINE)

    def test_the_class_check_reads_its_signature(self, file):
        file.write_text(PLUGIN.replace("def laplacian(self, x)", "def laplacian(self, x, step)"))
        wrong = "must be written def laplacian(self, x), not def laplacian(self, x, step)"
        with pytest.raises(PluginError, match=re.escape(wrong)):
            bowl(file)

    def test_the_contract_checks_call_it(self, file):
        file.write_text(PLUGIN.replace("4.0 + 0.0 * x[:, 0]", "4.0"))
        (shapes,) = [check for check in checks(bowl(file)) if check.name == "shapes"]
        assert shapes.finding.explanation == "Bowl.laplacian must return a NumPy array, not float"

    def test_its_calls_are_counted(self, file):
        class Asks(FiniteDifference):
            def gradient(self, objective: Any, x: Array) -> Array:
                return super().gradient(objective, x) + objective.laplacian(x)[:, None]

        evaluator = Evaluator(bowl(file), Asks(), 3)
        evaluator.gradient(np.ones((3, 2)))
        assert evaluator.counts.totals()["hessian"].tolist() == [1, 1, 1]


@pytest.mark.usefixtures("with_laplacian")
def test_a_class_without_the_members_does_not_have_the_capability(file):
    file.write_text(PLUGIN.replace("def laplacian", "def trace"))
    assert not isinstance(bowl(file), HasLaplacian)
    assert "only values" in CliRunner().invoke(show, [str(file)]).output


def test_each_kind_is_in_the_table_with_its_hook():
    assert tuple(PLUGIN_KINDS) == get_args(Kind)
    assert [kind.hook for kind in PLUGIN_KINDS.values()] == [name for name in vars(hookspecs) if name.startswith("runner_")]


def test_each_capability_of_the_contracts_is_in_the_table():
    modules = {inspect.getmodule(kind.plugin_class) for kind in PLUGIN_KINDS.values()}
    defined = {value for module in modules for value in vars(module).values() if isinstance(value, CapabilityMeta)}
    assert defined == {each.protocol for kind in PLUGIN_KINDS.values() for each in kind.capabilities}


def test_each_evaluation_is_a_member():
    for kind in PLUGIN_KINDS.values():
        assert set(kind.required) <= set(vars(kind.plugin_class))
        for capability in kind.capabilities:
            assert set(capability.evaluations) <= set(capability.members)


def test_each_quantity_but_the_gradient_has_a_capability():
    assert [capability_for(quantity) is None for quantity in get_args(Quantity)] == [True, False, False]

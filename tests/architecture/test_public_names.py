"""The public names: `runner`, its namespaces, and the lists in their stub files."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import runner
from runner.report import wrapped


@pytest.mark.parametrize("namespace", runner.NAMESPACES)
def test_each_name_of_a_namespace_is_a_name_of_runner_too(namespace: str):
    module = getattr(runner, namespace)
    assert dir(module)
    for name in dir(module):
        assert getattr(module, name) is getattr(runner, name)


@pytest.mark.parametrize("namespace", runner.NAMESPACES)
def test_no_module_of_a_namespace_has_the_name_of_a_public_name(namespace: str):
    module = getattr(runner, namespace)
    assert {found.name for found in pkgutil.iter_modules(module.__path__)} & set(dir(module)) == set()


def test_names_can_be_imported_from_a_namespace():
    assert wrapped is runner.wrapped


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match=r"^module 'runner\.report' has no attribute 'wraped'$"):
        _ = runner.report.wraped  # type: ignore[attr-defined]


def test_importing_a_namespace_loads_no_heavy_library():
    code = (
        "import sys, runner.analysis, runner.numerics, runner.report\n"
        "heavy = {'numpy', 'matplotlib', 'sqlalchemy', 'ast'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

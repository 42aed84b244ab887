"""A plugin-based experiment runner for gradient-based optimisation, with a results database.

The names here are for plugin authors, except `open`, which opens a results database. `__init__.pyi` lists them. Three namespaces
list more: `runner.analysis` for functions of stored numbers, `runner.numerics` for the parts that plugins share, and
`runner.report` for pictures and for numbers in sentences.

A name is loaded when it is first used, so that `runner --help` starts at once.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

__version__ = "0.1.0"
NAMESPACES = ("analysis", "numerics", "report")


@functools.cache
def modules_of_names(package: str) -> dict[str, str]:
    """Return the module that defines each public name of a package, read from the imports in the package's stub file."""
    # This import is needed at the first use of a public name. `runner --help` uses none, and starts faster without it.
    import ast

    # The same holds for this import.
    from pathlib import Path

    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    stub = ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for statement in stub.body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                module = str(statement.module)
                modules |= modules_of_names(module) if alias.name == "*" else {alias.name: module}
    return modules


def lazy_names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package that loads its public names when they are first used."""

    def load(name: str) -> Any:
        modules = modules_of_names(package)
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(importlib.import_module(package), name, value)
        return value

    def names() -> list[str]:
        return sorted(modules_of_names(package))

    return load, names


_load, _names = lazy_names(__name__)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"runner.{name}") if name in NAMESPACES else _load(name)


def __dir__() -> list[str]:
    return [*NAMESPACES, *_names()]

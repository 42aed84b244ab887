"""A plugin-based experiment runner for gradient-based optimisation, with a results database.

This is the public door: the names that a plugin author needs, and `open` for stored results. `__init__.pyi` lists them. A name is
loaded when it is first used, so that `runner --help` starts at once.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

__version__ = "0.1.0"


@functools.cache
def _modules_of_names() -> dict[str, str]:
    """Return, for each public name, the module that defines it, as the stub file says."""
    # Only the first use of a public name needs it, and `runner --help` uses none.
    import ast

    # Likewise.
    from pathlib import Path

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [statement for statement in stub.body if isinstance(statement, ast.ImportFrom)]
    return {alias.name: str(statement.module) for statement in imports for alias in statement.names}


def __getattr__(name: str) -> Any:
    if name not in _modules_of_names():
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    value = getattr(importlib.import_module(_modules_of_names()[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_modules_of_names()])

"""A fingerprint of a plugin's code that changes when its meaning may have changed, and not with comments or layout."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from importlib.abc import InspectLoader

from runner.errors import PluginError


def fingerprint(plugin: type) -> str:
    """Return SHA-256, in hexadecimal, over the syntax trees of the files that a plugin class is written in.

    These are the file of the class and those of its base classes, except this package's own and the standard library's. Comments,
    layout, docstrings and `doc=` do not count.

    Raises:
        PluginError: the source of a file is not there.
    """
    digest = hashlib.sha256()
    for name in _modules(plugin):
        digest.update(_module_digest(name))
    return digest.hexdigest()


def _modules(plugin: type) -> list[str]:
    names = [cls.__module__ for cls in plugin.__mro__]
    foreign = [name for name in names if name.partition(".")[0] not in {"runner", *sys.stdlib_module_names}]
    return list(dict.fromkeys(foreign))


def _module_digest(name: str) -> bytes:
    loader = getattr(sys.modules[name].__spec__, "loader", None)
    source = loader.get_source(name) if isinstance(loader, InspectLoader) else None
    if source is None:
        raise PluginError(f"the source code of {name} cannot be read, so a change in it would go unnoticed; keep its .py file")
    digest = hashlib.sha256()
    for word in _words(ast.parse(source)):
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return digest.digest()


def _words(node: ast.AST) -> Iterator[str]:
    """Spell a tree as words; absent and empty fields are left out, for they differ between versions of Python.

    What a parameter is (`doc=`) is documentation too.
    """
    if isinstance(node, ast.keyword) and node.arg == "doc":
        return
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        items = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            items = items[1:] if _is_docstring(items[0] if items else None) else items
        if all(item is None for item in items):
            continue
        yield f"{name}{len(items)}"
        for item in items:
            if isinstance(item, ast.AST):
                yield from _words(item)
            else:
                yield f"{type(item).__name__}:{item!r}"


def _is_docstring(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

"""The fingerprint of a plugin's code: a hash that changes with the code, but not with its comments, docstrings or layout."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from importlib.abc import InspectLoader

from runner.errors import PluginError


def fingerprint(plugin: type) -> str:
    """Return SHA-256, in hexadecimal, over the syntax trees of the files that define a plugin class.

    These are the file of the class and those of its base classes, except the files of this package and of the standard library.
    Comments, layout, docstrings and `doc=` do not count.

    Raises:
        PluginError: the source of a file is missing.
    """
    modules = dict.fromkeys(cls.__module__ for cls in plugin.__mro__)
    digest = hashlib.sha256()
    for name in modules:
        if name.partition(".")[0] in {"runner", *sys.stdlib_module_names}:
            continue
        loader = getattr(sys.modules[name].__spec__, "loader", None)
        source = loader.get_source(name) if isinstance(loader, InspectLoader) else None
        if source is None:
            raise PluginError(f"the source code of {name} cannot be read, so a change would go unnoticed; keep its .py file")
        digest_of_file = hashlib.sha256()
        for word in _words(ast.parse(source)):
            digest_of_file.update(word.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(digest_of_file.digest())
    return digest.hexdigest()


def _words(node: ast.AST) -> Iterator[str]:
    """Yield a syntax tree as words: the types of its nodes, and the names and values of their fields.

    Absent and empty fields are left out, because they differ between versions of Python. Docstrings and `doc=` are left out,
    because they are documentation.
    """
    if isinstance(node, ast.keyword) and node.arg == "doc":
        return
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        items = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = items[0] if items else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                items = items[1:]
        if all(item is None for item in items):
            continue
        yield f"{name}{len(items)}"
        for item in items:
            if isinstance(item, ast.AST):
                yield from _words(item)
            else:
                yield f"{type(item).__name__}:{item!r}"

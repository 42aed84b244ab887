"""The directives `public-names` and `returned-classes`: the names that `runner` offers, from their docstrings.

autodoc does the work. This extension

- chooses the kind of entry for each name,
- makes docstrings, which are plain text with mathematical signs, valid reStructuredText,
- leads references to an internal module to the public name.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
import sys
from contextlib import suppress
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import TypeAliasForwardRef

logger = logging.getLogger(__name__)

SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:", "Example:", "Examples:")


class PublicNames(SphinxDirective):
    """Document the names in the body, a line each, of the module in the argument."""

    required_arguments = 1
    has_content = True
    option_spec = {"inherited": directives.flag}  # noqa: RUF012 - docutils expects a plain dictionary

    def run(self) -> list[nodes.Node]:
        """Return the entries, made by autodoc."""
        module = self.arguments[0]
        lines = []
        for name in self.content:
            kind = entry(module, name)
            import_annotations(getattr(importlib.import_module(module), name))
            lines += [f".. {kind}:: {module}.{name}"]
            lines += ["   :members:"] if kind in ("autoclass", "autoexception") else []
            lines += ["   :undoc-members:"] if is_enumeration(module, name) else []
            lines += ["   :inherited-members:"] if "inherited" in self.options else []
            lines += [""]
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))


class ReturnedClasses(SphinxDirective):
    """Document the classes in the body, a line each, that public functions return and that are not public names themselves."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the entries, made by autodoc, in a container whose style hides the internal module."""
        lines = [line for name in self.content for line in (f".. autoclass:: {name}()", "   :members:", "")]
        entries = self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))
        return [nodes.container("", *entries, classes=["returned-classes"])]


def entry(module: str, name: str) -> str:
    """Return autodoc's directive for a name."""
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value) and value.__name__ == name:  # else it is an alias
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def import_annotations(value: Any) -> None:
    """Import the names that a module imports only for type checkers, so that autodoc can resolve the types in its signatures."""
    module = sys.modules.get(getattr(value, "__module__", ""))
    if module is None or not module.__name__.startswith("runner."):
        return
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for each in statement.body:
                with suppress(ModuleNotFoundError):  # an optional library
                    exec(compile(ast.Module([each], []), str(module.__file__), "exec"), vars(module))


def is_enumeration(module: str, name: str) -> bool:
    """Return True if a name is an enumeration, whose members explain themselves."""
    return isinstance(getattr(importlib.import_module(module), name), enum.EnumType)


def prepare_docstring(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring valid reStructuredText: find that of a constant, keep indented blocks, escape signs."""
    if what == "data":
        lines[:] = constant_docstring(name)
    if not any(lines):
        logger.warning("%s has no docstring", name)
    section = False
    for number, line in enumerate(lines):
        if line and not line.startswith(" "):
            section = line in SECTIONS
        elif not section and line.startswith("    ") and not lines[number - 1]:
            # An indented block holds code or aligned formulas, and `::` before it keeps its lines as they are.
            lines[number - 1] = "::\n\n" if not lines[number - 2].startswith(" ") else ""
        if section or not line.startswith("    "):
            lines[number] = escaped(line)
    lines[:] = "\n".join(lines).split("\n")


def constant_docstring(name: str) -> list[str]:
    """Return the string below a constant's definition, from the module that defines it."""
    module, _, constant = name.rpartition(".")
    value = getattr(importlib.import_module(module), constant)
    for home in sorted(name for name in sys.modules if name.startswith("runner.")):
        if vars(sys.modules[home]).get(constant) is value:
            docstring = ModuleAnalyzer.for_module(home).find_attr_docs().get(("", constant))
            if docstring:
                return docstring
    return []


def escaped(line: str) -> str:
    """Return a line whose signs outside code are not markup."""
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(part if part.startswith("`") else re.sub(r"(?<!\\)([*|]|_\b)", r"\\\1", part) for part in parts)


def resolve_reference(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Node | None:
    """Lead a reference to an internal module to the public name, and leave other libraries' names as text."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name = target.rpartition(".")[2]
    objects = env.domains.python_domain.objects
    for module in ("runner", "runner.analysis", "runner.numerics", "runner.report", "runner.testing"):
        found = objects.get(f"{module}.{name}")
        if found is not None and (target.startswith("runner.") or "." not in target):
            link = nodes.reference("", "", content, internal=True)
            link["refuri"] = app.builder.get_relative_uri(node["refdoc"], found.docname) + f"#{found.node_id}"
            return link
    return content


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the handlers."""
    app.add_directive("public-names", PublicNames)
    app.add_directive("returned-classes", ReturnedClasses)
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)
    # Within a union, Sphinx prints the object that stands for a type alias; print the alias's name.
    TypeAliasForwardRef.__repr__ = lambda self: self.name  # type: ignore[method-assign]
    app.connect("missing-reference", resolve_reference)
    return {"parallel_read_safe": True}

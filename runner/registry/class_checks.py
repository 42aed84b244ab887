"""Checks of a plugin's class: its hooks, its methods and its parameters, before it is put on offer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runner.contracts import hookspecs
from runner.contracts.kinds import KINDS
from runner.contracts.plugin import Kind, Plugin
from runner.errors import PluginError
from runner.registry.catalogue import suggestion


def _check_hooks(module: ModuleType) -> None:
    """A hook that nobody asks for would be dropped in silence, so a misspelt one is refused here."""
    hooks = [kind.hook for kind in KINDS.values()]
    marked = [name for name in vars(module) if getattr(vars(module)[name], f"{hookspecs.PROJECT}_impl", None)]
    for name in marked:
        if name not in hooks:
            raise PluginError(f"there is no hook {name}; {suggestion(name, hooks)}")
        if inspect.signature(vars(module)[name]).parameters:
            raise PluginError(f"{name} must take no arguments, as in def {name}():")
    if not marked:
        raise PluginError(f"it implements no hook; mark one with @runner.hookimpl, e.g. {hooks[0]}")


def _mapping(hook: str, offered: Any) -> Mapping[Any, Any]:
    if isinstance(offered, Mapping):
        return offered
    raise PluginError(f"{hook} must return a mapping from name to class, not {type(offered).__name__}")


def _check_methods(kind: Kind, name: str, cls: type[Plugin]) -> None:
    """Refuse a method that cannot be called as the contract of its kind says, and a method where a property is expected."""
    for contract in KINDS[kind].contracts:
        for member, expected in vars(contract).items():
            found = inspect.getattr_static(cls, member, None)
            if member.startswith("_") or found is None or found is expected:
                continue
            where = f"{kind} {name!r}: {cls.__name__}.{member}"
            if isinstance(expected, property) and inspect.isfunction(found):
                raise PluginError(f"{where} must be a property; write @property above def {member}(self)")
            if inspect.isfunction(expected):
                _check_method(where, expected, found)


def _check_method(where: str, expected: Any, found: Any) -> None:
    wanted = _heading(expected)
    if isinstance(found, property | functools.cached_property) or not (callable(found) or hasattr(found, "__get__")):
        raise PluginError(f"{where} must be a method, {wanted}, not {_article(type(found).__name__)}")
    if not inspect.isfunction(found):
        return
    try:
        inspect.signature(found, follow_wrapped=False).bind(*inspect.signature(expected).parameters)
    except TypeError as error:
        raise PluginError(f"{where} must be written {wanted}, not {_heading(found, expected.__name__)}") from error


def _heading(function: Any, name: str = "") -> str:
    """Return the line that defines a function, without annotations."""
    signature = inspect.signature(function, follow_wrapped=False)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return f"def {name or function.__name__}{inspect.Signature(bare)}"


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

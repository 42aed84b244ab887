"""Checks of a plugin's class: its hook, its methods and its parameters, before the registry offers it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any, get_args

from runner.contracts import hookspecs
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.optimizer import Optimizer
from runner.contracts.parameters import Parameter, parameters_of
from runner.contracts.plugin import Kind, Plugin, Quantity
from runner.errors import PluginError
from runner.registry.catalogue import RESERVED, suggestion


def check_hooks(module: ModuleType) -> None:
    """Check that a module implements hooks, and only hooks that exist, because pluggy ignores a misspelt hook.

    Raises:
        PluginError: the module implements no hook, a hook that does not exist, or a hook that takes arguments.
    """
    hooks = [kind.hook for kind in PLUGIN_KINDS.values()]
    marked = [name for name in vars(module) if getattr(vars(module)[name], f"{hookspecs.PROJECT}_impl", None)]
    for name in marked:
        if name not in hooks:
            raise PluginError(f"there is no hook {name}; {suggestion(name, hooks)}")
        if inspect.signature(vars(module)[name]).parameters:
            raise PluginError(f"{name} must take no arguments, as in def {name}():")
    if not marked:
        raise PluginError(f"it implements no hook; mark one with @runner.hookimpl, e.g. {hooks[0]}")


def check_class(kind: Kind, name: Any, cls: Any) -> Mapping[str, Parameter]:
    """Check an item of the mapping that a hook returns, and return the parameters of the plugin.

    Args:
        kind: the kind of plugin that the hook offers.
        name: the key.
        cls: the value.

    Raises:
        PluginError: the key is not a string, or the value is not a class that fulfils the contract of its kind.
    """
    hook, base = PLUGIN_KINDS[kind].hook, PLUGIN_KINDS[kind].plugin_class
    if not isinstance(name, str):
        raise PluginError(f"{hook} must return a mapping from name to class, but {name!r} is not a string")
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginError(f"{hook} offers {name!r}, which is not a class derived from runner.{base.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise PluginError(f"{kind} {name!r} does not implement {missing}")
    _check_members(kind, name, cls)
    parameters = parameters_of(cls)
    for parameter in parameters:
        if parameter in RESERVED[kind]:
            raise PluginError(
                f"{kind} {name!r}: no parameter can be called {parameter!r}, because this key has another meaning in experiment "
                "files"
            )
    quantities = get_args(Quantity)
    needs: object = cls.needs if issubclass(cls, Optimizer) else ()
    if not (isinstance(needs, tuple) and set(needs) <= set(quantities)):
        raise PluginError(f"{kind} {name!r}: needs must be a tuple of {', '.join(map(repr, quantities))}, not {needs!r}")
    return parameters


def _check_members(kind: Kind, name: str, cls: type[Plugin]) -> None:
    """Refuse a method that does not accept the arguments in its contract, and a method in place of a property."""
    for contract in PLUGIN_KINDS[kind].contracts:
        for member, expected in vars(contract).items():
            found = inspect.getattr_static(cls, member, None)
            if member.startswith("_") or found is None or found is expected:
                continue
            where = f"{kind} {name!r}: {cls.__name__}.{member}"
            if isinstance(expected, property) and inspect.isfunction(found):
                raise PluginError(f"{where} must be a property; write @property above def {member}(self)")
            if not inspect.isfunction(expected):
                continue
            if isinstance(found, property | functools.cached_property) or not (callable(found) or hasattr(found, "__get__")):
                found_type = type(found).__name__
                article = "an" if found_type[0] in "aeiou" else "a"
                raise PluginError(f"{where} must be a method, {_definition(expected)}, not {article} {found_type}")
            if not inspect.isfunction(found):
                continue
            try:
                inspect.signature(found, follow_wrapped=False).bind(*inspect.signature(expected).parameters)
            except TypeError as error:
                message = f"{where} must be written {_definition(expected)}, not {_definition(found, expected.__name__)}"
                raise PluginError(message) from error


def _definition(function: Any, name: str = "") -> str:
    """Return the line with which a function is defined, without annotations: `def value(self, x)`."""
    signature = inspect.signature(function, follow_wrapped=False)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return f"def {name or function.__name__}{inspect.Signature(bare)}"

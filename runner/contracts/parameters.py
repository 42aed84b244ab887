"""The parameters of a plugin, read from its dataclass fields: type, default and bounds, and the check of a value against them.

A field is annotated with `float`, `int`, `bool`, `str`, `Path`, `Literal[...]`, `tuple[float, ...]`, `tuple[int, ...]`, or one of
these `| None`. A plugin that wraps another has a field annotated with `Objective`, `GradientBackend` or `Optimizer`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.plugin import Kind, Plugin
from runner.errors import PluginError

ParameterValue = float | int | bool | str | Path | tuple[float, ...] | tuple[int, ...] | None

WRAPPABLE: tuple[Kind, ...] = ("objective", "gradient", "optimizer")
"""The kinds of plugins that another plugin can wrap."""
_PARAMETER_TYPES = (bool, int, float, str, Path, tuple, list)
"""The types of class attributes without an annotation that were probably meant as parameters."""
_SCALARS: Mapping[type, str] = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "a string",
    Path: "a file's path",
}


def parameter(
    default: Any = dataclasses.MISSING,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    finite: bool = True,
    batched: bool = True,
    doc: str = "",
) -> Any:
    """Declare a plugin's parameter: a dataclass field with bounds.

    Args:
        default: the value in experiments that do not set the parameter; without a default, the parameter is required.
        above: the value must be greater than this.
        at_least: the value must be at least this.
        below: the value must be less than this.
        at_most: the value must be at most this.
        finite: False if the value may be infinite. NaN is never allowed.
        batched: False if runs that differ in this number must not advance together. For example, a data set that the plugin
            prepares from the number cannot have a row for each run. Only `float` parameters are ever batched.
        doc: the meaning of the parameter in a few words, with its unit.

    Returns:
        A `dataclasses.field`.
    """
    metadata = {
        "above": above,
        "at_least": at_least,
        "below": below,
        "at_most": at_most,
        "finite": finite,
        "batched": batched,
        "doc": doc,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a plugin, read from its dataclass field.

    Attributes:
        name: the field's name, and the key in an experiment file.
        python_type: `float`, `int`, `bool`, `str`, `Path`, or `tuple`.
        item: the type of the items of a tuple, else None.
        optional: True if None is allowed.
        choices: the allowed values of a `Literal`, else empty.
        default: the default, or `dataclasses.MISSING`.
        bounds: pairs of a comparison sign and a limit.
        finite: True if its numbers must be finite.
        batched: True if runs that differ in it may advance together.
        doc: its meaning in a few words.
        plugin: the kind of the wrapped plugin that is its value, else None.
    """

    name: str
    python_type: type
    item: type | None
    optional: bool
    choices: tuple[str | int, ...]
    default: Any
    bounds: tuple[tuple[str, float], ...]
    finite: bool
    batched: bool
    doc: str
    plugin: Kind | None = None

    @property
    def required(self) -> bool:
        """True if an experiment must give a value."""
        return self.default is dataclasses.MISSING

    @property
    def allowed(self) -> str:
        """The allowed values in words, e.g. `a number > 0 or absent`."""
        if self.plugin:
            words = f"a table with the name of {'an' if self.plugin[0] in 'aeiou' else 'a'} {self.plugin} and its parameters"
        elif self.choices:
            words = "one of " + ", ".join(repr(choice) for choice in self.choices)
        elif self.item is not None:
            words = f"a list, each item {_SCALARS[self.item]}"
        else:
            words = _SCALARS[self.python_type]
        if self.bounds:
            words += " " + " and ".join(f"{sign} {limit:g}" for sign, limit in self.bounds)
        return words + (" or absent" if self.optional else "")

    def convert(self, value: object) -> ParameterValue:
        """Return `value` as this parameter's type.

        Raises:
            ValueError: the value is not allowed; the message states the allowed values.
        """
        if value is None and self.optional:
            return None
        if self.plugin:
            raise ValueError(self._refusal(value))
        if self.choices:
            if not any(value == choice and type(value) is type(choice) for choice in self.choices):
                raise ValueError(self._refusal(value))
            return cast(ParameterValue, value)
        if self.item is not None:
            if not isinstance(value, list | tuple):
                raise ValueError(self._refusal(value))
            return cast(ParameterValue, tuple(self._scalar(self.item, item) for item in value))
        return cast(ParameterValue, self._scalar(self.python_type, value))

    def _scalar(self, kind: type, value: object) -> Any:
        given = value
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            value = float(value)
            if self.finite and math.isinf(value):
                raise ValueError(f"must be {self.allowed}, and finite, not {as_toml(given)}")
        elif kind is Path and isinstance(value, str):
            value = Path(value)
        right_type = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if not right_type or (isinstance(value, float) and math.isnan(value)):
            raise ValueError(self._refusal(given))
        if not all(_COMPARISONS[sign](value, limit) for sign, limit in self.bounds):
            raise ValueError(self._refusal(given))
        return value

    def _refusal(self, value: object) -> str:
        return f"must be {self.allowed}, not {as_toml(value)}"


_COMPARISONS = {
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
}
_SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}


def as_toml(value: object) -> str:
    """Return a value as it is written in TOML, at most 60 characters long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(str(value)) if isinstance(value, Path) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parameters_of(plugin: type) -> Mapping[str, Parameter]:
    """Return the parameters of a plugin class by name, in the order of its dataclass fields.

    Raises:
        PluginError: the class is not a frozen dataclass, or a field has an annotation or a default that is not supported.
    """
    # `functools.cache` needs hashable arguments, and mypy regards the class of a dataclass as not hashable.
    return _parameters_of(plugin)


@functools.cache
def _parameters_of(plugin: type) -> Mapping[str, Parameter]:
    frozen = getattr(plugin, "__dataclass_params__", None)
    if "__dataclass_params__" not in vars(plugin) or not getattr(frozen, "frozen", False):
        raise PluginError(f"{plugin.__qualname__} must be decorated with @dataclass(frozen=True)")
    hints = typing.get_type_hints(plugin)
    if issubclass(plugin, Plugin):
        _check_annotations(plugin)
    return {field.name: _read(plugin, field, hints[field.name]) for field in dataclasses.fields(plugin)}


def _check_annotations(plugin: type[Plugin]) -> None:
    """Refuse a value in the class body that was probably meant as a parameter but has no annotation."""
    # A member that a contract names, such as an objective's dimension, may be set in the class body without being a parameter.
    kinds = [kind for kind in PLUGIN_KINDS.values() if issubclass(plugin, kind.plugin_class)]
    contract = {name for kind in kinds for name in (*kind.members, *inspect.get_annotations(kind.plugin_class))}
    for cls in plugin.__mro__:
        if cls.__module__.startswith("runner."):
            continue
        for name, value in vars(cls).items():
            annotated = name in inspect.get_annotations(cls) or name in contract
            if annotated or name.startswith("_") or name.isupper() or not isinstance(value, _PARAMETER_TYPES):
                continue
            kind = type(value).__name__
            raise PluginError(
                f"{plugin.__qualname__}.{name} has no annotation, so it is not a parameter; write "
                f"{name}: {kind} = {value!r}, or {name}: ClassVar[{kind}] = {value!r} if it is a constant"
            )


def _read(plugin: type, field: dataclasses.Field[Any], hint: Any) -> Parameter:
    optional = False
    if field.default_factory is not dataclasses.MISSING or not field.init:
        raise PluginError(
            f"{plugin.__qualname__}.{field.name}: a parameter must have a plain default, and neither default_factory nor "
            "init=False; use a tuple in place of a list, and functools.cached_property for a value computed from parameters"
        )
    if field.default is dataclasses.MISSING and isinstance(getattr(plugin, field.name, None), property):
        # Without a default, the dataclass removes the field from the class, and the read-only property of the base class is used.
        raise PluginError(f"{plugin.__qualname__}.{field.name}: give this parameter a default")
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    wrapped = next((wrappable for wrappable in WRAPPABLE if PLUGIN_KINDS[wrappable].plugin_class is hint), None)
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    item = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    kind = tuple if item is not None else type(choices[0]) if choices else hint
    if (item or kind) not in _SCALARS and wrapped is None:
        raise PluginError(
            f"{plugin.__qualname__}.{field.name}: a parameter is annotated float, int, bool, str, "
            f"Path, Literal[...], tuple[float, ...], tuple[int, ...], one of these | None, or the class of a kind of plugin, "
            f"not {hint!r}"
        )
    bounds = tuple((sign, field.metadata[key]) for key, sign in _SIGNS.items() if field.metadata.get(key) is not None)
    finite = field.metadata.get("finite", True)
    batched = kind is float and field.metadata.get("batched", True)
    doc = field.metadata.get("doc", "")
    return Parameter(field.name, kind, item, optional, choices, field.default, bounds, finite, batched, doc, wrapped)


def is_seed(parameter: str) -> bool:
    """Return True if a parameter is a seed: it distinguishes the replicates of one setting, not different settings."""
    return parameter.rpartition(".")[2] == "seed"

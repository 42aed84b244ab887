"""What a plugin's fields say about its parameters: type, default, bounds; and whether a given value fits.

A plugin is a frozen dataclass; each field is a parameter. The annotation is one of `float`, `int`, `bool`, `str`, `Path`,
`Literal[...]`, `tuple[float, ...]`, `tuple[int, ...]`, or one of these `| None`; or, for a plugin that wraps another,
`Objective`, `GradientBackend` or `Optimizer`.
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

from runner.contracts.kinds import KINDS
from runner.contracts.plugin import Kind, Plugin
from runner.errors import PluginError

ParameterValue = float | int | bool | str | Path | tuple[float, ...] | tuple[int, ...] | None

WRAPPABLE: tuple[Kind, ...] = ("objective", "gradient", "optimizer")
_FORGOTTEN = (bool, int, float, str, Path, tuple, list)
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
        default: the value used where an experiment does not name one; without it the parameter is required.
        above: the value must be greater than this.
        at_least: the value must be at least this.
        below: the value must be less than this.
        at_most: the value must be at most this.
        finite: False if it may be infinite. NaN never is a value.
        batched: False if runs that differ in this number must not advance together, because the plugin prepares
            something from it that has no column form (a data set, say). Only `float` parameters are ever batched.
        doc: what the parameter is, with its unit, in a few words.

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
        item: the type of a tuple's items, else None.
        optional: whether None is a value.
        choices: the allowed values of a `Literal`, else empty.
        default: the default, or `dataclasses.MISSING`.
        bounds: pairs of a comparison sign and a limit.
        finite: whether its numbers must be finite.
        batched: whether runs that differ in it may advance together.
        doc: what it is, in a few words.
        plugin: the kind of plugin that is its value, else None.
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
        """Whether an experiment must give a value."""
        return self.default is dataclasses.MISSING

    @property
    def allowed(self) -> str:
        """What values fit, in words."""
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
            ValueError: the value does not fit; the text says what is allowed.
        """
        if value is None and self.optional:
            return None
        if self.plugin:
            raise ValueError(self._refusal(value))
        if self.choices:
            fits = any(value == choice and type(value) is type(choice) for choice in self.choices)
            if not fits:
                raise ValueError(self._refusal(value))
            return cast(ParameterValue, value)
        if self.item is not None:
            if not isinstance(value, list | tuple):
                raise ValueError(self._refusal(value))
            return cast(ParameterValue, tuple(self._scalar(self.item, item) for item in value))
        return cast(ParameterValue, self._scalar(self.python_type, value))

    def _scalar(self, kind: type, value: object) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        given = value
        if kind is float and number:
            value = self._float(cast(float, value))
        elif kind is Path and isinstance(value, str):
            value = Path(value)
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if not fits or (isinstance(value, float) and math.isnan(value)):
            raise ValueError(self._refusal(given))
        if not all(_HOLDS[sign](value, limit) for sign, limit in self.bounds):
            raise ValueError(self._refusal(given))
        return value

    def _float(self, number: float) -> float:
        value = float(number)
        if self.finite and math.isinf(value):
            raise ValueError(f"must be {self.allowed}, and finite, not {shown(number)}")
        return value

    def _refusal(self, value: object) -> str:
        return f"must be {self.allowed}, not {shown(value)}"


_HOLDS = {
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
}
_SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}


def shown(value: object) -> str:
    """Return a value as a person would write it in TOML, cut short if long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(str(value)) if isinstance(value, Path) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parameters_of(plugin: type) -> Mapping[str, Parameter]:
    """Read the parameters of a plugin class from its dataclass fields, in their order.

    Raises:
        PluginError: the class is not a frozen dataclass, or a field's annotation is not a supported one.
    """
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
    """Refuse a value in the class body that was probably meant to be a parameter, but has no annotation."""
    # What a contract names, such as an objective's dimension, may be set in the class body without being a parameter.
    kinds = [kind for kind in KINDS.values() if issubclass(plugin, kind.plugin_class)]
    contract = {name for kind in kinds for name in (*kind.members, *inspect.get_annotations(kind.plugin_class))}
    for cls in plugin.__mro__:
        if cls.__module__.startswith("runner."):
            continue
        for name, value in vars(cls).items():
            annotated = name in inspect.get_annotations(cls) or name in contract
            if annotated or name.startswith("_") or name.isupper() or not isinstance(value, _FORGOTTEN):
                continue
            kind = type(value).__name__
            raise PluginError(
                f"{plugin.__qualname__}.{name} has no annotation, so it is no parameter; write "
                f"{name}: {kind} = {value!r}, or {name}: ClassVar[{kind}] = {value!r} if it is to be the same for all"
            )


def _read(plugin: type, field: dataclasses.Field[Any], hint: Any) -> Parameter:
    optional = False
    if field.default_factory is not dataclasses.MISSING or not field.init:
        raise PluginError(
            f"{plugin.__qualname__}.{field.name}: a parameter has a plain default, and neither "
            "default_factory nor init=False; use a tuple for a list, and functools.cached_property for what follows from other "
            "parameters"
        )
    if field.default is dataclasses.MISSING and isinstance(getattr(plugin, field.name, None), property):
        # The dataclass has removed the field from the class, and its base's read-only property shows through.
        raise PluginError(f"{plugin.__qualname__}.{field.name}: give this parameter a default")
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    wrapped = next((wrappable for wrappable in WRAPPABLE if KINDS[wrappable].plugin_class is hint), None)
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

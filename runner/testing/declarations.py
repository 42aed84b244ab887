"""What is checked of every plugin, whatever it computes: its docstring, its parameters, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import numpy as np

from runner.contracts.figure import Figure
from runner.contracts.parameters import Parameter, parameters_of
from runner.contracts.plugin import Plugin
from runner.errors import PluginError
from runner.testing.check import Check, Failure, describe_error, make_checks, require

PluginT = TypeVar("PluginT", bound=Plugin)


def declaration_checks(plugin: Plugin) -> list[Check]:
    """Return the checks of a plugin's declarations: `docstring`, `parameters` and `validate`."""
    return make_checks(
        ("docstring", lambda: _check_docstring(type(plugin)), ()),
        ("parameters", lambda: check_parameters(type(plugin)), ()),
        ("validate", lambda: _check_validate(plugin), ("parameters",)),
    )


def _check_docstring(cls: type[Plugin]) -> None:
    # A dataclass without a docstring is given its signature as one.
    written = vars(cls).get("__doc__") or ""
    sound = bool(written.strip()) and not written.startswith(f"{cls.__name__}(")
    require(sound, f"{cls.__name__} needs a docstring: it is the formula that the reports show")


def check_parameters(cls: type[Plugin]) -> str | None:
    """Check the parameters of a plugin class, and return what could be said better.

    Raises:
        Failure: one is declared wrongly, or its default does not fit.
    """
    name = cls.__name__
    try:
        known = parameters_of(cls)
    except PluginError as error:
        raise Failure(f"{name}: {error}") from error
    for key, parameter in known.items():
        if parameter.required:
            if issubclass(cls, Figure):
                raise Failure(f"{name}.{key} needs a default: experiments name figures without parameters")
            continue
        try:
            parameter.convert(parameter.default)
        except ValueError as error:
            raise Failure(f"the default of {name}.{key} {error}") from error
    silent = [key for key, parameter in known.items() if not parameter.doc]
    return f'{", ".join(silent)}: say what it is, with parameter(..., doc="...")' if silent else None


def _check_validate(plugin: Plugin) -> None:
    name = type(plugin).__name__
    try:
        plugin.validate()
    except ValueError as error:
        raise Failure(f"{name}: {error}") from error
    for key, parameter in parameters_of(type(plugin)).items():
        value = getattr(plugin, key)
        if not isinstance(value, float):
            continue
        for other in _values_near(parameter, value):
            neighbour = dataclasses.replace(cast(Any, plugin), **{key: other})
            _check_refusal(name, f"{key} = {other!r}", neighbour)


def _check_refusal(name: str, values: str, plugin: Plugin) -> None:
    try:
        plugin.validate()
    except ValueError as error:
        require(bool(str(error)), f"{name}.validate refuses {values} without a word; say which values are allowed")
    except Exception as error:
        raise Failure(f"{name}.validate raises {describe_error(error)} for {values}; refuse with a ValueError") from error


def _values_near(parameter: Parameter, value: float) -> Iterator[float]:
    """Yield values near `value`, itself first, as far as its bounds allow them."""
    for other in (value, value * 0.75, value * 1.25, value + 0.1):
        try:
            parameter.convert(other)
        except ValueError:
            continue
        yield other


def swept_variants(plugin: PluginT, runs: int) -> Iterator[tuple[str, PluginT, list[PluginT]]]:
    """Yield for each float parameter its name, the plugin with a column of values for it, and the plugins with one each."""
    for key, parameter in parameters_of(type(plugin)).items():
        value = getattr(plugin, key)
        if not parameter.batched or not isinstance(value, float) or not math.isfinite(value):
            continue
        singles = list(_neighbours(plugin, parameter, value))
        if len(singles) > 1:
            chosen = [singles[run % len(singles)] for run in range(runs)]
            column = np.array([[getattr(single, key)] for single in chosen])
            yield key, dataclasses.replace(cast(Any, plugin), **{key: column}), chosen


def _neighbours(plugin: PluginT, parameter: Parameter, value: float) -> Iterator[PluginT]:
    """Yield the plugin with values near `value`, as far as they are allowed."""
    for other in _values_near(parameter, value):
        neighbour = dataclasses.replace(cast(Any, plugin), **{parameter.name: other})
        try:
            neighbour.validate()
        except ValueError:
            continue
        yield neighbour


def not_batch_safe_in_sweep(name: str, key: str) -> str:
    """Say what is wrong with a plugin that treats a column like a number."""
    return (
        f"{name} is not batch-safe where {key} is swept: {key} is then a column (runs, 1), to be combined with arrays (runs, n) "
        "before they are reduced to (runs,)"
    )

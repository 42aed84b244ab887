"""The checks of every plugin, whatever its kind: its docstring, its parameters and its `validate`."""

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
from runner.testing.check import Check, Failure, describe_error, fail_unless, make_checks

PluginT = TypeVar("PluginT", bound=Plugin)


def declaration_checks(plugin: Plugin) -> list[Check]:
    """Return the checks of a plugin's declarations: `docstring`, `parameters` and `validate`."""
    cls = type(plugin)

    def docstring() -> None:
        # A dataclass without a docstring gets its signature as one.
        text = vars(cls).get("__doc__") or ""
        written = bool(text.strip()) and not text.startswith(f"{cls.__name__}(")
        fail_unless(written, f"{cls.__name__} needs a docstring with its formula, which reports show")

    return make_checks(
        ("docstring", docstring, ()),
        ("parameters", lambda: check_parameters(cls), ()),
        ("validate", lambda: _check_validate(plugin), ("parameters",)),
    )


def check_parameters(cls: type[Plugin]) -> str | None:
    """Check the declared parameters of a plugin class, and return a remark on parameters without a description.

    Raises:
        Failure: a parameter is declared wrongly, or its default is not allowed.
    """
    name = cls.__name__
    try:
        parameters = parameters_of(cls)
    except PluginError as error:
        raise Failure(f"{name}: {error}") from error
    for key, parameter in parameters.items():
        if parameter.required:
            if issubclass(cls, Figure):
                raise Failure(f"{name}.{key} needs a default: experiments name figures without parameters")
            continue
        try:
            parameter.convert(parameter.default)
        except ValueError as error:
            raise Failure(f"the default of {name}.{key} {error}") from error
    undescribed = [key for key, parameter in parameters.items() if not parameter.doc]
    return f'describe {", ".join(undescribed)} with parameter(..., doc="...")' if undescribed else None


def _check_validate(plugin: Plugin) -> None:
    """Check that `validate` accepts the plugin, and refuses other values of its float parameters only with a ValueError."""
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
            try:
                neighbour.validate()
            except ValueError as error:
                sentence = f"{name}.validate refuses {key} = {other!r} with an empty message; say which values are allowed"
                fail_unless(bool(str(error)), sentence)
            except Exception as error:
                raised = f"{describe_error(error)} for {key} = {other!r}"
                raise Failure(f"{name}.validate raises {raised}; refuse values with a ValueError") from error


def _values_near(parameter: Parameter, value: float) -> Iterator[float]:
    """Yield `value` and some values near it, except those that the bounds of the parameter do not allow."""
    for other in (value, value * 0.75, value * 1.25, value + 0.1):
        try:
            parameter.convert(other)
        except ValueError:
            continue
        yield other


def swept_variants(plugin: PluginT, runs: int) -> Iterator[tuple[str, PluginT, list[PluginT]]]:
    """Yield variants of a plugin in which one float parameter is swept, for each parameter that a sweep may vary.

    Args:
        plugin: the plugin, whose float parameters are single numbers.
        runs: the number of runs of the sweep.

    Yields:
        The name of the parameter, the plugin with a column `(runs, 1)` of values for it, and the list of the plugins with the
        single values.
    """
    for key, parameter in parameters_of(type(plugin)).items():
        value = getattr(plugin, key)
        if not parameter.batched or not isinstance(value, float) or not math.isfinite(value):
            continue
        singles: list[PluginT] = []
        for other in _values_near(parameter, value):
            single: PluginT = dataclasses.replace(cast(Any, plugin), **{key: other})
            try:
                single.validate()
            except ValueError:
                continue
            singles.append(single)
        if len(singles) > 1:
            chosen = [singles[run % len(singles)] for run in range(runs)]
            column = np.array([[getattr(single, key)] for single in chosen])
            yield key, dataclasses.replace(cast(Any, plugin), **{key: column}), chosen


def not_batch_safe_in_sweep(name: str, key: str) -> str:
    """Return the message for a plugin whose results for a column of values differ from those for the single values."""
    return (
        f"{name} is not batch-safe if {key} is swept: {key} is then a column of shape (runs, 1); combine it with arrays of shape "
        "(runs, n) before they are reduced to (runs,)"
    )

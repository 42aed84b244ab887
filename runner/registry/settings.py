"""Making plugins: from the values of an experiment, from stored parameters, and the executor chosen on the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from runner.contracts.objective import HasStartRegion, Objective
from runner.contracts.parameters import Parameter, ParameterValue, shown
from runner.contracts.plugin import Kind, Plugin
from runner.errors import ExperimentError, PluginError
from runner.registry.catalogue import Catalogue, Offer
from runner.registry.setting import Setting


def make_setting(offer: Offer, values: Mapping[str, ParameterValue], wrapped: Mapping[str, Setting]) -> Setting:
    """Make a plugin with one value for each of its parameters.

    Args:
        offer: the plugin.
        values: its parameters; those that are left out have their defaults.
        wrapped: the plugins that it wraps, by the parameter that holds them.

    Raises:
        ValueError: it refuses the values, or a file that they name cannot be read.
        PluginError: it refuses them in its own words, or its source is not there.
    """
    plugin = _instance(offer, values, wrapped)
    try:
        return Setting.of(offer.kind, offer.name, plugin, offer.fingerprint, wrapped)
    except OSError as error:
        raise ValueError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _instance(offer: Offer, values: Mapping[str, ParameterValue], wrapped: Mapping[str, Setting]) -> Plugin:
    """Make a plugin, and ask it what the grid is made from; whatever it raises then is its refusal."""
    try:
        inside = {key: setting.plugin for key, setting in wrapped.items()}
        plugin = offer.cls(**{**_defaults(offer, {*values, *wrapped}), **values, **inside})
        plugin.validate()
        if isinstance(plugin, Objective):
            _check_objective(plugin)
    except (ValueError, PluginError):
        raise
    except Exception as error:
        raise ValueError(f"{offer.name} cannot be made: {type(error).__name__}: {error}") from error
    return plugin


def _defaults(offer: Offer, given: Set[str]) -> dict[str, ParameterValue]:
    """Return the other parameters' defaults, each as its own type: a default of 1 for a float is the number 1.0."""
    defaults = {}
    for name, known in offer.parameters.items():
        if name not in given:
            try:
                defaults[name] = known.convert(known.default)
            except ValueError as error:
                raise ValueError(f"the default of {offer.name}'s {name} {error}") from error
    return defaults


def _check_objective(objective: Objective) -> None:
    dimension: object = objective.dimension
    if not isinstance(dimension, int | np.integer) or dimension < 1:
        raise ValueError(f"its dimension must be a whole number >= 1, not {shown(dimension)}")
    if isinstance(objective, HasStartRegion):
        region: object = objective.start_region
        if not (isinstance(region, tuple) and len(region) == 2):
            raise ValueError(f"its start_region must be a tuple of the lowest and highest start, not {shown(region)}")


def chosen_executor(written: Setting, catalogue: Catalogue, name: str | None, jobs: int | None) -> Setting:
    """Return the executor to use.

    Args:
        written: the one written in the experiment.
        catalogue: where another is looked up.
        name: its name, as chosen on the command line, or None.
        jobs: its parameter `jobs`, likewise.

    Raises:
        ExperimentError: the choice does not fit.
    """
    if name is None and jobs is None:
        return written
    try:
        offer = catalogue.find("executor", name or written.name)
    except PluginError as error:
        raise ExperimentError("--executor", [str(error)]) from error
    values = dict(written.parameters) if offer.name == written.name else {}
    if jobs is not None:
        values["jobs"] = _jobs(offer, jobs)
    for key, known in offer.parameters.items():
        if known.required and key not in values:
            raise ExperimentError("--executor", [f"{offer.name} needs {key}, {known.allowed}; write it into [execution]"])
    try:
        plugin = offer.cls(**values)
        plugin.validate()
    except ValueError as error:
        raise ExperimentError("--executor", [f"{offer.name}: {error}"]) from error
    return Setting.of("executor", offer.name, plugin, offer.fingerprint)


def _jobs(offer: Offer, jobs: int) -> ParameterValue:
    if "jobs" not in offer.parameters:
        raise ExperimentError("--jobs", [f"executor {offer.name} has no such parameter; use --executor processes"])
    try:
        return offer.parameters["jobs"].convert(jobs)
    except ValueError as error:
        raise ExperimentError("--jobs", [str(error)]) from error


def remake(kind: Kind, canonical: str, catalogue: Catalogue, texts: Collection[str] = ()) -> Setting:
    """Make a stored setting again.

    Whether the plugin's code is still the same is told by the fingerprint of what is returned.

    Args:
        kind: which of the grid's axes it stands on.
        canonical: JSON of its name and parameters, floats in hexadecimal and files by the hash of their content.
        catalogue: where the plugin is looked up.
        texts: the setting's stored parameters that are texts; the paths of its files are among them.

    Raises:
        PluginError: there is no such plugin here, its parameters are others now, or a file has gone or changed.
    """
    stored = json.loads(canonical)
    setting = _made(kind, stored, catalogue, texts)
    if setting.canonical != canonical:
        raise PluginError(
            f"{kind} {stored['name']}: its parameters are not those that are stored; install the version of the plugin that "
            "computed the run, or run the experiment again"
        )
    return setting


def _made(kind: Kind, stored: Mapping[str, Any], catalogue: Catalogue, texts: Collection[str]) -> Setting:
    name = stored["name"]
    offer = catalogue.find(kind, name)
    wrapped: dict[str, Setting] = {}
    values: dict[str, ParameterValue] = {}
    try:
        for key, value in stored["parameters"].items():
            known = offer.parameters.get(key)
            if known is None:
                raise ValueError(f"it has no parameter {key} any more")
            if known.plugin is not None and value is not None:
                wrapped[key] = _made(known.plugin, value, catalogue, texts)
            else:
                values[key] = known.convert(_read(known, value, texts))
        plugin = offer.cls(**values, **{key: setting.plugin for key, setting in wrapped.items()})
        plugin.validate()
        return Setting.of(kind, name, plugin, offer.fingerprint, wrapped)
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(f"{kind} {name}: cannot be made again from its stored parameters: {error}") from error


def _read(known: Parameter, value: object, texts: Collection[str]) -> object:
    """Return a parameter's stored value as an experiment would give it."""
    if isinstance(value, dict):
        return _file(str(value["sha256"]), texts)
    number: Callable[[Any], object] = float.fromhex if float in (known.python_type, known.item) else lambda item: item
    if isinstance(value, list):
        return [number(item) for item in value]
    return None if value is None else number(value)


def _file(digest: str, texts: Collection[str]) -> str:
    """Return the path of the file whose content has that hash."""
    for text in texts:
        path = Path(text)
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return text
    raise ValueError("the file that it was computed from is gone or has changed")

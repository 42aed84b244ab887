"""Settings: plugins with a value for each of their parameters.

`make_setting` creates every plugin. It has three callers: the reader of experiment files, `choose_executor` for the options of
the command line, and `restore_setting` for parameters from the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from runner.contracts.objective import HasStartRegion, Objective
from runner.contracts.parameters import Parameter, ParameterValue, as_toml, parameters_of
from runner.contracts.plugin import Kind, Plugin
from runner.errors import ExperimentError, PluginError, describe
from runner.registry.catalogue import Catalogue, Offer
from runner.registry.identity import canonical_json


class FaultyPlugin(ValueError):
    """A plugin cannot be created although its values are allowed.

    Its code raises an exception, or states an impossible dimension.
    """


@dataclass(frozen=True, eq=False)
class Setting:
    """A plugin with a value for each of its parameters.

    Attributes:
        kind: the kind of plugin.
        name: the plugin's name.
        plugin: the plugin object with these parameters.
        parameters: every parameter by name, including defaults and the parameters of wrapped plugins.
        canonical: JSON of name and parameters; part of a run's identity.
        structure: the same JSON without the float parameters in which the runs of one batch may differ.
        fingerprint: the fingerprint of the plugin's code, together with that of its wrapped plugins.
        wrapped: the settings of the plugins that it wraps, by the parameter that holds them.
    """

    kind: Kind
    name: str
    plugin: Plugin
    parameters: Mapping[str, ParameterValue]
    canonical: str
    structure: str
    fingerprint: str
    wrapped: Mapping[str, Setting]

    @classmethod
    def of(cls, kind: Kind, name: str, plugin: Plugin, fingerprint: str, wrapped: Mapping[str, Setting] | None = None) -> Setting:
        """Return the setting of a plugin whose fields hold numbers, not columns.

        The parameters of a wrapped plugin are included. The parameter that holds the wrapped plugin has the plugin's name as its
        value. If both plugins have a parameter of the same name, the parameter of the wrapped plugin is called `holder.name`,
        where `holder` is the parameter that holds the wrapped plugin.

        Args:
            kind: the kind of plugin.
            name: its name.
            plugin: the plugin.
            fingerprint: the fingerprint of its own code.
            wrapped: the settings of the plugins that it wraps, by the parameter that holds them.

        Raises:
            OSError: a file that a parameter names cannot be read.
        """
        wrapped = wrapped or {}
        known = parameters_of(type(plugin))
        own = {key: cast(ParameterValue, getattr(plugin, key)) for key in known if key not in wrapped}
        fixed = {key: value for key, value in own.items() if not (known[key].batched and isinstance(value, float))}
        parameters = {**own, **{key: setting.name for key, setting in wrapped.items()}}
        for key, setting in wrapped.items():
            for inner_name, value in setting.parameters.items():
                parameters[f"{key}.{inner_name}" if inner_name in parameters else inner_name] = value
        whole = {key: json.loads(setting.canonical) for key, setting in wrapped.items()}
        shape = {key: json.loads(setting.structure) for key, setting in wrapped.items()}
        if wrapped:
            fingerprints = [fingerprint, *(setting.fingerprint for setting in wrapped.values())]
            fingerprint = hashlib.sha256("".join(fingerprints).encode()).hexdigest()
        return cls(
            kind,
            name,
            plugin,
            parameters,
            canonical_json({"name": name, "parameters": {**own, **whole}}),
            canonical_json({"name": name, "parameters": {**fixed, **shape}}),
            fingerprint,
            wrapped,
        )


def make_setting(offer: Offer, values: Mapping[str, ParameterValue], wrapped: Mapping[str, Setting] | None = None) -> Setting:
    """Create a plugin with a value for each of its parameters.

    Args:
        offer: the plugin.
        values: its parameters. A missing parameter has its default, converted to its type: 1 becomes 1.0 for a float.
        wrapped: the plugins that it wraps, by the parameter that holds them.

    Raises:
        FaultyPlugin: the plugin's code raises an exception.
        ValueError: the plugin's method `validate` refuses the values, or a file that they name cannot be read.
        PluginError: the plugin raised this exception, or the source of its code is missing.
    """
    wrapped = wrapped or {}
    arguments: dict[str, Any] = {**values, **{key: setting.plugin for key, setting in wrapped.items()}}
    for name, known in offer.parameters.items():
        if name not in arguments and not known.required:
            try:
                arguments[name] = known.convert(known.default)
            except ValueError as error:
                raise ValueError(f"the default of {offer.name}'s {name} {error}") from error
    refused = False
    try:
        plugin = offer.cls(**arguments)
        refused = True
        plugin.validate()
        refused = False
        if isinstance(plugin, Objective):
            # The grid depends on the dimension and the start region, so both are checked here.
            dimension: object = plugin.dimension
            if not isinstance(dimension, int | np.integer) or dimension < 1:
                raise ValueError(f"its dimension must be a whole number >= 1, not {as_toml(dimension)}")
            region: object = plugin.start_region if isinstance(plugin, HasStartRegion) else (0.0, 0.0)
            if not (isinstance(region, tuple) and len(region) == 2):
                raise ValueError(f"its start_region must be a tuple of the lowest and highest start, not {as_toml(region)}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        is_sentence = isinstance(error, ValueError | PluginError)
        if is_sentence and refused:
            raise
        reason = describe(error).removeprefix("ValueError: ")
        raise FaultyPlugin(reason if is_sentence else f"{offer.name} cannot be created: {reason}") from error
    try:
        return Setting.of(offer.kind, offer.name, plugin, offer.fingerprint, wrapped)
    except OSError as error:
        raise ValueError(f"{error.filename}: cannot be read: {error.strerror}") from error


def choose_executor(written: Setting, catalogue: Catalogue, name: str | None, jobs: int | None) -> Setting:
    """Return the executor to use: the one in the experiment file, unless the command line chooses another name or `jobs`.

    Args:
        written: the executor in the experiment file.
        catalogue: the catalogue in which another executor is looked up.
        name: the name given to `--executor`, or None.
        jobs: the number given to `--jobs`, or None.

    Raises:
        ExperimentError: there is no such executor, or it does not accept the parameters.
    """
    if name is None and jobs is None:
        return written
    try:
        offer = catalogue.find("executor", name or written.name)
    except PluginError as error:
        raise ExperimentError("--executor", [str(error)]) from error
    values = dict(written.parameters) if offer.name == written.name else {}
    if jobs is not None:
        if "jobs" not in offer.parameters:
            raise ExperimentError("--jobs", [f"executor {offer.name} has no such parameter; use --executor processes"])
        try:
            values["jobs"] = offer.parameters["jobs"].convert(jobs)
        except ValueError as error:
            raise ExperimentError("--jobs", [str(error)]) from error
    for key, known in offer.parameters.items():
        if known.required and key not in values:
            raise ExperimentError("--executor", [f"{offer.name} needs {key}, {known.allowed}; write it into [execution]"])
    try:
        return make_setting(offer, values)
    except ValueError as error:
        raise ExperimentError("--executor", [f"{offer.name}: {error}"]) from error


def restore_setting(kind: Kind, canonical: str, catalogue: Catalogue, texts: Collection[str] = ()) -> Setting:
    """Create a plugin again from its stored parameters.

    The code of the plugin may have changed since; compare the fingerprint of the result with the stored one.

    Args:
        kind: the kind of plugin.
        canonical: JSON of its name and parameters, with floats in hexadecimal and files as the hash of their content.
        catalogue: the catalogue in which the plugin is looked up.
        texts: the stored parameters that are texts, which include the paths of files.

    Raises:
        PluginError: the plugin is not installed, its parameters have changed, or a file is missing or has changed.
    """
    stored = json.loads(canonical)
    setting = _restored(kind, stored, catalogue, texts)
    if setting.canonical != canonical:
        raise PluginError(
            f"{kind} {stored['name']}: its parameters differ from the stored ones; install the version of the plugin that "
            "computed the run, or run the experiment again"
        )
    return setting


def _restored(kind: Kind, stored: Mapping[str, Any], catalogue: Catalogue, texts: Collection[str]) -> Setting:
    """Create a plugin from parsed JSON, after the plugins that it wraps."""
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
                wrapped[key] = _restored(known.plugin, value, catalogue, texts)
            else:
                values[key] = known.convert(_written_value(known, value, texts))
        return make_setting(offer, values, wrapped)
    except PluginError:
        raise
    except Exception as error:  # the JSON comes from a database file, and may hold anything
        raise PluginError(f"{kind} {name}: cannot be created again from its stored parameters: {error}") from error


def _written_value(known: Parameter, value: object, texts: Collection[str]) -> object:
    """Return a parameter's value as in an experiment file, given its value in canonical JSON."""
    if isinstance(value, dict):
        for text in texts:
            path = Path(text)
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(value["sha256"]):
                return text
        raise ValueError("the file that it was computed from is missing or has changed")
    number: Callable[[Any], object] = float.fromhex if float in (known.python_type, known.item) else lambda item: item
    if isinstance(value, list):
        return [number(item) for item in value]
    return None if value is None else number(value)

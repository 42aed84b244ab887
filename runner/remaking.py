"""Making a plugin again from what the database holds of it: its name and its parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from runner.contracts import Kind
from runner.errors import PluginError
from runner.experiment import Setting
from runner.offers import Catalogue
from runner.parameters import Parameter, ParameterValue


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

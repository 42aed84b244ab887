"""A setting: one plugin with one value for each of its parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from runner.contracts.parameters import ParameterValue, parameters_of
from runner.contracts.plugin import Kind, Plugin
from runner.registry.identity import canonical


@dataclass(frozen=True, eq=False)
class Setting:
    """One plugin with one value for each of its parameters.

    Attributes:
        kind: which of the grid's axes it stands on.
        name: the plugin's name.
        plugin: the plugin itself, made with these parameters.
        parameters: every parameter, defaults included.
        canonical: JSON of name and parameters; part of a run's identity.
        structure: the same without the float parameters in which the runs of one batch may differ.
        fingerprint: of the plugin's code.
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
        """Describe a plugin made with plain numbers.

        The parameters of a plugin that it wraps count as its own, with the wrapped plugin's name under the parameter that holds
        it; where both have a parameter of one name, the wrapped one's has the holder's name and a dot before it.

        Raises:
            OSError: a file that a parameter names cannot be read.
        """
        inner = wrapped or {}
        known = parameters_of(type(plugin))
        own = {key: cast(ParameterValue, getattr(plugin, key)) for key in known if key not in inner}
        fixed = {key: value for key, value in own.items() if not (known[key].batched and isinstance(value, float))}
        parameters = {**own, **{key: setting.name for key, setting in inner.items()}}
        for key, setting in inner.items():
            for name_inside, value in setting.parameters.items():
                parameters[f"{key}.{name_inside}" if name_inside in parameters else name_inside] = value
        whole = {key: json.loads(setting.canonical) for key, setting in inner.items()}
        shape = {key: json.loads(setting.structure) for key, setting in inner.items()}
        return cls(
            kind,
            name,
            plugin,
            parameters,
            canonical({"name": name, "parameters": {**own, **whole}}),
            canonical({"name": name, "parameters": {**fixed, **shape}}),
            _joined_fingerprint([fingerprint, *(setting.fingerprint for setting in inner.values())]),
            inner,
        )


def _joined_fingerprint(fingerprints: Sequence[str]) -> str:
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()

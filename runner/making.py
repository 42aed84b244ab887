"""Making a plugin with plain values: what it may refuse, and how its parameters describe it."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from runner.contracts import HasStartRegion, Objective, Plugin
from runner.errors import PluginError
from runner.experiment import Setting
from runner.offers import Offer
from runner.parameters import ParameterValue, shown


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

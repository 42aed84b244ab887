"""The class of a stored run's objective, which names the coordinates of x."""

from __future__ import annotations

from runner.contracts.plugin import Plugin
from runner.errors import PluginError
from runner.registry.registry import Registry
from runner.store.reading.run_record import RunRecord


def objective_class(record: RunRecord, registry: Registry) -> type[Plugin] | None:
    """Return the class of a run's objective; None if the plugin is not installed, or if its code has changed since."""
    try:
        offer = registry.find("objective", record.objective.name)
        return offer.cls if offer.fingerprint == record.objective.fingerprint else None
    except PluginError:
        return None

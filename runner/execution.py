"""Which executor computes: the one written in the experiment, or the one chosen on the command line."""

from __future__ import annotations

from runner.errors import ExperimentError, PluginError
from runner.experiment import Setting
from runner.offers import Catalogue, Offer
from runner.parameters import ParameterValue


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

"""Checks in a child process, so that a hanging plugin and a plugin that ends its process are reported like other failures.

`check_in_child_process` starts the process and yields what it reports; `run_checks` finds the plugins, makes them and runs the
checks in the current process.
"""

from __future__ import annotations

import inspect
import multiprocessing
import os
import signal
import sys
import tomllib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from runner.contracts.parameters import ParameterValue
from runner.contracts.plugin import Kind, Plugin
from runner.errors import ExperimentError, NoSuchPlugin, PluginError, RunnerError
from runner.registry.catalogue import Offer, suggestion
from runner.registry.registry import Registry
from runner.testing import checks
from runner.testing.check import FAILED, OK, Check, Failure, Finding, describe_error
from runner.testing.declarations import check_parameters
from runner.testing.samples import Bowl, OwnDerivatives, PlainDescent

LOADS = "loads"
"""The name of the check that a plugin can be loaded."""
SECONDS_TO_START = 120.0
"""The time that the child process may take before its first report."""
SECONDS_TO_END = 5.0
WRAPPED_PLUGINS: Mapping[str, Plugin] = {"objective": Bowl(), "gradient": OwnDerivatives(), "optimizer": PlainDescent()}
"""By kind, the plugin to wrap when the plugin under check has a required parameter for another plugin."""


@dataclass(frozen=True)
class CheckRequest:
    """The plugins to check, and the checks to run.

    Attributes:
        target: the name of a plugin, or the path of a plugin file.
        kind: the kind of the plugin; None allows every kind that the name or the file offers.
        values: texts `name=value` that set parameters, with the value as in TOML.
        only: the names of the checks to run; empty runs all.
    """

    target: str
    kind: Kind | None = None
    values: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """The plugin file; None if `target` is a name."""
        return Path(self.target) if self.target.endswith(".py") or os.sep in self.target else None


@dataclass(frozen=True)
class CheckedPlugin:
    """The plugin that the following findings are about.

    Attributes:
        kind: the kind of the plugin.
        name: the name by which experiments use the plugin.
        source: the distribution and entry point, or the file, that offers the plugin.
    """

    kind: Kind
    name: str
    source: str


@dataclass(frozen=True)
class CheckStarted:
    """The report that a check has started.

    Attributes:
        check: the name of the check.
    """

    check: str


@dataclass(frozen=True)
class _ErrorInChild:
    """The report that the child process cannot run the checks, because of a RunnerError."""

    text: str
    exit_code: int


class _CheckRequestError(RunnerError):
    """A RunnerError of the child process, raised again in its parent with the same exit code."""

    def __init__(self, error: _ErrorInChild) -> None:
        super().__init__(error.text)
        self.exit_code = error.exit_code  # type: ignore[misc]


def check_in_child_process(request: CheckRequest, seconds: float) -> Generator[CheckedPlugin | Finding, None, None]:
    """Run the checks of one or more plugins in a child process.

    Args:
        request: the plugins and checks.
        seconds: the time that each check may take.

    Yields:
        Each plugin, followed by the findings of its checks, each as soon as it is known. A check that does not return in time, or
        that ends the process, counts as failed, and no later check is run.

    Raises:
        RunnerError: no plugin has the name, or the values do not fit its parameters.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_in_child, args=(request, sender))
    process.start()
    sender.close()
    try:
        check, patience = LOADS, SECONDS_TO_START
        while receiver.poll(patience):
            try:
                report: object = receiver.recv()
            except EOFError:
                process.join(SECONDS_TO_END)
                code = process.exitcode
                end = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
                yield Finding(check, FAILED, f"the plugin ended the process of the checks ({end}); later checks were not run")
                return
            patience = seconds
            if report is None:
                return
            if isinstance(report, _ErrorInChild):
                raise _CheckRequestError(report)
            if isinstance(report, CheckStarted):
                check = report.check
            elif isinstance(report, CheckedPlugin | Finding):
                yield report
        yield Finding(check, FAILED, f"it did not return within {seconds:g} s; later checks were not run")
    finally:
        _stop(process)
        receiver.close()


def _stop(process: SpawnProcess) -> None:
    """End the process and the processes that it has started."""
    if sys.platform != "win32" and process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    else:
        process.kill()
    process.join(SECONDS_TO_END)


def _run_in_child(request: CheckRequest, sender: Connection) -> None:
    """Run the checks in the child process, and send each report to the parent; None marks the end."""
    if sys.platform != "win32":
        os.setsid()
    # The output of the plugin goes to standard error, because standard output belongs to the findings.
    os.dup2(2, 1)
    try:
        for report in run_checks(request):
            sender.send(report)
        sender.send(None)
    except RunnerError as error:
        sender.send(_ErrorInChild(str(error), error.exit_code))
    finally:
        sender.close()


def run_checks(request: CheckRequest) -> Iterator[CheckStarted | CheckedPlugin | Finding]:
    """Run the checks of one or more plugins in this process, and yield a report of each event as it happens.

    Raises:
        RunnerError: no plugin has the name, or the values do not fit its parameters.
    """
    yield CheckStarted(LOADS)
    registry = Registry()
    try:
        offers = find_offers(registry, request.target, request.kind, request.file)
    except NoSuchPlugin:
        raise
    except PluginError as error:
        yield Finding(LOADS, FAILED, str(error))
        return
    with_values = [(offer, values_for(offer, offers, request.values)) for offer in offers]
    if not request.only:
        yield Finding(LOADS, OK)
    for offer, values in with_values:
        yield CheckedPlugin(offer.kind, offer.name, offer.source)
        plugins: list[Plugin] = []
        made = Check("made", partial(_make_plugin, offer, values, plugins))
        yield from _run_selected([Check("name", partial(_check_name, offer)), made], request.only)
        if made.finding.verdict == OK:
            yield from _run_selected(checks(plugins[0]), request.only)


def _run_selected(selected: Sequence[Check], only: Sequence[str]) -> Iterator[CheckStarted | Finding]:
    for check in selected:
        if not only or check.name in only:
            yield CheckStarted(check.name)
            yield check.finding


def find_offers(registry: Registry, target: str, kind: Kind | None, file: Path | None) -> list[Offer]:
    """Return the plugins that a name or a file stands for.

    Args:
        registry: the registry, into which the file is loaded.
        target: the name, if `file` is None.
        kind: the kind of the plugins; None allows every kind.
        file: the plugin file; None if a name is given.

    Raises:
        NoSuchPlugin: no plugin fits, or plugins of several kinds have the name.
        PluginError: the file or the entry point cannot be loaded.
    """
    if file is not None:
        registry.load_file(file)
        offers = [offer for offer in registry.offered_by(file) if kind in (None, offer.kind)]
        if not offers:
            raise NoSuchPlugin(f"{file} offers no {kind or 'plugin'}")
        return offers
    of_kind = [offer for offer in registry.offers() if kind in (None, offer.kind)]
    offers = [offer for offer in of_kind if offer.name == target]
    if not offers:
        for broken in registry.broken():
            if broken.name == target:
                raise PluginError(f"{broken.source}: {broken.cause}")
        names = sorted({offer.name for offer in of_kind})
        raise NoSuchPlugin(f"there is no {kind or 'plugin'} {target!r}; {suggestion(target, names)}")
    kinds = list(dict.fromkeys(offer.kind for offer in offers))
    if len(kinds) > 1:
        raise NoSuchPlugin(f"{target!r} is the name of plugins of several kinds: {', '.join(kinds)}; choose one with --kind")
    return offers


def _check_name(offer: Offer) -> None:
    """Check that no other file offers a plugin of this kind and name; an installed entry point may offer the same file."""
    file = _file_of(offer)
    others = [
        other.source
        for other in Registry().offers()
        if (other.kind, other.name) == (offer.kind, offer.name) and other.source != offer.source and _file_of(other) != file
    ]
    if others:
        raise Failure(f"{offer.kind} {offer.name!r} is offered by {' and '.join([offer.source, *others])}; "
                      "uninstall or rename one of them")  # fmt: skip


def _file_of(offer: Offer) -> Path:
    return Path(inspect.getsourcefile(offer.cls) or offer.source).resolve()


def _make_plugin(offer: Offer, values: Mapping[str, ParameterValue], plugins: list[Plugin]) -> None:
    """Create the plugin with the given values and otherwise with defaults, and append it to `plugins`.

    Raises:
        Failure: a parameter is declared wrongly, or the class raises.
    """
    check_parameters(offer.cls)
    arguments: dict[str, Any] = dict(values)
    for name, parameter in offer.parameters.items():
        if parameter.plugin is not None and parameter.required:
            arguments[name] = WRAPPED_PLUGINS[parameter.plugin]
        elif name not in values:
            arguments[name] = parameter.convert(parameter.default)
    try:
        plugins.append(offer.cls(**arguments))
    except Exception as error:
        raise Failure(f"{offer.name} cannot be created: {describe_error(error)}") from error


def values_for(offer: Offer, offers: Sequence[Offer], assignments: Sequence[str]) -> dict[str, ParameterValue]:
    """Return the values that assignments give to the parameters of a plugin.

    Args:
        offer: the plugin.
        offers: all plugins that the assignments may be meant for, among them `offer`.
        assignments: texts `name=value`, with the value as in TOML.

    Raises:
        ExperimentError: an assignment is malformed, no plugin has such a parameter, a value is not allowed, or a required
            parameter has no value.
    """
    values = {}
    known = sorted({name for each in offers for name in each.parameters})
    for assignment in assignments:
        option = f"--set {assignment}"
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not key or not text:
            raise ExperimentError(option, ["must have the form parameter=value"])
        if key not in known:
            names = " or ".join(each.name for each in offers)
            raise ExperimentError(option, [f"{names} has no such parameter; {suggestion(key, known)}"])
        if key in offer.parameters:
            try:
                value: object = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError:
                value = text  # A bare word is a string.
            try:
                values[key] = offer.parameters[key].convert(value)
            except ValueError as error:
                raise ExperimentError(option, [str(error)]) from error
    for key, parameter in offer.parameters.items():
        optional = not parameter.required or parameter.plugin is not None or offer.kind == "figure"
        if key not in values and not optional:
            raise ExperimentError(f"--set {key}=...", [f"is missing: {offer.name} needs {key}, {parameter.allowed}"])
    return values

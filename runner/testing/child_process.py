"""Checks in a process of their own, so that a plugin that never returns, or kills its process, is told like any other failure."""

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
SECONDS_TO_START = 120.0
SECONDS_TO_END = 5.0
WRAPPED_PLUGINS: Mapping[str, Plugin] = {"objective": Bowl(), "gradient": OwnDerivatives(), "optimizer": PlainDescent()}
"""What a plugin that wraps another is checked with."""


@dataclass(frozen=True)
class CheckRequest:
    """What is to be checked.

    Attributes:
        target: the name of a plugin on offer, or a plugin file.
        kind: of the plugin, where the name or the file leave a choice.
        values: parameters, as `name=value` with the value as in TOML.
        only: names of checks; all of them, if none are given.
    """

    target: str
    kind: Kind | None = None
    values: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """The plugin file, if it is one."""
        return Path(self.target) if self.target.endswith(".py") or os.sep in self.target else None


@dataclass(frozen=True)
class CheckedPlugin:
    """The plugin that the findings behind it are about.

    Attributes:
        kind: what it is.
        name: what experiments call it.
        source: the distribution and entry point, or the file, that offers it.
    """

    kind: Kind
    name: str
    source: str


@dataclass(frozen=True)
class CheckStarted:
    """A check begins.

    Attributes:
        check: its name.
    """

    check: str


@dataclass(frozen=True)
class _Refused:
    text: str
    exit_code: int


class _Refusal(RunnerError):
    """What the other process refused to do, with its exit code."""

    def __init__(self, refused: _Refused) -> None:
        super().__init__(refused.text)
        self.exit_code = refused.exit_code  # type: ignore[misc]


def check_in_child_process(request: CheckRequest, seconds: float) -> Generator[CheckedPlugin | Finding, None, None]:
    """Run the checks of one or more plugins in a child process.

    Args:
        request: what to check.
        seconds: how long each check may take.

    Yields:
        Each plugin, and behind it what each of its checks found, as soon as it is known. A check that does not return in time, or
        ends the process, has failed, and is the last.

    Raises:
        RunnerError: there is no such plugin, or it cannot be made from these values.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(request, there))
    process.start()
    there.close()
    try:
        yield from _heard(here, process, seconds)
    finally:
        _stop(process)
        here.close()


def _heard(here: Connection, process: SpawnProcess, seconds: float) -> Generator[CheckedPlugin | Finding, None, None]:
    current, patience = LOADS, SECONDS_TO_START
    while here.poll(patience):
        try:
            message: object = here.recv()
        except EOFError:
            process.join(SECONDS_TO_END)
            yield Finding(current, FAILED, f"it ends its process: {_ending(process.exitcode)}; the checks behind it were not run")
            return
        patience = seconds
        if message is None:
            return
        if isinstance(message, _Refused):
            raise _Refusal(message)
        if isinstance(message, CheckStarted):
            current = message.check
        elif isinstance(message, CheckedPlugin | Finding):
            yield message
    yield Finding(current, FAILED, f"it does not return within {seconds:g} s (--timeout); the checks behind it were not run")


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _stop(process: SpawnProcess) -> None:
    """End the process, and those that it has started."""
    if sys.platform != "win32" and process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    else:
        process.kill()
    process.join(SECONDS_TO_END)


def _answer(request: CheckRequest, there: Connection) -> None:
    """Run the checks and tell the parent; what the plugin prints goes to the error output."""
    if sys.platform != "win32":
        os.setsid()
    os.dup2(2, 1)
    try:
        for message in run_checks(request):
            there.send(message)
        there.send(None)
    except RunnerError as error:
        there.send(_Refused(str(error), error.exit_code))
    finally:
        there.close()


def run_checks(request: CheckRequest) -> Iterator[CheckStarted | CheckedPlugin | Finding]:
    """Run the checks of one or more plugins in this process, and yield what happens as it happens.

    Raises:
        RunnerError: there is no such plugin, or it cannot be made from these values.
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
    made = [(offer, values_for(offer, offers, request.values)) for offer in offers]
    if not request.only:
        yield Finding(LOADS, OK)
    for offer, values in made:
        yield CheckedPlugin(offer.kind, offer.name, offer.source)
        plugins: list[Plugin] = []
        making = Check("made", partial(_make, offer, values, plugins))
        yield from _found([Check("name", partial(_check_name, offer)), making], request.only)
        if making.finding.verdict == OK:
            yield from _found(checks(plugins[0]), request.only)


def _found(made: Sequence[Check], only: Sequence[str]) -> Iterator[CheckStarted | Finding]:
    for check in made:
        if not only or check.name in only:
            yield CheckStarted(check.name)
            yield check.finding


def find_offers(registry: Registry, target: str, kind: Kind | None, file: Path | None) -> list[Offer]:
    """Return the plugins that a name or a file stands for.

    Raises:
        NoSuchPlugin: there are none, or there are some of several kinds.
        PluginError: they cannot be loaded.
    """
    if file is not None:
        registry.load_file(file)
        offers = [offer for offer in registry.offered_by(file) if kind in (None, offer.kind)]
        if not offers:
            raise NoSuchPlugin(f"{file}: it offers no {kind}")
        return offers
    offers = [offer for offer in registry.offers() if offer.name == target and kind in (None, offer.kind)]
    if not offers:
        raise _absence(registry, target, kind)
    kinds = list(dict.fromkeys(offer.kind for offer in offers))
    if len(kinds) > 1:
        raise NoSuchPlugin(f"{target!r} is the name of plugins of several kinds: {', '.join(kinds)}; say which with --kind")
    return offers


def _absence(registry: Registry, name: str, kind: Kind | None) -> PluginError:
    for broken in registry.broken():
        if broken.name == name:
            return PluginError(f"{broken.source}: {broken.cause}")
    names = sorted({offer.name for offer in registry.offers() if kind in (None, offer.kind)})
    return NoSuchPlugin(f"there is no {kind or 'plugin'} {name!r}; {suggestion(name, names)}")


def _check_name(offer: Offer) -> None:
    """Check that nothing else offers a plugin of that kind and name; its own file, also installed, is nothing else."""
    registry = Registry()
    here = _file(offer)
    others = [
        other.source
        for other in registry.offers()
        if (other.kind, other.name) == (offer.kind, offer.name) and other.source != offer.source and _file(other) != here
    ]
    if others:
        raise Failure(f"{offer.kind} {offer.name!r} is offered by {' and '.join([offer.source, *others])}; "
                      "uninstall or rename one of them")  # fmt: skip


def _file(offer: Offer) -> Path:
    return Path(inspect.getsourcefile(offer.cls) or offer.source).resolve()


def _make(offer: Offer, values: Mapping[str, ParameterValue], made: list[Plugin]) -> None:
    check_parameters(offer.cls)
    arguments: dict[str, Any] = dict(values)
    for name, known in offer.parameters.items():
        if known.plugin is not None and known.required:
            arguments[name] = WRAPPED_PLUGINS[known.plugin]
        elif name not in values:
            arguments[name] = known.convert(known.default)
    try:
        made.append(offer.cls(**arguments))
    except Exception as error:
        raise Failure(f"{offer.name} cannot be made: {describe_error(error)}") from error


def _assigned(assignment: str) -> tuple[str, str, str]:
    """Return the name, the text of the value, and the whole as it was written."""
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip() or not text.strip():
        raise ExperimentError(f"--set {assignment}", ["must have the form parameter=value"])
    return name.strip(), text.strip(), f"--set {assignment}"


def values_for(offer: Offer, offers: Sequence[Offer], assignments: Sequence[str]) -> dict[str, ParameterValue]:
    """Return the parameters of a plugin that are given.

    Args:
        offer: the plugin.
        offers: all that the assignments may be meant for.
        assignments: `name=value`, each.

    Raises:
        ExperimentError: none of the plugins has such a parameter, the value does not fit, or one is missing.
    """
    values = {}
    known = sorted({name for each in offers for name in each.parameters})
    for name, text, assignment in map(_assigned, assignments):
        if name not in known:
            names = " or ".join(each.name for each in offers)
            raise ExperimentError(assignment, [f"{names} has no such parameter; {suggestion(name, known)}"])
        if name in offer.parameters:
            try:
                values[name] = offer.parameters[name].convert(_parsed(text))
            except ValueError as error:
                raise ExperimentError(assignment, [str(error)]) from error
    for name, parameter in offer.parameters.items():
        given = name in values or parameter.plugin is not None or offer.kind == "figure"
        if parameter.required and not given:
            raise ExperimentError(f"--set {name}=...", [f"is missing: {offer.name} needs {name}, {parameter.allowed}"])
    return values


def _parsed(text: str) -> object:
    """Return a value written as in TOML; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

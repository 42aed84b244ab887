"""`runner plugins show`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import click

from runner.cli.terminal.option_types import OneOf
from runner.cli.terminal.table_layout import Habits, fitted, hanging
from runner.contracts.kinds import KINDS, capability_for
from runner.contracts.optimizer import Optimizer
from runner.contracts.parameters import Parameter
from runner.contracts.plugin import Kind
from runner.errors import RunnerError
from runner.registry.catalogue import Offer
from runner.registry.registry import Registry
from runner.testing.check import FAILED, SKIPPED, Finding
from runner.testing.child_process import CheckRequest, check_in_child_process, find_offers

WIDTH = 100
SECONDS = 60.0
BATCH_CHECKS = ("batch", "sweeps")


@click.command(short_help="Show what a plugin is, and how to use it.")
@click.argument("plugin", metavar="NAME|FILE")
@click.option("--kind", type=OneOf(list(KINDS)), help="What it is, where the name leaves a choice.")
def show(plugin: str, kind: Kind | None) -> None:
    """Show what a plugin computes, its parameters, what it offers and needs, and where it comes from.

    Whether it is batch-safe is tried out, in a process of its own.

    \b
    Examples:
      runner plugins show gradient_descent
      runner plugins show experiments/sign_descent.py
    """
    request = CheckRequest(plugin, kind, only=BATCH_CHECKS)
    offers = find_offers(Registry(), plugin, kind, request.file)
    for number, offer in enumerate(offers):
        if number:
            click.echo()
        click.echo("\n".join(_lines(offer, request)))


def _lines(offer: Offer, request: CheckRequest) -> Iterator[str]:
    yield f"{offer.kind} {offer.name}"
    yield ""
    yield from _documentation(offer)
    yield ""
    if offer.parameters:
        headings = ("parameter", "type", "default", "allowed", "what it is")
        yield from fitted([headings, *map(parameter_row, offer.parameters.values())], Habits(then=("type", "default")))
        yield ""
    yield from hanging(list(_facts(offer, request)))
    yield ""
    yield from usage(offer, request.file)


def _documentation(offer: Offer) -> Iterator[str]:
    for line in (inspect.getdoc(offer.cls) or "it has no docstring").splitlines():
        yield f"  {line}".rstrip()


def parameter_row(parameter: Parameter) -> tuple[str, ...]:
    """Return a parameter's name, type, default, allowed values and meaning."""
    default = "required" if parameter.required else _toml(parameter.default)
    return parameter.name, _type(parameter), default, parameter.allowed, parameter.doc


def _type(parameter: Parameter) -> str:
    if parameter.item is not None:
        words = f"tuple[{parameter.item.__name__}, ...]"
    elif parameter.plugin is not None:
        words = KINDS[parameter.plugin].plugin_class.__name__
    else:
        words = parameter.python_type.__name__
    return words + (" | None" if parameter.optional else "")


def _toml(value: Any) -> str:
    """Return a value as in TOML; None, which TOML has not, is the absence of the key."""
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def _least(offer: Offer) -> str:
    """Say what an objective offers whose class by itself offers nothing more than it must."""
    wraps = any(known.plugin == "objective" for known in offer.parameters.values())
    return "values; what it wraps decides whether more" if wraps else "nothing but values"


def _facts(offer: Offer, request: CheckRequest) -> Iterator[tuple[str, str]]:
    if offer.kind in ("objective", "gradient"):
        # A member counts as offered where the class has it or declares it as a field; `isinstance` would need an instance.
        members = {*dir(offer.cls), *offer.parameters}
        has = [each.name for each in KINDS[offer.kind].capabilities if members.issuperset(each.members)]
        yield "offers", ", ".join(has) or _least(offer) if offer.kind == "objective" else ", ".join(["gradient", *has])
    if issubclass(offer.cls, Optimizer):
        needed = [capability_for(quantity) for quantity in dict.fromkeys(offer.cls.needs)]
        yield "needs", ", ".join(["gradient", *(each.name for each in needed if each is not None)])
    if offer.kind in ("objective", "gradient", "optimizer"):
        yield "batch-safe", _batch_safety(offer, request)
    yield "from", f"{offer.source.replace(':', f' {offer.version}, entry point ')}" if offer.version else offer.source
    yield "file", str(Path(inspect.getsourcefile(offer.cls) or "").resolve())


def _batch_safety(offer: Offer, request: CheckRequest) -> str:
    """Run the checks of batches, and say in words what they find."""
    target = request.target if request.file is not None else offer.name
    try:
        with closing(check_in_child_process(CheckRequest(target, offer.kind, only=BATCH_CHECKS), SECONDS)) as findings:
            found = [each for each in findings if isinstance(each, Finding)]
    except RunnerError as error:
        return f"not known: {error}"
    failed = [each.explanation for each in found if each.verdict == FAILED]
    unknown = [each.explanation for each in found if each.verdict == SKIPPED and each.check == "batch"]
    if failed:
        return f"no: {failed[0]}"
    return f"not known, {unknown[0]}; runner plugins check says more" if unknown or not found else "yes"


def usage(offer: Offer, file: Path | None) -> list[str]:
    """Return the lines of an experiment that use a plugin with its defaults."""
    lines = [f"plugins = [{_toml(file.name)}]"] if file is not None else []
    values = {name: _example(known) for name, known in offer.parameters.items()}
    table = "".join(f", {name} = {value}" for name, value in values.items() if value)
    if offer.kind == "figure":
        return [*lines, f"report = {{ figures = [{_toml(offer.name)}] }}"]
    if offer.kind == "executor":
        return [*lines, f"execution = {{ executor = {_toml(offer.name)}{table} }}"]
    return [*lines, f"{offer.kind} = [{{ name = {_toml(offer.name)}{table} }}]"]


def _example(parameter: Parameter) -> str:
    """Return a value that fits, as in TOML: the default, or one made up; the empty string for absence."""
    if parameter.default is None:
        return ""
    if parameter.default is not MISSING:
        return _toml(parameter.default)
    if parameter.plugin is not None:
        examples = {"objective": "quadratic", "gradient": "analytic", "optimizer": "gradient_descent"}
        return f"{{ name = {_toml(examples[parameter.plugin])} }}"
    made_up: list[Any] = [*parameter.choices, 1, 0.5, 1.5, 2, -1, 10, 100, True, "...", [1, 2]]
    for value in made_up:
        try:
            return _toml(parameter.convert(value))
        except ValueError:
            continue
    return _toml("...")

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

from runner.cli.plugins.check import kind_option
from runner.cli.terminal.tables import NarrowLayout, labelled_lines, table_lines
from runner.contracts.kinds import PLUGIN_KINDS, capability_for
from runner.contracts.optimizer import Optimizer
from runner.contracts.parameters import Parameter
from runner.contracts.plugin import Kind
from runner.errors import RunnerError
from runner.registry.catalogue import Offer
from runner.registry.registry import Registry
from runner.testing.check import FAILED, SKIPPED, Finding
from runner.testing.child_process import CheckRequest, check_in_child_process, find_offers

SECONDS = 60.0
"""Time limit of each check of batch safety."""
BATCH_CHECKS = ("batch", "sweeps")
EXAMPLES = {"objective": "quadratic", "gradient": "analytic", "optimizer": "gradient_descent"}
"""A plugin of each kind that can be the parameter of another plugin."""
HEADINGS = ("parameter", "type", "default", "allowed", "meaning")


@click.command()
@click.argument("plugin", metavar="NAME|FILE")
@kind_option
def show(plugin: str, kind: Kind | None) -> None:
    """Show the formula, parameters and capabilities of a plugin.

    The plugin is the name of an installed plugin, or a plugin file. The output ends with a line for an experiment file. To find
    out if the plugin is batch-safe, the command runs it in a separate process.

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
    for line in (inspect.getdoc(offer.cls) or "it has no docstring").splitlines():
        yield f"  {line}".rstrip()
    yield ""
    if offer.parameters:
        rows = map(parameter_row, offer.parameters.values())
        yield from table_lines([HEADINGS, *rows], NarrowLayout(hide_later=("type", "default")))
        yield ""
    facts = []
    # A class offers a capability if it has the members or declares them as fields; `isinstance` would need an instance.
    members = {*dir(offer.cls), *offer.parameters}
    offered = [each.name for each in PLUGIN_KINDS[offer.kind].capabilities if members.issuperset(each.members)]
    if offer.kind == "gradient":
        facts.append(("offers", ", ".join(["gradient", *offered])))
    elif offer.kind == "objective":
        wraps = any(parameter.plugin == "objective" for parameter in offer.parameters.values())
        least = "values, and what the wrapped objective offers" if wraps else "only values"
        facts.append(("offers", ", ".join(offered) or least))
    if issubclass(offer.cls, Optimizer):
        needed = [capability_for(quantity) for quantity in dict.fromkeys(offer.cls.needs)]
        facts.append(("needs", ", ".join(["gradient", *(each.name for each in needed if each is not None)])))
    if offer.kind in ("objective", "gradient", "optimizer"):
        facts.append(("batch-safe", _batch_safety(offer, request)))
    source = f"{offer.source.replace(':', f' {offer.version}, entry point ')}" if offer.version else offer.source
    facts += [("from", source), ("file", str(Path(inspect.getsourcefile(offer.cls) or "").resolve()))]
    yield from labelled_lines(facts)
    yield ""
    yield from usage(offer, request.file)


def _batch_safety(offer: Offer, request: CheckRequest) -> str:
    """Run the checks of batch safety, and return `yes`, or `no` or `not known` with the reason."""
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
    if unknown:
        return f"not known, {unknown[0]}; for details, use `runner plugins check`"
    return "yes" if found else "not known; for the reason, use `runner plugins check`"


def parameter_row(parameter: Parameter) -> tuple[str, ...]:
    """Return a parameter's name, type, default, allowed values and meaning."""
    if parameter.item is not None:
        type_name = f"tuple[{parameter.item.__name__}, ...]"
    elif parameter.plugin is not None:
        type_name = PLUGIN_KINDS[parameter.plugin].plugin_class.__name__
    else:
        type_name = parameter.python_type.__name__
    if parameter.optional:
        type_name += " | None"
    default = "required" if parameter.required else _toml(parameter.default)
    return parameter.name, type_name, default, parameter.allowed, parameter.doc


def _toml(value: Any) -> str:
    """Return a value in TOML, or `absent` for None, which TOML lacks."""
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def usage(offer: Offer, file: Path | None) -> list[str]:
    """Return the lines of an experiment file that use a plugin with its defaults.

    Args:
        offer: the plugin.
        file: the plugin file, if the plugin is not installed.
    """
    lines = [f"plugins = [{_toml(file.name)}]"] if file is not None else []
    name = _toml(offer.name)
    values = "".join(f", {each.name} = {_example(each)}" for each in offer.parameters.values() if each.default is not None)
    if offer.kind == "figure":
        return [*lines, f"report = {{ figures = [{name}] }}"]
    if offer.kind == "executor":
        return [*lines, f"execution = {{ executor = {name}{values} }}"]
    return [*lines, f"{offer.kind} = [{{ name = {name}{values} }}]"]


def _example(parameter: Parameter) -> str:
    """Return the default of a parameter in TOML, or a value that the parameter allows if it is required."""
    if parameter.default is not MISSING:
        return _toml(parameter.default)
    if parameter.plugin is not None:
        return f"{{ name = {_toml(EXAMPLES[parameter.plugin])} }}"
    candidates: list[Any] = [*parameter.choices, 1, 0.5, 1.5, 2, -1, 10, 100, True, "...", [1, 2]]
    for value in candidates:
        try:
            return _toml(parameter.convert(value))
        except ValueError:
            continue
    return _toml("...")

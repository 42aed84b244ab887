"""`runner inspect`; what each of its modes prints is a file of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from runner.cli.inspect.point import show_point
from runner.cli.inspect.region import show_region
from runner.cli.inspect.run import is_run, show_run
from runner.cli.inspect.shared import Numbers, Picture, Shown
from runner.cli.inspect.spacings import show_spacings
from runner.cli.inspect.taylor import show_taylor
from runner.cli.terminal.database_option import DEFAULT_DATABASE
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.output_options import brief_format_option, plugin_option
from runner.inspection.inspected_objective import InspectedObjective, make_inspected_objective
from runner.registry.registry import Registry

MOST_TERMS = 20
MODES = {"spacings": "--spacings", "order": "--taylor", "region": "--region"}
BELONGS = {"around": ("order", "--around"), "tries": ("region", "--tries"), "seed": ("region", "--seed")}
TRIES = 10_000
"""For each option that only one inspection has, which, and what it is called."""


@click.command()
@click.argument("target", metavar="OBJECTIVE|RUN")
@click.option("--set", "values", multiple=True, metavar="PARAMETER=VALUE", help="Give a parameter a value; may be repeated.")
@plugin_option
@click.option("--at", type=Numbers(), metavar="X", help="Where: 0.5, or 1,-2; without it a point is chosen, and told.")
@click.option("--spacings", is_flag=True, help="Measure the error of finite differences against their spacing.")
@click.option("--taylor", "order", type=WholeNumber(1, MOST_TERMS), metavar="N", help="Its Taylor series to order N.")
@click.option("--around", type=Numbers(), metavar="A", help="Around where.  [default: 0]")
@click.option("--region", type=Numbers(), metavar="LOW,HIGH", help="Search a box for counterexamples to convexity.")
@click.option("--tries", type=WholeNumber(1, 1_000_000), metavar="N", help=f"How many chords to try.  [default: {TRIES:,}]")
@click.option("--seed", type=WholeNumber(0), metavar="N", help="Seed of the random chords.  [default: 0]")
@click.option("--db", metavar="PATH|URL", help=f"Where RUN is stored.  [default: $RUNNER_DB, else {DEFAULT_DATABASE}]")
@click.option("-o", "--output", type=Picture(), metavar="FILE", help="Write the picture: .png, .svg or .pdf.")
@brief_format_option
def inspect(
    target: str,
    values: tuple[str, ...],
    plugins: tuple[Path, ...],
    db: str | None,
    output: Path | None,
    form: str,
    **mode: Any,
) -> None:
    """Show the calculus of an objective: its derivatives, curvature and Newton's direction at a point.

    Or, with --spacings, how wrong finite differences are; with --taylor, its series; with --region, whether it is convex there.
    Of a stored RUN, by its number or the beginning of its identity: curvature and models along its trajectory.

    \b
    Examples:
      runner inspect rosenbrock --at -1.2,1
      runner inspect sin_quadratic --set a=5 --at 0.5 -o point.png
      runner inspect sin_quadratic --spacings --at 1
      runner inspect sin_quadratic --taylor 5 --around 0 -o taylor.png
      runner inspect sin_quadratic --set a=3 --region -3,3
      runner inspect 17 --db results/runner.db
    """
    _check(mode)
    registry = Registry()
    for file in plugins:
        registry.load_file(file)
    # What overflows is told as infinite, and what follows from it as unknown.
    with np.errstate(all="ignore"):
        _tell(_inspected(target, values, registry, db, mode), output, form == "json")


def _inspected(target: str, values: tuple[str, ...], registry: Registry, db: str | None, mode: Mapping[str, Any]) -> Shown:
    if is_run(target, registry):
        _check_run(target, values, mode)
        return show_run(target, db or os.environ.get("RUNNER_DB") or DEFAULT_DATABASE, registry)
    if db is not None:
        raise click.UsageError(f"--db goes with a stored run; {target!r} is neither a number nor the beginning of an identity")
    return _shown(make_inspected_objective(target, values, registry), mode)


def _check_run(target: str, values: tuple[str, ...], mode: Mapping[str, Any]) -> None:
    """Refuse options that are for objectives."""
    options = {**MODES, "at": "--at"}
    given = [*(["--set"] if values else []), *(option for name, option in options.items() if mode[name])]
    if given:
        raise click.UsageError(f"{' and '.join(given)}: for an objective, and {target} is a run")


def _check(mode: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""
    given = [option for name, option in MODES.items() if mode[name]]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are different inspections; ask for one at a time")
    for name, (needed, option) in BELONGS.items():
        if mode[name] is not None and not mode[needed]:
            raise click.UsageError(f"{option} goes with {MODES[needed]}")
    if mode["at"] is not None and (mode["order"] or mode["region"]):
        other = "--taylor; say where with --around" if mode["order"] else "--region, which says where"
        raise click.UsageError(f"--at does not go with {other}")


def _shown(inspected: InspectedObjective, mode: Mapping[str, Any]) -> Shown:
    if mode["spacings"]:
        return show_spacings(inspected, mode["at"])
    if mode["order"]:
        return show_taylor(inspected, mode["order"], mode["around"] or (0.0,))
    if mode["region"]:
        return show_region(inspected, mode["region"], mode["tries"] or TRIES, mode["seed"] or 0)
    return show_point(inspected, mode["at"])


def _tell(shown: Shown, output: Path | None, as_json: bool) -> None:
    picture = _written(shown, output) if output is not None else None
    if as_json:
        click.echo(json.dumps({**shown.data, "picture": picture and str(picture)}, indent=2, allow_nan=False))
        return
    for line in shown.lines:
        click.echo(line)
    if picture is not None:
        click.echo(f"picture: {picture}")


def _written(shown: Shown, output: Path) -> Path:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.report.files import render, write_file

    suffix = output.suffix[1:]
    return write_file(output.parent, output.name, render(shown.draw(), [suffix])[suffix])

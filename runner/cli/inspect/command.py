"""`runner inspect`: its options, and the choice of the inspection."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import click
import numpy as np

from runner.cli.inspect.output import Output
from runner.cli.inspect.point import point_output
from runner.cli.inspect.region import region_output
from runner.cli.inspect.run import is_run, run_output
from runner.cli.inspect.spacings import spacings_output
from runner.cli.inspect.taylor import taylor_output
from runner.cli.terminal.options import DEFAULT_DATABASE, WholeNumber, brief_format_option, plugin_option, set_option
from runner.inspection.inspected_objective import make_inspected_objective
from runner.registry.registry import Registry

MOST_TERMS = 20
MODES = {"spacings": "--spacings", "taylor": "--taylor", "region": "--region"}
"""The options that choose an inspection, by parameter; without them a point is inspected."""
MODE_OPTIONS = {"around": "taylor", "tries": "region", "seed": "region"}
"""The options that belong to one inspection, each with the parameter that chooses it."""
TRIES = 10_000
PICTURE_SUFFIXES = (".png", ".svg", ".pdf")


class Numbers(click.ParamType[tuple[float, ...]]):
    """Finite numbers with commas between them."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers, or fail with the allowed form."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(word) for word in value.split(","))
        except ValueError:
            numbers = (math.nan,)
        if not all(map(math.isfinite, numbers)):
            self.fail(f"must be finite numbers with commas between them, such as 0.5 or 1,-2, not {value!r}", param, ctx)
        return numbers


class Picture(click.ParamType[Path]):
    """The file of a picture, whose name ends in one of `PICTURE_SUFFIXES`."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or fail with the allowed suffixes."""
        path = Path(value)
        if path.suffix not in PICTURE_SUFFIXES:
            allowed = f"{', '.join(PICTURE_SUFFIXES[:-1])} or {PICTURE_SUFFIXES[-1]}"
            self.fail(f"must end in {allowed} (the suffix sets the format), not {str(value)!r}", param, ctx)
        return path


@click.command()
@click.argument("target", metavar="OBJECTIVE|RUN")
@set_option
@plugin_option
@click.option("--at", type=Numbers(), metavar="X", help="Inspect this point, e.g. 0.5 or 1,-2; the default point is reported.")
@click.option("--spacings", is_flag=True, help="Measure the error of finite differences against their spacing.")
@click.option("--taylor", type=WholeNumber(1, MOST_TERMS), metavar="N", help="Compute the Taylor series to order N.")
@click.option("--around", type=Numbers(), metavar="A", help="Expand the series around this point.  [default: 0]")
@click.option("--region", type=Numbers(), metavar="LOW,HIGH", help="Search a box for counterexamples to convexity.")
@click.option(
    "--tries", type=WholeNumber(1, 1_000_000), metavar="N", help=f"Number of random chords to try.  [default: {TRIES:,}]"
)
@click.option("--seed", type=WholeNumber(0), metavar="N", help="Seed of the random chords.  [default: 0]")
@click.option("--db", metavar="PATH|URL", help=f"The database of RUN.  [default: $RUNNER_DB, else {DEFAULT_DATABASE}]")
@click.option("-o", "--output", type=Picture(), metavar="FILE", help="Write the picture: .png, .svg or .pdf.")
@brief_format_option
def inspect(
    target: str, values: tuple[str, ...], plugins: tuple[Path, ...], db: str | None, output: Path | None, form: str, **mode: Any
) -> None:
    """Show the derivatives, curvature and Taylor series of an objective.

    By default, the command shows the derivatives of an objective at a point, its curvature and Newton's direction. Other
    inspections of an objective are the error of finite differences (`--spacings`), the Taylor series (`--taylor`), and a search
    for counterexamples to convexity (`--region`).

    RUN is the number of a stored run or the beginning of its identity. For a run, the command shows the curvature along its
    trajectory, and the decrease of f that models of first and second order predict.

    \b
    Examples:
      runner inspect rosenbrock --at -1.2,1
      runner inspect sin_quadratic --set a=5 --at 0.5 -o point.png
      runner inspect sin_quadratic --spacings --at 1
      runner inspect sin_quadratic --taylor 5 --around 0 -o taylor.png
      runner inspect sin_quadratic --set a=3 --region -3,3
      runner inspect 17 --db results/runner.db
    """
    given = [option for name, option in MODES.items() if mode[name]]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are different inspections; choose one of them")
    for name, needed in MODE_OPTIONS.items():
        if mode[name] is not None and not mode[needed]:
            raise click.UsageError(f"--{name} is allowed only with {MODES[needed]}")
    if mode["at"] is not None and mode["taylor"]:
        raise click.UsageError("--at is not allowed with --taylor; give the point with --around")
    if mode["at"] is not None and mode["region"]:
        raise click.UsageError("--at is not allowed with --region, which inspects a box")
    registry = Registry()
    for file in plugins:
        registry.load_file(file)
    # Values that overflow are reported as infinite, and values that follow from them as unknown.
    with np.errstate(all="ignore"):
        result = _inspect(target, values, registry, db, mode)
        picture = None
        if output is not None:
            # This import loads Matplotlib.
            from runner.report.files import render, write_file

            suffix = output.suffix[1:]
            picture = write_file(output.parent, output.name, render(result.draw(), [suffix])[suffix])
    if form == "json":
        click.echo(json.dumps({**result.data, "picture": picture and str(picture)}, indent=2, allow_nan=False))
        return
    for line in result.lines:
        click.echo(line)
    if picture is not None:
        click.echo(f"picture: {picture}")


def _inspect(target: str, values: tuple[str, ...], registry: Registry, db: str | None, mode: dict[str, Any]) -> Output:
    """Inspect a stored run, or an objective in the mode that the options choose."""
    if is_run(target, registry):
        for_objectives = {"--set": values, **{option: mode[name] for name, option in MODES.items()}, "--at": mode["at"]}
        given = [option for option, value in for_objectives.items() if value]
        if given:
            raise click.UsageError(f"{' and '.join(given)}: allowed only for an objective, and {target} is a run")
        return run_output(target, db or os.environ.get("RUNNER_DB") or DEFAULT_DATABASE, registry)
    if db is not None:
        raise click.UsageError(
            f"--db is allowed only for a stored run, and {target!r} is neither a number nor the beginning of an identity"
        )
    inspected = make_inspected_objective(target, values, registry)
    if mode["spacings"]:
        return spacings_output(inspected, mode["at"])
    if mode["taylor"]:
        return taylor_output(inspected, mode["taylor"], mode["around"] or (0.0,))
    if mode["region"]:
        return region_output(inspected, mode["region"], mode["tries"] or TRIES, mode["seed"] or 0)
    return point_output(inspected, mode["at"])

"""`runner inspect`; what each of its modes prints is a file of its own."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.inspect_options import Numbers, Picture, Shown
from runner.cli.inspect_point import show_point
from runner.cli.inspect_spacings import show_spacings
from runner.inspection.subject import make_subject
from runner.registry import Registry


@click.command()
@click.argument("objective")
@click.option("--set", "values", multiple=True, metavar="PARAMETER=VALUE", help="Give a parameter a value; may be repeated.")
@click.option("--plugin", "files", multiple=True, type=click.Path(path_type=Path), help="Load a plugin file; may be repeated.")
@click.option("--at", type=Numbers(), metavar="X", help="Where: 0.5, or 1,-2. [default: its known minimum, else its centre]")
@click.option("--spacings", is_flag=True, help="Measure the error of finite differences against their spacing.")
@click.option("-o", "--output", type=Picture(), metavar="FILE", help="Write the picture: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every digit.")
def inspect(
    objective: str,
    values: tuple[str, ...],
    files: tuple[Path, ...],
    at: tuple[float, ...] | None,
    spacings: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Show the calculus of an objective: its derivatives, curvature and Newton's direction at a point.

    \b
    Examples:
      runner inspect rosenbrock --at -1.2,1
      runner inspect sin_quadratic --set a=5 --at 0.5 -o point.png
    """
    subject = make_subject(objective, values, files, Registry())
    _tell(show_spacings(subject, at) if spacings else show_point(subject, at), output, as_json)


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
    from runner.report.files import render_one, write_file

    return write_file(output.parent, output.name, render_one(shown.draw(), output.suffix[1:]))

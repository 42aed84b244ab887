"""`runner plugins new`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.plugins.scaffold import Package, new_package, write_package
from runner.registry.registry import Registry


@click.command(short_help="Write a new plugin, as a small package.")
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
@click.option("--folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write.  [default: runner-NAME]")
def new(kind: str, name: str, folder: Path | None) -> None:
    """Write a new plugin: a small package that can be installed, passes its tests, and runs an experiment.

    KIND is objective, gradient, optimizer, executor or figure; NAME is what experiments will call it.

    \b
    Example:
      runner plugins new optimizer heavy_ball
    """
    registry = Registry()
    try:
        package = new_package(kind, name, registry.offers(), registry.broken())
        where = Path(package.distribution) if folder is None else folder
        written = write_package(package, where)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for path in written:
        click.echo(f"wrote {path}")
    click.echo("\n".join(_next_steps(package, where)))


def _next_steps(package: Package, folder: Path) -> list[str]:
    return [
        "",
        f"Next, in {folder}:",
        "  python -m pip install -e '.[test]'",
        "  pytest",
        f"  runner plugins check {package.name}",
        "  runner run experiment.toml",
    ]

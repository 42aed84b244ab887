"""`runner plugins`."""

from __future__ import annotations

import json
import shutil
import sys

import click

from runner.registry import Registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """List the installed plugins with a line each, and those that cannot be loaded with the reason.

    \b
    Example:
      runner plugins
    """
    registry = Registry()
    offers, broken = registry.offers(), registry.broken()
    if as_json:
        keys = ("kind", "name", "source", "version", "summary")
        listed = [{key: getattr(offer, key) for key in keys} for offer in offers]
        causes = [{"source": each.source, "name": each.name, "cause": each.cause} for each in broken]
        click.echo(json.dumps({"plugins": listed, "broken": causes}, indent=2))
        return
    rows = [(offer.kind, offer.name, offer.source.partition(":")[0], offer.version, offer.summary) for offer in offers]
    for line in _aligned([("kind", "name", "from", "version", "what it is"), *rows]):
        click.echo(line)
    for each in broken:
        click.echo(f"cannot be loaded: {each.source}: {each.cause}", err=True)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Pad the columns; on a terminal cut each line to its width."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return [line if columns is None or len(line) <= columns else line[: columns - 1] + "…" for line in lines]

"""`runner plugins`."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from runner.registry import Registry

WIDTH_IN_PIPES = 200


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """List the installed plugins, and those that cannot be loaded with the reason.

    \b
    Example:
      runner plugins
    """
    registry = Registry()
    if as_json:
        offers = [
            {"kind": offer.kind, "name": offer.name, "source": offer.source, "version": offer.version, "summary": offer.summary}
            for offer in registry.offers()
        ]
        broken = [{"source": each.source, "name": each.name, "cause": each.cause} for each in registry.broken()]
        click.echo(json.dumps({"plugins": offers, "broken": broken}, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "name", "what it is", "from"):
        table.add_column(heading, no_wrap=True)
    for offer in registry.offers():
        table.add_row(offer.kind, offer.name, offer.summary, f"{offer.distribution or offer.source} {offer.version}")
    console = Console(highlight=False)
    console.print(table, width=None if console.is_terminal else WIDTH_IN_PIPES)
    for each in registry.broken():
        click.echo(f"cannot be loaded: {each.source}: {each.cause}", err=True)

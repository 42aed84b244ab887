"""`runner plugins`: the list of plugins. Each of its commands has its own file."""

from __future__ import annotations

import json

import click

from runner.cli.plugins.check import check
from runner.cli.plugins.new import new
from runner.cli.plugins.show import show
from runner.cli.terminal.command_groups import Group
from runner.cli.terminal.options import brief_format_option
from runner.cli.terminal.tables import NarrowLayout, table_lines
from runner.registry.registry import Registry

HEADINGS = ("kind", "name", "from", "version", "summary")


@click.group(cls=Group, invoke_without_command=True, subcommand_metavar="[COMMAND] [ARGS]...")
@brief_format_option
@click.pass_context
def plugins(ctx: click.Context, form: str) -> None:
    """List the installed plugins, or write, show or check one.

    Without a command, each plugin is listed with a summary. Plugins that cannot be loaded are listed with the reason.

    \b
    Example:
      runner plugins
    """
    if ctx.invoked_subcommand is not None:
        if form != "table":
            raise click.UsageError(f"--format is allowed only for the list of plugins, not for {ctx.invoked_subcommand}", ctx)
        return
    registry = Registry()
    offers, broken = registry.offers(), registry.broken()
    if form == "json":
        keys = ("kind", "name", "source", "version", "summary")
        listed = [{key: getattr(offer, key) for key in keys} for offer in offers]
        causes = [{"source": each.source, "name": each.name, "cause": each.cause} for each in broken]
        click.echo(json.dumps({"plugins": listed, "broken": causes}, indent=2))
        return
    rows = [(offer.kind, offer.name, offer.source.partition(":")[0], offer.version, offer.summary) for offer in offers]
    click.echo("\n".join(table_lines([HEADINGS, *rows], NarrowLayout(("version", "from"), shorten=("summary",)))))
    for each in broken:
        click.echo(f"cannot be loaded: {each.source}: {each.cause}", err=True)


for command in (new, show, check):
    plugins.add_command(command)

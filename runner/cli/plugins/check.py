"""`runner plugins check`."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import click

from runner.cli.terminal.options import OneOf, Seconds, set_option
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.plugin import Kind
from runner.testing.check import FAILED, OK, SKIPPED
from runner.testing.child_process import CheckedPlugin, CheckRequest, check_in_child_process

SOME_FAILED = 3
SECONDS = 60.0

kind_option = click.option("--kind", type=OneOf(list(PLUGIN_KINDS)), help="The kind of the plugin, if several have this name.")


@click.command()
@click.argument("plugin", metavar="NAME|FILE")
@kind_option
@set_option
@click.option("--timeout", type=Seconds(), default=SECONDS, show_default=True, help="Time limit of each check.")
def check(plugin: str, kind: Kind | None, values: tuple[str, ...], timeout: float) -> int:
    """Check that a plugin keeps the contract of its kind.

    The plugin is the name of an installed plugin, or a plugin file. Each check prints one line. If a check fails, the exit code
    is 3. The plugin runs in a separate process. If it does not return in time, or ends its
    process, this is reported as a failed check.

    \b
    Examples:
      runner plugins check gradient_descent --set learning_rate=0.5
      runner plugins check experiments/sign_descent.py
    """
    counts: Counter[str] = Counter()
    with closing(check_in_child_process(CheckRequest(plugin, kind, values), timeout)) as findings:
        for each in findings:
            if isinstance(each, CheckedPlugin):
                click.echo(f"{each.kind} {each.name}, from {each.source}")
            else:
                counts[each.verdict] += 1
                click.echo(str(each))
    click.echo(", ".join(f"{counts[verdict]} {verdict}" for verdict in (OK, FAILED, SKIPPED)))
    return SOME_FAILED if counts[FAILED] else 0

"""`runner plugins check`."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import click

from runner.cli.terminal.option_types import OneOf, Seconds
from runner.contracts.kinds import KINDS
from runner.contracts.plugin import Kind
from runner.testing.check import FAILED, OK, SKIPPED
from runner.testing.child_process import CheckedPlugin, CheckRequest, check_in_child_process

SOME_FAILED = 3
SECONDS = 60.0


@click.command(short_help="Check that a plugin keeps the contract of its kind.")
@click.argument("plugin", metavar="NAME|FILE")
@click.option("--kind", type=OneOf(list(KINDS)), help="What it is, where the name leaves a choice.")
@click.option("--set", "values", multiple=True, metavar="PARAMETER=VALUE", help="Give a parameter a value; may be repeated.")
@click.option("--timeout", type=Seconds(), default=SECONDS, show_default=True, help="Seconds for each check.")
def check(plugin: str, kind: Kind | None, values: tuple[str, ...], timeout: float) -> int:
    """Check that a plugin keeps the contract of its kind, a line for each check.

    The plugin is one that is installed, by its name, or a file. It runs in a process of its own, so that one that never returns
    or kills its process is told like any other. Exit code 3 if a check failed.

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

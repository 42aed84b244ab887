"""`runner report`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.database_option import RESULTS, db_option
from runner.cli.terminal.output_options import plugin_option, where_option
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable


@click.command(short_help="Write an experiment's report again, from the database.")
@click.argument("experiment")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write.  [default: results/EXPERIMENT]"
)
@click.option(
    "--figure", "figures", multiple=True, metavar="NAME", help="Which figure; may be repeated.  [default: as in its file]"
)
@db_option
@where_option
@plugin_option
def report(
    experiment: str,
    output: Path | None,
    figures: tuple[str, ...],
    db: str,
    where: str | None,
    plugins: tuple[Path, ...],
) -> None:
    """Write an experiment's report again, from the database alone: the page, its pictures and tables.

    EXPERIMENT is a name, for the one of that name that was run last, or a number, as `runner list` shows it. The same database
    and versions give the same bytes.

    \b
    Examples:
      runner report lr_sweep
      runner report 3 --where 'outcome = "converged"' -o converged
    """
    with ResultsDatabase(db) as database:
        written = database.report(
            output or RESULTS / experiment, experiment, where=where, figures=figures or None, plugins=plugins
        )
    for warning in written.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    click.echo(f"report: {written.page}")

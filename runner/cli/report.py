"""`runner report`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.options import RESULTS_FOLDER, db_option, plugin_option, where_option
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable


@click.command()
@click.argument("experiment")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write to this folder.  [default: results/EXPERIMENT]",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="Draw this figure; may be repeated.  [default: the figures of the experiment file]",
)
@db_option
@where_option
@plugin_option
def report(
    experiment: str, output: Path | None, figures: tuple[str, ...], db: str, where: str | None, plugins: tuple[Path, ...]
) -> None:
    """Write an experiment's report again, from the database: the page, its pictures and its tables.

    EXPERIMENT is a name or a number; `runner list` shows both. If several experiments have that name, the command
    uses the one that was run last. The same database and the same versions of the software give the same bytes.

    \b
    Examples:
      runner report lr_sweep
      runner report 3 --where 'outcome = "converged"' -o converged
    """
    with ResultsDatabase(db) as database:
        folder = output or RESULTS_FOLDER / experiment
        written = database.report(folder, experiment, where=where, figures=figures or None, plugins=plugins)
    for warning in written.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    click.echo(f"report: {written.page}")

"""`runner plot`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.output_options import plugin_option, where_option
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable, printable_lines


@click.command(short_help="Draw a figure of an experiment from the database.")
@click.argument("experiment")
@click.option("--figure", required=True, metavar="NAME", help="Which figure; `runner plugins` lists them.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write: .svg, .png or .pdf.  [default: EXPERIMENT-FIGURE.svg]",
)
@db_option
@where_option
@plugin_option
def plot(experiment: str, figure: str, output: Path | None, db: str, where: str | None, plugins: tuple[Path, ...]) -> None:
    """Draw a figure of an experiment from the database alone, and print its caption.

    EXPERIMENT is a name, for the one of that name that was run last, or a number, as `runner list` shows it. The same database
    and versions give the same bytes.

    \b
    Examples:
      runner plot lr_sweep --figure convergence -o convergence.pdf
      runner plot lr_sweep --figure learning_rate --where 'objective = "quadratic"' -o rates.png
    """
    path = output or Path(f"{experiment}-{figure}.svg")
    with ResultsDatabase(db) as database:
        caption, *complaints = database.plot(path, figure, experiment, where=where, plugins=plugins)
    for complaint in complaints:
        click.echo(f"warning: {printable(complaint)}", err=True)
    click.echo(printable_lines(caption))
    click.echo(f"wrote {path}")

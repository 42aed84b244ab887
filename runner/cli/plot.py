"""`runner plot`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.options import db_option, plugin_option, where_option
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable, printable_lines


@click.command()
@click.argument("experiment")
@click.option("--figure", required=True, metavar="NAME", help="Draw this figure; `runner plugins` lists them.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file: .svg, .png or .pdf.  [default: EXPERIMENT-FIGURE.svg]",
)
@db_option
@where_option
@plugin_option
def plot(experiment: str, figure: str, output: Path | None, db: str, where: str | None, plugins: tuple[Path, ...]) -> None:
    """Draw a figure of an experiment from the database, and print its caption.

    EXPERIMENT is a name or a number; `runner list` shows both. If several experiments have that name, the command
    uses the one that was run last. The same database and the same versions of the software give the same bytes.

    \b
    Examples:
      runner plot lr_sweep --figure convergence -o convergence.pdf
      runner plot lr_sweep --figure learning_rate --where 'objective = "quadratic"' -o rates.png
    """
    path = output or Path(f"{experiment}-{figure}.svg")
    with ResultsDatabase(db) as database:
        caption, *problems = database.plot(path, figure, experiment, where=where, plugins=plugins)
    for problem in problems:
        click.echo(f"warning: {printable(problem)}", err=True)
    click.echo(printable_lines(caption))
    click.echo(f"wrote {path}")

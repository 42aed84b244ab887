"""`runner export`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import OneOf
from runner.cli.terminal.output_options import where_option
from runner.errors import QueryError
from runner.results.results_database import ResultsDatabase


@click.command(short_help="Write runs or their steps into a file.")
@click.argument("what", type=OneOf(["runs", "steps"]), metavar="runs|steps")
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@where_option
@click.option("--columns", metavar="NAMES", help="Of runs: which columns and parameters, e.g. id,learning_rate,outcome.")
@click.option("--series", metavar="NAMES", help="Of steps: which of value,gradient_norm,x,gradient.")
def export(what: str, file: Path, db: str, where: str | None, columns: str | None, series: str | None) -> None:
    """Write runs, or their steps, into a file that ends in .parquet, .csv, .jsonl (JSON lines) or .npz (NumPy arrays).

    Every number is exact, NaN and infinities too; JSON has none, and says "NaN" and "Infinity". The file is there whole or not at
    all, and memory stays bounded. Parquet needs python -m pip install 'gradient-runner[parquet]'.

    \b
    Examples:
      runner export runs runs.parquet
      runner export steps steps.npz --where 'experiment = "lr_sweep" and outcome = "converged"'
    """
    if (series if what == "runs" else columns) is not None:
        raise QueryError(f"--{'series' if what == 'runs' else 'columns'}: is not for {what}")
    with ResultsDatabase(db) as database:
        if what == "runs":
            count, noun = database.export_runs(file, where=where, columns=columns), "run"
        else:
            count, noun = database.export_steps(file, where=where, series=series), "iterate"
    click.echo(f"wrote {count:,} {noun}{'' if count == 1 else 's'} to {file}")

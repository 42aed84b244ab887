"""`runner export`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.terminal.options import OneOf, db_option, where_option
from runner.errors import QueryError
from runner.results.results_database import ResultsDatabase
from runner.tables.readable import counted


@click.command()
@click.argument("what", type=OneOf(["runs", "steps"]), metavar="runs|steps")
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@where_option
@click.option("--columns", metavar="NAMES", help="For runs: write these columns and parameters, e.g. id,learning_rate,outcome.")
@click.option("--series", metavar="NAMES", help="For steps: write only these of value,gradient_norm,x,gradient.")
def export(what: str, file: Path, db: str, where: str | None, columns: str | None, series: str | None) -> None:
    """Write runs or their steps into a file. Its name ends in .parquet, .csv, .jsonl (JSON lines) or .npz (NumPy arrays).

    Every number is exact. JSON has no NaN and no infinities, so JSON lines contain the texts "NaN" and "Infinity". The file
    appears only when it is complete, and the memory in use is bounded. Parquet needs
    `python -m pip install 'gradient-runner[parquet]'`.

    \b
    Examples:
      runner export runs runs.parquet
      runner export steps steps.npz --where 'experiment = "lr_sweep" and outcome = "converged"'
    """
    if what == "runs" and series is not None:
        raise QueryError("--series: allowed only for `export steps`")
    if what == "steps" and columns is not None:
        raise QueryError("--columns: allowed only for `export runs`")
    with ResultsDatabase(db) as database:
        if what == "runs":
            written = counted(database.export_runs(file, where=where, columns=columns), "run")
        else:
            written = counted(database.export_steps(file, where=where, series=series), "iterate")
    click.echo(f"wrote {written} to {file}")

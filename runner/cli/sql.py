"""`runner sql`."""

from __future__ import annotations

import click

from runner.cli.terminal.options import Seconds, WholeNumber, db_option, format_option
from runner.cli.terminal.tables import write_frame
from runner.results.results_database import ResultsDatabase
from runner.store.reading.user_sql import MOST_SECONDS
from runner.tables.frame import LARGEST_LIMIT

ROWS = 1000
SECONDS = 30.0


@click.command()
@click.argument("query")
@db_option
@click.option(
    "--limit", type=WholeNumber(1, LARGEST_LIMIT), default=ROWS, show_default=True, metavar="N", help="Largest number of rows."
)
@click.option("--seconds", type=Seconds(MOST_SECONDS), default=SECONDS, show_default=True, help="Time limit of the query.")
@format_option
def sql(query: str, db: str, limit: int, seconds: float, form: str) -> None:
    """Query the database in SQL: one statement that only reads, over the views runs, steps, parameters and experiments.

    The statement cannot write, and cannot attach another database. It is stopped at the time limit.

    \b
    Example:
      runner sql "SELECT optimizer, outcome, count(*) FROM runs GROUP BY 1, 2"
    """
    with ResultsDatabase(db) as database:
        answer = database.sql(query, limit=limit, seconds=seconds)
    write_frame(answer.frame, form)
    if answer.more:
        click.echo(f"only the first {limit:,} rows are shown; --limit shows more", err=True)

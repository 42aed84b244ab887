"""`runner sql`."""

from __future__ import annotations

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import Seconds, WholeNumber
from runner.cli.terminal.output_options import format_option, write
from runner.results.results_database import ResultsDatabase
from runner.store.reading.user_sql import MOST_SECONDS
from runner.tables.frame import MOST_ROWS

ROWS = 1000
SECONDS = 30.0


@click.command(short_help="Ask the database in SQL that only reads.")
@click.argument("query")
@db_option
@click.option(
    "--limit", type=WholeNumber(1, MOST_ROWS), default=ROWS, show_default=True, metavar="N", help="How many rows at most."
)
@click.option("--seconds", type=Seconds(MOST_SECONDS), default=SECONDS, show_default=True, help="How long it may take.")
@format_option
def sql(query: str, db: str, limit: int, seconds: float, form: str) -> None:
    """Ask the database in SQL: one statement that only reads, over the views runs, steps, parameters and experiments.

    It can write nothing and attach nothing, and is stopped when it takes too long.

    \b
    Example:
      runner sql "SELECT optimizer, outcome, count(*) FROM runs GROUP BY 1, 2"
    """
    with ResultsDatabase(db) as database:
        answer = database.sql(query, limit=limit, seconds=seconds)
    write(answer.frame, form)
    if answer.more:
        click.echo(f"only the first {limit:,} rows; --limit shows more", err=True)

"""`runner list`."""

from __future__ import annotations

import click

from runner.cli.terminal.options import db_option, format_option
from runner.cli.terminal.tables import WIDEN_OR_CSV, NarrowLayout, write_frame
from runner.contracts.outcomes import OUTCOMES
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import Column, Frame
from runner.tables.readable import date


@click.command()
@db_option
@format_option
def list(db: str, form: str) -> None:  # noqa: A001 - the command's name
    """List the experiments in the database; the one that was run last is in the last row.

    \b
    Example:
      runner list
    """
    with ResultsDatabase(db) as database:
        frame = database.experiments()
    if form == "table":
        columns = {column.name: column.listed() for column in frame.columns}
        outcomes = [
            ", ".join(f"{columns[outcome][place]:,} {outcome}" for outcome in OUTCOMES if columns[outcome][place])
            for place in range(len(frame))
        ]
        frame = Frame(
            [
                Column("id", "integer", columns["id"]),
                Column("name", "text", columns["name"]),
                Column("runs", "integer", columns["runs"]),
                Column("outcomes", "text", outcomes),
                Column("first run", "text", [date(each) for each in columns["created_at"]]),
                Column("last run", "text", [date(each) for each in columns["last_run_at"]]),
                Column("description", "text", columns["description"]),
            ]
        )
    write_frame(frame, form, NarrowLayout(("first run", "description"), shorten=("description",), hint=WIDEN_OR_CSV))

"""`runner list`."""

from __future__ import annotations

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.output_options import EVERYTHING, format_option, write
from runner.cli.terminal.table_layout import Habits
from runner.contracts.outcomes import OUTCOMES
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import Column, Frame
from runner.tables.readable import date


@click.command(short_help="List the experiments in the database.")
@db_option
@format_option
def list(db: str, form: str) -> None:  # noqa: A001 - the command's name
    """List the experiments in the database, the one that was run last at the end.

    \b
    Example:
      runner list
    """
    with ResultsDatabase(db) as database:
        frame = database.experiments()
    shown = _readable(frame) if form == "table" else frame
    write(shown, form, Habits(("first run", "description"), ("description",), more=EVERYTHING))


def _readable(frame: Frame) -> Frame:
    """Return what people want to see: dates, and only outcomes that occur."""
    columns = {column.name: column.listed() for column in frame.columns}
    counts = [
        ", ".join(f"{columns[outcome][place]:,} {outcome}" for outcome in OUTCOMES if columns[outcome][place])
        for place in range(len(frame))
    ]
    return Frame(
        [
            Column("id", "integer", columns["id"]),
            Column("name", "text", columns["name"]),
            Column("runs", "integer", columns["runs"]),
            Column("outcomes", "text", counts),
            Column("first run", "text", [date(each) for each in columns["created_at"]]),
            Column("last run", "text", [date(each) for each in columns["last_run_at"]]),
            Column("description", "text", columns["description"]),
        ]
    )

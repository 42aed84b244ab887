"""`runner steps`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.output_options import format_option, where_option, write, write_all
from runner.errors import QueryError
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import MOST_ROWS, Frame, joined

SHOWN = 20


@click.command(short_help="Show every step of some runs.")
@click.argument("runs", nargs=-1, metavar="RUN...")
@db_option
@where_option
@click.option("--series", metavar="NAMES", help="Which of value,gradient_norm,x,gradient.  [default: all that is stored]")
@click.option(
    "--limit",
    type=WholeNumber(0, MOST_ROWS),
    metavar="N",
    help=f"How many rows at most.  [default: {SHOWN} as a table, else all]",
)
@format_option
def steps(runs: tuple[str, ...], db: str, where: str | None, series: str | None, limit: int | None, form: str) -> None:
    """Show every step of some runs: a row for each iterate, from the start (step 0) to the last.

    RUN is a row number, or the beginning of an identity, as `runner runs` shows them; or name runs with --where.

    \b
    Examples:
      runner steps 12 --series value,x
      runner steps 3f9a2c 12 --format csv
      runner steps --where 'learning_rate > 1' --format jsonl
    """
    if bool(runs) == (where is not None):
        raise QueryError("runs: name some, or give --where, and not both")
    most = SHOWN + 1 if limit is None and form == "table" else limit
    with ResultsDatabase(db) as database:
        frames = _first(database.step_frames(runs or None, where=where, series=series), most)
        if form == "table":
            _show(joined(frames), limit)
        else:
            write_all(frames, form)


def _show(frame: Frame, limit: int | None) -> None:
    """Write a table, and say if there is more."""
    write(frame.head(SHOWN) if limit is None else frame, "table")
    if limit is None and len(frame) > SHOWN:
        click.echo(f"only the first {SHOWN}; --limit shows more", err=True)


def _first(frames: Iterator[Frame], rows: int | None) -> Iterator[Frame]:
    """Give tables until there are so many rows."""
    left = rows
    for frame in frames:
        some = frame if left is None else frame.head(left)
        yield some
        if left is not None:
            left -= len(some)
            if left == 0:
                return

"""`runner steps`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing

import click

from runner.cli.terminal.options import WholeNumber, db_option, format_option, where_option
from runner.cli.terminal.stored_objective import objective_class
from runner.cli.terminal.tables import write_frame, write_frames
from runner.contracts.objective import coordinate_names
from runner.errors import QueryError
from runner.registry.registry import Registry
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import LARGEST_LIMIT, Frame, concatenated

MOST_SHOWN = 20


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@db_option
@where_option
@click.option(
    "--series", metavar="NAMES", help="Show only these of value,gradient_norm,x,gradient.  [default: all stored series]"
)
@click.option(
    "--limit",
    type=WholeNumber(0, LARGEST_LIMIT),
    metavar="N",
    help=f"Largest number of steps.  [default: {MOST_SHOWN} for a table, else all]",
)
@format_option
def steps(runs: tuple[str, ...], db: str, where: str | None, series: str | None, limit: int | None, form: str) -> None:
    """Show every step of one or several runs: a row for each iterate, from the start (step 0) to the last.

    RUN is the number of a run or the beginning of its identity; `runner runs` lists both. Instead of runs, a filter can be given
    with `--where`.

    \b
    Examples:
      runner steps 12 --series value,x
      runner steps 3f9a2c 12 --format csv
      runner steps --where 'learning_rate > 1' --format jsonl
    """
    if bool(runs) == (where is not None):
        raise QueryError("runs: give either one or several runs, or a filter with --where")
    # The frames are closed, because not all of them may be read, and an open one reads from the database.
    with ResultsDatabase(db) as database, closing(database.step_frames(runs or None, where=where, series=series)) as frames:
        if form != "table":
            write_frames(_first_rows(frames, limit), form)
            return
        found = concatenated(_first_rows(frames, MOST_SHOWN + 1 if limit is None else limit))
        shown = _with_coordinate_names(database, found.head(MOST_SHOWN) if limit is None else found)
    write_frame(shown, form)
    if limit is None and len(found) > MOST_SHOWN:
        click.echo(f"only the first {MOST_SHOWN} are shown; --limit shows more", err=True)


def _with_coordinate_names(database: ResultsDatabase, table: Frame) -> Frame:
    """Return the table, with names of coordinates in its headings, such as `x0 (w)`.

    The names are added if the table shows few runs, and if the objectives of these runs name their coordinates alike.
    """
    runs = set(table["run"].tolist())
    if not 0 < len(runs) <= MOST_SHOWN:
        return table
    records = [database.run(run) for run in runs]
    registry = Registry()
    first, *others = [coordinate_names(objective_class(record, registry), record.dimension) for record in records]
    if first == coordinate_names(None, len(first)) or any(names != first for names in others):
        return table
    headings = {
        f"{series}{place}": f"{series}{place} ({name})" for series in ("x", "gradient") for place, name in enumerate(first)
    }
    return Frame([dataclasses.replace(each, name=headings.get(each.name, each.name)) for each in table.columns])


def _first_rows(frames: Iterator[Frame], most: int | None) -> Iterator[Frame]:
    """Yield tables with at most `most` rows in all, and read no further table."""
    left = most
    for frame in frames:
        part = frame if left is None else frame.head(left)
        yield part
        if left is not None:
            left -= len(part)
            if left == 0:
                return

"""`runner runs`."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace

import click

from runner.cli.terminal.options import WholeNumber, db_option, format_option, where_option
from runner.cli.terminal.tables import WIDEN_OR_CSV, NarrowLayout, write_frame, write_frames
from runner.results.results_database import ResultsDatabase
from runner.store.run_columns import RUN_COLUMNS
from runner.tables.frame import LARGEST_LIMIT, Column, Frame

MOST_SHOWN = 20
ALWAYS = tuple(column.name for column in RUN_COLUMNS if column.shown == "always")
IF_DIFFERENT = tuple(column.name for column in RUN_COLUMNS if column.shown == "if different")
LAST = tuple(column.name for column in RUN_COLUMNS if column.is_result and column.name in (*ALWAYS, *IF_DIFFERENT))


@click.command()
@db_option
@where_option
@click.option("--sort", metavar="NAMES", help="Sort by columns, e.g. final_value,-steps; a minus sorts in descending order.")
@click.option("--columns", metavar="NAMES", help="Show these columns and parameters, e.g. id,learning_rate,outcome.")
@click.option(
    "--limit",
    type=WholeNumber(0, LARGEST_LIMIT),
    metavar="N",
    help=f"Largest number of runs.  [default: {MOST_SHOWN} for a table, else all]",
)
@format_option
def runs(db: str, where: str | None, sort: str | None, columns: str | None, limit: int | None, form: str) -> None:
    """Show all runs, or those that a filter selects.

    A table has the results and the columns in which the runs differ. The other formats have all columns.

    \b
    Examples:
      runner runs --where 'optimizer = "gradient_descent" and learning_rate < 0.1'
      runner runs --where 'not outcome in ("diverged", "failed")' --sort final_gap,steps --limit 5
      runner runs --where 'experiment = "lr_sweep"' --columns id,learning_rate,outcome --format csv
    """
    with ResultsDatabase(db) as database:
        if form != "table":
            write_frames(database.run_frames(where, sort=sort, columns=columns, limit=limit), form)
            return
        found = database.runs(where, sort=sort, columns=columns, limit=MOST_SHOWN + 1 if limit is None else limit)
    frame = found.head(MOST_SHOWN) if limit is None else found
    if columns is not None:
        write_frame(frame, form)
    else:
        chosen = _informative_columns(frame, {*re.findall(r"[\w.]+", f"{where or ''} {sort or ''}")})
        (gaps,) = (column.listed() for column in chosen.columns if column.name == "final_gap")
        has_gap = any(gap is not None and not math.isnan(gap) for gap in gaps)
        parameters = [name for name in reversed(chosen.names) if name not in (*ALWAYS, *LAST)]
        hide_later = ("final_value" if has_gap else "final_gap", *parameters)
        write_frame(chosen, form, NarrowLayout(("identity", "behaviour"), hide_later=hide_later, hint=WIDEN_OR_CSV))
    if not len(frame) and limit != 0:
        click.echo("no run satisfies the filter" if where else "the database has no runs", err=True)
    if len(found) > len(frame):
        click.echo(f"only the first {MOST_SHOWN} are shown; --limit shows more", err=True)


def _informative_columns(frame: Frame, mentioned: set[str]) -> Frame:
    """Return the columns that are always shown, those in which runs differ, and those that the filter or the sorting mentions.

    The results come last. A parameter is named without its plugin if no other shown column has the same name.
    """

    def is_informative(column: Column) -> bool:
        kind, _, parameter = column.name.partition(".")
        if column.name in ALWAYS or mentioned & {column.name, parameter}:
            return True
        if kind == "optimizer" and parameter and column.kind in ("integer", "number"):
            return True
        return (bool(parameter) or kind in IF_DIFFERENT) and kind != "rules" and len(set(column.listed()) - {None}) > 1

    def short_name(column: Column) -> str:
        return column.name.partition(".")[2] or column.name

    shown = [column for column in frame.columns if is_informative(column)]
    uses = Counter(map(short_name, shown))
    last = [column for column in shown if column.name in LAST]
    first = [column for column in shown if column not in last]
    renamed = [replace(each, name=short_name(each) if uses[short_name(each)] == 1 else each.name) for each in first]
    return Frame(renamed + last)

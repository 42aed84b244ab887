"""`runner runs`."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.output_options import EVERYTHING, format_option, where_option, write, write_all
from runner.cli.terminal.table_layout import Habits
from runner.results.results_database import ResultsDatabase
from runner.store.run_columns import RUN_COLUMNS
from runner.tables.frame import MOST_ROWS, Column, Frame

SHOWN = 20
ALWAYS = tuple(column.name for column in RUN_COLUMNS if column.shown == "always")
IF_DIFFERENT = tuple(column.name for column in RUN_COLUMNS if column.shown == "if different")
LAST = tuple(column.name for column in RUN_COLUMNS if column.is_result and column.name in (*ALWAYS, *IF_DIFFERENT))


@click.command(short_help="Show runs as a table.")
@db_option
@where_option
@click.option("--sort", metavar="NAMES", help="In which order, e.g. final_value,-steps; - puts the largest first.")
@click.option("--columns", metavar="NAMES", help="Which columns and parameters, e.g. id,learning_rate,outcome.")
@click.option(
    "--limit", type=WholeNumber(0, MOST_ROWS), metavar="N", help=f"How many at most.  [default: {SHOWN} as a table, else all]"
)
@format_option
def runs(db: str, where: str | None, sort: str | None, columns: str | None, limit: int | None, form: str) -> None:
    """Show runs: all, or those that a filter names.

    As a table it shows the columns that tell the runs apart; the other formats write all.

    \b
    Examples:
      runner runs --where 'optimizer = "gradient_descent" and learning_rate < 0.1'
      runner runs --where 'not outcome in ("diverged", "failed")' --sort final_gap,steps --limit 5
      runner runs --where 'experiment = "lr_sweep"' --columns id,learning_rate,outcome --format csv
    """
    with ResultsDatabase(db) as database:
        if form != "table":
            write_all(database.run_frames(where, sort=sort, columns=columns, limit=limit), form)
            return
        found = database.runs(where, sort=sort, columns=columns, limit=SHOWN + 1 if limit is None else limit)
    frame = found.head(SHOWN) if limit is None else found
    shown = frame if columns is not None else _telling(frame, f"{where or ''} {sort or ''}")
    write(shown, form, Habits(more=EVERYTHING) if columns is not None else _habits(shown))
    if not len(frame) and limit != 0:
        click.echo("there are no such runs" if where else "there are no runs", err=True)
    if len(found) > len(frame):
        click.echo(f"only the first {SHOWN}; --limit shows more", err=True)


def _telling(frame: Frame, asked: str) -> Frame:
    """Return the columns that tell runs apart: those that differ, those that were asked for, and what came out."""
    words = set(re.findall(r"[\w.]+", asked))
    shown = [column for column in frame.columns if column.name in ALWAYS or _tells(column, words)]
    bare = Counter(column.name.partition(".")[2] or column.name for column in shown)
    last = [column for column in shown if column.name in LAST]
    return Frame([_short(column, bare) for column in shown if column not in last] + last)


def _habits(frame: Frame) -> Habits:
    """Return which columns can be missed: what stands elsewhere, then parameters, then results."""
    (gaps,) = (column.listed() for column in frame.columns if column.name == "final_gap")
    known = any(gap is not None and not math.isnan(gap) for gap in gaps)
    parameters = [name for name in reversed(frame.names) if name not in (*ALWAYS, *LAST)]
    return Habits(("identity", "behaviour"), then=("final_value" if known else "final_gap", *parameters), more=EVERYTHING)


def _tells(column: Column, words: set[str]) -> bool:
    kind, _, parameter = column.name.partition(".")
    if words & {column.name, parameter}:
        return True
    if kind == "optimizer" and parameter and column.kind in ("integer", "number"):
        return True
    return (bool(parameter) or kind in IF_DIFFERENT) and kind != "rules" and len(set(column.listed()) - {None}) > 1


def _short(column: Column, bare: Mapping[str, int]) -> Column:
    """Return a column with a short heading, if no other has the same."""
    name = column.name.partition(".")[2] or column.name
    return replace(column, name=name if bare[name] == 1 else column.name)

"""`runner show`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.output_options import brief_format_option
from runner.cli.terminal.sparkline import sparkline
from runner.cli.terminal.table_layout import hanging
from runner.results.results_database import ResultsDatabase
from runner.store.reading.run_record import SHOWN_COORDINATES, RunRecord, run_facts, title
from runner.tables.frame import text_of
from runner.tables.readable import point
from runner.tables.text_formats import json_value

if TYPE_CHECKING:
    from runner.contracts.figure import Series


WIDTH = 60
ENDS = 3


@click.command(short_help="Show everything that is known of a run.")
@click.argument("run")
@db_option
@brief_format_option
def show(run: str, db: str, form: str) -> None:
    """Show everything that is known of a run, and its trajectory in short.

    RUN is a row number, or the beginning of an identity, as `runner runs` shows them.

    \b
    Examples:
      runner show 12
      runner show 3f9a2c
    """
    with ResultsDatabase(db) as database:
        record = database.run(run)
        if form == "json":
            click.echo(json.dumps(_plain(asdict(record)), indent=2, allow_nan=False))
            return
        ((_, series),) = database.trajectories(record.id)
    for line in [title(record), *hanging([*run_facts(record)], "  "), "", *_trajectory(record, series)]:
        click.echo(line)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return json_value(value)


def _trajectory(record: RunRecord, series: Series) -> Iterator[str]:
    """Give the first, the best and the last steps, and a line of all."""
    count = len(series.value)
    if count == 0:
        yield "no step is stored"
        return
    values = series.value.tolist()
    name, heights = ("f − f*", [each - record.minimum.value for each in values]) if record.minimum else ("f", values)
    scale, picture = sparkline(heights, WIDTH)
    yield f"  {picture}  {name}{scale}"
    places = sorted({*range(min(ENDS, count)), min(record.best_step, count - 1), *range(max(0, count - ENDS), count)})
    yield f"  {'step':>8}  {'f':>13}  {'‖∇f‖':>13}  x"
    before = -1
    for place in places:
        if place > before + 1:
            yield f"  {'…':>8}"
        before = place
        x = "" if series.x is None else point(series.x[place].tolist(), SHOWN_COORDINATES)
        best = "  best" if place == record.best_step and not math.isnan(record.best_value) else ""
        norm = text_of(float(series.gradient_norm[place]))
        yield f"  {place:>8,}  {text_of(values[place]):>13}  {norm:>13}  {x}{best}".rstrip()

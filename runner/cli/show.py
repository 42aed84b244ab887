"""`runner show`: one run, with a summary of its trajectory."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runner.cli.terminal.options import brief_format_option, db_option
from runner.cli.terminal.stored_objective import objective_class
from runner.cli.terminal.tables import labelled_lines
from runner.contracts.objective import point_name
from runner.registry.registry import Registry
from runner.results.results_database import ResultsDatabase
from runner.store.reading.run_record import SHOWN_COORDINATES, RunRecord, run_facts, title
from runner.tables.frame import printable_lines, text_of
from runner.tables.readable import point
from runner.tables.text_formats import json_value

if TYPE_CHECKING:
    from runner.contracts.figure import Series


SPARKLINE_WIDTH = 60
SHOWN_AT_EACH_END = 3
"""Number of steps that are shown at the start and at the end of a trajectory."""
BLOCKS = "▁▂▃▄▅▆▇█"
NOT_FINITE = "×"
LOG_SCALE_FROM = 100
"""Values ≥ 0 are drawn on a logarithmic scale if the largest is more than this many times the smallest positive value."""


@click.command()
@click.argument("run")
@db_option
@brief_format_option
def show(run: str, db: str, form: str) -> None:
    """Show one run: its settings, its result and a summary of its trajectory.

    RUN is the number of a run or the beginning of its identity; `runner runs` lists both.

    \b
    Examples:
      runner show 12
      runner show 3f9a2c
    """
    with ResultsDatabase(db) as database:
        record = database.run(run)
        if form == "json":
            click.echo(json.dumps(_to_json({**asdict(record), "reached": record.reached}), indent=2, allow_nan=False))
            return
        ((_, series),) = database.trajectories(record.id)
    place = point_name(objective_class(record, Registry()), record.dimension)
    facts = [(label, f"{place} = {text}" if label == "start" and place != "x" else text) for label, text in run_facts(record)]
    for line in [title(record), *labelled_lines(facts, "  "), "", *_trajectory_lines(record, series, place)]:
        click.echo(line)
    if record.traceback:
        click.echo(f"\n{printable_lines(record.traceback.rstrip())}")


def _to_json(value: object) -> object:
    if isinstance(value, dict):
        return {key: _to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(each) for each in value]
    return json_value(value)


def _trajectory_lines(record: RunRecord, series: Series, place: str) -> Iterator[str]:
    """Yield a sparkline of f − f* or f, and a table of the first, the best and the last steps.

    Args:
        record: the run.
        series: its trajectory.
        place: the name of a point, for the heading.
    """
    count = len(series.value)
    if count == 0:
        yield "no step is stored"
        return
    values = series.value.tolist()
    name, heights = ("f − f*", [each - record.minimum.value for each in values]) if record.minimum else ("f", values)
    is_logarithmic, blocks = sparkline(heights, SPARKLINE_WIDTH)
    yield f"  {blocks}  {name}{' (log)' if is_logarithmic else ''}"
    last = range(max(0, count - SHOWN_AT_EACH_END), count)
    steps = sorted({*range(min(SHOWN_AT_EACH_END, count)), min(record.best_step, count - 1), *last})
    yield f"  {'step':>8}  {'f':>13}  {'‖∇f‖':>13}  {place}"
    previous = -1
    for step in steps:
        if step > previous + 1:
            yield f"  {'…':>8}"
        previous = step
        x = "" if series.x is None else point(series.x[step].tolist(), SHOWN_COORDINATES)
        best = "  best" if step == record.best_step and not math.isnan(record.best_value) else ""
        norm = text_of(float(series.gradient_norm[step]))
        yield f"  {step:>8,}  {text_of(values[step]):>13}  {norm:>13}  {x}{best}".rstrip()


def sparkline(values: Sequence[float], width: int) -> tuple[bool, str]:
    """Draw numbers as blocks of different heights on one line; `×` stands for a number that is not finite.

    If there are more numbers than characters, each character shows the last number of its part. Numbers that are not negative
    and span a large factor are drawn on a logarithmic scale, on which zeros are as high as the smallest positive number.

    Returns:
        True if the scale is logarithmic, and the line.
    """
    shown = [values[(place + 1) * len(values) // width - 1] for place in range(width)] if len(values) > width else list(values)
    finite = [each for each in shown if math.isfinite(each)]
    positive = [each for each in finite if each > 0]
    is_logarithmic = bool(positive) and min(finite) >= 0 and max(positive) > LOG_SCALE_FROM * min(positive)
    if is_logarithmic:
        lowest = math.log10(min(positive))
        shown = [math.log10(each) if each > 0 and math.isfinite(each) else lowest if each == 0 else math.nan for each in shown]
        finite = [each for each in shown if math.isfinite(each)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    # The difference of two finite numbers may overflow, but the difference of their halves does not.
    span = high / 2 - low / 2
    blocks = ""
    for each in shown:
        if not math.isfinite(each):
            blocks += NOT_FINITE
        elif span == 0:
            blocks += BLOCKS[0]
        else:
            blocks += BLOCKS[min(len(BLOCKS) - 1, int((each / 2 - low / 2) / span * len(BLOCKS)))]
    return is_logarithmic, blocks

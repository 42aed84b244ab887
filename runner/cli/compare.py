"""`runner compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import click

from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.output_options import format_option, write
from runner.results.comparison import Comparison
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import MOST_ROWS, Frame, text_of

SHOWN = 20
VALUES = 4


@click.command(short_help="Set two experiments or filters side by side.")
@click.argument("a")
@click.argument("b")
@db_option
@click.option(
    "--limit", type=WholeNumber(0, MOST_ROWS), default=SHOWN, show_default=True, metavar="N", help="How many pairs as a table."
)
@format_option
def compare(a: str, b: str, db: str, limit: int, form: str) -> None:
    """Set two experiments, or the runs of two filters, side by side: which runs belong together, and what became of each.

    A and B are an experiment's name or number, or a filter. Runs belong together that are the same in everything but in what no
    run of A has in common with any of B: the optimizer, say. The other formats write all pairs.

    \b
    Examples:
      runner compare lr_sweep 3
      runner compare 'optimizer = "momentum"' 'optimizer = "gradient_descent" and learning_rate < 0.5'
    """
    with ResultsDatabase(db) as database:
        comparison = database.compare(a, b)
    if form != "table":
        write(comparison.matched, form)
        return
    for line in _summary(comparison, a, b):
        click.echo(line)
    if len(comparison.matched) and limit:
        click.echo()
        write(_largest(comparison.matched, limit), form)


def _summary(comparison: Comparison, a: str, b: str) -> Iterator[str]:
    yield f"A: {text_of(a)}"
    yield f"B: {text_of(b)}"
    for name, (left, right) in comparison.differ.items():
        if name != "start_id":
            yield f"they differ in {text_of(name)}: {_few(left)} | {_few(right)}"
    counts = (len(comparison.matched), len(comparison.only_a), len(comparison.only_b))
    yield f"{_many(counts[0], 'pair')}; {_many(counts[1], 'run')} only in A, {counts[2]:,} only in B"
    if comparison.several:
        have, are = ("has", "is") if comparison.several == 1 else ("have", "are")
        several = _many(comparison.several, "combination")
        yield f"{several} {have} several runs on one side, and {are} left out; a filter may tell them apart"
    if len(comparison.matched):
        lower_a, lower_b, neither = comparison.lower
        times = [_many(count, "time") for count in (lower_a, lower_b, neither)]
        yield f"the final value is lower in A {times[0]}, in B {times[1]}, in neither {times[2]}"
        for (one, other), count in sorted(comparison.outcomes.items(), key=lambda item: -item[1]):
            yield f"  {count:>8,}  {text_of(one)}" + (" in both" if one == other else f" in A, {text_of(other)} in B")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _few(values: tuple[object, ...]) -> str:
    shown = ", ".join("none" if each is None else text_of(each) for each in values[:VALUES])
    return shown + (f", … ({len(values):,})" if len(values) > VALUES else "")


def _largest(frame: Frame, limit: int) -> Frame:
    """Return the pairs with the largest differences."""
    differences = frame.columns[-1].listed()
    order = sorted(range(len(frame)), key=lambda place: 1.0 if math.isnan(differences[place]) else -abs(differences[place]))
    return frame.taken(order[:limit])

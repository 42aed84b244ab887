"""`runner compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import click

from runner.cli.terminal.options import WholeNumber, db_option, format_option
from runner.cli.terminal.tables import write_frame
from runner.results.comparison import Comparison
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import LARGEST_LIMIT, text_of
from runner.tables.readable import counted

MOST_PAIRS = 20
MOST_VALUES = 4
"""Largest number of values of a column that the summary lists for one side."""


@click.command()
@click.argument("a")
@click.argument("b")
@db_option
@click.option(
    "--limit",
    type=WholeNumber(0, LARGEST_LIMIT),
    default=MOST_PAIRS,
    show_default=True,
    metavar="N",
    help="Largest number of pairs in a table.",
)
@format_option
def compare(a: str, b: str, db: str, limit: int, form: str) -> None:
    """Compare two experiments, or the runs that two filters select.

    A and B are each the name or number of an experiment, or a filter. The command first finds the columns in which A and B have
    no value in common, such as the optimizer. It pairs each run of A with the run of B that is the same in all other columns, and
    compares their outcomes and final values. A table shows the pairs that differ most; the other formats contain all pairs.

    \b
    Examples:
      runner compare lr_sweep 3
      runner compare 'optimizer = "momentum"' 'optimizer = "gradient_descent" and learning_rate < 0.5'
    """
    with ResultsDatabase(db) as database:
        comparison = database.compare(a, b)
    pairs = comparison.matched
    if form != "table":
        write_frame(pairs, form)
        return
    for line in _summary(comparison, a, b):
        click.echo(line)
    if len(pairs) and limit:
        differences = pairs.columns[-1].listed()
        # Pairs whose difference is NaN come last.
        order = sorted(range(len(pairs)), key=lambda place: 1.0 if math.isnan(differences[place]) else -abs(differences[place]))
        click.echo()
        write_frame(pairs.taken(order[:limit]), form)


def _summary(comparison: Comparison, a: str, b: str) -> Iterator[str]:
    yield f"A: {text_of(a)}"
    yield f"B: {text_of(b)}"
    for name, (values_a, values_b) in comparison.differ.items():
        if name != "start_id":
            yield f"A and B differ in {text_of(name)}: {_first_values(values_a)} | {_first_values(values_b)}"
    pairs, only_a, only_b = len(comparison.matched), len(comparison.only_a), len(comparison.only_b)
    yield f"{counted(pairs, 'pair')}; {counted(only_a, 'run')} only in A, {only_b:,} only in B"
    if comparison.several:
        several = counted(comparison.several, "combination")
        yield f"not compared: {several} of values for which A or B has several runs; a narrower filter may select one run"
    if pairs:
        lower_a, lower_b, neither = (counted(count, "pair") for count in comparison.lower)
        yield f"the final value is lower in A for {lower_a}, in B for {lower_b}, in neither for {neither}"
        paid_a, paid_b = comparison.evaluations
        yield f"evaluations of f, ∇f and rows of ∇²f in these pairs: {paid_a:,} in A, {paid_b:,} in B"
        for (in_a, in_b), count in sorted(comparison.outcomes.items(), key=lambda item: -item[1]):
            yield f"  {count:>8,}  {text_of(in_a)}" + (" in both" if in_a == in_b else f" in A, {text_of(in_b)} in B")


def _first_values(values: tuple[object, ...]) -> str:
    shown = ", ".join("none" if each is None else text_of(each) for each in values[:MOST_VALUES])
    return shown + (f", … ({len(values):,} values)" if len(values) > MOST_VALUES else "")

"""What the commands that ask the database have in common: which runs, and how the answer is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from runner.cli.terminal.option_types import OneOf
from runner.cli.terminal.table_layout import WIDER, Habits, fitted
from runner.tables.frame import Frame, printable_lines
from runner.tables.text_formats import csv_pieces, json_lines, json_pieces

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])
EVERYTHING = f"{WIDER}, and --format csv everything"
FORMATS = ("table", "json", "jsonl", "csv")
WRITERS: dict[str, Callable[[Iterable[Frame]], Iterable[str]]] = {"json": json_pieces, "jsonl": json_lines, "csv": csv_pieces}

where_option = click.option("--where", metavar="FILTER", help="Which runs, e.g. 'learning_rate < 0.1 and steps > 10'.")
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Load a plugin file; may be repeated.",
)


def _format_option(forms: Sequence[str]) -> Callable[[FunctionT], FunctionT]:
    return click.option(
        "--format", "form", type=OneOf(forms), default="table", show_default=True, help="How to write the answer."
    )


format_option = _format_option(FORMATS)
"""Of commands whose answer is a table."""
brief_format_option = _format_option(("table", "json"))
"""Of commands whose answer is of one piece: as people read it, or all of it, with every digit."""


def write(frame: Frame, form: str, habits: Habits | None = None) -> None:
    """Write a table; on a terminal nothing in it is obeyed instead of shown, and it fits the width."""
    if form == "table":
        click.echo("\n".join(fitted(frame.texts(), habits or Habits(more=EVERYTHING), frame.numeric)))
    else:
        write_all([frame], form)


def write_all(frames: Iterable[Frame], form: str) -> None:
    """Write tables with the same columns as one, in a format for programs."""
    for piece in WRITERS[form](frames):
        # A terminal would obey what a program that reads CSV must get as it is.
        obeyed = form == "csv" and sys.stdout.isatty()
        click.echo(printable_lines(piece) if obeyed else piece, nl=False)

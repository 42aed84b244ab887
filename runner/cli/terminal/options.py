"""The options that several commands share, and the types of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.tables.frame import shortened
from runner.tables.text_formats import TEXT_FORMATS

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])
RESULTS_FOLDER = Path("results")
DEFAULT_DATABASE = str(RESULTS_FOLDER / "runner.db")
FORMATS = ("table", *TEXT_FORMATS)


class WholeNumber(click.ParamType[int]):
    """A whole number from `low` to `high`; a missing bound sets no limit."""

    name = "n"

    def __init__(self, low: int | None = None, high: int | None = None) -> None:
        self.low, self.high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail with the allowed range."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            self.fail(f"must be {self.allowed}, not {shortened(str(value))!r}", param, ctx)
        return number

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as `a whole number >= 0`."""
        if self.low is None:
            return "a whole number"
        return f"a whole number >= {self.low}" if self.high is None else f"a whole number from {self.low} to {self.high:,}"


class Seconds(click.ParamType[float]):
    """A positive duration in seconds, at most `high`."""

    name = "seconds"

    def __init__(self, high: float = math.inf) -> None:
        self.high = high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration, or fail with the allowed range."""
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0 < number <= self.high:
            bound = "" if math.isinf(self.high) else f" and <= {self.high:,}"
            self.fail(f"must be a number > 0{bound}, not {shortened(str(value))!r}", param, ctx)
        return number


class OneOf(click.Choice[str]):
    """One of the given words."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the words with bars between them, without click's brackets."""
        return "|".join(self.choices)

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        """Return the message for a word that is not allowed."""
        return f"must be one of {', '.join(self.choices)}, not {shortened(value)!r}"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return the message for a missing word."""
        return f"must be one of {', '.join(self.choices)}"


db_option = click.option(
    "--db",
    metavar="PATH|URL",
    envvar="RUNNER_DB",
    default=DEFAULT_DATABASE,
    help=f"The results database.  [default: $RUNNER_DB, else {DEFAULT_DATABASE}]",
)
where_option = click.option(
    "--where", metavar="FILTER", help="Select the runs that satisfy a filter, e.g. 'learning_rate < 0.1 and steps > 10'."
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Load a plugin file; may be repeated.",
)
set_option = click.option("--set", "values", multiple=True, metavar="PARAMETER=VALUE", help="Set a parameter; may be repeated.")


def _format_option(formats: Sequence[str]) -> Callable[[FunctionT], FunctionT]:
    return click.option("--format", "form", type=OneOf(formats), default="table", show_default=True, help="The output format.")


format_option = _format_option(FORMATS)
"""The option of commands that print a table of rows."""
brief_format_option = _format_option(("table", "json"))
"""The option of commands that print one object: as readable text, or as JSON with all fields and all digits."""

"""Values of options: what they are called in a command's help, and what is said of wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click

from runner.tables.frame import shortened


class WholeNumber(click.ParamType[int]):
    """A whole number, between bounds if there are any."""

    name = "n"

    def __init__(self, low: int | None = None, high: int | None = None) -> None:
        self.low, self.high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            self.fail(f"must be {self.allowed}, not {shortened(str(value))!r}", param, ctx)
        return number

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        if self.low is None:
            return "a whole number"
        return f"a whole number >= {self.low}" if self.high is None else f"a whole number from {self.low} to {self.high:,}"


class Seconds(click.ParamType[float]):
    """A time, longer than none, and no longer than a bound if there is one."""

    name = "seconds"

    def __init__(self, high: float = math.inf) -> None:
        self.high = high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0 < number <= self.high:
            bound = "" if math.isinf(self.high) else f" and <= {self.high:,}"
            self.fail(f"must be a number > 0{bound}, not {shortened(str(value))!r}", param, ctx)
        return number


class OneOf(click.Choice[str]):
    """One of some words."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the words as they are written, with bars between."""
        return "|".join(self.choices)

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        """Say which there are."""
        return f"must be one of {', '.join(self.choices)}, not {shortened(value)!r}"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Say the same of none."""
        return f"must be one of {', '.join(self.choices)}"

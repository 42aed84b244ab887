"""What the modes of `runner inspect` share: numbers on the command line, facts as JSON, facts as text."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from runner.analysis.differentiation import Slope
from runner.contracts.arrays import Array
from runner.tables.readable import number, rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


MOST_COORDINATES = 6
FIRST_COORDINATES = 3
"""How many are shown of more."""
SUFFIXES = (".png", ".svg", ".pdf")


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between, each finite."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Read them."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(word) for word in value.split(","))
        except ValueError:
            numbers = (math.nan,)
        if not all(map(math.isfinite, numbers)):
            self.fail(f"must be finite numbers with commas between, such as 0.5 or 1,-2, not {value!r}", param, ctx)
        return numbers


class Picture(click.ParamType[Path]):
    """The file of a picture; its ending is its format."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Check the ending."""
        path = Path(value)
        if path.suffix not in SUFFIXES:
            self.fail(
                f"must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format, not {str(value)!r}", param, ctx
            )
        return path


@dataclass(frozen=True)
class Shown:
    """An inspection, ready to be shown.

    Attributes:
        lines: for people.
        data: for programs.
        draw: makes the picture.
    """

    lines: Sequence[str]
    data: Mapping[str, Any]
    draw: Callable[[], MatplotlibFigure]


def plain(value: Any) -> Any:
    """Return facts as JSON has them: tables for dataclasses, lists for arrays, null for what is not finite."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def six(value: float) -> str:
    """Return a number with six significant digits."""
    return rounded(value + 0.0) if math.isfinite(value) else number(value)


def vector(x: Array, text: Callable[[float], str] = six) -> str:
    """Return a point or a vector: a number in one dimension, else in brackets, cut short if long."""
    shown = x if len(x) <= MOST_COORDINATES else x[:FIRST_COORDINATES]
    words = [text(float(item)) for item in shown]
    if len(x) == 1:
        return words[0]
    return f"({', '.join(words)}{', …' if len(x) > MOST_COORDINATES else ''})"


def fifteen(value: float) -> str:
    """Return a number with the 15 digits that a float64 always holds; what lies behind them is rounding."""
    return rounded(value + 0.0, 15) if math.isfinite(value) else number(value)


def difference(value: float) -> str:
    """Return a difference with three digits."""
    return "nothing" if value == 0 else number(value)


def slope_text(slope: Slope) -> str:
    """Return a measured slope with its uncertainty."""
    return f"{slope.value:.3f} ± {max(slope.uncertainty, 0.001):.3f}"

"""The output of an inspection as text, JSON and picture, and the formatting of the numbers in its text."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.analysis.differentiation import Slope
from runner.contracts.arrays import Array
from runner.tables.readable import number, rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


MOST_COORDINATES = 6
"""Length of the longest vector that is written in full."""
FIRST_COORDINATES = 3
"""Number of coordinates of a longer vector that are written."""


@dataclass(frozen=True)
class Output:
    """The output of an inspection.

    Attributes:
        lines: the text for people.
        data: the same facts for programs, ready for JSON.
        draw: a function that draws the picture.
    """

    lines: Sequence[str]
    data: Mapping[str, Any]
    draw: Callable[[], MatplotlibFigure]


def to_json(value: Any) -> Any:
    """Return facts as JSON values: objects for dataclasses, lists for arrays, null for numbers that are not finite."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def six_digits(value: float) -> str:
    """Return a number with six significant digits."""
    return rounded(value + 0.0) if math.isfinite(value) else number(value)


def fifteen_digits(value: float) -> str:
    """Return a number with 15 significant digits, which is the number of decimal digits that a float64 always preserves."""
    return rounded(value + 0.0, 15) if math.isfinite(value) else number(value)


def vector(x: Array, text: Callable[[float], str] = six_digits) -> str:
    """Return a vector as text: its only coordinate, or the first coordinates in parentheses.

    Args:
        x: the vector, of shape (dimension,).
        text: the function that writes a coordinate.
    """
    shown = x if len(x) <= MOST_COORDINATES else x[:FIRST_COORDINATES]
    words = [text(float(item)) for item in shown]
    if len(x) == 1:
        return words[0]
    return f"({', '.join(words)}{', …' if len(x) > MOST_COORDINATES else ''})"


def difference(value: float) -> str:
    """Return a difference with three significant digits, or `0` for zero."""
    return "0" if value == 0 else number(value)


def slope_text(slope: Slope) -> str:
    """Return a measured slope with its uncertainty."""
    return f"{slope.value:.3f} ± {max(slope.uncertainty, 0.001):.3f}"

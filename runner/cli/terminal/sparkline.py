"""A picture of many numbers on one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
NOT_FINITE = "×"


def sparkline(values: Sequence[float], width: int) -> tuple[str, str]:
    """Return how the numbers are scaled, ` (log)` or nothing, and a line of blocks; × where no number is finite.

    Where there are more numbers than places, each place shows the last of its share. Positive numbers that span more than a
    factor of 100 are drawn by their logarithms, and zeros among them as the lowest.
    """
    shown = [values[(place + 1) * len(values) // width - 1] for place in range(width)] if len(values) > width else list(values)
    finite = [each for each in shown if math.isfinite(each)]
    positive = [each for each in finite if each > 0]
    logarithmic = bool(positive) and min(finite) >= 0 and max(positive) > 100 * min(positive)
    if logarithmic:
        floor = math.log10(min(positive))
        shown = [math.log10(each) if each > 0 and math.isfinite(each) else floor if each == 0 else math.nan for each in shown]
        finite = [each for each in shown if math.isfinite(each)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return " (log)" if logarithmic else "", "".join(_block(each, low, high) for each in shown)


def _block(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return NOT_FINITE
    # Halved first: the difference of two finite numbers may be infinite.
    span = high / 2 - low / 2
    return BLOCKS[0] if span == 0 else BLOCKS[min(len(BLOCKS) - 1, int((value / 2 - low / 2) / span * len(BLOCKS)))]

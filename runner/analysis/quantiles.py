"""Quantiles over many runs, step by step: the median, and a band around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array

DRAWN_POINTS = 2000
"""Largest number of steps at which quantiles are taken."""
BLOCK = 1 << 22
"""Number of values that are sorted at once. This bounds the memory that is needed in addition to the thinned curves."""


@dataclass(frozen=True, eq=False)
class Band:
    """Quantiles over runs at each step.

    Attributes:
        steps: the steps at which the quantiles were taken, increasing from 0, `(points,)`.
        median: the median, `(points,)`; +inf where at least half of the runs count as +inf.
        low: the lower edge, `(points,)`.
        high: the upper edge, `(points,)`.
        runs: the number of runs.
    """

    steps: NDArray[np.int64]
    median: Array
    low: Array
    high: Array
    runs: int


def drawn_steps(last_step: int, points: int = DRAWN_POINTS) -> NDArray[np.int64]:
    """Return the steps from 0 to `last_step` at which a curve is drawn, at most `points` of them.

    If there are too many steps, half of the points are evenly spaced, and half are evenly spaced on a logarithmic scale. The
    curve is then smooth on both kinds of axis.
    """
    if last_step < points:
        return np.arange(last_step + 1, dtype=np.int64)
    half = points // 2
    even = np.linspace(0, last_step, half)
    early = np.geomspace(1, last_step, half)
    return np.unique(np.rint(np.concatenate([even, early])).astype(np.int64))


def quantile_band(
    curves: Iterable[Array],
    low: float = 0.25,
    high: float = 0.75,
    *,
    lost: Sequence[bool] | None = None,
    last_step: int | None = None,
) -> Band:
    """Return quantiles over curves of different lengths, step by step.

    Every run counts at every step, so that the quantiles do not jump when a run stops:

    * After its last step, a run keeps its last value.
    * A run in `lost`, or a run whose last value is not finite, counts as +inf after its last step.
    * At every step, NaN and both infinities count as +inf, the worst value.
    * A curve without points counts as +inf throughout.

    The edges are values that occur: the positions of the quantiles are rounded outwards, so the band from 0.25 to 0.75 holds at
    least the middle half of the runs. The median of an even number of runs is the mean of the middle two.

    Args:
        curves: one array `(steps + 1,)` for each run; smaller is better.
        low: the share of runs below the lower edge, between 0 and 1.
        high: the share of runs below the upper edge, between `low` and 1.
        lost: for each run, true if it diverged or failed; if None, the curves alone decide.
        last_step: the last step of the band; if None, that of the longest curve. If it is given, `curves` may be a generator, and
            each curve is thinned as it arrives, so that no long curve is kept.

    Returns:
        The quantiles at the steps that `drawn_steps` chooses.

    Raises:
        ValueError: `curves` is empty, `lost` has another length, or the shares are out of order.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"the shares must satisfy 0 <= low <= high <= 1, not low = {low:g} and high = {high:g}")
    if last_step is None:
        curves = list(curves)
        last_step = max((len(curve) - 1 for curve in curves), default=0)
    steps = drawn_steps(max(last_step, 0))
    ends, thinned = [], []
    for curve in curves:
        ends.append(len(curve) - 1)
        if len(curve):
            values = curve[np.minimum(steps, len(curve) - 1)].astype(np.float64, copy=False)
            values[~np.isfinite(values)] = np.inf
        else:
            values = np.full(len(steps), np.inf)
        thinned.append(values)
    if not thinned:
        raise ValueError("there are no curves to take quantiles of")
    for values, end, is_lost in zip(thinned, ends, lost or [False] * len(thinned), strict=True):
        if is_lost:
            values[steps > end] = np.inf

    runs, points = len(thinned), len(steps)
    bottom, top = int(np.floor(low * (runs - 1))), int(np.ceil(high * (runs - 1)))
    median, lower, upper = np.empty(points), np.empty(points), np.empty(points)
    width = max(1, BLOCK // runs)
    for first in range(0, points, width):
        block = slice(first, first + width)
        ordered = np.ascontiguousarray(np.array([values[block] for values in thinned]).T)
        ordered.sort(axis=-1)
        # The values are halved before they are added, because the sum of two large ones may overflow.
        median[block] = 0.5 * ordered[:, (runs - 1) // 2] + 0.5 * ordered[:, runs // 2]
        lower[block], upper[block] = ordered[:, bottom], ordered[:, top]
    return Band(steps, median, lower, upper, runs)

"""Many runs as one curve: the median over the starts, and a band around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array

DRAWN_POINTS = 2000
BLOCK = 1 << 22
"""How many numbers are sorted at once; a bound on the memory used beside the thinned curves."""


@dataclass(frozen=True, eq=False)
class Band:
    """Quantiles over runs at each step.

    Attributes:
        steps: the steps at which the quantiles were taken, increasing from 0, `(points,)`.
        median: `(points,)`; +inf where more than half of the runs are lost.
        low: the lower edge, `(points,)`.
        high: the upper edge, `(points,)`.
        runs: how many runs there are.
    """

    steps: NDArray[np.int64]
    median: Array
    low: Array
    high: Array
    runs: int


def drawn_steps(last_step: int, points: int = DRAWN_POINTS) -> NDArray[np.int64]:
    """Return the steps worth drawing of a run from step 0 to `last_step`, at most `points` of them.

    All of them where they are few. Else half are evenly spaced and half evenly spaced on a logarithmic scale, so that the
    curve is smooth on either kind of axis.
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
    """Take quantiles over curves of different lengths, step by step.

    Every run counts at every step, so that the quantiles do not jump when one stops. A run that has stopped stays at its last
    value; but one that is `lost`, or whose last value is not finite, counts as +inf from then on. NaN and infinities of either
    sign count as +inf wherever they stand: nothing is worse. A curve without points is +inf throughout.

    The edges are values that occur, the quantiles' positions rounded outwards, so the band from 0.25 to 0.75 holds at least the
    middle half of the runs. The median of an even number of runs is the mean of the middle two.

    Args:
        curves: one array `(steps + 1,)` for each run, smaller is better.
        low: the share of runs below the lower edge, between 0 and 1.
        high: the share of runs below the upper edge, between `low` and 1.
        lost: for each run, whether it diverged or failed; if absent, the curves alone decide.
        last_step: where to end; if absent, at the longest curve's last step. Give it where the curves are long and come from
            a generator: then each is thinned as it comes, and none is kept whole.

    Returns:
        The quantiles at the steps that `drawn_steps` chooses.

    Raises:
        ValueError: there are no curves, `lost` has another length, or the shares are out of order.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"the shares must satisfy 0 <= low <= high <= 1, not low = {low:g} and high = {high:g}")
    if last_step is None:
        curves = list(curves)
        last_step = max((len(curve) - 1 for curve in curves), default=0)
    steps = drawn_steps(max(last_step, 0))
    thinned = [_thin(curve, steps) for curve in curves]
    if not thinned:
        raise ValueError("there are no curves to take quantiles of")
    for (curve, end), is_lost in zip(thinned, lost or [False] * len(thinned), strict=True):
        if is_lost:
            curve[steps > end] = np.inf
    return Band(steps, *_quantiles([curve for curve, _ in thinned], low, high), len(thinned))


def _thin(curve: Array, steps: NDArray[np.int64]) -> tuple[Array, int]:
    """Return the curve at these steps, held at its last value, and its last step."""
    if not len(curve):
        return np.full(len(steps), np.inf), -1
    values = curve[np.minimum(steps, len(curve) - 1)].astype(np.float64, copy=False)
    values[~np.isfinite(values)] = np.inf
    return values, len(curve) - 1


def _quantiles(curves: Sequence[Array], low: float, high: float) -> tuple[Array, Array, Array]:
    """Return median, low and high, each `(points,)`."""
    runs, points = len(curves), len(curves[0])
    bottom, top = int(np.floor(low * (runs - 1))), int(np.ceil(high * (runs - 1)))
    median, lower, upper = np.empty(points), np.empty(points), np.empty(points)
    width = max(1, BLOCK // runs)
    for first in range(0, points, width):
        block = slice(first, first + width)
        ordered = np.ascontiguousarray(np.array([curve[block] for curve in curves]).T)
        ordered.sort(axis=-1)
        # Halved before adding: the sum of two large values may overflow.
        median[block] = 0.5 * ordered[:, (runs - 1) // 2] + 0.5 * ordered[:, runs // 2]
        lower[block], upper[block] = ordered[:, bottom], ordered[:, top]
    return median, lower, upper

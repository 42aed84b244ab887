"""Which minimum each of many runs reached, and how often it was the best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array, ByRows
from runner.contracts.objective import HasHessian, Objective

NEARNESS = 1e-3
"""Iterates nearer to each other than this part of the region they lie in are at the same minimum."""
ROUNDING = 1e-8
"""An eigenvalue of a Hessian that is smaller than this part of the largest may be zero."""
LEVEL = 1e-6
"""Values nearer to each other than this, relative to max(1, |f*|), are as low."""
QUANTILE = 1.959963984540054
"""Of the standard normal distribution, for an interval of 95 %."""


@dataclass(frozen=True, eq=False)
class Minima:
    """Where some runs ended, sorted by height.

    Attributes:
        x: the places, `(minima, dimension)`, the lowest first.
        value: f there, the lowest that a run saw, `(minima,)`.
        reached: for each run the number of its place; −1 for one that ended nowhere, `(runs,)`.
    """

    x: Array
    value: Array
    reached: NDArray[np.int64]

    def lowest(self, minimum_value: float | None = None) -> NDArray[np.bool_]:
        """Return which places are as low as the global minimum; without its value, as low as the lowest that was found."""
        if not len(self.value):
            return np.zeros(0, dtype=bool)
        bottom = float(self.value[0]) if minimum_value is None else minimum_value
        as_low: NDArray[np.bool_] = self.value - bottom <= LEVEL * max(1.0, abs(bottom))
        return as_low


def find_minima(x: Array, value: Array, settled: NDArray[np.bool_], span: float) -> Minima:
    """Group the places where runs ended: each run joins the lowest place that is near, or founds one.

    Args:
        x: the last iterates, `(runs, dimension)`.
        value: f there, `(runs,)`.
        settled: which runs ended at a minimum at all, `(runs,)`.
        span: the width of the region in which the runs lie; nearness is a thousandth of it.
    """
    reached = np.full(len(x), -1, dtype=np.int64)
    places: list[int] = []
    for run in np.argsort(value, kind="stable").tolist():
        if not settled[run] or not np.isfinite(x[run]).all():
            continue
        away = np.linalg.norm(x[places] - x[run], axis=-1) if places else np.empty(0)
        if len(away) and away.min() <= NEARNESS * span:
            reached[run] = int(away.argmin())
        else:
            reached[run] = len(places)
            places.append(run)
    return Minima(x[places], value[places], reached)


def curving_downwards(objective: Objective | None, x: Array) -> NDArray[np.bool_]:
    """Return at which points, `(points, dimension)`, f curves downwards along some direction: stationary, they are no minima.

    False everywhere if the objective does not know its Hessian, or where that is not finite.
    """
    lowest, noise = _lowest_eigenvalues(objective, x)
    downwards: NDArray[np.bool_] = lowest < -noise
    return downwards


def curving_upwards(objective: Objective | None, x: Array) -> NDArray[np.bool_]:
    """Return at which points, `(points, dimension)`, f curves upwards along every direction: stationary, they are minima.

    False everywhere if the objective does not know its Hessian, where that is not finite, and where an eigenvalue may be zero:
    there one cannot tell.
    """
    lowest, noise = _lowest_eigenvalues(objective, x)
    upwards: NDArray[np.bool_] = lowest > noise
    return upwards


def _lowest_eigenvalues(objective: Objective | None, x: Array) -> tuple[Array, Array]:
    """Return the smallest eigenvalue of the Hessian at each point, NaN where unknown, and how large it is by rounding alone."""
    if not isinstance(objective, HasHessian) or not len(x):
        return np.full(len(x), np.nan), np.zeros(len(x))
    with np.errstate(all="ignore"):
        hessians = ByRows(objective.hessian)(x)
    finite = np.isfinite(hessians).all(axis=(-2, -1))
    eigenvalues = np.linalg.eigvalsh(np.where(finite[:, None, None], hessians, 0.0))
    return np.where(finite, eigenvalues[:, 0], np.nan), ROUNDING * np.abs(eigenvalues).max(axis=-1)


def wilson_interval(successes: int, trials: int, quantile: float = QUANTILE) -> tuple[float, float]:
    """Return the interval in which a share lies, given how often it was seen.

    It does not leave [0, 1], and is sound for few trials and for shares near 0 and 1, where p ± z √(p(1−p)/n) is not.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American Statistical
    Association 22 (1927) 209-212; Brown, Cai and DasGupta, Interval estimation for a binomial proportion, Statistical Science 16
    (2001) 101-133.

    Args:
        successes: how often, out of
        trials: how many; with none, the share may be anything.
        quantile: of the standard normal distribution; the default is that of a confidence of 95 %.
    """
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, quantile**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = quantile / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)

"""The minima that runs reached: the groups of runs at the same minimum, and the lowest of the minima."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array, ByRows
from runner.contracts.objective import HasHessian, Objective

NEARNESS = 1e-3
"""Iterates closer to each other than this, relative to the region's width, are at the same minimum."""
ROUNDING = 1e-8
"""An eigenvalue of a Hessian that is smaller than this, relative to the largest one, may be zero."""
SAME_HEIGHT = 1e-6
"""Values closer to each other than this, relative to max(1, |f*|), count as equally low."""
QUANTILE = 1.959963984540054
"""The quantile of the standard normal distribution for an interval of 95 %."""


@dataclass(frozen=True, eq=False)
class Minima:
    """The places where runs ended, sorted by height.

    Attributes:
        x: the places, `(minima, dimension)`, the lowest first.
        value: the lowest f of the runs at each place, `(minima,)`.
        reached: for each run, the index of its place, or −1 if it did not end at a minimum, `(runs,)`.
    """

    x: Array
    value: Array
    reached: NDArray[np.int64]

    def lowest(self, minimum_value: float | None = None) -> NDArray[np.bool_]:
        """Return a mask of the places that are as low as the global minimum, `(minima,)`.

        Args:
            minimum_value: the value of the global minimum; if None, the lowest value found.
        """
        if not len(self.value):
            return np.zeros(0, dtype=bool)
        bottom = float(self.value[0]) if minimum_value is None else minimum_value
        as_low: NDArray[np.bool_] = self.value - bottom <= SAME_HEIGHT * max(1.0, abs(bottom))
        return as_low


def find_minima(x: Array, value: Array, settled: NDArray[np.bool_], span: float) -> Minima:
    """Group the runs by the places where they ended.

    The runs are taken in increasing order of f. Each run joins the nearest place found so far, or starts a new place if all
    places are far away.

    Args:
        x: the last iterates, `(runs, dimension)`.
        value: f there, `(runs,)`.
        settled: true for the runs that ended at a minimum, `(runs,)`.
        span: the width of the region that holds the runs; places closer than a thousandth of it are the same.
    """
    reached = np.full(len(x), -1, dtype=np.int64)
    places: list[int] = []
    for run in np.argsort(value, kind="stable").tolist():
        if not settled[run] or not np.isfinite(x[run]).all():
            continue
        distances = np.linalg.norm(x[places] - x[run], axis=-1) if places else np.empty(0)
        if len(distances) and distances.min() <= NEARNESS * span:
            reached[run] = int(distances.argmin())
        else:
            reached[run] = len(places)
            places.append(run)
    return Minima(x[places], value[places], reached)


def curving_downwards(objective: Objective | None, x: Array) -> NDArray[np.bool_]:
    """Return a mask of the points at which f curves downwards along some direction.

    A stationary point with such a direction is not a minimum.

    Args:
        objective: the objective, or None.
        x: the points, `(points, dimension)`.

    Returns:
        One truth value for each point. False where the Hessian is not finite, and everywhere if the objective has no Hessian.
    """
    lowest, noise = _lowest_eigenvalues(objective, x)
    downwards: NDArray[np.bool_] = lowest < -noise
    return downwards


def curving_upwards(objective: Objective | None, x: Array) -> NDArray[np.bool_]:
    """Return a mask of the points at which f curves upwards along every direction.

    If such a point is stationary, it is a minimum.

    Args:
        objective: the objective, or None.
        x: the points, `(points, dimension)`.

    Returns:
        One truth value for each point. False where the Hessian is not finite, and where an eigenvalue may be zero, which leaves
        the question open. False everywhere if the objective has no Hessian.
    """
    lowest, noise = _lowest_eigenvalues(objective, x)
    upwards: NDArray[np.bool_] = lowest > noise
    return upwards


def _lowest_eigenvalues(objective: Objective | None, x: Array) -> tuple[Array, Array]:
    """Return the smallest eigenvalue of the Hessian at each point, NaN where it is unknown, and its rounding error."""
    if not isinstance(objective, HasHessian) or not len(x):
        return np.full(len(x), np.nan), np.zeros(len(x))
    with np.errstate(all="ignore"):
        hessians = ByRows(objective.hessian)(x)
    finite = np.isfinite(hessians).all(axis=(-2, -1))
    eigenvalues = np.linalg.eigvalsh(np.where(finite[:, None, None], hessians, 0.0))
    return np.where(finite, eigenvalues[:, 0], np.nan), ROUNDING * np.abs(eigenvalues).max(axis=-1)


def wilson_interval(successes: int, trials: int, quantile: float = QUANTILE) -> tuple[float, float]:
    """Return a confidence interval for a share, given the number of successes.

    The interval stays within [0, 1]. Unlike p ± z √(p(1−p)/n), it is reliable for few trials and for shares near 0 and 1.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American Statistical
    Association 22 (1927) 209-212; Brown, Cai and DasGupta, Interval estimation for a binomial proportion, Statistical Science 16
    (2001) 101-133.

    Args:
        successes: the number of successes.
        trials: the number of trials; without trials the interval is [0, 1].
        quantile: the quantile of the standard normal distribution; the default gives a confidence of 95 %.
    """
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, quantile**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = quantile / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)

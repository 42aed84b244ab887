"""The noise of a function: the part of its values that is irregular between neighbouring points."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
NEIGHBOURS = 9
"""The number of equally spaced values from which noise is measured."""
ORDERS = (3, 4, 5, 6)
"""The orders of the differences from which noise is measured."""

Function = Callable[[Array], Array]


def noise_of_neighbours(values: Array) -> Array:
    """Return the noise that is visible in each row of equally spaced values, `(…, neighbours) -> (…,)`.

    Differences of order k of a smooth function fall with the spacing, while those of independent noise of size σ have the mean
    square σ² (2k)!/(k!)². The smallest estimate of several orders is returned. A kink or a jump counts as noise.

    Source: Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292-1314.

    Returns:
        The noise; infinite where a value is not finite.
    """
    noise = np.full(values.shape[:-1], np.inf)
    for order in ORDERS:
        differences = np.abs(np.diff(values, order))
        largest = differences.max(axis=-1)
        # The differences are divided by the largest of them, because squares of tiny numbers underflow.
        mean_square = np.mean((differences / np.where(largest > 0, largest, 1.0)[..., None]) ** 2, axis=-1)
        estimate = largest * np.sqrt(mean_square * math.factorial(order) ** 2 / math.factorial(2 * order))
        noise = np.fmin(noise, estimate)
    return np.where(np.isfinite(values).all(axis=-1), noise, np.inf)


def error_in_extended_precision(function: Function, points: Array, values: Array) -> Array | None:
    """Return the rounding errors of values, by computing them again with numbers of 64 bits or more, `(points,)`.

    Args:
        function: f, `(points, dimension) -> (points,)`.
        points: the points, `(points, dimension)`.
        values: f at the points.

    Returns:
        The size of each error; None if the machine has no such numbers, or if f does not compute with them.
    """
    if np.finfo(np.longdouble).eps >= EPSILON:
        return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exact = np.asarray(function(points.astype(np.longdouble)))
            if exact.dtype != np.longdouble or exact.shape != values.shape:
                return None
            return np.abs(exact - values).astype(np.float64)
    except Exception:  # Any exception means that f does not compute with these numbers.
        return None

"""Functions of many rows, and linear algebra on one vector or matrix per run, the same for one row as for a thousand.

A BLAS call on a whole batch may add in another order than on a single row, which changes last bits with the shape. These
operations treat each row by itself, so a run's numbers do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""A float64 array."""
BLOCK = 1024
LEAST_SQUARE = 2.0**-960
"""Of a sum of squares below this, squares may be missing that were too small for a number."""
MOST_SQUARE = float(np.finfo(np.float64).max)


def dot(a: Array, b: Array) -> Array:
    """Inner product of each row of `a` with the same row of `b`: `(runs, n), (runs, n) -> (runs,)`."""
    return cast(Array, np.vecdot(a, b))


def norm(a: Array) -> Array:
    """Euclidean norm of each row: `(runs, n) -> (runs,)`; right also where squares are too large or too small for a number."""
    if a.shape[-1] == 1:
        return cast(Array, np.abs(a[..., 0]))
    squares = np.vecdot(a, a)
    result = cast(Array, np.sqrt(squares))
    # The places, for they are found in a quarter of the time of the numbers; a NaN comes first in both.
    if squares.size and not LEAST_SQUARE <= squares.item(squares.argmin()) <= squares.item(squares.argmax()) <= MOST_SQUARE:
        beyond = np.nonzero(~((squares >= LEAST_SQUARE) & (squares <= MOST_SQUARE)))
        rows = a[beyond]
        if rows.any():  # zeros only, and nothing to mend, where runs have come to rest
            result[beyond] = _scaled_norm(rows)
    return result


def _scaled_norm(a: Array) -> Array:
    """Return the norm of each row, scaled by powers of two, which changes no digit."""
    _, exponents = np.frexp(np.abs(a).max(axis=-1))
    scaled = np.ldexp(a, -exponents[..., None])
    return cast(Array, np.ldexp(np.sqrt(np.vecdot(scaled, scaled)), exponents))


def matvec(matrix: Array, vector: Array) -> Array:
    """Matrix times vector for each run: `(runs, m, n), (runs, n) -> (runs, m)`; one `(m, n)` matrix serves all runs."""
    return cast(Array, np.vecdot(matrix, vector[..., None, :]))


class ByRows:
    """A function at each row of x, computed together if that gives what one row at a time gives.

    That is seen once, by comparing some rows of the first block of several, as a run does with the first steps of a batch.
    """

    def __init__(self, function: Callable[[Array], Array]) -> None:
        """Take a function of `(runs, dimension)`.

        It may be wrong or raise for more than one run, as plugins may that are not batch-safe.
        """
        self._function = function
        self._agrees: bool | None = None

    def __call__(self, x: Array) -> Array:
        """Return the results, with a row for each point of x, real or complex, `(points, dimension)`."""
        return np.concatenate([self._block(x[first : first + BLOCK]) for first in range(0, len(x), BLOCK)])

    def _block(self, x: Array) -> Array:
        if self._agrees is False or len(x) == 1:
            return self._alone(x)
        try:
            together = np.asarray(self._function(x.copy()))
        except Exception:  # a plugin that raises for many may answer for one
            return self._alone(x)
        if self._agrees is None:
            self._agrees = self._compared(x, together)
        return together if self._agrees and together.shape[:1] == (len(x),) else self._alone(x)

    def _compared(self, x: Array, together: Array) -> bool:
        rows = sorted({0, len(x) // 2, len(x) - 1})
        if together.shape[:1] != (len(x),):
            return False
        singles = self._alone(x[rows])
        return together[rows].shape == singles.shape and np.allclose(together[rows], singles, rtol=1e-12, equal_nan=True)

    def _alone(self, x: Array) -> Array:
        return np.concatenate([np.asarray(self._function(row[None].copy())) for row in x])

"""Linear algebra on one vector or matrix for each run, and functions of many points.

A BLAS call on a whole batch may add numbers in another order than a call on a single row. The last bits of its results then
depend on the size of the batch. The operations here treat each row by itself: a run's numbers do not depend on the other runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""A float64 array."""
BLOCK = 1024
"""The number of points that are passed to a function in one call."""
SMALLEST_EXACT_SUM = 2.0**-960
"""A sum of squares below this may be inexact, because single squares may have been rounded to zero."""
LARGEST_FINITE_SUM = float(np.finfo(np.float64).max)
"""A sum of squares above this is infinite."""


def dot(a: Array, b: Array) -> Array:
    """Return the inner product of each row of `a` with the same row of `b`: `(runs, n), (runs, n) -> (runs,)`."""
    return cast(Array, np.vecdot(a, b))


def norm(a: Array) -> Array:
    """Return the Euclidean norm of each row: `(runs, n) -> (runs,)`.

    Rows whose squares are too large or too small for float64 are first scaled by powers of two. This changes no digit.
    """
    if a.shape[-1] == 1:
        return cast(Array, np.abs(a[..., 0]))
    squares = np.vecdot(a, a)
    result = cast(Array, np.sqrt(squares))
    # argmin and argmax take a quarter of the time of min and max. If there is a NaN, both return its place.
    if (
        squares.size
        and not SMALLEST_EXACT_SUM <= squares.item(squares.argmin()) <= squares.item(squares.argmax()) <= LARGEST_FINITE_SUM
    ):
        inexact = np.nonzero(~((squares >= SMALLEST_EXACT_SUM) & (squares <= LARGEST_FINITE_SUM)))
        rows = a[inexact]
        if rows.any():  # a row of zeros, as for a run at rest, has an exact norm
            _, exponents = np.frexp(np.abs(rows).max(axis=-1))
            scaled = np.ldexp(rows, -exponents[..., None])
            result[inexact] = np.ldexp(np.sqrt(np.vecdot(scaled, scaled)), exponents)
    return result


def matvec(matrix: Array, vector: Array) -> Array:
    """Return matrix times vector for each run: `(runs, m, n), (runs, n) -> (runs, m)`; one matrix `(m, n)` serves all runs."""
    return cast(Array, np.vecdot(matrix, vector[..., None, :]))


class ByRows:
    """A wrapper that calls a function with many rows at once only if this gives the same numbers as calls with single rows.

    To find out, it compares three rows of the first block with calls for these rows alone, up to rounding.
    """

    def __init__(self, function: Callable[[Array], Array]) -> None:
        """Wrap a function of `(runs, dimension)`, which may fail or return wrong numbers for more than one row."""
        self._function = function
        self._agrees: bool | None = None

    def __call__(self, x: Array) -> Array:
        """Return the results for points x, real or complex, `(points, dimension)`; they have a row for each point."""
        return np.concatenate([self._block(x[first : first + BLOCK]) for first in range(0, len(x), BLOCK)])

    def _block(self, x: Array) -> Array:
        if self._agrees is False or len(x) == 1:
            return self._row_by_row(x)
        try:
            together = np.asarray(self._function(x.copy()))
        except Exception:  # a function that raises for many rows may work for one
            return self._row_by_row(x)
        if together.shape[:1] != (len(x),):
            return self._row_by_row(x)
        if self._agrees is None:
            rows = sorted({0, len(x) // 2, len(x) - 1})
            singles = self._row_by_row(x[rows])
            same_shape = together[rows].shape == singles.shape
            self._agrees = same_shape and np.allclose(together[rows], singles, rtol=1e-12, equal_nan=True)
        return together if self._agrees else self._row_by_row(x)

    def _row_by_row(self, x: Array) -> Array:
        return np.concatenate([np.asarray(self._function(row[None].copy())) for row in x])

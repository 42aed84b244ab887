"""Linear algebra on one vector or matrix per run, the same bits for one run as for a thousand.

A BLAS call on a whole batch may add in another order than on a single row, which changes last bits with the shape. These
operations treat each row by itself, so a run's numbers do not depend on its neighbours.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dot(a: Array, b: Array) -> Array:
    """Inner product of each row of `a` with the same row of `b`: `(runs, n), (runs, n) -> (runs,)`."""
    return cast(Array, np.vecdot(a, b))


def norm(a: Array) -> Array:
    """Euclidean norm of each row: `(runs, n) -> (runs,)`."""
    if a.shape[-1] == 1:
        return cast(Array, np.abs(a[..., 0]))
    return cast(Array, np.sqrt(np.vecdot(a, a)))


def matvec(matrix: Array, vector: Array) -> Array:
    """Matrix times vector for each run: `(runs, m, n), (runs, n) -> (runs, m)`; one `(m, n)` matrix serves all runs."""
    return cast(Array, np.vecdot(matrix, vector[..., None, :]))

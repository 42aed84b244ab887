"""The definiteness of a Hessian: the shape of an objective at a point."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
DIFFERENCE_ERROR = 10.0 * math.sqrt(EPSILON)
"""The relative error of second differences, near √ε, with a margin of ten."""


class Shape(enum.StrEnum):
    """The shape of the second-order model of f at a point."""

    BOWL = "bowl"
    DOME = "dome"
    SADDLE = "saddle"
    VALLEY = "valley"
    RIDGE = "ridge"
    FLAT = "flat"


DEFINITENESS = {
    Shape.BOWL: "positive definite: f curves upwards along every direction",
    Shape.DOME: "negative definite: f curves downwards along every direction",
    Shape.SADDLE: "indefinite: f curves upwards along some directions and downwards along others",
    Shape.VALLEY: "positive semidefinite: f curves upwards along some directions and is flat along the others",
    Shape.RIDGE: "negative semidefinite: f curves downwards along some directions and is flat along the others",
    Shape.FLAT: "zero: f has no curvature here along any direction",
}


@dataclass(frozen=True)
class Curvature:
    """The curvature of f at a point.

    Attributes:
        eigenvalues: the eigenvalues of the Hessian's symmetric part, in increasing order, `(dimension,)`.
        tolerance: an eigenvalue counts as zero if its size does not exceed this.
        shape: the shape that follows from the signs of the eigenvalues.
        condition_number: the largest |λ| divided by the smallest; infinite if the smallest counts as zero.
    """

    eigenvalues: Array
    tolerance: float
    shape: Shape
    condition_number: float

    @property
    def signs(self) -> tuple[int, int, int]:
        """The numbers of negative, zero and positive eigenvalues, within the tolerance."""
        negative = int((self.eigenvalues < -self.tolerance).sum())
        positive = int((self.eigenvalues > self.tolerance).sum())
        return negative, len(self.eigenvalues) - negative - positive, positive

    @property
    def singular(self) -> bool:
        """True if an eigenvalue is zero within the tolerance."""
        return self.signs[1] > 0

    @property
    def words(self) -> str:
        """The shape and its meaning, without a full stop."""
        return f"{self.shape}, {DEFINITENESS[self.shape]}"


def curvature_of(hessian: Array, exact: bool, scale: float) -> Curvature | None:
    """Return the eigenvalues of a Hessian and the shape that follows from them.

    An eigenvalue λ counts as zero if |λ| ≤ d ε max |λ|, the rounding of the computed eigenvalues of a d × d matrix. Their error
    is at most a small multiple of ε‖H‖ (Golub and Van Loan, Matrix Computations, 4th ed., section 8.1).

    If the Hessian does not come from a formula, λ counts as zero up to 10 √ε max(max |λ|, scale), the error of second
    differences. By Weyl's inequality, no eigenvalue moves by more than the norm of the error.

    Args:
        hessian: second derivatives, `(dimension, dimension)`.
        exact: true if the second derivatives come from a formula.
        scale: the size of the values whose differences were taken.

    Returns:
        The curvature; None if an entry is not finite.
    """
    if not np.isfinite(hessian).all():
        return None
    # The entries are halved before they are added, because the sum of two large ones may overflow.
    eigenvalues: Array = np.linalg.eigvalsh(0.5 * hessian + 0.5 * hessian.T).astype(np.float64, copy=False)
    sizes = np.abs(eigenvalues)
    largest = float(sizes.max())
    tolerance = len(eigenvalues) * EPSILON * largest
    if not exact:
        tolerance = max(tolerance, DIFFERENCE_ERROR * max(largest, scale if math.isfinite(scale) else 0.0))
    smallest = float(sizes.min())
    condition_number = largest / smallest if smallest > tolerance else math.inf
    upwards, downwards = bool(eigenvalues[-1] > tolerance), bool(eigenvalues[0] < -tolerance)
    flat = bool((sizes <= tolerance).any())
    if upwards and downwards:
        shape = Shape.SADDLE
    elif upwards:
        shape = Shape.VALLEY if flat else Shape.BOWL
    elif downwards:
        shape = Shape.RIDGE if flat else Shape.DOME
    else:
        shape = Shape.FLAT
    return Curvature(eigenvalues, tolerance, shape, condition_number)

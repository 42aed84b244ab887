"""What the eigenvalues of a Hessian say about the shape of an objective at a point."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
DIFFERENCE_ERROR = 10.0 * math.sqrt(EPSILON)
"""How exact differences are, relative to what they are taken of and to the Hessian: the error of second ones is near √ε."""


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
        eigenvalues: of the Hessian's symmetric part, rising, `(dimension,)`.
        tolerance: what an eigenvalue must exceed to count as other than zero.
        shape: what they say together.
        condition_number: largest over smallest |λ|; infinite where the smallest is zero within the tolerance.
    """

    eigenvalues: Array
    tolerance: float
    shape: Shape
    condition_number: float

    @property
    def signs(self) -> tuple[int, int, int]:
        """How many eigenvalues are negative, zero and positive, within the tolerance."""
        negative = int((self.eigenvalues < -self.tolerance).sum())
        positive = int((self.eigenvalues > self.tolerance).sum())
        return negative, len(self.eigenvalues) - negative - positive, positive

    @property
    def singular(self) -> bool:
        """Whether an eigenvalue is zero within the tolerance."""
        return self.signs[1] > 0

    @property
    def words(self) -> str:
        """What the shape means, in a sentence without its end."""
        return f"{self.shape}, {DEFINITENESS[self.shape]}"


def curvature_of(hessian: Array, exact: bool, scale: float) -> Curvature | None:
    """Return the eigenvalues of a Hessian and what they say.

    An eigenvalue λ counts as zero where |λ| ≤ d ε max |λ|, the rounding of the computed eigenvalues of a d × d matrix, whose
    error is at most a small multiple of ε‖H‖ (Golub and Van Loan, Matrix Computations, 4th ed., section 8.1). Where the Hessian
    does not come from a formula, it counts as zero up to 10 √ε max(max |λ|, scale), the error of second differences; by Weyl's
    inequality an error of that norm moves no eigenvalue by more.

    Args:
        hessian: second derivatives, `(dimension, dimension)`.
        exact: whether they come from a formula.
        scale: the size of what differences were taken of.

    Returns:
        None if an entry is not finite.
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
    return Curvature(eigenvalues, tolerance, _shape(eigenvalues, tolerance), condition_number)


def _shape(eigenvalues: Array, tolerance: float) -> Shape:
    low, high = bool(eigenvalues[0] < -tolerance), bool(eigenvalues[-1] > tolerance)
    flat = bool((np.abs(eigenvalues) <= tolerance).any())
    if low and high:
        return Shape.SADDLE
    if high:
        return Shape.VALLEY if flat else Shape.BOWL
    if low:
        return Shape.RIDGE if flat else Shape.DOME
    return Shape.FLAT

"""The definiteness of a Hessian: the shape of an objective at a point, if the errors of the eigenvalues leave no doubt."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
DIFFERENCE_ERROR = 10.0 * math.sqrt(EPSILON)
"""The relative error of second differences, near √ε, with a margin of ten."""
ROUNDING = 1e-12
"""An eigenvalue below its error counts as zero if the error, relative to the largest eigenvalue, is at most this.

Hessians from a formula are this accurate. Hessians from differences are not, so an eigenvalue below their error may have either
sign."""


class Shape(enum.StrEnum):
    """The shape of the second-order model of f at a point."""

    BOWL = "bowl"
    DOME = "dome"
    SADDLE = "saddle"
    VALLEY = "valley"
    RIDGE = "ridge"
    FLAT = "flat"
    UNKNOWN = "unknown"


DEFINITENESS = {
    Shape.BOWL: "positive definite: f curves upwards along every direction",
    Shape.DOME: "negative definite: f curves downwards along every direction",
    Shape.SADDLE: "indefinite: f curves upwards along some directions and downwards along others",
    Shape.VALLEY: "positive semidefinite: f curves upwards along some directions and is flat along the others",
    Shape.RIDGE: "negative semidefinite: f curves downwards along some directions and is flat along the others",
    Shape.FLAT: "zero: f has no curvature here along any direction",
    Shape.UNKNOWN: "cannot be determined",
}


@dataclass(frozen=True)
class Curvature:
    """The curvature of f at a point.

    Attributes:
        eigenvalues: the eigenvalues of the Hessian's symmetric part, in increasing order, `(dimension,)`.
        errors: their errors, `(dimension,)`; infinite where the curvature could not be measured a second time.
        shape: the shape that follows from the signs of the eigenvalues; `unknown` if their errors leave it open.
        reason: the reason why the shape is unknown, and what would decide it; empty if it is known.
        contradicted: True if another computation contradicts the Hessian.
        condition_number: the largest |λ| divided by the smallest; infinite if the smallest counts as zero, NaN if it is smaller
            than its error.
    """

    eigenvalues: Array
    errors: Array
    shape: Shape
    reason: str
    contradicted: bool
    condition_number: float

    @property
    def tolerance(self) -> float:
        """The largest error of an eigenvalue."""
        return float(self.errors.max())

    @property
    def signs(self) -> tuple[int, int, int]:
        """The number of negative eigenvalues, the number that are zero within their errors, and the number of positive ones."""
        negative = int((self.eigenvalues < -self.errors).sum())
        positive = int((self.eigenvalues > self.errors).sum())
        return negative, len(self.eigenvalues) - negative - positive, positive

    @property
    def singular(self) -> bool:
        """True if an eigenvalue is zero within its error."""
        return self.signs[1] > 0

    @property
    def words(self) -> str:
        """The shape and its meaning, or the reason why it is unknown, without a full stop."""
        if self.shape == Shape.UNKNOWN:
            return f"{DEFINITENESS[self.shape]}: {self.reason}"
        return f"{self.shape}, {DEFINITENESS[self.shape]}"


def curvature_of(hessian: Array, errors: Array, contradiction: str = "") -> Curvature | None:
    """Return the eigenvalues of a Hessian and the shape that follows from them.

    Bowl, dome and saddle follow from eigenvalues that exceed their errors. Valley, ridge and flat need zero eigenvalues, which
    only a formula can give: an eigenvalue below its error counts as zero if the error is rounding.

    Args:
        hessian: second derivatives, `(dimension, dimension)`.
        errors: the errors of the eigenvalues, in the order of increasing eigenvalues, `(dimension,)`.
        contradiction: the result of another computation that contradicts the Hessian, and what would decide it, in words; empty
            without a contradiction.

    Returns:
        The curvature; None if an entry is not finite.
    """
    if not np.isfinite(hessian).all():
        return None
    # The entries are halved before they are added, because the sum of two large ones may overflow.
    eigenvalues: Array = np.linalg.eigvalsh(0.5 * hessian + 0.5 * hessian.T).astype(np.float64, copy=False)
    sizes = np.abs(eigenvalues)
    largest = float(sizes.max())
    open_signs = sizes <= errors
    zeros = bool((errors[open_signs] <= ROUNDING * largest).all())
    upwards, downwards = bool((eigenvalues > errors).any()), bool((eigenvalues < -errors).any())
    shape, reason = Shape.UNKNOWN, ""
    if contradiction:
        reason = contradiction
    elif upwards and downwards:
        shape = Shape.SADDLE
    elif open_signs.any() and not zeros:
        count, which = int(open_signs.sum()), int(np.flatnonzero(open_signs)[np.argmax(sizes[open_signs])])
        error = f" ± {errors[which]:.1g}" if math.isfinite(errors[which]) else ", which no two spacings confirm"
        subject = "the eigenvalue" if len(sizes) == 1 else f"{count} of {len(sizes)} eigenvalues"
        verb = "is" if count == 1 else "are"
        detail = f"{eigenvalues[which]:.6g}{error}" if count == 1 else f"up to {eigenvalues[which]:.6g}{error}"
        reason = f"{subject} {verb} not larger than the error ({detail}); a formula of the Hessian would decide it"
    elif open_signs.any():
        shape = Shape.VALLEY if upwards else Shape.RIDGE if downwards else Shape.FLAT
    else:
        shape = Shape.BOWL if upwards else Shape.DOME
    smallest = float(sizes.min())
    if contradiction or (open_signs.any() and not zeros):
        condition_number = math.nan
    else:
        condition_number = math.inf if open_signs.any() else largest / smallest
    return Curvature(eigenvalues, errors, shape, reason, bool(contradiction), condition_number)

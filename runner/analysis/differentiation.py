"""The error of a difference quotient as a function of its spacing: the order of truncation, and the best spacing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)
UNIT_ROUNDOFF = 0.5 * EPSILON
SPACINGS: Array = 10.0 ** -np.linspace(1.0, 15.0, 57)
"""The spacings from 1e-1 to 1e-15, four in each decade."""
DECADE = 4
"""The number of spacings in a decade."""
FEWEST_POINTS = 4


@dataclass(frozen=True)
class Slope:
    """The slope of log error against log spacing (or log distance), fitted by least squares.

    Attributes:
        value: the slope.
        uncertainty: the standard error of the slope, plus its systematic error, which arises because terms of the next order bend
            the line. The systematic error is the difference between the slope of the line and that of a fitted parabola at the
            smallest spacing.
        low: the smallest spacing of the fit.
        high: the largest spacing of the fit.
    """

    value: float
    uncertainty: float
    low: float
    high: float


def fitted_slope(x: Array, y: Array) -> Slope | None:
    """Return the slope of log y against log x; None if fewer than four points are positive and finite."""
    usable = np.isfinite(y) & (y > 0) & (x > 0)
    if usable.sum() < FEWEST_POINTS:
        return None
    log_x, log_y = np.log(x[usable]), np.log(y[usable])
    centred = log_x - log_x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ log_y) / spread
    misfit = log_y - log_y.mean() - slope * centred
    uncertainty = math.sqrt(float(misfit @ misfit) / (len(log_x) - 2) / spread)
    # The parabola is fitted by adding to the line the part of the squares that is orthogonal to it.
    squares = centred**2 - spread / len(centred)
    squares -= centred * float(centred @ squares) / spread
    bend = float(squares @ log_y) / float(squares @ squares)
    tilt = float(centred @ centred**2) / spread
    systematic = abs(bend * (2.0 * float(centred.min()) - tilt))
    return Slope(slope, uncertainty + systematic, float(x[usable].min()), float(x[usable].max()))


def best_spacing_index(errors: Array) -> int | None:
    """Return the index of the spacing with the smallest error; None if the error is infinite or NaN everywhere.

    Near the best spacing, rounding and truncation may cancel by chance. Therefore each spacing is judged by the largest error
    within half a decade around it.
    """
    known = np.where(np.isfinite(errors), errors, np.inf)
    largest = np.lib.stride_tricks.sliding_window_view(np.pad(known, DECADE // 2, mode="edge"), DECADE + 1).max(axis=-1)
    return int(np.argmin(largest)) if np.isfinite(largest).any() else None


def truncation_slope(spacings: Array, errors: Array, rounding: Array) -> Slope | None:
    """Return the slope of the error where truncation dominates: between ten and a thousand times the best spacing.

    At ten times the best spacing, rounding is less than a hundredth of the error of a first-order scheme. For a second-order
    scheme, it is less than a thousandth.

    Args:
        spacings: the spacings, in decreasing order, `(spacings,)`.
        errors: the error at each spacing.
        rounding: an estimate of the rounding error at each spacing; errors below ten times this estimate are left out.

    Returns:
        The slope; None if rounding dominates at too many of these spacings, for example because truncation is zero here.
    """
    index = best_spacing_index(errors)
    if index is None:
        return None
    best = float(spacings[index])
    window = (spacings >= 9.99 * best) & (spacings <= 1001.0 * best)
    usable = window & (errors > 10.0 * rounding)
    return fitted_slope(spacings[usable], errors[usable])


def best_spacing(order: int, truncation: float, rounding: float) -> float | None:
    """Return the spacing h at which truncation · hᵖ + rounding / h is smallest, (rounding / (p · truncation))^(1/(p + 1)).

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 8.1; Press et al., Numerical Recipes, 3rd ed.,
    section 5.7.

    Args:
        order: p.
        truncation: |f″|/2 for forward differences (p = 1), |f‴|/6 for central differences (p = 2).
        rounding: the error of the quotient times its spacing: 2u|f| for forward, u|f| for central differences, with u = ε/2.

    Returns:
        The spacing; None if truncation or rounding is zero or not finite, because no spacing is then the best.
    """
    if not (0 < truncation < math.inf and 0 < rounding < math.inf):
        return None
    return float((rounding / (order * truncation)) ** (1.0 / (order + 1)))

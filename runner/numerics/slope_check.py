"""The comparison of a gradient with central differences of f over many spacings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.optimizer import Mask

EPSILON = float(np.finfo(np.float64).eps)
DIRECTIONS = 8
"""The largest number of directions. With more coordinates, each direction changes several of them."""
SPACINGS = 2.0 ** -np.arange(3.0, 40.0, 3.0)
"""The spacings of a thorough comparison, in units of max(1, |xᵢ|), from 1/8 down to 2e-12."""
QUICK_SPACINGS = (2.0**-17, 2.0**-15)
"""The spacings of the first comparison. The smaller one is near ε^(1/3), which is the best for a well-scaled function."""
LAST_WINDOW = 5
"""The number of the last window of spacings that may show an error; its smallest spacing is 2⁻²⁷. Smaller ones confirm it."""
WINDOW = 4
"""The number of successive spacings at which the differences must agree with each other; they span a factor of 512."""
SPREAD = 0.05
"""The largest spread of the differences in a window, relative to their distance from the slope of the gradient.

Differences that consist of rounding vary with the spacing by a factor of eight, so four of them agree by chance in less than one
case in a million."""
ROUNDING = 64.0 * EPSILON
"""The assumed relative error of a value of f."""
AGREEMENT = 1e-6
"""The relative difference below which a gradient and a difference agree."""
LEAST_ERROR = 1e-4
"""The smallest error of a gradient that is reported, relative to the slope. A fine ripple on f may cause smaller differences."""
TINY = 1e-100
"""The difference of slopes below which underflow may be the reason."""
WIDE_SPACINGS = 2.0 ** np.arange(9.0, -3.0, -3.0)
"""Spacings from 512 down to 1, beyond those of the comparison, at which f may show that it is a staircase."""
PLACES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
"""The distances from x, in units of a wide spacing, at which the slopes of a possible staircase are measured on both sides."""


@dataclass(frozen=True)
class Disagreement:
    """A direction along which a gradient and central differences of f differ by more than their errors.

    Attributes:
        coordinates: the numbers of the coordinates that the direction changes, from 0.
        claimed: the slope by the gradient: ∂f/∂xᵢ for one coordinate, else the slope along a direction of several coordinates.
        measured: the slope by central differences.
        error: the spread of the differences over a factor of 512 in the spacing.
        spacing: the spacing of the difference `measured`, in units of max(1, |xᵢ|).
        kink: True if the slopes on the two sides differ, and the claimed slope lies between them.
    """

    coordinates: tuple[int, ...]
    claimed: float
    measured: float
    error: float
    spacing: float
    kink: bool


def directions_at(x: Array) -> list[tuple[tuple[int, ...], Array]]:
    """Return directions that together change each coordinate once: their coordinates, and the directions, `(runs, dimension)`.

    A coordinate alone moves by max(1, |xᵢ|). In a direction of several coordinates, the factors differ, so that no slopes cancel
    by symmetry.
    """
    dimension = x.shape[1]
    unit = np.maximum(1.0, np.abs(x))
    directions = []
    for first in range(min(dimension, DIRECTIONS)):
        coordinates = tuple(range(first, dimension, DIRECTIONS))
        direction = np.zeros_like(x)
        for place, coordinate in enumerate(coordinates):
            direction[:, coordinate] = unit[:, coordinate] * (1.0 + 0.6180339887498949 * place % 1.0)
        directions.append((coordinates, direction))
    return directions


def find_disagreements(values: Callable[[Array], Array], x: Array, gradient: Array) -> list[Disagreement | None]:
    """Return for each run the first direction along which its gradient is wrong; None if no difference shows an error.

    The error of a difference is not known from one spacing. A gradient counts as wrong only under three conditions. The
    differences at four successive spacings agree with each other. They differ from the gradient by far more than their spread
    and their rounding. No differences at other spacings agree with the gradient. If f is too rough or too inexact for that,
    nothing is concluded.

    Args:
        values: f at each row, `(runs, dimension) -> (runs,)`. If it raises an exception at a point of a single run, its value is
            unknown there.
        x: the points, `(runs, dimension)`.
        gradient: the gradients, `(runs, dimension)`.

    Raises:
        Exception: `values` raises an exception for several runs; compare each run alone.
    """
    found: list[Disagreement | None] = [None] * len(x)

    def value_at(points: Array) -> Array:
        try:
            return values(points)
        except Exception:
            if len(x) > 1:
                raise
            return np.full(1, np.nan)

    with np.errstate(all="ignore"):
        here = value_at(x)
        for coordinates, direction in directions_at(x):
            claimed = (gradient * direction).sum(axis=-1)
            quick = [(value_at(x + t * direction), value_at(x - t * direction)) for t in QUICK_SPACINGS]
            fine, coarse = ((ahead - behind) / (2.0 * t) for t, (ahead, behind) in zip(QUICK_SPACINGS, quick, strict=True))
            noise = ROUNDING * np.maximum(np.abs(quick[0][0]), np.abs(quick[0][1])) / QUICK_SPACINGS[0]
            allowed = AGREEMENT * np.maximum(np.abs(fine), np.abs(claimed)) + 4.0 * np.abs(fine - coarse) + noise
            doubtful = ~(np.abs(fine - claimed) <= allowed) & np.isfinite(claimed) & np.isfinite(here)
            doubtful &= np.array([each is None for each in found])
            if not doubtful.any():
                continue
            ahead, behind = np.array([(value_at(x + t * direction), value_at(x - t * direction)) for t in SPACINGS]).swapaxes(
                0, 1
            )
            suspects = {
                row: suspect
                for row in np.flatnonzero(doubtful).tolist()
                if (suspect := _judge(coordinates, claimed[row], here[row], ahead[:, row], behind[:, row])) is not None
            }
            stairs = _on_stairs(value_at, x, direction, suspects) if suspects else ()
            for row, suspect in suspects.items():
                if not stairs[row]:
                    unit = float(direction[row, coordinates[0]]) if len(coordinates) == 1 else 1.0
                    claim, measured, error = suspect.claimed / unit, suspect.measured / unit, suspect.error / unit
                    found[row] = replace(suspect, claimed=claim, measured=measured, error=error)
    return found


def _on_stairs(values: Callable[[Array], Array], x: Array, direction: Array, suspects: Mapping[int, Disagreement]) -> Mask:
    """Return for each run True if f is a staircase along the direction, so that differences at small spacings say nothing.

    Additions such as (1e12 + x) − 1e12 round x away. The mean of the slopes at a small spacing on both sides of x is then the
    same at all distances from x, and differs from the slope at a wide spacing. For a differentiable f, the latter is the mean of
    the former.

    Args:
        values: f at each row, `(runs, dimension) -> (runs,)`.
        x: the points, `(runs, dimension)`.
        direction: the direction, `(runs, dimension)`.
        suspects: for some runs, by row, the disagreement along the direction.
    """
    small, measured, gap = np.ones(len(x)), np.full(len(x), np.nan), np.full(len(x), np.nan)
    for row, suspect in suspects.items():
        small[row], measured[row], gap[row] = suspect.spacing / 8.0, suspect.measured, abs(suspect.claimed - suspect.measured)

    def slope(share: Array, spacing: Array) -> Array:
        place, step = x + share[:, None] * direction, spacing[:, None] * direction
        return (values(place + step) - values(place - step)) / (2.0 * spacing)

    wide = np.full(len(x), np.nan)
    for t in (*WIDE_SPACINGS, *SPACINGS):
        differs = np.abs(slope(np.zeros(len(x)), np.full(len(x), t)) - measured) >= 0.5 * gap
        wide[differs & (t > 64.0 * small)] = t
    means = [0.5 * (slope(share * wide, small) + slope(-share * wide, small)) for share in PLACES]
    same = np.sum(np.abs(np.array(means) - measured) <= 0.1 * gap, axis=0)
    # The slope is another one where the small spacing includes a step of the staircase.
    stairs: Mask = same >= len(PLACES) - 2
    return stairs


def _judge(coordinates: tuple[int, ...], claimed: float, here: float, ahead: Array, behind: Array) -> Disagreement | None:
    """Return the disagreement of one run along one direction.

    Args:
        coordinates: the coordinates that the direction changes.
        claimed: the slope by the gradient.
        here: f at the point.
        ahead: f on one side of the point, `(spacings,)`.
        behind: f on the other side, `(spacings,)`.
    """
    slopes = (ahead - behind) / (2.0 * SPACINGS)
    upper, lower = (ahead - here) / SPACINGS, (here - behind) / SPACINGS
    # The rounding of x changes f too, by up to ε times the slope in units of max(1, |xᵢ|).
    noise = (ROUNDING * np.maximum(np.abs(ahead), np.abs(behind)) + 4.0 * EPSILON * abs(claimed)) / SPACINGS
    best: Disagreement | None = None
    for first in range(LAST_WINDOW + 1):
        window = slice(first, first + WINDOW)
        part = slopes[window]
        if not np.isfinite(part).all():
            continue
        middle, spread, distance = float(np.median(part)), float(np.ptp(part)), float(np.abs(part - claimed).min())
        rounding = float(noise[window].max())
        if distance <= spread + rounding + AGREEMENT * abs(claimed):
            if spread + rounding <= SPREAD * max(abs(middle), abs(claimed)):
                # The differences at these spacings support the gradient.
                return None
            continue
        size = max(abs(middle), abs(claimed))
        if spread > SPREAD * min(distance, abs(middle)) or distance <= max(rounding, TINY, LEAST_ERROR * size) or middle == 0:
            continue
        # At smaller spacings, the differences may vary by rounding alone. Otherwise f has structure that this window misses.
        finer = slice(first + WINDOW, None)
        if not (np.abs(slopes[finer] - middle) <= 2.0 * spread + noise[finer]).all():
            continue
        if best is None or spread + rounding < best.error:
            sides = np.stack([upper[window], lower[window]])
            jump = float(np.abs(sides[0] - sides[1]).min())
            steady = float(np.ptp(sides, axis=1).max()) <= SPREAD * jump and jump > 2.0 * rounding
            slack = SPREAD * jump
            between = bool(sides.min() - slack <= claimed <= sides.max() + slack)
            best = Disagreement(
                coordinates, float(claimed), middle, spread + rounding, float(SPACINGS[first + 1]), steady and between
            )
    return best

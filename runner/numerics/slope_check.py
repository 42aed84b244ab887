"""The comparison of a gradient with central differences of f over many spacings, and the search for kinks and jumps there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.optimizer import Mask
from runner.tables.readable import to_error

EPSILON = float(np.finfo(np.float64).eps)
DIRECTIONS = 8
"""The largest number of directions. With more coordinates, each direction changes several of them."""
SPACINGS = 2.0 ** -np.arange(3.0, 40.0, 3.0)
"""The spacings of a thorough comparison, in units of max(1, |xᵢ|), from 1/8 down to 2e-12."""
QUICK_SPACINGS = (2.0**-17, 2.0**-15)
"""The spacings of the first comparison. The smaller one is near ε^(1/3), which is the best for a well-scaled function."""
LAST_WINDOW = 5
"""The index of the last window of spacings that may show an error, down to 2⁻²⁷. Smaller spacings only confirm an error."""
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
LEAST_ERROR = 2e-6
"""The smallest error of a gradient that is reported, relative to the slope."""
GROSS_ERROR = 1e-4
"""If the relative error of a gradient is at least this, it is wrong, and not merely inexact."""
FINE_ERROR = 1e-2
"""Below this relative error, a fine ripple on f may be the reason, unless the values of f show no ripple."""
SMOOTH = 4.0 * EPSILON
"""The values of f show no ripple if their scatter, relative to f and to its slope, is at most this."""
FIRST_OF_JUMP = 7
"""The index of the spacing 2⁻²⁴. A jump must show its whole height at this spacing and at all smaller ones."""
TINY = 1e-100
"""A smaller difference of slopes is ignored, because underflow may have caused it."""
WIDE_SPACINGS = 2.0 ** np.arange(9.0, -3.0, -3.0)
"""Spacings from 512 down to 1, beyond those of the comparison, at which f may show that it is a staircase."""
PLACES = (0.137, 0.291, 0.433, 0.587, 0.731, 0.889)
"""The distances from x, in units of a wide spacing, at which the slopes of a possible staircase are measured on both sides."""


@dataclass(frozen=True)
class Disagreement:
    """A direction along which a gradient and central differences of f differ by more than their errors, or f has no derivative.

    Attributes:
        coordinates: the numbers of the coordinates that the direction changes, from 0.
        claimed: the slope by the gradient: ∂f/∂xᵢ for one coordinate, else the slope along a direction of several coordinates.
        measured: the slope by central differences.
        error: the spread of the differences over a factor of 512 in the spacing.
        spacing: the spacing of the difference `measured`, in units of max(1, |xᵢ|).
        sides: at a kink, the slopes on the lower and the upper side, between which the claimed slope lies; at a jump, the values
            of f on both sides; else None.
        jump: True if f seems to jump, so that it has no slope.
    """

    coordinates: tuple[int, ...]
    claimed: float
    measured: float
    error: float
    spacing: float
    sides: tuple[float, float] | None = None
    jump: bool = False

    @property
    def gross(self) -> bool:
        """True if the gradient is wrong: f has a derivative, which differs from the gradient by far."""
        return self.sides is None and abs(self.claimed - self.measured) > GROSS_ERROR * max(abs(self.claimed), abs(self.measured))

    @property
    def words(self) -> str:
        """The measured slope with its error, or the kink or jump, without a full stop."""
        if self.sides is None:
            return f"{to_error(self.measured, self.error)} ± {self.error:.1g}"
        lower, upper = (to_error(side, self.error) for side in self.sides)
        if self.jump:
            return f"a jump {self.where}, where f is {lower} and {upper} on the two sides"
        return f"a kink {self.where}, where the slopes on the two sides are {lower} and {upper}"

    @property
    def where(self) -> str:
        """The direction, such as `along coordinate 1`."""
        coordinates = ", ".join(str(each + 1) for each in self.coordinates[:3]) + ", …" * (len(self.coordinates) > 3)
        return f"along coordinate{'s' * (len(self.coordinates) > 1)} {coordinates}"


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
    """Return for each run the first direction along which its gradient is wrong, or f has no derivative; None if none is found.

    The error of a difference is not known from one spacing. A gradient counts as wrong only under three conditions. The
    differences at four successive spacings agree with each other. They differ from the gradient by far more than their spread
    and their rounding. No differences at other spacings agree with the gradient. If f is too rough or too inexact for that,
    nothing is concluded. A kink or a jump must persist down to the smallest spacings.

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
            bends = [(ahead - 2.0 * here + behind) / t for t, (ahead, behind) in zip(QUICK_SPACINGS, quick, strict=True)]
            rough = (np.abs(bends[0]) >= 0.5 * np.abs(bends[1])) & (np.abs(bends[0]) > 4.0 * noise + AGREEMENT * np.abs(fine))
            rough |= (np.abs(fine) > 2.0 * np.abs(coarse)) & (np.abs(fine) > 4.0 * noise)
            doubtful = (rough | ~(np.abs(fine - claimed) <= allowed)) & np.isfinite(claimed) & np.isfinite(here)
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
            wrong = {row: suspect for row, suspect in suspects.items() if suspect.sides is None}
            excused = _on_stairs(value_at, x, direction, wrong) | _rippled(value_at, x, direction, wrong) if wrong else ()
            for row, suspect in suspects.items():
                if row not in wrong or not excused[row]:
                    unit = float(direction[row, coordinates[0]]) if len(coordinates) == 1 else 1.0
                    found[row] = _in_units(suspect, unit)
    return found


def _in_units(found: Disagreement, unit: float) -> Disagreement:
    """Return a disagreement whose slopes are divided by a unit."""
    sides = found.sides if found.sides is None or found.jump else (found.sides[0] / unit, found.sides[1] / unit)
    claimed, measured, error = found.claimed / unit, found.measured / unit, found.error / unit
    return replace(found, claimed=claimed, measured=measured, error=error, sides=sides)


def _on_stairs(values: Callable[[Array], Array], x: Array, direction: Array, suspects: Mapping[int, Disagreement]) -> Mask:
    """Return for each run True if f is a staircase along the direction, so that differences at small spacings say nothing.

    Additions such as (1e12 + x) − 1e12 round x away. The mean of the slopes at a small spacing on both sides of x is then the
    same at all distances from x, and differs from the slope at a wide spacing. For a differentiable f, the slope at a wide
    spacing is the mean of the slopes at small spacings.

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
        differs = np.abs(slope(np.zeros(len(x)), np.full(len(x), t)) - measured) >= 0.25 * gap
        wide[differs & (t > 64.0 * small)] = 8.0 * t
    means = [0.5 * (slope(share * wide, small) + slope(-share * wide, small)) for share in PLACES]
    same = np.sum(np.abs(np.array(means) - measured) <= 0.1 * gap, axis=0)
    # The slope differs where the small spacing includes a step of the staircase.
    stairs: Mask = same >= len(PLACES) - 2
    return stairs


def _rippled(values: Callable[[Array], Array], x: Array, direction: Array, suspects: Mapping[int, Disagreement]) -> Mask:
    """Return, for each run, True if a ripple in the values of f could explain the disagreement.

    The arguments are those of `_on_stairs`.
    """
    spacing, slope, small = np.zeros(len(x)), np.zeros(len(x)), np.zeros(len(x), dtype=bool)
    for row, suspect in suspects.items():
        slope[row] = max(abs(suspect.claimed), abs(suspect.measured))
        small[row] = abs(suspect.claimed - suspect.measured) < FINE_ERROR * slope[row]
        spacing[row] = suspect.spacing / 64.0
    if not small.any():
        return small
    # The factors have no common divisor, so that no ripple has the same phase at all places.
    f = np.array(
        [[values(x + (factor * k * spacing)[:, None] * direction) for k in range(-3, 4)] for factor in (0.3, 0.4257, 0.6181)]
    )
    # The variance of a fourth difference is 70 times that of its terms.
    scatter = np.sqrt(np.mean(np.diff(f, 4, axis=1) ** 2, axis=1).max(axis=0) / 70.0)
    rippled: Mask = small & ~(scatter <= SMOOTH * np.maximum(np.abs(f).max(axis=(0, 1)), slope))
    return rippled


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
    # The rounding of x changes f too, by up to ε times the slope in units of max(1, |xᵢ|).
    noise = (ROUNDING * np.maximum(np.abs(ahead), np.abs(behind)) + 4.0 * EPSILON * abs(claimed)) / SPACINGS
    # The rounding of x and of intermediate results moves the slope, by about ε times the curvature in these units.
    noise += ROUNDING * np.abs(ahead - 2.0 * here + behind) / SPACINGS**2
    without = _kink_or_jump(coordinates, claimed, here, ahead, behind, noise)
    if without is not None:
        return without
    best: Disagreement | None = None
    support = math.inf
    for first in range(LAST_WINDOW + 1):
        window = slice(first, first + WINDOW)
        part = slopes[window]
        if not np.isfinite(part).all():
            continue
        middle, spread, distance = float(np.median(part)), float(np.ptp(part)), float(np.abs(part - claimed).min())
        rounding = float(noise[window].max())
        if distance <= spread + rounding + AGREEMENT * abs(claimed):
            if spread + rounding <= SPREAD * max(abs(middle), abs(claimed)):
                # The differences at these spacings support the gradient, up to this error.
                support = min(support, spread + rounding)
            continue
        size = max(abs(middle), abs(claimed))
        if spread > SPREAD * min(distance, abs(middle)) or distance <= max(rounding, TINY, LEAST_ERROR * size) or middle == 0:
            continue
        # At smaller spacings, the differences may vary by rounding alone. Otherwise f has structure that this window misses.
        finer = slice(first + WINDOW, None)
        if not (np.abs(slopes[finer] - middle) <= 2.0 * spread + noise[finer]).all():
            continue
        if best is None or spread + rounding < best.error:
            best = Disagreement(coordinates, float(claimed), middle, spread + rounding, float(SPACINGS[first + 1]))
    # Differences that agree with the gradient refute the disagreement only if their error is at most half of it.
    return None if best is None or support <= 0.5 * abs(best.measured - best.claimed) else best


def _kink_or_jump(
    coordinates: tuple[int, ...], claimed: float, here: float, ahead: Array, behind: Array, noise: Array
) -> Disagreement | None:
    """Return the kink or jump of f at the point of one run, if differences at small spacings show it.

    The arguments are those of `_judge`, and `noise`, the rounding error of the slopes, `(spacings,)`.
    """
    near = np.stack([behind, ahead])[:, FIRST_OF_JUMP:]
    height, spread = abs(float(ahead[-1] - behind[-1])), float(np.ptp(near, axis=1).max())
    if spread <= SPREAD * height and height > 4.0 * float((noise * SPACINGS).max()):
        sides = (float(behind[-1]), float(ahead[-1]))
        return Disagreement(coordinates, float(claimed), math.nan, spread, float(SPACINGS[-1]), sides, jump=True)
    sides_at = np.stack([(here - behind) / SPACINGS, (ahead - here) / SPACINGS])
    for first in range(LAST_WINDOW, -1, -1):
        window, finer = slice(first, first + WINDOW), slice(first + WINDOW, None)
        middle = np.median(sides_at[:, window], axis=1)
        spread, rounding = float(np.ptp(sides_at[:, window], axis=1).max()), float(2.0 * noise[window].max())
        change = abs(float(middle[1] - middle[0]))
        if not (spread <= SPREAD * change and change > max(2.0 * rounding, TINY, LEAST_ERROR * float(np.abs(middle).max()))):
            continue
        if not (np.abs(sides_at[:, finer] - middle[:, None]) <= 2.0 * spread + 2.0 * noise[finer]).all():
            continue
        if middle.min() - SPREAD * change <= claimed <= middle.max() + SPREAD * change:
            lower, upper = middle.tolist()
            return Disagreement(
                coordinates, float(claimed), 0.5 * (lower + upper), spread + rounding, float(SPACINGS[first + 1]), (lower, upper)
            )
    return None

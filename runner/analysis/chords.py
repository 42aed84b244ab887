"""The search for chords below f, which refute convexity."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runner.analysis.noise import EPSILON, NEIGHBOURS, Function, error_in_extended_precision, noise_of_neighbours
from runner.contracts.arrays import Array

ROUNDINGS = 32.0
"""The assumed relative error of one value of f, in units of ε."""
MANY = 10.0
"""The excess of a counterexample is at least this number of times the noise of f."""
DECADES = 3.0
"""The lengths of short chords and short lines are spread over this number of decades below the width of the box."""
PAIRS_OF_LINE, FEWEST_LINES = 50, 40
"""One line is tried for this number of random pairs, but at least the second number of lines."""
INTERVALS = 32
"""The number of equal intervals of a line. Their ends give midpoint chords of five lengths."""
MOST_COORDINATES_MOVED = 3
"""Some lines move at most this number of coordinates."""
MATRIX_STEPS = (1 / 8, 1 / 64, 1 / 1024)
"""The steps of second differences, relative to the width of the box."""
MATRIX_POINTS, MOST_MATRIX_VALUES = 8, 20_000
"""The number of points at which second differences are computed, and the largest number of values for them."""
HALVINGS = 26
"""The number of lengths of the chords across a point along one direction."""
TAKEN = 4
"""The number of chords of a group that are checked, in each of two orders: by excess, and by relative excess."""
GROUP, GROUP_VALUES = 24, 100_000
"""The largest number of chords that are checked together, and the largest product of this number and the dimension."""
MOST_MEASURED = 48
"""The largest number of chords whose noise is measured."""
JITTERED, JITTER = 32, 0.01
"""The number of neighbouring chords that a chord is compared with, and their distance relative to its length."""
KEPT = 0.8
"""The share of neighbouring chords that must have at least half of the excess."""
BISECTED, BISECTIONS = 64, 40
"""The number of intervals into which the search for a jump divides a chord, and the number of bisections of one of them."""
JUMP = 0.1
"""A jump may explain an excess if the jump is at least this share of the excess."""
SPACINGS, WIDEST = 12, 1 / 50
"""The number of spacings at which the noise of a chord is measured, and the largest of them, relative to its length."""
PLACES, WIDEST_IN_BOX = 60, 1 / 2000
"""The number of places at which the noise in the box is measured, and the largest spacing, relative to its width."""


@dataclass(frozen=True)
class Chord:
    """A chord, and the height of f above it: f(z) − (λ f(x₁) + (1 − λ) f(x₂)) at z = λ x₁ + (1 − λ) x₂.

    Attributes:
        first: x₁, `(dimension,)`.
        second: x₂, `(dimension,)`.
        weight: λ.
        excess: the height of f(z) above the chord; if it is above zero, f is not convex.
        rounding: the largest excess that rounding and noise may cause.
        jump: the size of the largest jump of f that was found between x₁ and x₂; zero if no jump can explain the excess.
        vetted: false if f jumps and does not compute in extended precision, so that the jump may be rounding.
    """

    first: Array
    second: Array
    weight: float
    excess: float
    rounding: float
    jump: float
    vetted: bool

    @property
    def point(self) -> Array:
        """The point z on the chord, `(dimension,)`."""
        return self.weight * self.first + (1.0 - self.weight) * self.second

    @property
    def refutes(self) -> bool:
        """True if the excess is larger than its error and does not come from jumps that may be rounding."""
        return self.excess > self.rounding and self.vetted


@dataclass(frozen=True)
class ChordSearch:
    """The result of a search over chords.

    Attributes:
        worst: the chord with the largest excess among those that refute convexity; None if no chord was found.
        tried: the number of chords tried.
        unknown: the number of chords at whose points f is not finite, so that these chords decide nothing.
        holes: the number of these chords at whose two ends f is finite, while it is not finite at the point between them.
        exceeded: the number of chords that f exceeds by more than 32 ε|f|.
        checked: the number of these whose excess was compared with that of neighbouring chords and with noise.
        jumps: the number of these that f exceeds by more than noise, but only across jumps that may be rounding.
        sag: the largest distance by which f lies below a chord.
        usual_sag: nine tenths of the long random chords lie above f by at most this distance. A few wrong values do not change
            it.
        usual_range: the range of nine tenths of the values of f at random points.
        hidden: the excess that noise may hide nearly everywhere in the box.
        resolution: the excess that noise, or an error of 32 ε|f| for each value, may hide nearly everywhere in the box.
    """

    worst: Chord | None
    tried: int
    unknown: int
    holes: int
    exceeded: int
    checked: int
    jumps: int
    sag: float
    usual_sag: float
    usual_range: float
    hidden: float
    resolution: float


@dataclass(frozen=True)
class SecondDifference:
    """The second derivative of f along a direction, from values of f.

    Attributes:
        value: the second difference whose error is smallest.
        error: its error, from noise and from the change between two steps.
    """

    value: float
    error: float


class ChordsInBox:
    """The chords that were tried in a box.

    All values of f are divided by one power of two, so that sums and differences of large values do not overflow.
    """

    def __init__(self, function: Function, low: float, high: float, dimension: int, generator: np.random.Generator) -> None:
        """Measure the scale of f and its noise.

        Args:
            function: f, `(points, dimension) -> (points,)`. It is also called with numbers of extended precision.
            low: the lowest value of each coordinate.
            high: the highest value of each coordinate.
            dimension: the number of coordinates.
            generator: the source of random numbers.
        """
        self._function, self._generator = function, generator
        self._low, self._high, self._dimension = low, high, dimension
        self._tried = self._unknown = self._holes = self._exceeded = 0
        self._lowest_excess = self._usual_sag = self._usual_range = 0.0
        self._candidates: list[tuple[float, Array, Array, float]] = []
        points = generator.uniform(low, high, (PLACES, dimension))
        values = function(points)
        sizes = np.abs(values[np.isfinite(values)])
        # Values are enlarged by 2⁵⁰⁰ at most, because f may be far larger elsewhere.
        self._exponent = max(math.frexp(float(sizes.max(initial=0.0)))[1], -500)
        self._usual_noise, self._high_noise = self._noise_in_box(points)
        usual = math.ldexp(float(np.median(sizes)), -self._exponent) if len(sizes) else 0.0
        self._usual_error = 3.0 * ROUNDINGS * EPSILON * usual

    def _scaled(self, x: Array) -> Array:
        return np.asarray(np.ldexp(self._function(x), -self._exponent))

    def _unscaled(self, value: float) -> float:
        return float(np.nan_to_num(np.ldexp(value, self._exponent), posinf=np.finfo(np.float64).max))

    def _noise_in_box(self, points: Array) -> tuple[float, float]:
        """Return the median noise over the places, and the noise that a tenth of them exceed; infinite if it is unknown."""
        width = self._high - self._low
        smallest = 2.0 * EPSILON * max(abs(self._low), abs(self._high)) / width
        spacings = np.geomspace(min(smallest, WIDEST_IN_BOX), WIDEST_IN_BOX, SPACINGS)[:, None, None] * width
        signs = self._generator.choice([-1.0, 1.0], (PLACES, 1, 1, self._dimension))
        steps = np.arange(NEIGHBOURS)[:, None] * spacings
        # The neighbours go inwards, so that they stay in the box.
        signs = np.where(points[:, None, None] + signs * steps[-1, -1] > self._high, -1.0, signs)
        signs = np.where(points[:, None, None] + signs * steps[-1, -1] < self._low, 1.0, signs)
        neighbours = points[:, None, None] + signs * steps
        values = self._scaled(neighbours.reshape(-1, self._dimension)).reshape(neighbours.shape[:-1])
        noise = noise_of_neighbours(values)
        errors = error_in_extended_precision(self._scaled, points, self._scaled(points))
        if errors is not None:
            noise = np.column_stack([noise, errors])
        known = noise[np.isfinite(noise).all(axis=1)]
        if not len(known):
            return math.inf, math.inf
        return float(np.quantile(known, 0.5, axis=0).max()), float(np.quantile(known, 0.9, axis=0).max())

    def try_pairs(self, tries: int) -> None:
        """Try random pairs of points, with random λ.

        The points of every other pair are independent and uniform. The points of the remaining pairs are neighbours, at
        distances spread evenly over three decades, because only short chords reveal a narrow hump.
        """
        first = self._generator.uniform(self._low, self._high, (tries, self._dimension))
        second = self._generator.uniform(self._low, self._high, (tries, self._dimension))
        reach = 10.0 ** -self._generator.uniform(0.0, DECADES, (tries, 1))
        second[1::2] = first[1::2] + (reach * (second - first))[1::2]
        weight = self._generator.uniform(0.0, 1.0, tries)
        values = self._on_chords(first, second, weight)
        for part in (slice(0, None, 2), slice(1, None, 2)):
            self._consider(first[part], second[part], weight[part], values[:, part])
        long = values[:, ::2]
        known = np.isfinite(long).all(axis=0)
        if known.any():
            self._usual_sag = max(0.0, -float(np.quantile(_excess(long, weight[::2])[known], 0.1)))
            self._usual_range = float(np.quantile(long[0, known], 0.95) - np.quantile(long[0, known], 0.05))

    def try_lines(self, count: int, minimum: Array | None) -> None:
        """Try the chords between equally spaced points on lines.

        There are five kinds of lines: random lines, lines through the centre of the box, lines through the stated minimum, lines
        along which at most three coordinates change, and lines along the faces of the box. Every other line is short.

        Args:
            count: the number of lines of each kind.
            minimum: the minimiser that the objective states, `(dimension,)`; None if it is unknown or outside the box.
        """
        generator, dimension, shape = self._generator, self._dimension, (count, self._dimension)
        middle = 0.5 * self._low + 0.5 * self._high
        few = np.zeros(shape)
        for row in few:
            moved = generator.choice(dimension, generator.integers(1, min(dimension, MOST_COORDINATES_MOVED) + 1), replace=False)
            row[moved] = generator.choice([-1.0, 1.0], len(moved))
        everywhere, directions = generator.uniform(self._low, self._high, shape), generator.standard_normal(shape)
        self._try_segments(everywhere, directions, False)
        self._try_segments(everywhere, few, False)
        for anchor in (np.full(dimension, middle), minimum):
            if anchor is not None:
                towards = np.concatenate([generator.standard_normal(shape), few, generator.choice([-1.0, 1.0], shape)])
                towards = towards[generator.permutation(3 * count)[:count]]
                self._try_segments(np.broadcast_to(anchor, shape), towards, True)
        if dimension > 1:
            fixed = generator.uniform(0.0, 1.0, shape) < generator.uniform(0.0, 1.0, (count, 1))
            fixed[np.arange(count), generator.integers(0, dimension, count)] = False
            face = np.where(fixed, generator.choice([self._low, self._high], shape), everywhere)
            self._try_segments(face, np.where(fixed, 0.0, directions), False)

    def _try_segments(self, anchors: Array, directions: Array, symmetric: bool) -> None:
        """Try the chords between equally spaced points on the parts of lines that lie in the box.

        Args:
            anchors: a point on each line, `(lines, dimension)`.
            directions: the direction of each line, `(lines, dimension)`.
            symmetric: true if the points lie symmetrically about the anchor, where that is possible.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            to_low, to_high = (self._low - anchors) / directions, (self._high - anchors) / directions
        upwards = np.where(directions == 0, np.inf, np.fmax(to_low, to_high)).min(axis=1, keepdims=True)
        downwards = np.where(directions == 0, np.inf, np.fmax(-to_low, -to_high)).min(axis=1, keepdims=True)
        both = np.minimum(upwards, downwards)
        if symmetric:
            upwards, downwards = np.where(both > 0, both, upwards), np.where(both > 0, both, downwards)
        shorter = np.ones_like(both)
        shorter[1::2] = 10.0 ** -self._generator.uniform(0.0, DECADES, shorter[1::2].shape)
        starts, ends = anchors - shorter * downwards * directions, anchors + shorter * upwards * directions
        t = np.linspace(0.0, 1.0, INTERVALS + 1)[:, None]
        points = np.clip((1.0 - t) * starts[:, None] + t * ends[:, None], self._low, self._high)
        values = self._scaled(points.reshape(-1, self._dimension)).reshape(len(starts), INTERVALS + 1)
        stride = 1
        while 2 * stride <= INTERVALS:
            first, second = (part.reshape(-1, self._dimension) for part in (points[:, : -2 * stride], points[:, 2 * stride :]))
            triples = np.stack([values[:, : -2 * stride], values[:, stride:-stride], values[:, 2 * stride :]]).reshape(3, -1)
            self._consider(first, second, np.full(len(first), 0.5), triples)
            stride *= 2

    def try_second_differences(self, minimum: Array | None) -> None:
        """Try chords along the axes, and along the directions in which second differences show the smallest curvature.

        The points are the centre of the box, the stated minimum and random points. In dimensions so high that one matrix would
        require too many values, only the axes are tried, from the first of these points.

        Args:
            minimum: the minimiser that the objective states, `(dimension,)`; None if it is unknown or outside the box.
        """
        dimension = self._dimension
        widths = 0.5 * (self._high - self._low) * np.eye(dimension)
        for middle in (np.full(dimension, 0.5 * self._low + 0.5 * self._high), minimum):
            if middle is not None:
                halves = np.minimum(widths, np.minimum(middle - self._low, self._high - middle))
                first, second, weight = middle - halves, middle + halves, np.full(dimension, 0.5)
                self._consider(first, second, weight, self._on_chords(first, second, weight))
        affordable = MOST_MATRIX_VALUES // (dimension * (dimension + 1) + 1)
        if affordable == 0:
            return
        rows, columns = np.triu_indices(dimension, 1)
        axes = np.vstack([np.eye(dimension), np.eye(dimension)[rows] + np.eye(dimension)[columns]]) if len(rows) else np.eye(1)
        places = self._generator.uniform(self._low, self._high, (MATRIX_POINTS, dimension))
        places[0] = 0.5 * self._low + 0.5 * self._high
        if minimum is not None:
            places[1] = minimum
        for step in (relative * (self._high - self._low) for relative in MATRIX_STEPS):
            used = np.clip(places[: max(1, affordable // len(MATRIX_STEPS))], self._low + step, self._high - step)
            directions = []
            for place in used:
                values = self._scaled(place + step * np.vstack([np.zeros(dimension), axes, -axes]))
                along = values[1 : len(axes) + 1] + values[len(axes) + 1 :] - 2.0 * values[0]
                matrix = np.diag(along[:dimension])
                matrix[rows, columns] = 0.5 * (along[dimension:] - along[rows] - along[columns])
                matrix[columns, rows] = matrix[rows, columns]
                known = np.isfinite(matrix).all()
                directions.append(np.linalg.eigh(matrix)[1][:, 0] if known else np.eye(dimension)[0])
            if directions:
                self.try_across(used, np.stack(directions))

    def try_across(self, places: Array, directions: Array) -> None:
        """Try chords of many lengths across points.

        Args:
            places: the points, `(points, dimension)`.
            directions: the unit direction at each point, `(points, dimension)`.
        """
        halves = [self._across(*each) for each in zip(places, directions, strict=True)]
        first, second = (
            np.concatenate(ends) for ends in zip(*((middle - half, middle + half) for middle, half in halves), strict=True)
        )
        weight = np.full(len(first), 0.5)
        self._consider(first, second, weight, self._on_chords(first, second, weight))

    def _across(self, place: Array, direction: Array) -> tuple[Array, Array]:
        """Return the middles and the halves of chords of many lengths along a direction, `(lengths, dimension)` each.

        The middle is the point itself, unless the chord would leave the box.
        """
        with np.errstate(divide="ignore"):
            longest = 0.5 * float(((self._high - self._low) / np.abs(direction)).min())
        halves = longest * 2.0 ** -np.arange(HALVINGS)[:, None] * direction
        return np.clip(place, self._low + np.abs(halves), self._high - np.abs(halves)), halves

    def second_difference(self, place: Array, direction: Array) -> SecondDifference:
        """Return the second derivative of f along a unit direction.

        If f exceeds the middle of a chord of length 2h by e, the second difference is −2e/h². The error is the sum of the largest
        excess that noise may cause, in the same formula, and twice the change from one h to the next.
        """
        middles, halves = (each[::2] for each in self._across(place, direction))
        chords = self._measured(middles - halves, middles + halves, np.full(len(halves), 0.5))
        h = np.abs(halves).max(axis=1) / np.abs(direction).max()
        values = -2.0 * np.array([each.excess for each in chords]) / h / h
        errors = 2.0 * np.array([each.rounding for each in chords]) / h / h
        errors[~np.isfinite(values)] = np.inf
        errors[:-1] += 2.0 * np.abs(np.diff(values))
        best = int(np.argmin(np.where(np.isfinite(errors[:-1]), errors[:-1], np.inf)))
        return SecondDifference(self._unscaled(float(values[best])), self._unscaled(float(errors[best])))

    def _on_chords(self, first: Array, second: Array, weight: Array) -> Array:
        """Return f(x₁), f(z) and f(x₂), `(3, chords)`."""
        points = weight[:, None] * first + (1.0 - weight[:, None]) * second
        return self._scaled(np.concatenate([first, points, second])).reshape(3, -1)

    def _consider(self, first: Array, second: Array, weight: Array, values: Array) -> None:
        """Count chords, and keep those with the largest excess, both absolute and relative to the values of f.

        Args:
            first: x₁, `(chords, dimension)`.
            second: x₂, `(chords, dimension)`.
            weight: λ, `(chords,)`.
            values: f(x₁), f(z) and f(x₂), `(3, chords)`.
        """
        excess, allowed = _excess(values, weight), _allowed(values)
        known = np.isfinite(excess)
        suspects = np.flatnonzero(known & (excess > allowed))
        self._tried += len(excess)
        self._unknown += int((~known).sum())
        self._holes += int((np.isfinite(values[0]) & np.isfinite(values[2]) & ~np.isfinite(values[1])).sum())
        self._exceeded += len(suspects)
        self._lowest_excess = float(excess[known].min(initial=self._lowest_excess))
        sizes = excess[suspects]
        largest = [np.argsort(-order, kind="stable")[:TAKEN] for order in (sizes, sizes / (allowed[suspects] + 1e-300))]
        for place in suspects[np.union1d(*largest)].tolist():
            self._candidates.append((float(excess[place]), first[place].copy(), second[place].copy(), float(weight[place])))

    def result(self) -> ChordSearch:
        """Check the chords with the largest excess, and return what the search has found."""
        worst, checked, measured, jumps = None, 0, 0, 0
        self._candidates.sort(key=lambda each: -each[0])
        size = max(1, min(GROUP, GROUP_VALUES // self._dimension))
        while worst is None and checked < len(self._candidates) and measured < MOST_MEASURED:
            _, firsts, seconds, weights = zip(*self._candidates[checked : checked + size], strict=True)
            first, second, weight = np.stack(firsts), np.stack(seconds), np.array(weights)
            checked += len(weight)
            steady = self._is_steady(first, second, weight)
            measured += int(steady.sum())
            if steady.any():
                chords = self._measured(first[steady], second[steady], weight[steady])
                worst = next((chord for chord in chords if chord.refutes), None)
                jumps += sum(chord.excess > chord.rounding and not chord.refutes for chord in chords)
        if worst is not None:
            excess, rounding, jump = map(self._unscaled, (worst.excess, worst.rounding, worst.jump))
            worst = replace(worst, excess=excess, rounding=rounding, jump=jump)
        return ChordSearch(
            worst=worst,
            tried=self._tried,
            unknown=self._unknown,
            holes=self._holes,
            exceeded=self._exceeded,
            checked=checked,
            jumps=jumps,
            sag=self._unscaled(abs(self._lowest_excess)),
            usual_sag=self._unscaled(self._usual_sag),
            usual_range=self._unscaled(self._usual_range),
            hidden=self._unscaled(MANY * self._high_noise),
            resolution=self._unscaled(MANY * self._high_noise + self._usual_error),
        )

    def _is_steady(self, first: Array, second: Array, weight: Array) -> NDArray[np.bool_]:
        """Return, for each chord, whether most neighbouring chords have at least half of its excess, `(chords,)`.

        Neighbouring chords are moved in any direction, and shortened or stretched, by up to a hundredth of the length. They keep
        their direction, because f may curve downwards along this direction alone.
        """
        chord = (second - first)[:, None]
        shape = (len(first), JITTERED, self._dimension)
        moved = self._generator.standard_normal(shape)
        # The largest coordinate measures the length, because squares of huge coordinates overflow, and of tiny ones vanish.
        distance = JITTER * np.abs(chord).max(axis=-1, keepdims=True) * self._generator.uniform(0.0, 1.0, (*shape[:2], 1))
        moved *= distance / np.abs(moved).max(axis=-1, keepdims=True)
        stretches = self._generator.uniform(-JITTER, JITTER, (2, *shape[:2], 1))
        starts, ends = (np.clip(end[:, None] + stretch * chord, self._low, self._high)
                        for end, stretch in zip((first, second), stretches, strict=True))  # fmt: skip
        moved = np.clip(moved, self._low - np.minimum(starts, ends), self._high - np.maximum(starts, ends))
        weights = np.repeat(weight, JITTERED)
        starts, ends = ((end + moved).reshape(-1, self._dimension) for end in (starts, ends))
        values = self._on_chords(starts, ends, weights)
        neighbours = _excess(values, weights).reshape(shape[:2])
        own = _excess(self._on_chords(first, second, weight), weight)
        return np.asarray((neighbours >= 0.5 * own[:, None]).mean(axis=1) >= KEPT)

    def _measured(self, first: Array, second: Array, weight: Array) -> list[Chord]:
        """Return chords with the excess that rounding and noise may cause, both divided by the power of two.

        This excess is the sum of three parts:

        * an error of 32 ε|f| for each of the three values of f;
        * twice the range of f when z is moved by 4 ε times the larger end point, because the computed z may lie that far from
          the chord;
        * ten times the noise of f.

        The noise is the largest that is seen in neighbouring values at x₁, z and x₂, at spacings from an ulp to a fiftieth of
        the chord, on two grids each. If f computes in extended precision, the rounding errors of the three values count as noise.
        Otherwise, the median noise in the box counts.
        """
        count, dimension = first.shape
        values = self._on_chords(first, second, weight)
        point = weight[:, None] * first + (1.0 - weight[:, None]) * second
        signs = self._generator.choice([-1.0, 1.0], (8, 1, dimension))
        sizes = np.maximum(np.abs(first), np.abs(second))
        moved = self._scaled((point + 4.0 * EPSILON * signs * sizes).reshape(-1, dimension)).reshape(len(signs), count)
        moved = np.vstack([moved, values[1]])

        chord = second - first
        with np.errstate(divide="ignore"):
            smallest = np.clip(2.0 * EPSILON * sizes.max(axis=1) / np.abs(chord).max(axis=1), 1e-300, WIDEST)
        spacings = np.geomspace(smallest, WIDEST, SPACINGS, axis=-1)[:, None, :, None]
        shifts = self._generator.uniform(0.0, 1.0, (count, 3, SPACINGS, 2))
        reach = (NEIGHBOURS - 1) * spacings
        around = np.clip(
            (1.0 - weight)[:, None, None] - 0.5 * reach[:, 0] - shifts[:, 1] * spacings[:, 0], 0.0, 1.0 - reach[:, 0]
        )
        starts = np.stack([shifts[:, 0] * spacings[:, 0], around, 1.0 - reach[:, 0] - shifts[:, 2] * spacings[:, 0]], axis=1)
        t = starts[..., None] + np.arange(NEIGHBOURS) * spacings[..., None]
        flat = (first[:, None] + t.reshape(count, -1, 1) * chord[:, None]).reshape(-1, dimension)
        noise = noise_of_neighbours(self._scaled(flat).reshape(t.shape)).reshape(count, -1).max(axis=1)

        errors = error_in_extended_precision(self._scaled, np.concatenate([first, point, second]), values.reshape(-1))
        noise = np.maximum(noise, self._usual_noise if errors is None else errors.reshape(3, -1).max(axis=0))
        rounding = _allowed(values) + 2.0 * np.ptp(moved, axis=0) + MANY * noise
        rounding = np.where(np.isnan(rounding), np.inf, rounding)
        excess, jump = _excess(values, weight), self._largest_jump(first, chord)
        jump[jump < JUMP * excess] = 0.0
        vetted = (jump == 0.0) | (errors is not None)
        columns = (weight.tolist(), excess.tolist(), rounding.tolist(), jump.tolist(), vetted.tolist())
        return [Chord(*each) for each in zip(first, second, *columns, strict=True)]

    def _largest_jump(self, first: Array, chord: Array) -> Array:
        """Return the largest difference of f between two points on each chord that nearly coincide, `(chords,)`.

        The search divides the chord into many equal intervals and bisects the one in which f changes most.
        """
        rows = np.arange(len(first))
        low = np.linspace(0.0, 1.0, BISECTED + 1)
        points = first[:, None] + low[:, None] * chord[:, None]
        values = self._scaled(points.reshape(-1, self._dimension)).reshape(len(first), -1)
        place = np.nan_to_num(np.abs(np.diff(values, axis=1)), nan=0.0).argmax(axis=1)
        start, width = low[place], 1.0 / BISECTED
        f_start, f_end = values[rows, place], values[rows, place + 1]
        for _ in range(BISECTIONS):
            width *= 0.5
            f_middle = self._scaled(first + (start + width)[:, None] * chord)
            right = np.abs(f_end - f_middle) > np.abs(f_middle - f_start)
            start = np.where(right, start + width, start)
            f_start, f_end = np.where(right, f_middle, f_start), np.where(right, f_end, f_middle)
        return np.asarray(np.nan_to_num(np.abs(f_end - f_start), nan=0.0))


def try_chords(
    function: Function,
    low: float,
    high: float,
    dimension: int,
    tries: int,
    generator: np.random.Generator,
    minimum: Array | None = None,
) -> ChordsInBox:
    """Try the chord inequality f(λx₁ + (1 − λ)x₂) ≤ λf(x₁) + (1 − λ)f(x₂) on random pairs, on lines, and where f curves least.

    Args:
        function: f, `(points, dimension) -> (points,)`. It is also called with numbers of extended precision.
        low: the lowest value of each coordinate.
        high: the highest value of each coordinate.
        dimension: the number of coordinates.
        tries: the number of random pairs.
        generator: the source of random numbers.
        minimum: the minimiser that the objective states, `(dimension,)`; None if it is unknown.
    """
    chords = ChordsInBox(function, low, high, dimension, generator)
    if minimum is not None and not ((minimum >= low) & (minimum <= high)).all():
        minimum = None
    chords.try_pairs(tries)
    chords.try_lines(max(FEWEST_LINES, tries // PAIRS_OF_LINE) // 5, minimum)
    chords.try_second_differences(minimum)
    return chords


def _excess(values: Array, weight: Array) -> Array:
    """Return the height of f above chords, `(chords,)`, from f(x₁), f(z) and f(x₂), `(3, chords)`."""
    return np.asarray(weight * (values[1] - values[0]) + (1.0 - weight) * (values[1] - values[2]))


def _allowed(values: Array) -> Array:
    return np.asarray(ROUNDINGS * EPSILON * np.abs(values).sum(axis=0))

"""The behaviour of a run, judged by measurements at its steps: monotone, oscillating, crawling, diverging or unknown.

Three properties of each step s from xₖ to xₖ₊₁ are measured, with its direction u = s/‖s‖ and δ = 64 ε. Here ‖·‖ is the largest
absolute coordinate:

    move         ‖s‖ > 1e-10 ‖xₖ‖. Shorter steps are left out, because rounding dominates them, and so are steps that are
                 so short that numbers underflow.
    overshoot    a move with ∇f(xₖ₊₁)·u > δ (1 + ‖xₖ‖/‖s‖) |∇f(xₖ)·u|: it ends beyond the minimum of f along its direction.
    climb        an overshoot with ∇f(xₖ)·u ≥ 0: it leads uphill from its beginning to its end.

A product with the direction u is finite wherever ∇f is, so the behaviour does not depend on the units of x or of f. On a
quadratic, gradient descent overshoots along an eigenvector of eigenvalue λ if and only if γλ > 1; the slope there becomes
γλ − 1 times as large.

Only the moves in a window count. The window holds the latest moves: usually between a half and three quarters of all moves, and
never fewer than a third. The behaviour is the first of these that applies:

    diverging    The outcome is `diverged`. Or it is `non_finite`, and f was infinite or above its value at the start. Or the
                 steps are used up while f grows (see `StoppingState.was_growing`), and more than half of the window's moves are
                 overshoots but not climbs: the steps are too long. Such a run gets the outcome `diverged`.
    unknown      The outcome is `non_finite`, but f was neither infinite nor above its start. Or the steps are used up while f
                 grows in other moves, which may yet end at a maximum. Or the run has fewer than 8 steps, and f rose in all.
    oscillating  At least a tenth of the window's moves are overshoots, and at most nine tenths are climbs. Two overshoots are
                 needed, or one if the window has one move. If the moves are irregular (see `irregularity`), as at a noise
                 floor, the behaviour is unknown instead.
    crawling     d is above its goal, and would still be above it after twice the number of steps. Here d is ‖∇f‖, or f − f*
                 if `gap` is the only rule for convergence. It is extrapolated at the window's mean rate r = ln(d₁/d₂)/(k₂ − k₁).
                 The condition is r k₂ < ln(d₂/goal).
    monotone     None of the conditions above holds.

The goal is the limit in the stopping rule, but at least 1e-12 of d at the start. Without such a rule, the goal is 1e-8 of d at
the start.

The limit of a tenth comes from a damped oscillation e^(−ak) cos(θk). The share of its steps that lead away from the minimum is
arctan(θ/a)/π. At a tenth, the next peak on the other side has e^(−πa/θ) = 6e-5 of the height, which is hardly visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from runner.contracts.arrays import Array, dot
from runner.contracts.optimizer import Mask
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES, Behaviour, Outcome
from runner.engine.stopping import FEWEST_STEPS, ROUNDING, OutcomeCodes
from runner.engine.trajectories import Chunk
from runner.experiment.model import StoppingRules

SLOPE_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)
SHORTEST_MOVE = 1e-10
SMALLEST_SLOPE = float(np.finfo(np.float64).tiny)
SMALLEST_MOVE = SMALLEST_SLOPE / SLOPE_ROUNDING
"""The smallest length of a move. Shorter ones may have lost digits to underflow."""
LEAST_SHARE = 0.1
FEWEST_OVERSHOOTS = 2.0
GROWTH_BETWEEN_MARKS = 1.5
"""The start of the window is shifted when the number of moves has grown by this factor.

This growth keeps enough moves in the window.
"""
DEFAULT_GOAL = 1e-8
LEAST_GOAL = 1e-12
BUFFER_BYTES = 2**18
"""The size of each of the two buffers, for iterates and gradients, unless two rows are larger. They should fit into the cache."""
MOST_BUFFERED = 63
"""The largest number of steps in the buffers, so that counts of them fit into a byte."""
FEW_COORDINATES = 8
"""The largest dimension in which inner products are summed coordinate by coordinate, for all runs at once."""
FEWEST_POINTS, MOST_POINTS = 12, 64
"""The numbers of iterates by which regularity is judged."""
MOST_COEFFICIENTS = 12
MOST_IRREGULAR = 0.03
"""Moves are irregular if the error of their prediction is larger than this."""
SMALLEST_CHANGE = 1e-4
"""The smallest change that counts, relative to the series. Rounding causes smaller ones, even along the shortest moves."""
RIDGE = 1e-12
UNDECIDED = -1
"""The code for no behaviour; other codes are indices into `BEHAVIOURS`."""


class BehaviourState:
    """The measurements of the runs of a batch."""

    def __init__(
        self, rules: StoppingRules, minimum: Array | None, value: Array, gradient: Array, gradient_norm: Array, x: Array
    ) -> None:
        """Begin at the starting points.

        Args:
            rules: the stopping rules, which contain the goals.
            minimum: f*, `(runs,)`, or None if no rule needs it.
            value: f, `(runs,)`.
            gradient: ∇f, `(runs, dimension)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the starting points, `(runs, dimension)`.
        """
        self._minimum = minimum if rules.gradient_norm is None else None
        self._step = 0
        self._value, self._previous_value, self._first_value = value, value, value
        self._gradient_norm = gradient_norm
        distance = self._distance()
        given = rules.gap if self._minimum is not None else rules.gradient_norm
        self._goal = np.maximum(given, LEAST_GOAL * distance) if given else DEFAULT_GOAL * distance
        self._counts = np.zeros((3, len(value)))
        self._last_move = np.zeros(len(value), np.int64)
        self._rises = np.zeros(len(value))
        # Steps are measured many at a time, which is several times as fast. The first iterate in the buffers precedes the steps.
        self._room = max(1, min(MOST_BUFFERED, BUFFER_BYTES // max(1, x.nbytes) - 1))
        self._iterates, self._gradients = _buffer(self._room, x), _buffer(self._room, gradient)
        self._buffered = 0
        self._latest = self._mark()
        self._older = self._latest.copy()

    def observe(self, step: int, value: Array, gradient: Array, gradient_norm: Array, x: Array) -> None:
        """Add the step from the previous iterate to this iterate.

        Args:
            step: the number of this iterate, from 1.
            value: f, `(runs,)`.
            gradient: ∇f, `(runs, dimension)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the iterate, `(runs, dimension)`.
        """
        self._step = step
        self._buffered += 1
        self._iterates[:, self._buffered], self._gradients[:, self._buffered] = x.T, gradient.T
        self._previous_value, self._value, self._gradient_norm = self._value, value, gradient_norm
        if step < FEWEST_STEPS:
            self._rises += value - self._previous_value > ROUNDING * np.abs(self._previous_value)
        at_power_of_two = step & (step - 1) == 0
        if at_power_of_two or self._buffered == self._room:
            self._measure()
        if at_power_of_two:
            # Here the start of the window moves to the latest mark, for the runs that have moved enough since then.
            grown = self._counts[0] > GROWTH_BETWEEN_MARKS * self._latest[2]
            np.copyto(self._older, self._latest, where=grown)
            np.copyto(self._latest, self._mark(), where=grown)

    def _measure(self) -> None:
        """Measure the buffered steps, and empty the buffers up to the latest iterate."""
        count = self._buffered
        if count == 0:
            return
        x, gradient = self._iterates[:, : count + 1], self._gradients[:, : count + 1]
        direction = x[:, 1:] - x[:, :-1]
        length, size = _largest(direction), _largest(x[:, :-1])
        direction /= length
        slope_after = _product(gradient[:, 1:], direction)
        moved = length > np.maximum(SHORTEST_MOVE * size, SMALLEST_MOVE)
        uphill = moved & (slope_after > 0)
        # The other conditions for overshoots are checked only for the runs that have a move that ends uphill.
        some = np.flatnonzero(np.logical_or.reduce(uphill, axis=0))
        if some.size:
            slope = _product(gradient[:, :-1].take(some, axis=2), direction.take(some, axis=2))
            allowance = size.take(some, axis=1)
            allowance /= length.take(some, axis=1)
            allowance += 1.0
            allowance *= SLOPE_ROUNDING
            allowance *= np.abs(slope)
            ends_uphill = uphill.take(some, axis=1)
            # Products of numbers near the smallest float underflow to zero. Such steps are left out.
            measurable = allowance > SMALLEST_SLOPE
            moved[:, some] &= measurable | ~ends_uphill
            overshoots = ends_uphill & measurable & (slope_after.take(some, axis=1) > allowance)
            self._counts[1, some] += np.add.reduce(overshoots.view(np.uint8), axis=0, dtype=np.uint8)
            overshoots &= slope >= 0
            self._counts[2, some] += np.add.reduce(overshoots.view(np.uint8), axis=0, dtype=np.uint8)
        flags = moved.view(np.uint8)
        self._counts[0] += np.add.reduce(flags, axis=0, dtype=np.uint8)
        latest = np.maximum.reduce(flags * np.arange(1, count + 1, dtype=np.uint8)[:, None], axis=0)
        np.copyto(self._last_move, self._step - count + latest.astype(np.int64), where=latest > 0)
        self._iterates[:, 0], self._gradients[:, 0] = x[:, -1], gradient[:, -1]
        self._buffered = 0

    def keep(self, rows: Mask) -> None:
        """Keep the measurements of some of the runs, given as a mask `(runs,)`."""
        self._measure()
        self._minimum = None if self._minimum is None else self._minimum[rows]
        self._value, self._previous_value, self._gradient_norm = (
            self._value[rows],
            self._previous_value[rows],
            self._gradient_norm[rows],
        )
        self._first_value, self._goal, self._rises = self._first_value[rows], self._goal[rows], self._rises[rows]
        self._last_move = self._last_move[rows]
        self._counts, self._latest, self._older = self._counts[:, rows], self._latest[:, rows], self._older[:, rows]
        self._iterates = _buffer(self._room, self._iterates[:, 0, rows].T)
        self._gradients = _buffer(self._room, self._gradients[:, 0, rows].T)

    def judge(self, ended: Mask, codes: OutcomeCodes, growing: Mask, chunks: Sequence[Sequence[Chunk]]) -> list[Behaviour | None]:
        """Return the behaviour of each run that ends now; None if it took no step.

        Args:
            ended: True for the runs that end, `(runs,)`.
            codes: their outcomes as indices into `OUTCOMES`, `(runs,)`.
            growing: True for the runs whose f was growing, if their steps are used up, `(runs,)`.
            chunks: the recorded iterates of each run that ends.
        """
        self._measure()
        # If a run has not moved since the latest mark, the window ends at this mark.
        moving = (self._counts[0] > self._latest[2]) | (self._counts[0] == 0)
        first_step, first_distance, *first_counts = self._older
        last_step, last_distance, *last_counts = np.where(moving, self._mark(), self._latest)

        moves, overshoots, climbs = np.subtract(last_counts, first_counts)
        oscillating = (overshoots >= np.minimum(FEWEST_OVERSHOOTS, moves)) & (moves > 0)
        oscillating &= (overshoots >= LEAST_SHARE * moves) & (climbs <= (1.0 - LEAST_SHARE) * moves)

        used_up, non_finite = codes == _code(Outcome.MAX_STEPS), codes == _code(Outcome.NON_FINITE)
        rises = used_up & (self._rises == self._step if self._step < FEWEST_STEPS else growing)
        steps_too_long = (self._step >= FEWEST_STEPS) & (overshoots - climbs > 0.5 * moves)
        diverging = (codes == _code(Outcome.DIVERGED)) | (rises & steps_too_long)
        diverging |= non_finite & (np.isinf(self._value) | (self._previous_value > self._first_value))

        # Differences of logarithms, because ratios may overflow.
        log_distance = np.log(last_distance)
        rate = (np.log(first_distance) - log_distance) / np.maximum(last_step - first_step, 1.0)
        crawling = (last_distance > self._goal) & ~(rate * last_step >= log_distance - np.log(self._goal))

        found = np.full(len(codes), BEHAVIOURS.index(Behaviour.MONOTONE))
        found[crawling & (codes != _code(Outcome.CONVERGED))] = BEHAVIOURS.index(Behaviour.CRAWLING)
        found[oscillating] = BEHAVIOURS.index(Behaviour.OSCILLATING)
        found[rises | non_finite] = BEHAVIOURS.index(Behaviour.UNKNOWN)
        found[diverging] = BEHAVIOURS.index(Behaviour.DIVERGING)
        found = found[ended]
        self._find_irregular(found, self._last_move[ended], chunks)
        if self._step == 0:
            found[:] = UNDECIDED
        return [None if place == UNDECIDED else BEHAVIOURS[place] for place in found.tolist()]

    @staticmethod
    def _find_irregular(found: NDArray[np.intp], last_move: NDArray[np.int64], chunks: Sequence[Sequence[Chunk]]) -> None:
        """Change `oscillating` to `unknown` in `found` where the moves are irregular; the arguments have an item for each run."""
        # Multiples of 4 make fewer groups of runs that are judged together.
        counts = np.minimum(last_move + 1, MOST_POINTS) // 4 * 4
        oscillating = (found == BEHAVIOURS.index(Behaviour.OSCILLATING)) & (counts >= FEWEST_POINTS)
        for count in sorted(set(counts[oscillating].tolist())):
            rows = np.flatnonzero(oscillating & (counts == count))
            recorded = np.array([_recorded(chunks[row], int(last_move[row]) + 1, count) for row in rows.tolist()], np.float64)
            values, norms = recorded[:, 0], recorded[:, 1]
            squares = (norms / np.maximum(norms.max(axis=1, keepdims=True), SMALLEST_SLOPE)) ** 2
            # f is near f* where rounding hides its changes, so it is used only if the gradient has a fixed length.
            fixed = np.ptp(squares, axis=1) <= SMALLEST_CHANGE
            error = irregularity(np.where(fixed[:, None], values, squares))
            # Numbers below the smallest normal float have lost digits, which makes them irregular too.
            irregular = (error > MOST_IRREGULAR) & (norms.min(axis=1) > SMALLEST_SLOPE)
            found[rows[irregular]] = BEHAVIOURS.index(Behaviour.UNKNOWN)

    def _distance(self) -> Array:
        return self._gradient_norm if self._minimum is None else self._value - self._minimum

    def _mark(self) -> Array:
        """Return step, d, and the numbers of moves, overshoots and climbs so far, `(5, runs)`."""
        distance = self._distance()
        return np.array([np.full(len(distance), float(self._step)), distance, *self._counts])


def irregularity(series: Array) -> Array:
    """Return the error of predicting a series from its history, `(runs,)`: 0 if it follows a rule, about 0.4 if it is noise.

    The series is divided by its exponential trend. Its changes from iterate to iterate are then predicted as linear combinations
    of the p changes before them, with coefficients fitted by least squares. In the fit and in the error, each change is
    divided by the largest of p + 1 changes: itself and the p before it. The number p is at most 12, and at most a third of the
    number of changes.

    A gradient method with momentum on a quadratic in m dimensions obeys such a rule exactly for p = m (2m + 1), since f and ‖∇f‖²
    are quadratic forms in 2m numbers. A cycle of p steps obeys it, and smooth changes obey it closely. Noise and chaos do not.

    Args:
        series: f or ‖∇f‖² at consecutive iterates, `(runs, iterates)`.
    """
    iterates = series.shape[1]
    sizes = np.abs(series)
    early, late = sizes[:, : iterates // 2].max(axis=1), sizes[:, iterates // 2 :].max(axis=1)
    slope = np.log(np.maximum(late, SMALLEST_SLOPE) / np.maximum(early, SMALLEST_SLOPE)) / (iterates - iterates // 2)
    level = series / np.maximum(early, SMALLEST_SLOPE)[:, None] * np.exp(-slope[:, None] * np.arange(iterates))
    changes = np.diff(level, axis=1)
    order = min(MOST_COEFFICIENTS, changes.shape[1] // 3)
    windows = sliding_window_view(changes, order + 1, axis=1)
    rounding = np.maximum(SMALLEST_CHANGE * np.abs(level[:, order + 1 :]), SMALLEST_SLOPE)
    windows = windows / np.maximum(np.abs(windows).max(axis=-1), rounding)[..., None]
    before, change = windows[..., :-1], windows[..., -1:]
    # The normal equations are exact enough for errors of a few hundredths. The ridge keeps dependent equations solvable.
    ridge = RIDGE * windows.shape[1] * np.eye(order)
    transposed = before.transpose(0, 2, 1)
    error = change - before @ np.linalg.solve(transposed @ before + ridge, transposed @ change)
    return cast(Array, np.sqrt(np.mean(error**2, axis=(1, 2))))


def _recorded(chunks: Sequence[Chunk], end: int, count: int) -> Array:
    """Return f and ‖∇f‖ at the `count` iterates before iterate number `end`, `(2, count)`."""
    parts: list[Array] = []
    for chunk in chunks:
        first, stop = max(end - count, chunk.first_step) - chunk.first_step, min(end - chunk.first_step, chunk.count)
        if first < stop:
            parts.append(np.frombuffer(chunk.data, ">f8").reshape(-1, chunk.count)[:2, first:stop])
    return np.concatenate(parts, axis=1)


def _buffer(room: int, first: Array) -> Array:
    """Return a buffer `(dimension, room + 1, runs)` that begins with the points `first`, `(runs, dimension)`.

    Sums over few coordinates are fastest if the first axis comes first in memory, sums over many if it comes last.
    """
    runs, dimension = first.shape
    if dimension <= FEW_COORDINATES:
        buffer = np.empty((dimension, room + 1, runs))
    else:
        buffer = np.moveaxis(np.empty((room + 1, runs, dimension)), -1, 0)
    buffer[:, 0] = first.T
    return buffer


def _largest(vectors: Array) -> Array:
    """Return the largest absolute coordinate: `(dimension, steps, runs) -> (steps, runs)`."""
    if len(vectors) > FEW_COORDINATES:
        return cast(Array, np.abs(vectors).max(axis=0))
    largest: Array = np.abs(vectors[0])
    for vector in vectors[1:]:
        np.maximum(largest, np.abs(vector), out=largest)
    return largest


def _product(a: Array, b: Array) -> Array:
    """Return inner products: `(dimension, steps, runs) twice -> (steps, runs)`."""
    if len(a) > FEW_COORDINATES:
        return dot(np.moveaxis(a, 0, -1), np.moveaxis(b, 0, -1))
    total: Array = a[0] * b[0]
    for coordinate in range(1, len(a)):
        total += a[coordinate] * b[coordinate]
    return total


def _code(outcome: Outcome) -> int:
    return OUTCOMES.index(outcome)

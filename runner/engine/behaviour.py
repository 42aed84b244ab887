"""The behaviour of a run, judged by measurements at its steps: monotone, oscillating, crawling or diverging.

Three properties of the step s from xₖ to xₖ₊₁ are measured, with its direction u = s/‖s‖ and δ = 64 ε:

    move         ‖s‖ > 1e-10 ‖xₖ‖. Shorter steps are left out, because rounding dominates them.
    overshoot    a move with ∇f(xₖ₊₁)·u > δ (1 + ‖xₖ‖/‖s‖) |∇f(xₖ)·u|: it ends beyond the minimum of f along its direction.
    descent      a move with ∇f(xₖ)·u < 0: it begins downhill.

A product with the direction u is finite wherever ∇f is, and so the behaviour depends on the units of neither x nor f. On a
quadratic, gradient descent overshoots along an eigenvector of eigenvalue λ if and only if γλ > 1; the slope there becomes
γλ − 1 times as large.

Only the moves in a window count. The window holds the latest moves: usually between a half and three quarters of all moves, and
never fewer than a third. The behaviour is the first of these that applies:

    diverging    The outcome is `diverged`. Or it is `non_finite`, and f was above its value at the start. Or the steps are
                 used up, and f rose: in every step of a run of fewer than 8 steps, or in the latter half of a longer run
                 (see `StoppingState.rises_at_the_end`).
    oscillating  At least a tenth of the window's moves are overshoots, and at least a tenth are descents. Two overshoots are
                 needed, or one if the window has one move.
    crawling     d is above its goal, and would still be above it after twice the number of steps. Here d is ‖∇f‖, or f − f*
                 if `gap` is the only rule for convergence. It is extrapolated at the window's mean rate r = ln(d₁/d₂)/(k₂ − k₁).
                 The condition is r k₂ < ln(d₂/goal).
    monotone     None of the conditions above holds.

The goal is the limit in the stopping rule, but at least 1e-12 of d at the start. Without such a rule, the goal is 1e-8 of d at
the start.

The limit of a tenth comes from a damped oscillation e^(−ak) cos(θk). The share of its steps that lead away from the minimum is
arctan(θ/a)/π. At a tenth, the next peak on the other side has e^(−πa/θ) = 6e-5 of the height, which is hardly visible.

Each of the first 31 steps is measured. From then on about 16 steps are measured between one power of two and the next, and each
also counts for the steps that are left out. The fractional parts of multiples of the golden ratio select the steps, so that they
are spread evenly and do not coincide with a period of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array, dot, norm
from runner.contracts.optimizer import Mask
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES, Behaviour, Outcome
from runner.engine.stopping import FEWEST_STEPS, ROUNDING, OutcomeCodes
from runner.experiment.model import StoppingRules

SLOPE_ROUNDING = 64.0 * float(np.finfo(np.float64).eps)
SHORTEST_MOVE = 1e-10
SMALLEST_SLOPE = float(np.finfo(np.float64).tiny)
LEAST_SHARE = 0.1
FEWEST_OVERSHOOTS = 2.0
GROWTH_BETWEEN_MARKS = 1.5
"""The factor by which the number of moves must grow before the start of the window moves.

This growth keeps enough moves in the window.
"""
DEFAULT_GOAL = 1e-8
LEAST_GOAL = 1e-12
MEASURED_PER_OCTAVE = 16
GOLDEN = 0.6180339887498949
"""The fractional part of the golden ratio."""
UNDECIDED = -1
"""The code for no behaviour; other codes are indices into `BEHAVIOURS`."""


@dataclass
class _Iterate:
    """The latest iterate of each run.

    Attributes:
        step: the number of the iterate.
        value: f, `(runs,)`.
        previous_value: f at the previous iterate, `(runs,)`.
        distance: d, the distance to the goal of convergence, `(runs,)`.
        x: the iterate, `(runs, dimension)`.
        gradient: ∇f, `(runs, dimension)`.
    """

    step: int
    value: Array
    previous_value: Array
    distance: Array
    x: Array
    gradient: Array

    def keep(self, rows: Mask) -> None:
        self.value, self.previous_value, self.distance = self.value[rows], self.previous_value[rows], self.distance[rows]
        self.x, self.gradient = self.x[rows], self.gradient[rows]


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
        distance = self._distance(value, gradient_norm)
        self._now = _Iterate(0, value, value, distance, x, gradient)
        self._first_value = value
        given = rules.gap if self._minimum is not None else rules.gradient_norm
        self._goal = np.maximum(given, LEAST_GOAL * distance) if given else DEFAULT_GOAL * distance
        self._counts = np.zeros((3, len(value)))
        self._rises = np.zeros(len(value))
        self._latest = self._mark()
        self._older = self._latest.copy()

    def observe(self, step: int, value: Array, gradient: Array, gradient_norm: Array, x: Array) -> None:
        """Measure the step from the previous iterate to this iterate.

        Args:
            step: the number of this iterate, from 1.
            value: f, `(runs,)`.
            gradient: ∇f, `(runs, dimension)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the iterate, `(runs, dimension)`.
        """
        now = self._now
        weight = weight_of(step)
        if weight:
            move = x - now.x
            length, size = norm(move), norm(now.x)
            direction = move / length[:, None]
            slope = _along(now.gradient, direction)
            allowance = SLOPE_ROUNDING * (1.0 + size / length) * np.abs(slope)
            # Products of numbers near the smallest float underflow to zero. Steps with such a slope are left out.
            moved = (length > SHORTEST_MOVE * size) & (allowance > SMALLEST_SLOPE)
            self._counts[0] += weight * moved
            self._counts[1] += weight * (moved & (_along(gradient, direction) > allowance))
            self._counts[2] += weight * (moved & (slope < 0))
        if step < FEWEST_STEPS:
            self._rises += value - now.value > ROUNDING * np.abs(now.value)
        self._now = _Iterate(step, value, now.value, self._distance(value, gradient_norm), x, gradient)
        if step & (step - 1) == 0:
            # At powers of two, the start of the window moves to the latest mark, for the runs that have moved enough since then.
            grown = self._counts[0] > GROWTH_BETWEEN_MARKS * self._latest[2]
            np.copyto(self._older, self._latest, where=grown)
            np.copyto(self._latest, self._mark(), where=grown)

    def keep(self, rows: Mask) -> None:
        """Keep the measurements of some of the runs, given as a mask `(runs,)`."""
        self._now.keep(rows)
        self._minimum = None if self._minimum is None else self._minimum[rows]
        self._first_value, self._goal, self._rises = self._first_value[rows], self._goal[rows], self._rises[rows]
        self._counts, self._latest, self._older = self._counts[:, rows], self._latest[:, rows], self._older[:, rows]

    def judge(self, ended: Mask, codes: OutcomeCodes, rising: Mask) -> list[Behaviour | None]:
        """Return the behaviour of each run that ends now; None if it took no step, or if the measurements do not decide.

        Args:
            ended: True for the runs that end, `(runs,)`.
            codes: their outcomes as indices into `OUTCOMES`, `(runs,)`.
            rising: True for the runs whose f rises in the latter half of their steps, `(runs,)`. It matters only for runs whose
                steps are used up.
        """
        now = self._now
        # If a run has not moved since the latest mark, the window ends at this mark.
        moving = (self._counts[0] > self._latest[2]) | (self._counts[0] == 0)
        first_step, first_distance, *first_counts = self._older
        last_step, last_distance, *last_counts = np.where(moving, self._mark(), self._latest)

        grew = np.isinf(now.value) | (now.previous_value > self._first_value)
        rises = self._rises == now.step if now.step < FEWEST_STEPS else rising
        diverging = codes == _code(Outcome.DIVERGED)
        diverging |= (codes == _code(Outcome.NON_FINITE)) & grew
        diverging |= (codes == _code(Outcome.MAX_STEPS)) & rises

        moves, overshoots, descents = np.subtract(last_counts, first_counts)
        oscillating = (overshoots >= np.minimum(FEWEST_OVERSHOOTS, moves)) & (moves > 0)
        oscillating &= np.minimum(overshoots, descents) >= LEAST_SHARE * moves

        # Differences of logarithms, because ratios may overflow.
        log_distance = np.log(last_distance)
        rate = (np.log(first_distance) - log_distance) / np.maximum(last_step - first_step, 1.0)
        crawling = (last_distance > self._goal) & ~(rate * last_step >= log_distance - np.log(self._goal))

        found = np.full(len(codes), BEHAVIOURS.index(Behaviour.MONOTONE))
        found[crawling & (codes != _code(Outcome.CONVERGED))] = BEHAVIOURS.index(Behaviour.CRAWLING)
        found[oscillating] = BEHAVIOURS.index(Behaviour.OSCILLATING)
        found[codes == _code(Outcome.NON_FINITE)] = UNDECIDED
        found[diverging] = BEHAVIOURS.index(Behaviour.DIVERGING)
        if now.step == 0:
            found[:] = UNDECIDED
        return [None if place == UNDECIDED else BEHAVIOURS[place] for place in found[ended].tolist()]

    def _distance(self, value: Array, gradient_norm: Array) -> Array:
        return gradient_norm if self._minimum is None else value - self._minimum

    def _mark(self) -> Array:
        """Return step, d, and the numbers of moves, overshoots and descents so far, `(5, runs)`."""
        distance = self._now.distance
        return np.array([np.full(len(distance), float(self._now.step)), distance, *self._counts])


def weight_of(step: int) -> float:
    """Return the number of steps that the step to iterate number `step` counts for; 0 if it is not measured."""
    octave = 1 << (step.bit_length() - 1)
    if octave <= MEASURED_PER_OCTAVE:
        return 1.0
    weight = octave / MEASURED_PER_OCTAVE
    return weight if step * GOLDEN % 1.0 < 1.0 / weight else 0.0


def _along(gradient: Array, direction: Array) -> Array:
    """Return ∇f·u of each run, `(runs,)`."""
    if gradient.shape[-1] == 1:  # this is three times as fast as inner products of vectors of length 1
        product: Array = (gradient * direction)[:, 0]
        return product
    return dot(gradient, direction)


def _code(outcome: Outcome) -> int:
    return OUTCOMES.index(outcome)

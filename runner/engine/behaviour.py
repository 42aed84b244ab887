"""How a run moved, told from measurements along the way: crawling, monotone, oscillating, diverging.

Three things are measured of the step s from xₖ to xₖ₊₁:

    move         ‖s‖ > 1e-10 ‖xₖ‖; what is smaller is left out, as too near to rounding
    overshoot    a move with ∇f(xₖ₊₁)·u > δ (1 + ‖xₖ‖/‖s‖) |∇f(xₖ)·u|, u = s/‖s‖, δ = 64 ε: it ends beyond the lowest point of
                 its own line
    descent      a move with ∇f(xₖ)·u < 0: it begins downhill

A product with the direction u is a number wherever ∇f is one, and so what is told depends on the units of neither x nor f.

On a quadratic, gradient descent overshoots along an eigenvector just if γλ > 1, by γλ − 1 times the slope it came from. What
decides is the window: the latest moves, from a half to three quarters of all, and never less than a third. The first that holds:

    diverging    the outcome is `diverged`; or `non_finite`, with f above its start; or the steps are used up, and f rose in each
                 of fewer than 8, or in the latter half of more (see `StoppingState.rises_at_the_end`)
    oscillating  overshoots and descents are a tenth of the window's moves each; and there are two overshoots, or one in one move
    crawling     what is left, d (‖∇f‖, or f − f* under a `gap` rule alone), is above its goal, and at the window's mean rate
                 r = ln(d₁/d₂)/(k₂ − k₁) would be so after as many steps again: r k₂ < ln(d₂/goal)
    monotone     none of these

The goal is the stopping rule's, but at least 1e-12 of the d at the start; without such a rule it is 1e-8 of that.

A tenth: of a damped oscillation, e^(−ak) cos(θk), the share of steps that lead away from the minimum is arctan(θ/a)/π. At a tenth
it comes back with e^(−πa/θ) = 6e-5 of its height on the other side; below that nobody would call it an oscillation.

Every one of the first 31 steps is measured, and some 16 from each power of two to the next, chosen by the fractional parts of
multiples of the golden ratio: they are spread evenly and fall into step with no period. Each stands for those left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array, dot, norm
from runner.contracts.optimizer import Mask
from runner.contracts.outcomes import BEHAVIOURS as BEHAVIOURS  # noqa: PLC0414 - part of what this file offers
from runner.contracts.outcomes import OUTCOMES, Outcome
from runner.contracts.outcomes import Behaviour as Behaviour  # noqa: PLC0414 - likewise
from runner.engine.stopping import FEWEST_STEPS, ROUNDING, OutcomeCodes
from runner.experiment.model import StoppingRules

NOISE = 64.0 * float(np.finfo(np.float64).eps)
SHORTEST = 1e-10
SMALLEST = float(np.finfo(np.float64).tiny)
SHARE = 0.1
FEWEST_OVERSHOOTS = 2.0
GROWN = 1.5
"""The window begins later only if there are so many times the moves that there were; else it would hold too few."""
DEFAULT_GOAL = 1e-8
LEAST_GOAL = 1e-12
MEASURED_PER_OCTAVE = 16
GOLDEN = 0.6180339887498949
_MONOTONE, _OSCILLATING, _CRAWLING, _DIVERGING = range(len(BEHAVIOURS))
_UNKNOWN = -1


@dataclass
class _Now:
    """The latest iterate of each run.

    Attributes:
        step: its number.
        value: f, `(runs,)`.
        before: f one iterate before, `(runs,)`.
        left: d, `(runs,)`.
        x: `(runs, dimension)`.
        gradient: ∇f there, `(runs, dimension)`.
    """

    step: int
    value: Array
    before: Array
    left: Array
    x: Array
    gradient: Array

    def keep(self, rows: Mask) -> None:
        self.value, self.before, self.left = self.value[rows], self.before[rows], self.left[rows]
        self.x, self.gradient = self.x[rows], self.gradient[rows]


class BehaviourState:
    """What is measured of the runs of a batch as they go."""

    def __init__(
        self, rules: StoppingRules, minimum: Array | None, value: Array, gradient: Array, gradient_norm: Array, x: Array
    ) -> None:
        """Begin at the starting points.

        Args:
            rules: the stopping rules, for their goals.
            minimum: f*, `(runs,)`, or None where no rule asks for it.
            value: f, `(runs,)`.
            gradient: ∇f, `(runs, dimension)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the starting points, `(runs, dimension)`.
        """
        self._minimum = minimum if rules.gradient_norm is None else None
        left = self._left(value, gradient_norm)
        self._now = _Now(0, value, value, left, x, gradient)
        self._first_value = value
        given = rules.gap if self._minimum is not None else rules.gradient_norm
        self._goal = np.maximum(given, LEAST_GOAL * left) if given else DEFAULT_GOAL * left
        self._counts = np.zeros((3, len(value)))
        self._rises = np.zeros(len(value))
        self._latest = self._mark()
        self._older = self._latest.copy()

    def observe(self, step: int, value: Array, gradient: Array, gradient_norm: Array, x: Array) -> None:
        """Measure what the runs did from the iterate before to this one, number `step`."""
        now = self._now
        weight = weight_of(step)
        if weight:
            self._measure(x, gradient, weight)
        if step < FEWEST_STEPS:
            self._rises += value - now.value > ROUNDING * np.abs(now.value)
        self._now = _Now(step, value, now.value, self._left(value, gradient_norm), x, gradient)
        if step & (step - 1) == 0:
            self._move_marks()

    def keep(self, rows: Mask) -> None:
        """Forget the runs that have ended."""
        self._now.keep(rows)
        self._minimum = None if self._minimum is None else self._minimum[rows]
        self._first_value, self._goal, self._rises = self._first_value[rows], self._goal[rows], self._rises[rows]
        self._counts, self._latest, self._older = self._counts[:, rows], self._latest[:, rows], self._older[:, rows]

    def judge(self, ended: Mask, codes: OutcomeCodes, rising: Mask) -> list[Behaviour | None]:
        """Return the behaviour of the runs that end now; None of one that took no step, or of which nothing can be told.

        Args:
            ended: which runs, `(runs,)`.
            codes: their outcomes as indices into `OUTCOMES`, `(runs,)`.
            rising: which runs' f rises at the end if their steps are used up, `(runs,)`.
        """
        found = np.full(len(codes), _MONOTONE)
        found[self._crawls() & (codes != _code(Outcome.CONVERGED))] = _CRAWLING
        found[self._oscillates()] = _OSCILLATING
        found[codes == _code(Outcome.NON_FINITE)] = _UNKNOWN
        found[self._diverges(codes, rising)] = _DIVERGING
        if self._now.step == 0:
            found[:] = _UNKNOWN
        return [None if place == _UNKNOWN else BEHAVIOURS[place] for place in found[ended].tolist()]

    def _left(self, value: Array, gradient_norm: Array) -> Array:
        return gradient_norm if self._minimum is None else value - self._minimum

    def _measure(self, x: Array, gradient: Array, weight: float) -> None:
        now = self._now
        step = x - now.x
        length, size = norm(step), norm(now.x)
        direction = step / length[:, None]
        slope = _along(now.gradient, direction)
        allowance = NOISE * (1.0 + size / length) * np.abs(slope)
        # Products of the smallest numbers are zero, and say nothing.
        moved = (length > SHORTEST * size) & (allowance > SMALLEST)
        self._counts[0] += weight * moved
        self._counts[1] += weight * (moved & (_along(gradient, direction) > allowance))
        self._counts[2] += weight * (moved & (slope < 0))

    def _mark(self) -> Array:
        """Return step, d, moves, overshoots and descents so far, `(5, runs)`."""
        left = self._now.left
        return np.array([np.full(len(left), float(self._now.step)), left, *self._counts])

    def _move_marks(self) -> None:
        """Let the window begin later, for the runs that have moved enough since the latest mark."""
        moved = self._counts[0] > GROWN * self._latest[2]
        np.copyto(self._older, self._latest, where=moved)
        np.copyto(self._latest, self._mark(), where=moved)

    def _window(self) -> tuple[Array, Array]:
        """Return the marks at the begin and at the end of the window, `(5, runs)` each; it ends where a run came to rest."""
        moving = (self._counts[0] > self._latest[2]) | (self._counts[0] == 0)
        return self._older, np.where(moving, self._mark(), self._latest)

    def _oscillates(self) -> Mask:
        begin, end = self._window()
        moves, overshoots, descents = end[2:] - begin[2:]
        enough = (overshoots >= np.minimum(FEWEST_OVERSHOOTS, moves)) & (moves > 0)
        result: Mask = enough & (np.minimum(overshoots, descents) >= SHARE * moves)
        return result

    def _crawls(self) -> Mask:
        begin, end = self._window()
        # Differences of logarithms, for ratios may be beyond the numbers.
        left = np.log(end[1])
        rate = (np.log(begin[1]) - left) / np.maximum(end[0] - begin[0], 1.0)
        result: Mask = (end[1] > self._goal) & ~(rate * end[0] >= left - np.log(self._goal))
        return result

    def _diverges(self, codes: OutcomeCodes, rising: Mask) -> Mask:
        now = self._now
        grew = np.isinf(now.value) | (now.before > self._first_value)
        rises = self._rises == now.step if now.step < FEWEST_STEPS else rising
        result: Mask = codes == _code(Outcome.DIVERGED)
        result |= (codes == _code(Outcome.NON_FINITE)) & grew
        result |= (codes == _code(Outcome.MAX_STEPS)) & rises
        return result


def weight_of(step: int) -> float:
    """Return for how many steps the one to the iterate of this number stands; 0 if it is not measured."""
    octave = 1 << (step.bit_length() - 1)
    if octave <= MEASURED_PER_OCTAVE:
        return 1.0
    weight = octave / MEASURED_PER_OCTAVE
    return weight if step * GOLDEN % 1.0 < 1.0 / weight else 0.0


def _along(gradient: Array, direction: Array) -> Array:
    """Return ∇f·u of each run, `(runs,)`."""
    if gradient.shape[-1] == 1:  # a thousand inner products of one number each cost three times what this costs
        product: Array = (gradient * direction)[:, 0]
        return product
    return dot(gradient, direction)


def _code(outcome: Outcome) -> int:
    return OUTCOMES.index(outcome)

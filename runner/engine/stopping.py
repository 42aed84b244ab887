"""When a run ends, and with what outcome.

At each iterate the rules are asked in this order; the first that holds ends the run:

    non_finite   f or ‖∇f‖ is NaN or infinite
    converged    ‖∇f‖ ≤ gradient_norm, or f − f* ≤ gap
    diverged     |f| > divergence_limit · max(1, |f(x₀)|)
    stalled      the last step moved no further than step_length
    max_steps    the steps are used up; `diverged` instead if f was still growing (see `_still_growing`)
    timeout      the run's share of the computing time exceeds wall_time
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array, norm
from runner.contracts.optimizer import Mask
from runner.contracts.outcomes import OUTCOMES as OUTCOMES  # noqa: PLC0414 - part of what this file offers
from runner.contracts.outcomes import Outcome as Outcome  # noqa: PLC0414 - likewise
from runner.experiment.model import StoppingRules

QUARTERS = 4
FEWEST_STEPS = 8
ROUNDING = 1e-12
"""The relative growth of f over a run that may be rounding."""


OutcomeCodes = NDArray[np.int8]
RUNNING = np.int8(-1)


def _code(outcome: Outcome) -> np.int8:
    return np.int8(OUTCOMES.index(outcome))


@dataclass
class StoppingState:
    """What the rules remember of the runs of a batch between iterates.

    Attributes:
        rules: the rules.
        minimum: f*, `(runs,)`, or None where unknown.
        value_bound: |f| beyond which a run has diverged, `(runs,)`.
        peaks: the largest f in each quarter of the allowed steps, `(4, runs)`.
        troughs: the smallest, likewise.
    """

    rules: StoppingRules
    minimum: Array | None
    value_bound: Array
    peaks: Array
    troughs: Array

    @classmethod
    def at_start(cls, rules: StoppingRules, value: Array, minimum: Array | None) -> StoppingState:
        """Begin with f at the starting points, `(runs,)`."""
        # At most the largest float, so that an infinite value lies beyond it whatever the limit.
        bound = np.minimum(rules.divergence_limit * np.maximum(1.0, np.abs(value)), np.finfo(np.float64).max)
        return cls(rules, minimum, bound, np.full((QUARTERS, len(value)), -np.inf), np.full((QUARTERS, len(value)), np.inf))

    def keep(self, rows: Mask) -> None:
        """Forget the runs that have ended."""
        self.minimum = None if self.minimum is None else self.minimum[rows]
        self.value_bound = self.value_bound[rows]
        self.peaks = self.peaks[:, rows]
        self.troughs = self.troughs[:, rows]

    def check(
        self, step: int, value: Array, gradient_norm: Array, x: Array, previous: Array | None, seconds: float
    ) -> OutcomeCodes | None:
        """Ask the rules at one iterate.

        Args:
            step: the iterate's number, 0 at the start.
            value: f, `(runs,)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the iterate, `(runs, dimension)`.
            previous: the iterate before; None at the start.
            seconds: the computing time that each of these runs has had.

        Returns:
            For each run an index into `OUTCOMES`, or -1 if it goes on; None if all go on.
        """
        rules = self.rules
        quarter = QUARTERS * step // (rules.max_steps + 1)
        np.maximum(self.peaks[quarter], value, out=self.peaks[quarter])
        np.minimum(self.troughs[quarter], value, out=self.troughs[quarter])
        # NaN fails every comparison, so `sound` catches non-finite and diverged runs with one pass over each array.
        sound = (np.abs(value) <= self.value_bound) & (gradient_norm < np.inf)
        ended = ~sound
        if rules.gradient_norm is not None:
            ended |= gradient_norm <= rules.gradient_norm
        if rules.gap is not None and self.minimum is not None:
            ended |= value - self.minimum <= rules.gap
        if rules.step_length is not None and previous is not None:
            ended |= norm(x - previous) <= rules.step_length
        late = rules.wall_time is not None and seconds > rules.wall_time
        if not late and step < rules.max_steps and not ended.any():
            return None
        return self._outcomes(step, value, gradient_norm, ended, late)

    def _outcomes(self, step: int, value: Array, gradient_norm: Array, ended: Mask, late: bool) -> OutcomeCodes:
        rules = self.rules
        codes = np.full(len(value), _code(Outcome.TIMEOUT) if late else RUNNING)
        if step >= rules.max_steps:
            codes[:] = np.where(self._still_growing(), _code(Outcome.DIVERGED), _code(Outcome.MAX_STEPS))
        codes[ended] = _code(Outcome.STALLED)
        codes[~(np.abs(value) <= self.value_bound)] = _code(Outcome.DIVERGED)
        if rules.gradient_norm is not None:
            codes[gradient_norm <= rules.gradient_norm] = _code(Outcome.CONVERGED)
        if rules.gap is not None and self.minimum is not None:
            codes[value - self.minimum <= rules.gap] = _code(Outcome.CONVERGED)
        codes[~(np.isfinite(value) & np.isfinite(gradient_norm))] = _code(Outcome.NON_FINITE)
        return codes

    def rises_at_the_end(self) -> Mask:
        """Whether f, of a run whose steps are used up, rose in their latter half, whatever it did before.

        All of its third quarter lies above all of its second and all of its fourth above all of its third, by more than rounding,
        and the rise did not slow to half. A run of fewer than FEWEST_STEPS is too short to tell.
        """
        with np.errstate(invalid="ignore"):
            rises = np.diff(self.peaks[1:], axis=0)
            apart = (self.troughs[2:] - self.peaks[1:-1] > ROUNDING * np.abs(self.peaks[2:])).all(axis=0)
            result: Mask = apart & (rises[1] >= 0.5 * rises[0]) & (self.rules.max_steps >= FEWEST_STEPS)
        return result

    def _still_growing(self) -> Mask:
        """Whether f has kept growing to the end: the mark of a learning rate just beyond its limit.

        Its largest and its smallest value rose from quarter to quarter of the allowed steps, by more than rounding, and the rise
        of the largest did not slow to half from one quarter to the next. Geometric growth, however slow, does so; a bounded
        oscillation does not. A run of fewer than FEWEST_STEPS is too short to tell.
        """
        first, _, _, last = self.peaks
        with np.errstate(invalid="ignore"):
            rises = np.diff(self.peaks, axis=0)
            rounding = ROUNDING * np.maximum(np.abs(first), np.abs(last))
            growing = (rises > 0).all(axis=0) & (rises[1:] >= 0.5 * rises[:-1]).all(axis=0)
            growing &= (np.diff(self.troughs, axis=0) > 0).all(axis=0)
            result: Mask = growing & (last - first > rounding) & (self.rules.max_steps >= FEWEST_STEPS)
        return result

"""The stopping rules, which determine the end of a run and its outcome.

The rules are checked at each iterate. If several conditions hold, the outcome is the first of:

    non_finite   f or ‖∇f‖ is NaN or infinite.
    converged    ‖∇f‖ ≤ gradient_norm, or |f − f*| ≤ gap (see `is_within_gap`). A run below f* − gap has not converged by
                 this rule: it shows that f* is not the minimum.
    diverged     |f| > divergence_limit · max(1, |f(x₀)|).
    stalled      The last step moved no further than step_length.
    max_steps    The steps are used up. If f was growing because the steps were too long, the outcome is `diverged` (see
                 `runner/engine/behaviour.py`).
    timeout      The run's share of the computing time exceeds wall_time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array, norm
from runner.contracts.objective import is_within_gap
from runner.contracts.optimizer import Mask
from runner.contracts.outcomes import OUTCOMES, Outcome
from runner.experiment.model import StoppingRules

QUARTERS = 4
FEWEST_STEPS = 8
"""The quarters of a run are compared only if at least this number of steps is allowed."""
ROUNDING = 1e-12
"""The relative growth of f over a run that may be caused by rounding."""

OutcomeCodes = NDArray[np.int8]
RUNNING = np.int8(-1)


def _code(outcome: Outcome) -> np.int8:
    return np.int8(OUTCOMES.index(outcome))


@dataclass
class StoppingState:
    """The state of the stopping rules for the runs of a batch.

    Attributes:
        rules: the rules.
        minimum: f*, `(runs,)`, or None if it is unknown.
        value_bound: the largest |f| of a run that has not diverged, `(runs,)`.
        peaks: the largest f in each quarter of the allowed steps, `(4, runs)`.
        troughs: the smallest f in each quarter of the allowed steps, `(4, runs)`.
    """

    rules: StoppingRules
    minimum: Array | None
    value_bound: Array
    peaks: Array
    troughs: Array

    @classmethod
    def at_start(cls, rules: StoppingRules, value: Array, minimum: Array | None) -> StoppingState:
        """Return the state at the starting points.

        Args:
            rules: the rules.
            value: f, `(runs,)`.
            minimum: f*, `(runs,)`, or None if it is unknown.
        """
        # The bound is at most the largest float, so that an infinite value always exceeds it.
        bound = np.minimum(rules.divergence_limit * np.maximum(1.0, np.abs(value)), np.finfo(np.float64).max)
        return cls(rules, minimum, bound, np.full((QUARTERS, len(value)), -np.inf), np.full((QUARTERS, len(value)), np.inf))

    def keep(self, rows: Mask) -> None:
        """Keep the state of some of the runs.

        Args:
            rows: True for the runs that are kept, `(runs,)`.
        """
        self.minimum = None if self.minimum is None else self.minimum[rows]
        self.value_bound = self.value_bound[rows]
        self.peaks = self.peaks[:, rows]
        self.troughs = self.troughs[:, rows]

    def check(
        self, step: int, value: Array, gradient_norm: Array, x: Array, previous: Array | None, seconds: float
    ) -> OutcomeCodes | None:
        """Check the rules at one iterate.

        Args:
            step: the number of the iterate, 0 at the start.
            value: f, `(runs,)`.
            gradient_norm: ‖∇f‖, `(runs,)`.
            x: the iterate, `(runs, dimension)`.
            previous: the previous iterate; None at the start.
            seconds: the computing time of each of these runs so far.

        Returns:
            For each run an index into `OUTCOMES`, or `RUNNING` if it goes on; None if all go on.
        """
        rules = self.rules
        quarter = QUARTERS * step // (rules.max_steps + 1)
        np.maximum(self.peaks[quarter], value, out=self.peaks[quarter])
        np.minimum(self.troughs[quarter], value, out=self.troughs[quarter])
        # NaN fails every comparison, so this finds the runs that are non-finite and those that have diverged.
        ended = ~((np.abs(value) <= self.value_bound) & (gradient_norm < np.inf))
        if rules.gradient_norm is not None:
            ended |= gradient_norm <= rules.gradient_norm
        ended |= self.within_gap(value)
        if rules.step_length is not None and previous is not None:
            ended |= norm(x - previous) <= rules.step_length
        late = rules.wall_time is not None and seconds > rules.wall_time
        if not late and step < rules.max_steps and not ended.any():
            return None
        # The rules are applied from the last to the first, so that an earlier rule replaces the outcome of a later one.
        codes = np.full(len(value), _code(Outcome.TIMEOUT) if late else RUNNING)
        if step >= rules.max_steps:
            codes[:] = _code(Outcome.MAX_STEPS)
        codes[ended] = _code(Outcome.STALLED)
        codes[~(np.abs(value) <= self.value_bound)] = _code(Outcome.DIVERGED)
        if rules.gradient_norm is not None:
            codes[gradient_norm <= rules.gradient_norm] = _code(Outcome.CONVERGED)
        codes[self.within_gap(value)] = _code(Outcome.CONVERGED)
        codes[~(np.isfinite(value) & np.isfinite(gradient_norm))] = _code(Outcome.NON_FINITE)
        return codes

    def within_gap(self, value: Array) -> Mask:
        """Return, for each run, True if f lies within the rule `gap` of f*; False without the rule or a known minimum."""
        if self.rules.gap is None or self.minimum is None:
            return np.zeros(len(value), dtype=bool)
        return is_within_gap(value, self.minimum, self.rules.gap)

    def was_growing(self) -> Mask:
        """Return, for each run, True if f was growing when its steps were used up. This has no meaning earlier.

        One of two conditions must hold, where the peak of a quarter is its largest f, and the trough its smallest:

        - The peaks and the troughs rise from quarter to quarter, and the peaks by more than rounding over the run. Each rise of
          the peaks is at least half as large as the rise before it.
        - Every value of the third quarter lies above all of the second, and every value of the fourth above all of the third, by
          more than rounding. The second of these rises of the peaks is at least half as large as the first.

        Geometric growth meets the second condition as soon as it outweighs the parts of f that fall. A bounded oscillation does
        not. The answer is False if fewer than `FEWEST_STEPS` steps are allowed, because the run is then too short.
        """
        peaks, troughs = self.peaks, self.troughs
        with np.errstate(invalid="ignore"):
            rises = np.diff(peaks, axis=0)
            lasting = rises[1:] >= 0.5 * rises[:-1]
            throughout = (rises > 0).all(axis=0) & (np.diff(troughs, axis=0) > 0).all(axis=0) & lasting.all(axis=0)
            throughout &= peaks[-1] - peaks[0] > ROUNDING * np.maximum(np.abs(peaks[0]), np.abs(peaks[-1]))
            separate = (troughs[2:] - peaks[1:-1] > ROUNDING * np.abs(peaks[2:])).all(axis=0)
            result: Mask = (throughout | (separate & lasting[-1])) & (self.rules.max_steps >= FEWEST_STEPS)
        return result

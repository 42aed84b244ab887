"""The outcomes, behaviours and surprises of runs: how a run ended, how f changed along it, and what its outcome does not show."""

from __future__ import annotations

import math
from enum import StrEnum


class Outcome(StrEnum):
    """The way in which a run ended."""

    # The exact conditions are in `runner/engine/stopping.py`.
    CONVERGED = "converged"  # ‖∇f‖, or the gap to the known minimum, reached its goal.
    MAX_STEPS = "max_steps"  # The allowed number of steps was used up.
    STALLED = "stalled"  # The last step was no longer than the rule `step_length` allows.
    DIVERGED = "diverged"  # |f| exceeded the divergence limit, or too long steps made f grow until no step was left.
    NON_FINITE = "non_finite"  # f or ‖∇f‖ became NaN or infinite.
    TIMEOUT = "timeout"  # The run took longer than the rule `wall_time` allows.
    FAILED = "failed"  # The computation of the run failed; the run stores the reason.


OUTCOMES = tuple(Outcome)


class Behaviour(StrEnum):
    """The way in which f changed along a run."""

    # The exact conditions are in `runner/engine/behaviour.py`.
    MONOTONE = "monotone"  # None of the others applies.
    OSCILLATING = "oscillating"  # Many steps ended beyond the minimum of f along their direction.
    CRAWLING = "crawling"  # At its latest rate, twice the number of steps would not have reached the goal.
    DIVERGING = "diverging"  # |f| grew, and the outcome is `diverged` or `non_finite`.
    UNKNOWN = "unknown"  # The steps do not show it, for instance because they are irregular, as at a noise floor.


BEHAVIOURS = tuple(Behaviour)


class Surprise(StrEnum):
    """A fact about a run that its outcome does not show."""

    NO_STEP = "it converged where it began, without a step"
    FELL_WITHOUT_END = "f fell without end"
    ROSE = "f was never below its value at the start, and ended above it"


RISE = 1e-9
"""The smallest rise of f, relative to its values, that is reported."""


def surprise(outcome: str, steps: int, final_value: float, best_value: float, best_step: int) -> Surprise | None:
    """Return the surprising fact that the outcome of a run does not show, or None.

    f fell without end if it reached −∞, or if its last value is negative, the lowest of the run, and beyond the limit of
    divergence.

    Args:
        outcome: an `Outcome` value.
        steps: the number of steps.
        final_value: f at the last iterate.
        best_value: the smallest f.
        best_step: the number of the first iterate with this value.
    """
    if outcome == Outcome.CONVERGED and steps == 0:
        return Surprise.NO_STEP
    if outcome in (Outcome.DIVERGED, Outcome.NON_FINITE):
        lowest = final_value == best_value < 0 and steps > 0
        return Surprise.FELL_WITHOUT_END if best_value == -math.inf or (lowest and outcome == Outcome.DIVERGED) else None
    rise = RISE * max(abs(final_value), abs(best_value))
    rose = outcome != Outcome.FAILED and best_step == 0 and final_value - best_value > rise
    return Surprise.ROSE if rose else None

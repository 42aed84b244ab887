"""The outcomes: the ways in which a run can end. The behaviours: the ways in which f can change along a run."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The way in which a run ended."""

    # The exact conditions are in `runner/engine/stopping.py`.
    CONVERGED = "converged"  # ‖∇f‖, or the gap to the known minimum, reached its goal.
    MAX_STEPS = "max_steps"  # The allowed number of steps was used up.
    STALLED = "stalled"  # The last step was no longer than the rule `step_length` allows.
    DIVERGED = "diverged"  # |f| exceeded the divergence limit, or too long steps made f grow until they were used up.
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
    DIVERGING = "diverging"  # f grew, and the outcome is `diverged` or `non_finite`.
    UNKNOWN = "unknown"  # The steps do not tell, for instance because they are irregular, as at a noise floor.


BEHAVIOURS = tuple(Behaviour)

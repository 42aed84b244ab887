"""How runs end."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended."""

    CONVERGED = "converged"
    MAX_STEPS = "max_steps"
    STALLED = "stalled"
    DIVERGED = "diverged"
    NON_FINITE = "non_finite"
    TIMEOUT = "timeout"
    FAILED = "failed"


OUTCOMES = tuple(Outcome)

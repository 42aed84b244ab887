"""How runs end, and how they move."""

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


class Behaviour(StrEnum):
    """How a run moved."""

    MONOTONE = "monotone"
    OSCILLATING = "oscillating"
    CRAWLING = "crawling"
    DIVERGING = "diverging"


BEHAVIOURS = tuple(Behaviour)

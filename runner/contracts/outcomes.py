"""The outcomes: the ways in which a run can end. The behaviours: the ways in which f can change along a run."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The way in which a run ended."""

    CONVERGED = "converged"
    MAX_STEPS = "max_steps"
    STALLED = "stalled"
    DIVERGED = "diverged"
    NON_FINITE = "non_finite"
    TIMEOUT = "timeout"
    FAILED = "failed"


OUTCOMES = tuple(Outcome)


class Behaviour(StrEnum):
    """The way in which f changed along a run."""

    MONOTONE = "monotone"
    OSCILLATING = "oscillating"
    CRAWLING = "crawling"
    DIVERGING = "diverging"


BEHAVIOURS = tuple(Behaviour)

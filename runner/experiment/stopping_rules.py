"""The stopping rules of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from runner.contracts.outcomes import OUTCOMES as OUTCOMES  # noqa: PLC0414 - part of what this file offers
from runner.contracts.outcomes import Outcome as Outcome  # noqa: PLC0414 - likewise
from runner.contracts.parameters import parameter


@dataclass(frozen=True)
class StoppingRules:
    """The `[stop]` table of an experiment."""

    max_steps: int = parameter(1000, at_least=1, doc="the most steps a run may take")
    gradient_norm: float | None = parameter(None, at_least=0, doc="converged once ‖∇f‖ is at most this")
    gap: float | None = parameter(None, at_least=0, doc="converged once f − f* is at most this, where f* is known")
    step_length: float | None = parameter(None, at_least=0, doc="stalled once a step moves x no further than this")
    divergence_limit: float = parameter(
        1e12, above=1, finite=False, doc="diverged once |f| exceeds this many times max(1, |f(x₀)|)"
    )
    wall_time: float | None = parameter(None, above=0, doc="seconds of computing a run may use")

"""The place that a run reached: the known minimum, another stationary point, or neither."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum

from runner.contracts.outcomes import OUTCOMES, Outcome


class Reached(StrEnum):
    """The place that a run reached."""

    MINIMUM = "minimum"  # f − f* is within the target.
    LOCAL_MINIMUM = "local minimum"  # The run is at rest elsewhere, and every eigenvalue of ∇²f is positive there.
    SADDLE = "saddle"  # The run is at rest elsewhere, and ∇²f has eigenvalues of both signs there.
    MAXIMUM = "maximum"  # The run is at rest elsewhere, and every eigenvalue of ∇²f is negative there.
    ELSEWHERE = "elsewhere"  # The run is at rest elsewhere, and the signs of the eigenvalues are uncertain.
    BELOW = "below"  # The run found values below the stated minimum, so the stated minimum is wrong.
    NOT_AT_REST = "not at rest"  # ‖∇f‖ is not small.
    UNKNOWN = "unknown"  # f* is unknown, or the facts do not decide.


REACHED = tuple(Reached)


class CurvatureSign(StrEnum):
    """The signs of the eigenvalues of ∇²f."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    INDEFINITE = "indefinite"
    UNKNOWN = "unknown"  # An eigenvalue on which the answer depends is no larger than its error.


CURVATURE_SIGNS = tuple(CurvatureSign)
AWAY_FROM_THE_MINIMUM: Mapping[str | None, Reached] = {
    CurvatureSign.POSITIVE: Reached.LOCAL_MINIMUM,
    CurvatureSign.NEGATIVE: Reached.MAXIMUM,
    CurvatureSign.INDEFINITE: Reached.SADDLE,
}
"""The place of a run that is at rest away from the minimum, by the signs of the curvature."""
GAP_ROUNDING = 64.0 * sys.float_info.epsilon
"""The largest amount, relative to max(1, |f*|), by which rounding alone may put f below f*."""
RELATIVE_TARGET = 1e-6
"""The target of a run without a rule `gap` and without a target of its experiment, as a multiple of max(1, |f*|)."""

CONVERGED_ELSEWHERE = "converged elsewhere"
STALLED_ELSEWHERE = "stalled elsewhere"
BELOW_MINIMUM = "below f*"
ENDINGS = (*OUTCOMES, CONVERGED_ELSEWHERE, STALLED_ELSEWHERE, BELOW_MINIMUM)
RESTING_OUTCOMES = frozenset({Outcome.CONVERGED, Outcome.STALLED})
"""The outcomes of a run that ended because it came to rest."""
LOST_OUTCOMES = frozenset({Outcome.DIVERGED, Outcome.NON_FINITE, Outcome.FAILED})
"""The outcomes of a lost run, whose last value has no further meaning and counts as +inf."""


def ending(outcome: str, reached: Reached) -> str:
    """Return the end of a run as tables and pictures name it.

    This is the outcome, unless the run came to rest away from the minimum, or found a value below it.
    """
    if reached == Reached.BELOW and outcome not in LOST_OUTCOMES:
        return BELOW_MINIMUM
    if outcome in RESTING_OUTCOMES and reached in {Reached.ELSEWHERE, *AWAY_FROM_THE_MINIMUM.values()}:
        return f"{outcome} elsewhere"
    return outcome


def target_gap(target: float | None, minimum: float) -> float:
    """Return the largest f − f* of a run that reached the minimum: the target, or 1e-6 · max(1, |f*|) if it is None."""
    return RELATIVE_TARGET * max(1.0, abs(minimum)) if target is None else target


def place_reached(
    final_value: float,
    best_value: float,
    minimum: float | None,
    target: float | None,
    at_rest: bool | None,
    convex_gap_bound: float | None,
    value_error: float | None,
    curvature: str | None,
) -> Reached:
    """Return the place that a run reached.

    Args:
        final_value: f at the last iterate; may be NaN or infinite.
        best_value: the smallest f of the run; NaN if every f was NaN or ∞.
        minimum: f*; None if it is unknown.
        target: the largest f − f* of a run that reached the minimum; None for 1e-6 · max(1, |f*|).
        at_rest: True if ‖∇f‖ is small at the last iterate; None if this was not measured.
        convex_gap_bound: the largest f − f* that a convex f with this gradient could have; None if it was not measured. A smaller
            gap does not show that the run is elsewhere.
        value_error: the rounding error of f, or None if it was not measured. A value below f* by at most this error does not
            show that f* is wrong.
        curvature: a `CurvatureSign` value, or None if it was not measured.
    """
    if minimum is None:
        return Reached.UNKNOWN
    gap = target_gap(target, minimum)
    margin = max(gap, GAP_ROUNDING * max(1.0, abs(minimum)))
    if best_value - minimum < -margin:
        is_rounding = value_error is not None and best_value - minimum >= -value_error
        return Reached.UNKNOWN if is_rounding else Reached.BELOW
    if final_value - minimum <= gap:
        return Reached.MINIMUM
    if at_rest is None:
        return Reached.UNKNOWN
    if not at_rest:
        return Reached.NOT_AT_REST
    if convex_gap_bound is None or not final_value - minimum > convex_gap_bound:
        return Reached.UNKNOWN
    return AWAY_FROM_THE_MINIMUM.get(curvature, Reached.ELSEWHERE)

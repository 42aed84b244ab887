"""Stored runs with given numbers."""

from __future__ import annotations

from dataclasses import replace

from runner import Outcome, StoredRun


def stored(outcome: Outcome = Outcome.CONVERGED, rate: float = 0.1, **changes: object) -> StoredRun:
    run = StoredRun(
        id=1,
        identity="",
        objective="quadratic",
        gradient="analytic",
        optimizer="gradient_descent",
        parameters={"objective.size": 2, "optimizer.learning_rate": rate},
        start=0,
        dimension=1,
        outcome=outcome,
        error="",
        steps=10,
        final_value=1e-12,
        best_value=1e-12,
        final_gradient_norm=1e-6,
        evaluations={"value": 11, "gradient": 11, "hessian": 0},
        seconds=0.0,
        minimum_value=0.0,
        curvature=(2.0, 2.0),
    )
    return replace(run, **changes)  # type: ignore[arg-type]

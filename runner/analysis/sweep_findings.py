"""The findings of a parameter sweep as sentences: the best value, and how the runs agree with the theory of 2/L."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from runner.analysis.learning_rates import is_plain
from runner.analysis.parameter_medians import ParameterSweep
from runner.analysis.summary import LEARNING_RATE, choose_best, effort_in_words, summarize_settings
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import Outcome
from runner.tables.readable import counted, number, part


def sweep_finding(sweep: ParameterSweep) -> str:
    """Return sentences on a sweep: the best value for each method, and the outcomes below, at and above 2/L if L is known."""
    text = [_best_values(sweep)]
    if len(sweep.limits) != 1:
        return text[0]
    limit = sweep.limits[0]
    limit_text = number(limit, sweep.values(sweep.runs))
    for name, runs in sweep.methods.items():
        sides: dict[str, list[StoredRun]] = {"below": [], "at": [], "above": []}
        for run in runs:
            rate = _rate(run)
            sides["at" if math.isclose(rate, limit, rel_tol=1e-12) else "above" if rate > limit else "below"].append(run)
        counts = "; ".join(f"{side} it, {_outcomes(sweep, some)}" for side, some in sides.items() if some)
        if not is_plain(runs[0].optimizer):
            text.append(f"{name} is not plain gradient descent, so 2/L = {limit_text} guarantees nothing for it: {counts}.")
            continue
        text.append(f"For {name}, 2/L is {limit_text}: {counts}.")
        diverged = sum(run.outcome == Outcome.DIVERGED for run in sides["below"])
        non_finite = sum(run.outcome == Outcome.NON_FINITE for run in sides["below"])
        settled = sum(run.outcome == Outcome.CONVERGED for run in sides["above"])
        if diverged:
            text.append(
                f"{counted(diverged, 'run')} diverged below it, which the theory does not exclude far from the minimiser."
            )
        if non_finite:
            text.append(f"{counted(non_finite, 'run')} below it became non-finite, which the theory does not cover.")
        if settled:
            elsewhere = "which the theory allows only away from that minimiser, or from points that lead exactly to it"
            text.append(f"{counted(settled, 'run')} converged above it, {elsewhere}.")
        if sides["below"] and sides["above"] and not (diverged or non_finite or settled):
            text.append("No run contradicts the theory.")
        text += _unfinished(sweep, sides["below"], limit)
    return " ".join(text)


def _best_values(sweep: ParameterSweep) -> str:
    """Return a sentence on the best value of the swept parameter for each method."""
    text = []
    for name, runs in sweep.methods.items():
        choice = choose_best(summarize_settings(runs))
        best = choice.judged
        if not choice.setting.successes:
            text.append(f"{name}: {effort_in_words(choice.setting)} at its best setting, {best.label or sweep.name}")
            continue
        result = effort_in_words(best)
        if best.lost:
            result += f", and {best.lost} {'was' if best.lost == 1 else 'were'} lost"
        note = f" ({choice.note})" if choice.note else ""
        text.append(f"{name} did best at {best.label or sweep.name}{note}, where {result}")
    return f"On {sweep.objective}, {'; '.join(text)}."


def _rate(run: StoredRun) -> float:
    return float(run.parameters[LEARNING_RATE] or 0.0)


def _outcomes(sweep: ParameterSweep, runs: Sequence[StoredRun]) -> str:
    """Return the numbers of converged and of lost runs in words."""
    lost, converged = len(sweep.lost(runs)), sum(run.outcome == Outcome.CONVERGED for run in runs)
    if lost == len(runs):
        return f"{part(lost, lost, 'run')} {'was' if lost == 1 else 'were'} lost"
    if not any(run.convergence_test for run in runs):
        were = "were" if lost > 1 else "was"
        return f"{counted(len(runs), 'run')} ended without a convergence test, and {lost or 'none'} {were} lost"
    if converged == len(runs):
        return f"{part(converged, converged, 'run')} converged"
    return f"{part(converged, len(runs), 'run')} converged and {lost or 'none'} {'were' if lost > 1 else 'was'} lost"


def _unfinished(sweep: ParameterSweep, below: Sequence[StoredRun], limit: float) -> list[str]:
    """Return a sentence on the runs below the limit that ran out of steps; an empty list if there are no such runs.

    The sentence gives small learning rates as the reason if the learning rates of converged runs are all larger.
    """
    unfinished = [run for run in below if run.outcome == Outcome.MAX_STEPS and run.convergence_test]
    if not unfinished:
        return []
    rates = [_rate(run) for run in unfinished]
    done = [_rate(run) for run in below if run.outcome == Outcome.CONVERGED]
    tried = [limit, *np.unique(sweep.values(sweep.runs)).tolist()]
    low, high = (number(rate, tried) for rate in (min(rates), max(rates)))
    where = f"= {low}" if low == high else f"from {low} to {high}"
    steps = max(run.steps for run in unfinished)
    text = (
        f"{counted(len(unfinished), 'run')} below it, at {sweep.name} {where}, had not converged after {counted(steps, 'step')}"
    )
    if bool(done) and max(rates) < min(done):
        return [f"{text}: all converged runs have larger learning rates, and a run crawls if its learning rate is too small."]
    return [f"{text}."]

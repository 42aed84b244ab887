"""Summaries of runs: the outcomes of each setting over its starts, and the best setting of each optimizer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES, Outcome
from runner.tables.readable import counted, listed, number

LOST_OUTCOMES = frozenset({Outcome.DIVERGED, Outcome.NON_FINITE, Outcome.FAILED})
"""The outcomes of a lost run, whose last value has no further meaning and counts as +inf."""

LEARNING_RATE = "optimizer.learning_rate"
SUMMARY_HEADER = (
    "objective",
    "gradient",
    "optimizer",
    "runs",
    "outcomes",
    "behaviour",
    "best setting",
    "converged",
    "median steps",
    "median gap",
    "median value",
)

SUMMARY_CAPTION = (
    "The outcomes and behaviours of each optimizer over all its settings, and its best setting with the medians of that setting. "
    "The best setting has the most converged runs over all starting points; among equals the fewest lost runs, then the fewest "
    "steps to converge, then the smallest gap f − f* at the end (the smallest f if f* is unknown)."
)

Value = float | int | str | bool | None
Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The header and the rows of a table."""


@dataclass(frozen=True)
class SettingSummary:
    """One objective, gradient backend and optimizer with one value for each parameter, over all its starts.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, without its swept parameters.
        parameters: every parameter of the three, as `kind.name`.
        varied: the keys of `parameters` in which the settings with the same three labels differ.
        runs: its runs, one for each start that is stored.
        outcomes: the number of runs with each outcome that occurs, in the order of `runner.Outcome`.
        median_steps: the median number of steps of its converged runs; NaN if none converged.
        median_gap: the median over all runs of the last value minus the known minimum, lost runs as +inf; NaN if the minimum is
            unknown.
        median_value: the median over all runs of the last value, lost runs as +inf.
        shown: the values of `varied` as texts. Their digits distinguish them from the values of the other settings, and a
            learning rate also from 2/L. Empty if the setting was not compared with others.
    """

    objective: str
    gradient: str
    optimizer: str
    parameters: Mapping[str, Value]
    varied: tuple[str, ...]
    runs: tuple[StoredRun, ...]
    outcomes: Mapping[str, int]
    median_steps: float
    median_gap: float
    median_value: float
    shown: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def converged(self) -> int:
        """The number of its runs that converged."""
        return self.outcomes.get(Outcome.CONVERGED, 0)

    @cached_property
    def lost(self) -> int:
        """The number of its runs that diverged, met a number that is not finite, or failed."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in LOST_OUTCOMES)

    @cached_property
    def label(self) -> str:
        """The varied parameters with their values, such as `learning_rate = 0.489`; empty if no parameter is varied."""
        values = {key: self.shown.get(key) or _as_text(self.parameters.get(key)) for key in self.varied}
        return ", ".join(f"{key.partition('.')[2]} = {value}" for key, value in values.items())

    @property
    def rank(self) -> tuple[float, float, float, float]:
        """The key by which settings are ranked, the smallest first.

        More converged runs are better; then fewer lost runs; then a smaller median of the steps to converge; then a smaller
        median of the last gap, or of the last value if the minimum is unknown. NaN is worst. A gap below zero counts as zero,
        because it is rounding.
        """
        last = self.median_value if math.isnan(self.median_gap) else max(self.median_gap, 0.0)
        return -self.converged, self.lost, _worst_if_nan(self.median_steps), _worst_if_nan(last)


@dataclass(frozen=True)
class SummaryRow:
    """One objective, gradient backend and optimizer, over all settings and starts.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label.
        runs: the number of stored runs.
        outcomes: the number of runs with each outcome that occurs, in the order of `runner.Outcome`.
        behaviours: the number of runs with each behaviour that occurs, in the order of `runner.Behaviour`.
        best: the setting with the smallest `rank`, the first in the grid if several tie; None if every run is lost.
    """

    objective: str
    gradient: str
    optimizer: str
    runs: int
    outcomes: Mapping[str, int]
    behaviours: Mapping[str, int]
    best: SettingSummary | None


def summarize_settings(runs: Iterable[StoredRun]) -> list[SettingSummary]:
    """Group runs that differ only in their start, in the order in which the settings first occur."""
    return [setting for group in _by_labels(runs).values() for setting in _settings(group)]


def best_setting(settings: Iterable[SettingSummary]) -> SettingSummary:
    """Return the setting with the smallest `rank`, the first if several tie.

    A setting that lost all its runs is returned only if all settings did.

    Raises:
        ValueError: `settings` is empty.
    """
    return min(settings, key=lambda setting: (setting.lost == len(setting.runs), setting.rank))


def summarize(runs: Iterable[StoredRun]) -> list[SummaryRow]:
    """Group runs by objective, gradient backend and optimizer, in the order in which these first occur."""
    rows = []
    for (objective, gradient, optimizer), group in _by_labels(runs).items():
        best = best_setting(_settings(group))
        counts = count_outcomes(group), count_behaviours(group)
        rows.append(SummaryRow(objective, gradient, optimizer, len(group), *counts, best if best.lost < len(best.runs) else None))
    return rows


def count_outcomes(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Return the number of runs with each outcome that occurs, in the order of `runner.Outcome`."""
    counts = Counter(run.outcome for run in runs)
    known = {str(outcome): counts.pop(outcome) for outcome in OUTCOMES if outcome in counts}
    return known | dict(sorted(counts.items()))


def count_behaviours(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Return the number of runs with each behaviour that occurs, in the order of `runner.Behaviour`."""
    counts = Counter(run.behaviour for run in runs)
    return {str(behaviour): counts[behaviour] for behaviour in BEHAVIOURS if behaviour in counts}


def rounding_level(minimum_value: float | None) -> float:
    """Return the rounding level of a gap f − f*: ε · max(1, |f*|), with the machine's ε = 2⁻⁵².

    If f* = 0 and f is computed without cancellation, as x² is, gaps below this level may still be accurate.
    """
    return float(np.finfo(np.float64).eps) * max(1.0, abs(minimum_value or 0.0))


def summary_table(rows: Sequence[SummaryRow]) -> Cells:
    """Return the header and the cells of the table on the page: one row for each summary, numbers rounded."""
    cells: list[tuple[str, ...]] = []
    for row in rows:
        outcomes = listed([f"{count} {outcome}" for outcome, count in row.outcomes.items()])
        behaviours = listed([f"{count} {behaviour}" for behaviour, count in row.behaviours.items()])
        group = (row.objective, row.gradient, row.optimizer, str(row.runs), outcomes, behaviours)
        best = row.best
        if best is None:
            cells.append((*group, "none", "", "", "", ""))
            continue
        cells.append(
            (
                *group,
                best.label or "the only one",
                f"{best.converged} of {counted(len(best.runs), 'run')}",
                "" if math.isnan(best.median_steps) else number(best.median_steps),
                "unknown" if math.isnan(best.median_gap) else number(best.median_gap),
                number(best.median_value),
            )
        )
    return SUMMARY_HEADER, cells


def settings_table(settings: Sequence[SettingSummary]) -> Cells:
    """Return the header and the cells of the table in the CSV file: one row for each setting, numbers in full.

    The cell of a parameter that a setting does not have is empty; a missing number is `nan`.
    """
    parameters = list(dict.fromkeys(key for setting in settings for key in setting.parameters))
    evaluations = list(dict.fromkeys(key for setting in settings for run in setting.runs for key in run.evaluations))
    counts = ("runs", *(str(outcome) for outcome in OUTCOMES), *(str(behaviour) for behaviour in BEHAVIOURS))
    medians = ("median_steps_to_converge", "median_final_gap", "median_final_value")
    costs = tuple(f"median_{key}_evaluations" for key in evaluations)
    header = ("objective", "gradient", "optimizer", *parameters, *counts, *medians, *costs)
    cells: list[tuple[str, ...]] = []
    for setting in settings:
        values = (setting.parameters.get(key) for key in parameters)
        behaviours = count_behaviours(setting.runs)
        evaluated = (float(np.median([run.evaluations.get(key, 0) for run in setting.runs])) for key in evaluations)
        cells.append(
            (
                setting.objective,
                setting.gradient,
                setting.optimizer,
                *("" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values),
                str(len(setting.runs)),
                *(str(setting.outcomes.get(outcome, 0)) for outcome in OUTCOMES),
                *(str(behaviours.get(behaviour, 0)) for behaviour in BEHAVIOURS),
                *(repr(median) for median in (setting.median_steps, setting.median_gap, setting.median_value)),
                *(repr(median) for median in evaluated),
            )
        )
    return header, cells


def _by_labels(runs: Iterable[StoredRun]) -> dict[tuple[str, str, str], list[StoredRun]]:
    groups: dict[tuple[str, str, str], list[StoredRun]] = {}
    for run in runs:
        groups.setdefault((run.objective, run.gradient, run.optimizer), []).append(run)
    return groups


def _settings(group: Sequence[StoredRun]) -> list[SettingSummary]:
    """Return the settings of runs with the same three labels."""
    settings: dict[tuple[tuple[str, Value], ...], list[StoredRun]] = {}
    for run in group:
        settings.setdefault(tuple(sorted(run.parameters.items())), []).append(run)
    values: dict[str, set[Value]] = {}
    for parameters in settings:
        for key, value in parameters:
            values.setdefault(key, set()).add(value)
    varied = tuple(key for key in group[0].parameters if len(values[key]) > 1)
    curvatures = {run.curvature[1] for run in group if run.curvature is not None}
    limits = [limit for limit in map(stability_limit, curvatures) if limit is not None]
    texts = {key: _distinct_texts(values[key], limits if key == LEARNING_RATE else ()) for key in varied}
    summaries = []
    for runs in settings.values():
        first = runs[0]
        steps = [float(run.steps) for run in runs if run.outcome == Outcome.CONVERGED]
        known = first.minimum_value is not None
        summaries.append(
            SettingSummary(
                first.objective,
                first.gradient,
                first.optimizer,
                dict(first.parameters),
                varied,
                tuple(runs),
                count_outcomes(runs),
                float(np.median(steps)) if steps else math.nan,
                _median_last(runs, lambda run: run.final_gap) if known else math.nan,
                _median_last(runs, lambda run: run.final_value),
                {key: texts[key].get(value) or _as_text(value) for key in varied for value in [first.parameters.get(key)]},
            )
        )
    return summaries


def _distinct_texts(values: Iterable[Value], limits: Iterable[float]) -> dict[Value, str]:
    """Return a text for each float among some values, with enough digits to distinguish it from the others and the limits."""
    floats = [value for value in values if isinstance(value, float)]
    ordered = sorted({value for value in (*floats, *limits) if math.isfinite(value)})
    # Rounding keeps the order, so it is enough to compare each value with its nearest neighbours.
    near = {value: ordered[max(place - 3, 0) : place + 4] for place, value in enumerate(ordered)}
    return {value: number(value, near.get(value, ())) for value in floats}


def _median_last(runs: Sequence[StoredRun], last: Callable[[StoredRun], float]) -> float:
    values = [math.inf if run.outcome in LOST_OUTCOMES or not math.isfinite(last(run)) else last(run) for run in runs]
    return float(np.median(values))


def _worst_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _as_text(value: Value) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def one_of_each_behaviour(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """Return one run of each behaviour that occurs, in the order crawling, monotone, oscillating, diverging.

    Among the runs with the same behaviour, only those from the lowest start number are considered. They are sorted by learning
    rate, and the middle run is returned. Runs without a behaviour are left out.
    """

    def learning_rate(run: StoredRun) -> float:
        value = run.parameters.get(LEARNING_RATE)
        return float(value) if isinstance(value, int | float) else 0.0

    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.behaviour is not None:
            groups.setdefault(run.behaviour, []).append(run)
    chosen = []
    for behaviour in sorted(BEHAVIOURS, key=lambda behaviour: str(behaviour) != "crawling"):
        if behaviour in groups:
            first = min(run.start for run in groups[behaviour])
            candidates = sorted((run for run in groups[behaviour] if run.start == first), key=learning_rate)
            chosen.append(candidates[len(candidates) // 2])
    return chosen

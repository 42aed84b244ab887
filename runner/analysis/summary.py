"""Runs counted: what became of each setting over its starts, and which setting of each optimizer did best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES, Outcome
from runner.tables.readable import counted, listed, number

LOST_OUTCOMES = frozenset({Outcome.DIVERGED, Outcome.NON_FINITE, Outcome.FAILED})
"""The outcomes after which a run's last value says nothing but that it is lost; it then counts as +inf."""

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
    "The best setting of each optimizer: the one with the most converged runs over all starting points, then the fewest lost, "
    "then the fewest steps to converge, then the smallest gap f − f* at the end (the smallest f where f* is unknown). Its "
    "medians stand beside it."
)

Value = float | int | str | bool | None
Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]


@dataclass(frozen=True)
class SettingSummary:
    """One objective, gradient backend and optimizer with one value for each parameter, over all its starts.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, without its swept parameters.
        parameters: every parameter of the three, as `kind.name`.
        varied: those of `parameters` in which the settings with the same three labels differ.
        runs: its runs, one for each start that is stored.
        outcomes: how many runs ended how, in the order of `runner.Outcome`; only outcomes that occur.
        median_steps: steps taken by its converged runs, the median; NaN if none converged.
        median_gap: last value minus the known minimum, the median over all runs, lost ones as +inf; NaN if unknown.
        median_value: the last value, likewise.
        shown: the values of `varied` as people read them, with the digits that tell them from those of the other settings
            and a learning rate from 2/L; empty if nobody compared them.
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

    @property
    def converged(self) -> int:
        """How many of its runs converged."""
        return self.outcomes.get(Outcome.CONVERGED, 0)

    @property
    def lost(self) -> int:
        """How many of its runs diverged, met a number that is not finite, or failed."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in LOST_OUTCOMES)

    @property
    def label(self) -> str:
        """The varied parameters with their values, e.g. `learning_rate = 0.489`; empty if nothing is varied."""
        values = {key: self.shown.get(key) or _shown(self.parameters.get(key)) for key in self.varied}
        return ", ".join(f"{key.partition('.')[2]} = {value}" for key, value in values.items())

    @property
    def rank(self) -> tuple[float, float, float, float]:
        """What settings are ordered by, smallest first.

        More converged runs are better; then fewer lost ones; then fewer steps to converge, the median; then a smaller last
        gap, the median (the last value where the minimum is unknown). What is NaN or missing is worst. A gap below zero is
        rounding, and counts as zero.
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
        runs: how many runs are stored.
        outcomes: how many runs ended how, in the order of `runner.Outcome`; only outcomes that occur.
        behaviours: how many runs moved how, in the order of `runner.Behaviour`; only behaviours that occur.
        best: the setting of the smallest `rank`, the first in the grid where several tie; None if every run is lost.
    """

    objective: str
    gradient: str
    optimizer: str
    runs: int
    outcomes: Mapping[str, int]
    behaviours: Mapping[str, int]
    best: SettingSummary | None


def summarize_settings(runs: Iterable[StoredRun]) -> list[SettingSummary]:
    """Group runs that differ in their start alone, in the order in which the settings first occur."""
    return [setting for group in _by_labels(runs).values() for setting in _settings(group)]


def best_setting(settings: Iterable[SettingSummary]) -> SettingSummary:
    """Return the setting of the smallest `rank`, the first where several tie; one that lost every run only if all did.

    Raises:
        ValueError: there is none.
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
    """Count how many runs ended how, in the order of `runner.Outcome`; only outcomes that occur."""
    counts = Counter(run.outcome for run in runs)
    known = {str(outcome): counts.pop(outcome) for outcome in OUTCOMES if outcome in counts}
    return known | dict(sorted(counts.items()))


def count_behaviours(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Count how many runs moved how, in the order of `runner.Behaviour`; only behaviours that occur."""
    counts = Counter(run.behaviour for run in runs)
    return {str(behaviour): counts[behaviour] for behaviour in BEHAVIOURS if behaviour in counts}


def rounding_level(minimum_value: float | None) -> float:
    """Return ε · max(1, |f*|), with the machine's ε = 2⁻⁵²: about what rounding makes of a gap f − f* where f is of that size.

    Where f* = 0 and f is computed without cancellation, as in x², smaller gaps are more than rounding.
    """
    return float(np.finfo(np.float64).eps) * max(1.0, abs(minimum_value or 0.0))


def summary_table(rows: Sequence[SummaryRow]) -> Cells:
    """Return the header and the cells of the table that people read: one line for each row, numbers rounded."""
    return SUMMARY_HEADER, [_summary_cells(row) for row in rows]


def settings_table(settings: Sequence[SettingSummary]) -> Cells:
    """Return the header and the cells of the table that programs read: one line for each setting, numbers in full.

    A parameter that a setting does not have is the empty string; a number that does not exist is `nan`.
    """
    parameters = list(dict.fromkeys(key for setting in settings for key in setting.parameters))
    evaluations = list(dict.fromkeys(key for setting in settings for run in setting.runs for key in run.evaluations))
    counts = ("runs", *(str(outcome) for outcome in OUTCOMES), *(str(behaviour) for behaviour in BEHAVIOURS))
    medians = ("median_steps_to_converge", "median_final_gap", "median_final_value")
    costs = tuple(f"median_{key}_evaluations" for key in evaluations)
    header = ("objective", "gradient", "optimizer", *parameters, *counts, *medians, *costs)
    return header, [_setting_cells(setting, parameters, evaluations) for setting in settings]


def _by_labels(runs: Iterable[StoredRun]) -> dict[tuple[str, str, str], list[StoredRun]]:
    groups: dict[tuple[str, str, str], list[StoredRun]] = {}
    for run in runs:
        groups.setdefault((run.objective, run.gradient, run.optimizer), []).append(run)
    return groups


def _settings(group: Sequence[StoredRun]) -> list[SettingSummary]:
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
    texts = {key: _texts(values[key], limits if key == LEARNING_RATE else ()) for key in varied}
    return [_setting(starts, varied, texts) for starts in settings.values()]


def _texts(values: Iterable[Value], limits: Iterable[float]) -> dict[Value, str]:
    """Return the floats among some values as text, with digits that tell them from each other and from some limits."""
    floats = [value for value in values if isinstance(value, float)]
    ordered = sorted({value for value in (*floats, *limits) if math.isfinite(value)})
    # Rounding keeps the order, so that the nearest few stand for all.
    near = {value: ordered[max(place - 3, 0) : place + 4] for place, value in enumerate(ordered)}
    return {value: number(value, near.get(value, ())) for value in floats}


def _setting(runs: Sequence[StoredRun], varied: tuple[str, ...], texts: Mapping[str, Mapping[Value, str]]) -> SettingSummary:
    first = runs[0]
    steps = [float(run.steps) for run in runs if run.outcome == Outcome.CONVERGED]
    known = first.minimum_value is not None
    return SettingSummary(
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
        {key: texts[key].get(value) or _shown(value) for key in varied for value in [first.parameters.get(key)]},
    )


def _median_last(runs: Sequence[StoredRun], last: Callable[[StoredRun], float]) -> float:
    values = [math.inf if run.outcome in LOST_OUTCOMES or not math.isfinite(last(run)) else last(run) for run in runs]
    return float(np.median(values))


def _worst_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _summary_cells(row: SummaryRow) -> tuple[str, ...]:
    outcomes = listed([f"{count} {outcome}" for outcome, count in row.outcomes.items()])
    behaviours = listed([f"{count} {behaviour}" for behaviour, count in row.behaviours.items()])
    group = (row.objective, row.gradient, row.optimizer, str(row.runs), outcomes, behaviours)
    best = row.best
    if best is None:
        return *group, "none", "", "", "", ""
    return (
        *group,
        best.label or "the only one",
        f"{best.converged} of {counted(len(best.runs), 'run')}",
        "" if math.isnan(best.median_steps) else number(best.median_steps),
        "unknown" if math.isnan(best.median_gap) else number(best.median_gap),
        number(best.median_value),
    )


def _setting_cells(setting: SettingSummary, parameters: Sequence[str], evaluations: Sequence[str]) -> tuple[str, ...]:
    values = (setting.parameters.get(key) for key in parameters)
    medians = (setting.median_steps, setting.median_gap, setting.median_value)
    behaviours = count_behaviours(setting.runs)
    counts = (float(np.median([run.evaluations.get(key, 0) for run in setting.runs])) for key in evaluations)
    return (
        setting.objective,
        setting.gradient,
        setting.optimizer,
        *("" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values),
        str(len(setting.runs)),
        *(str(setting.outcomes.get(outcome, 0)) for outcome in OUTCOMES),
        *(str(behaviours.get(behaviour, 0)) for behaviour in BEHAVIOURS),
        *(repr(median) for median in medians),
        *(repr(count) for count in counts),
    )

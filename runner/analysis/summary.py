"""Summaries of runs: the outcomes of each setting over its starts, and the best setting of each optimizer."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from runner.analysis.curvature import stability_limit
from runner.contracts.figure import StoredRun
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES, Outcome, Surprise
from runner.contracts.parameters import is_seed
from runner.contracts.reached import ENDINGS, LOST_OUTCOMES, Reached, target_gap
from runner.tables.readable import counted, listed, number, part

LEARNING_RATE = "optimizer.learning_rate"
SUMMARY_HEADER = (
    "objective",
    "gradient",
    "optimizer",
    "runs",
    "outcomes",
    "behaviour",
    "best setting",
    "reached",
    "expected evaluations",
    "median gap",
    "median value",
    "judged on",
)

SUMMARY_CAPTION = (
    "The outcomes and behaviours of each optimizer over all its settings, and the results of its best setting. A run "
    "reached its goal if |f − f*| is at most the target of [report], or else the stopping rule gap, or else "
    "1e-6 · max(1, |f*|). If f* is unknown, the runs that converged are counted instead. The best setting has the largest "
    "share of runs that reached the goal. Ties are broken by the smallest share of lost runs, then by the fewest expected "
    "evaluations, then by the smallest gap f − f* at the end. If f* is unknown, the best setting has the smallest share of "
    "lost runs, and among these the smallest median f at the end, because a run may converge far above the others. The "
    "expected evaluations are the evaluations of all runs of the setting, including failed runs, divided by the number of runs "
    "that reached the goal. Medians count a lost run as infinite, or as -infinite if f fell without end. One evaluation is one "
    "value of f, one gradient, or one row of the Hessian. If there are at least four starting points (or seeds), one half of "
    "them chooses the best setting, and the results are those of the other half, which the last column names. Runs that differ "
    "only in a parameter named seed are replicates of one setting."
)
CHOICE_CAPTION = (
    "The best setting of each optimizer is chosen as for the summary table, but the numbers here cover all of its runs, "
    "including those it was chosen on."
)
"""The sentence of figures that show the best setting over all its runs."""

FEWEST_TO_SPLIT = 4
"""Starts or seeds are split if there are at least this many: one half chooses the best setting, and the other half judges it."""
NAMED_PLACES = 8
"""Largest number of starts or seeds that are named one by one."""

Value = float | int | str | bool | None
NO_CHOICE = "no choice"
Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The header and the rows of a table."""


@dataclass(frozen=True)
class SettingSummary:
    """One objective, gradient backend and optimizer with one value for each parameter, over all its starts.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, without its swept parameters.
        parameters: every parameter of the three except seeds, as `kind.name`.
        varied: the keys of `parameters` in which the settings with the same three labels differ.
        runs: its runs, one for each start and each combination of seeds that is stored.
        outcomes: the number of runs with each outcome that occurs, in the order of `runner.Outcome`.
        median_steps: the median number of steps of its converged runs; NaN if none converged.
        median_gap: the median over all runs of the last value minus the known minimum. Lost runs count as +inf, or as -inf if f
            fell without end. NaN if the minimum is unknown.
        median_value: the median over all runs of the last value, with lost runs counted as in `median_gap`.
        shown: the values of `varied` as texts. They have enough digits to differ from the values of the other settings. A
            learning rate also has enough digits to differ from 2/L. Empty if the setting was not compared with others.
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
    def successes(self) -> int:
        """The number of its runs that reached the goal, as `succeeded` defines it."""
        return sum(succeeded(run) for run in self.runs)

    @cached_property
    def expected_evaluations(self) -> float:
        """The evaluations of all its runs divided by the number of runs that reached the goal; infinite without such runs."""
        return sum(map(evaluation_count, self.runs)) / self.successes if self.successes else math.inf

    @cached_property
    def knows_minimum(self) -> bool:
        """True if f* is known for all its runs, so that success is a small gap rather than convergence."""
        return all(run.minimum_value is not None for run in self.runs)

    @cached_property
    def tests_convergence(self) -> bool:
        """True if the stopping rules of one of its runs test for convergence."""
        return any(run.convergence_test for run in self.runs)

    @cached_property
    def lost(self) -> int:
        """The number of its runs that diverged, became non-finite, or failed."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in LOST_OUTCOMES)

    @cached_property
    def label(self) -> str:
        """The varied parameters with their values, such as `learning_rate = 0.489`; empty if no parameter is varied."""
        values = {key: self.shown.get(key) or _as_text(self.parameters.get(key)) for key in self.varied}
        return ", ".join(f"{key.partition('.')[2]} = {value}" for key, value in values.items())

    def rank(self, smallest: float) -> tuple[float, float, float, float]:
        """Return the key by which settings are ranked, the smallest first.

        A larger share of runs that reached the goal is better; then a smaller share of lost runs; then fewer expected
        evaluations; then a smaller median of the last gap. A number that is not finite is worst. A gap within rounding of zero
        counts as zero.

        Where f* is unknown, a run that converged may rest far above the others. So a smaller share of lost runs is better; then
        a smaller median of the last value, where values within 1e-6 · max(1, |smallest|) of the smallest count as equal; then a
        larger share of converged runs; then fewer evaluations of a run.

        Args:
            smallest: the smallest f of all runs that are compared.
        """
        runs = len(self.runs)
        if not self.knows_minimum:
            above = _worst_if_lost(self.median_value - smallest)
            paid = sum(map(evaluation_count, self.runs)) / runs
            return self.lost / runs, max(above, target_gap(None, smallest)), -self.successes / runs, paid
        rounding = max(rounding_level(run.minimum_value) for run in self.runs)
        last = 0.0 if abs(self.median_gap) <= rounding else abs(self.median_gap)
        return -self.successes / runs, self.lost / runs, self.expected_evaluations, _worst_if_lost(last)


@dataclass(frozen=True)
class Choice:
    """The best of some settings, and the runs that judge it.

    Attributes:
        setting: the chosen setting with all its runs.
        judged: the setting with the runs that judge it: those that did not choose it, or all runs if they were not divided.
        chosen_on: the starts or seeds that chose it, in words; `no choice` if it is the only setting.
        judged_on: the starts or seeds that judge it, in words.
        undivided: the reason why the runs that chose it also judge it; empty if other runs judge it, or if there was no choice.
    """

    setting: SettingSummary
    judged: SettingSummary
    chosen_on: str
    judged_on: str
    undivided: str = ""

    @property
    def note(self) -> str:
        """A clause on the runs that judge the setting; empty if it is the only setting."""
        if self.chosen_on == NO_CHOICE:
            return ""
        if self.undivided:
            return f"judged on the runs it was chosen on, because {self.undivided}"
        return f"chosen on {self.chosen_on}, judged on {self.judged_on}"

    @property
    def judges(self) -> str:
        """The runs that judge the setting, as the cell of a table."""
        if self.chosen_on == NO_CHOICE:
            return f"{self.judged_on} (all)"
        return "the same runs" if self.undivided else self.judged_on


@dataclass(frozen=True)
class SummaryRow:
    """One objective, gradient backend and optimizer, over all settings and starts.

    Attributes:
        objective: the objective's label.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label.
        runs: the number of stored runs.
        outcomes: the number of runs with each outcome that occurs, in the order of `runner.Outcome`.
        endings: the number of runs with each ending that occurs, as `count_endings` returns it.
        behaviours: the number of runs with each behaviour that occurs, in the order of `runner.Behaviour`.
        best: the best setting, with the runs that judge it; None if every run is lost.
        choice: the setting that `choose_best` returns, with the runs that chose it and those that judge it.
    """

    objective: str
    gradient: str
    optimizer: str
    runs: int
    outcomes: Mapping[str, int]
    endings: Mapping[str, int]
    behaviours: Mapping[str, int]
    best: SettingSummary | None
    choice: Choice


def summarize_settings(runs: Iterable[StoredRun]) -> list[SettingSummary]:
    """Group runs that differ only in their start or in seeds, in the order in which the settings first occur."""
    return [setting for group in _by_labels(runs).values() for setting in _settings(group)]


def succeeded(run: StoredRun) -> bool:
    """Return true if a run reached its goal.

    If f* is known, the goal is |f − f*| ≤ the target, which is `run.target` or 1e-6 · max(1, |f*|). A run further below f*
    shows that the stated minimum is wrong, and does not count. If f* is unknown, a run that converged counts.
    """
    if run.minimum_value is None:
        return run.outcome == Outcome.CONVERGED
    return run.outcome not in LOST_OUTCOMES and run.reached == Reached.MINIMUM


def evaluation_count(run: StoredRun) -> int:
    """Return the evaluations that a run paid for: those of f, those of ∇f, and one for each row of ∇²f."""
    counts = run.evaluations
    return counts.get("value", 0) + counts.get("gradient", 0) + run.dimension * counts.get("hessian", 0)


def without_seed(label: str) -> str:
    """Return a label without its seed: `noisy(level=2, seed=1)` becomes `noisy(level=2)`."""
    text = re.sub(r"(?<=[(, ])(?:[\w.]+\.)?seed=[^,()]*(, )?", "", label)
    return text.replace(", )", ")").removesuffix("()")


def choose_best(settings: Iterable[SettingSummary]) -> Choice:
    """Choose the setting with the smallest `rank`, the first if several tie.

    The combinations of seeds are divided if there are at least four, and otherwise the starts if there are at least four. Every
    second one chooses, and the rest judge. If neither can be divided, or if a setting has no runs in one half, all runs choose
    and judge. A setting that lost all its runs is chosen only if all settings did.

    Raises:
        ValueError: `settings` is empty.
    """
    settings = list(settings)
    runs = [run for setting in settings for run in setting.runs]
    by_seed = len({_seeds(run) for run in runs}) >= FEWEST_TO_SPLIT
    noun = "seeds" if by_seed else "starts"
    replicates = {id(run): _seeds(run) if by_seed else (("start", run.start),) for run in runs}
    # Missing seeds and texts cannot be compared with numbers, so they come last.
    places = sorted(
        set(replicates.values()),
        key=lambda place: [(not isinstance(value, int | float), str(key), value) for key, value in place],
    )
    everything = _named(noun, places)

    def rank(setting: SettingSummary) -> tuple[bool, tuple[float, ...]]:
        return setting.lost == len(setting.runs), setting.rank(smallest)

    smallest = smallest_seen(runs)

    if len(settings) == 1:
        return Choice(settings[0], settings[0], NO_CHOICE, everything)
    undivided = f"there are fewer than four {noun}"
    if len(places) >= FEWEST_TO_SPLIT:
        choosing = set(places[::2])
        halves = [
            ([run for run in setting.runs if replicates[id(run)] in choosing],
             [run for run in setting.runs if replicates[id(run)] not in choosing])
            for setting in settings
        ]  # fmt: skip
        if all(chosen and judging for chosen, judging in halves):
            place = min(range(len(settings)), key=lambda place: rank(_restricted(settings[place], halves[place][0])))
            judged = _restricted(settings[place], halves[place][1])
            return Choice(settings[place], judged, _named(noun, places[::2]), _named(noun, places[1::2]))
        undivided = f"a setting has no runs on one half of the {noun}"
    best = min(settings, key=rank)
    return Choice(best, best, everything, everything, undivided)


def best_setting(settings: Iterable[SettingSummary]) -> SettingSummary:
    """Return the setting that `choose_best` chooses, with all its runs.

    Raises:
        ValueError: `settings` is empty.
    """
    return choose_best(settings).setting


def effort_in_words(setting: SettingSummary) -> str:
    """Return the number of runs that reached the goal, and the evaluations that this took, in words."""
    if not setting.knows_minimum and not setting.tests_convergence and not setting.successes:
        return f"no convergence test was set for {counted(len(setting.runs), 'run')}"
    targets = {target_gap(run.target, run.minimum_value) for run in setting.runs if run.minimum_value is not None}
    verb = "converged"
    if setting.knows_minimum:
        verb = f"came within {number(targets.pop()) if len(targets) == 1 else 'their targets'} of f*"
    text = f"{part(setting.successes, len(setting.runs), 'run')} {verb}"
    if not setting.successes:
        return text
    return f"{text}, for {number(setting.expected_evaluations)} evaluations" + (" per success" if len(setting.runs) > 1 else "")


def summarize(runs: Iterable[StoredRun]) -> list[SummaryRow]:
    """Group runs by objective, gradient backend and optimizer, in the order in which these first occur."""
    rows = []
    for (objective, gradient, optimizer), group in _by_labels(runs).items():
        choice = choose_best(_settings(group))
        counts = count_outcomes(group), count_endings(group), count_behaviours(group)
        best = choice.judged if choice.setting.lost < len(choice.setting.runs) else None
        rows.append(SummaryRow(objective, gradient, optimizer, len(group), *counts, best, choice))
    return rows


def count_outcomes(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Return the number of runs with each outcome that occurs, in the order of `runner.Outcome`."""
    counts = Counter(run.outcome for run in runs)
    known = {str(outcome): counts.pop(outcome) for outcome in OUTCOMES if outcome in counts}
    return known | dict(sorted(counts.items()))


def count_endings(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Return the number of runs with each ending that occurs, in the order of the outcomes, followed by the other endings.

    An ending is an outcome, except that runs which came to rest away from the known minimum are `converged elsewhere` or
    `stalled elsewhere`, and runs which found a smaller value than the stated minimum are `below f*`.
    """
    counts = Counter(run.ending for run in runs)
    known = {str(each): counts.pop(each) for each in ENDINGS if each in counts}
    return known | dict(sorted(counts.items()))


def count_behaviours(runs: Iterable[StoredRun]) -> dict[str, int]:
    """Return the number of runs with each behaviour that occurs, in the order of `runner.Behaviour`."""
    counts = Counter(run.behaviour for run in runs)
    return {str(behaviour): counts[behaviour] for behaviour in BEHAVIOURS if behaviour in counts}


def surprises_in_words(runs: Sequence[StoredRun]) -> list[str]:
    """Return sentences about surprising facts that the outcomes of the runs do not show."""
    groups: dict[Surprise, list[StoredRun]] = {}
    for run in runs:
        if run.surprise is not None:
            groups.setdefault(run.surprise, []).append(run)
    sentences = []
    for kind, surprising in groups.items():
        optimizers = listed(sorted({without_seed(run.optimizer) for run in surprising}))
        count = counted(len(surprising), "run")
        match kind:
            case Surprise.NO_STEP:
                sentences.append(f"{count} converged without a step: a rule for convergence already held at the start")
            case Surprise.FELL_WITHOUT_END:
                end = "f went to −∞ or beyond the divergence limit, and medians count it as -infinite"
                sentences.append(f"{count} of {optimizers} fell without end: {end}")
            case Surprise.ROSE:
                worst = max(surprising, key=lambda run: run.final_value - run.best_value)
                rise = f"from {number(worst.best_value)} to {number(worst.final_value, (worst.best_value,))}"
                sentences.append(
                    f"{count} of {optimizers} ended above the start and never fell below it (run {worst.id} went "
                    f"{rise}): no line search or other rule kept f from rising"
                )
    return sentences


def smallest_seen(runs: Iterable[StoredRun]) -> float:
    """Return the smallest f of all runs of one objective, except lost runs; NaN if no run has a finite f."""
    kept = (run.best_value for run in runs if run.outcome not in LOST_OUTCOMES and math.isfinite(run.best_value))
    return min(kept, default=math.nan)


@dataclass(frozen=True)
class GapScale:
    """The value from which gaps are measured in pictures, and the smallest gap that is drawn.

    Attributes:
        reference: f*, or the smallest f of all runs if f* is unknown.
        floor: the rounding level of the gap. If f* is unknown, it is at least a third of the smallest gap above rounding,
            because a run that ends at the smallest f has the gap 0.
        known: True if f* is known.
    """

    reference: float
    floor: float
    known: bool

    @classmethod
    def of(cls, runs: Sequence[StoredRun]) -> GapScale:
        """Return the scale for the runs of one objective."""
        minimum = runs[0].minimum_value
        if minimum is not None:
            return cls(minimum, rounding_level(minimum), known=True)
        reference = smallest_seen(runs)
        rounding = rounding_level(reference)
        gaps = [run.final_value - reference for run in runs if run.outcome not in LOST_OUTCOMES]
        smallest = min((gap for gap in gaps if rounding < gap < math.inf), default=0.0)
        return cls(reference, max(rounding, smallest / 3.0), known=False)


def resting_above(runs: Iterable[StoredRun], smallest: float) -> list[StoredRun]:
    """Return the runs whose f* is unknown, and which rest above the smallest f of the runs of their objective.

    They are at rest, and their last value exceeds the smallest by more than 1e-6 · max(1, |smallest|).
    """
    allowed = target_gap(None, smallest)
    return [run for run in runs if run.minimum_value is None and run.at_rest and run.final_value - smallest > allowed]


def rounding_level(minimum_value: float | None) -> float:
    """Return the rounding level of a gap f − f*: ε · max(1, |f*|), with the machine's ε = 2⁻⁵².

    If f* = 0 and f is computed without cancellation, as x² is, gaps below this level may still be accurate.
    """
    return float(np.finfo(np.float64).eps) * max(1.0, abs(minimum_value or 0.0))


def summary_table(rows: Sequence[SummaryRow]) -> Cells:
    """Return the header and the cells of the table on the page: one row for each summary, numbers rounded.

    The column of gradient backends is left out if there is only one, because it carries no information.
    """
    cells: list[tuple[str, ...]] = []
    for row in rows:
        outcomes = listed([f"{count} {outcome}" for outcome, count in row.endings.items()])
        behaviours = listed([f"{count} {behaviour}" for behaviour, count in row.behaviours.items()])
        group = (row.objective, row.gradient, row.optimizer, str(row.runs), outcomes, behaviours)
        best = row.best
        if best is None:
            cells.append((*group, "none", "", "", "", "", ""))
            continue
        cells.append(
            (
                *group,
                best.label or "the only one",
                _reached(best),
                number(best.expected_evaluations) if best.successes else "not reached" if best.knows_minimum else "unknown",
                "unknown" if math.isnan(best.median_gap) else number(best.median_gap),
                number(best.median_value),
                row.choice.judges,
            )
        )
    several = len({row.gradient for row in rows}) > 1
    shown = [place for place, name in enumerate(SUMMARY_HEADER) if several or name != "gradient"]
    return tuple(SUMMARY_HEADER[place] for place in shown), [tuple(line[place] for place in shown) for line in cells]


def settings_table(settings: Sequence[SettingSummary]) -> Cells:
    """Return the header and the cells of the table in the CSV file: one row for each setting, numbers in full.

    The cell of a parameter that a setting does not have is empty; a missing number is `nan`.
    """
    parameters = list(dict.fromkeys(key for setting in settings for key in setting.parameters))
    evaluations = list(dict.fromkeys(key for setting in settings for run in setting.runs for key in run.evaluations))
    counts = ("runs", *(str(outcome) for outcome in OUTCOMES), *(str(behaviour) for behaviour in BEHAVIOURS))
    medians = ("reached", "expected_evaluations", "median_steps_to_converge", "median_final_gap", "median_final_value")
    costs = tuple(f"median_{key}_evaluations" for key in evaluations)
    header = (*("objective", "gradient", "optimizer"), *parameters, *counts, *medians, *costs, "best", "chosen_on", "judged_on")
    choices: dict[tuple[str, str, str], list[SettingSummary]] = {}
    for setting in settings:
        choices.setdefault((setting.objective, setting.gradient, setting.optimizer), []).append(setting)
    chosen = {labels: choose_best(group) for labels, group in choices.items()}
    cells: list[tuple[str, ...]] = []
    for setting in settings:
        values = (setting.parameters.get(key) for key in parameters)
        behaviours = count_behaviours(setting.runs)
        choice = chosen[setting.objective, setting.gradient, setting.optimizer]
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
                str(setting.successes),
                repr(setting.expected_evaluations),
                *(repr(median) for median in (setting.median_steps, setting.median_gap, setting.median_value)),
                *(repr(median) for median in evaluated),
                str(setting is choice.setting).lower(),
                choice.chosen_on,
                choice.judged_on,
            )
        )
    return header, cells


def _by_labels(runs: Iterable[StoredRun]) -> dict[tuple[str, str, str], list[StoredRun]]:
    groups: dict[tuple[str, str, str], list[StoredRun]] = {}
    for run in runs:
        labels = (without_seed(run.objective), without_seed(run.gradient), without_seed(run.optimizer))
        groups.setdefault(labels, []).append(run)
    return groups


def _seeds(run: StoredRun) -> tuple[tuple[str, Value], ...]:
    """Return the seeds of a run, as `kind.name`, with their values."""
    return tuple((key, value) for key, value in sorted(run.parameters.items()) if is_seed(key))


def _named(noun: str, places: Sequence[tuple[tuple[str, Value], ...]]) -> str:
    """Return starts or seeds in words: `start 0`, `starts 0, 2, 4`, or the first and the last of many."""
    texts = [" with ".join(str(value) for _, value in place) for place in places]
    if len(texts) == 1:
        return f"{noun[:-1]} {texts[0]}"
    if len(texts) > NAMED_PLACES:
        return f"{len(texts)} {noun}: {', '.join(texts[:3])}, …, {texts[-1]}"
    return f"{noun} {', '.join(texts)}"


def _reached(setting: SettingSummary) -> str:
    """Return the cell for the runs that reached the goal, or that converged if f* is unknown."""
    total = counted(len(setting.runs), "run")
    if setting.knows_minimum:
        return f"{setting.successes} of {total}"
    if not setting.tests_convergence and not setting.successes:
        return "no convergence test was set"
    return f"{setting.successes} of {total} converged"


def _restricted(setting: SettingSummary, runs: Sequence[StoredRun]) -> SettingSummary:
    """Return a setting with some of its runs."""
    steps, gap, value = _medians(runs)
    return replace(
        setting, runs=tuple(runs), outcomes=count_outcomes(runs), median_steps=steps, median_gap=gap, median_value=value
    )


def _medians(runs: Sequence[StoredRun]) -> tuple[float, float, float]:
    """Return the median of the steps of the converged runs, and those of the last gap and the last value of all runs."""
    steps = [float(run.steps) for run in runs if run.outcome == Outcome.CONVERGED]
    known = all(run.minimum_value is not None for run in runs)
    return (
        float(np.median(steps)) if steps else math.nan,
        _median_last(runs, lambda run: run.final_gap) if known else math.nan,
        _median_last(runs, lambda run: run.final_value),
    )


def _settings(group: Sequence[StoredRun]) -> list[SettingSummary]:
    """Return the settings of runs with the same three labels."""
    settings: dict[tuple[tuple[str, Value], ...], list[StoredRun]] = {}
    for run in group:
        parameters = tuple(sorted((key, value) for key, value in run.parameters.items() if not is_seed(key)))
        settings.setdefault(parameters, []).append(run)
    values: dict[str, set[Value]] = {}
    for parameters in settings:
        for key, value in parameters:
            values.setdefault(key, set()).add(value)
    varied = tuple(key for key in group[0].parameters if not is_seed(key) and len(values[key]) > 1)
    curvatures = {run.curvature[1] for run in group if run.curvature is not None}
    limits = [limit for limit in map(stability_limit, curvatures) if limit is not None]
    texts = {key: _distinct_texts(values[key], limits if key == LEARNING_RATE else ()) for key in varied}
    summaries = []
    for runs in settings.values():
        first = runs[0]
        summaries.append(
            SettingSummary(
                without_seed(first.objective),
                without_seed(first.gradient),
                without_seed(first.optimizer),
                {key: value for key, value in first.parameters.items() if not is_seed(key)},
                varied,
                tuple(runs),
                count_outcomes(runs),
                *_medians(runs),
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
    values = []
    for run in runs:
        lost = run.outcome in LOST_OUTCOMES or not math.isfinite(last(run))
        fell = run.surprise == Surprise.FELL_WITHOUT_END
        values.append(-math.inf if fell else math.inf if lost else last(run))
    with np.errstate(invalid="ignore"):  # the mean of −∞ and ∞ is NaN
        return float(np.median(values))


def _worst_if_lost(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _as_text(value: Value) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def one_of_each_behaviour(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """Return one run of each behaviour that occurs, in the order crawling, monotone, oscillating, diverging, unknown.

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

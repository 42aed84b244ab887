"""Cost of each method: the gap against steps, evaluations and seconds, and the order of convergence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from runner import (
    CHOICE_CAPTION,
    LOST_OUTCOMES,
    PALETTE,
    Band,
    Drawing,
    Figure,
    Order,
    Outcome,
    Results,
    SettingSummary,
    StoredRun,
    before_noise,
    best_setting,
    counted,
    curving_downwards,
    curving_upwards,
    effort_in_words,
    evaluation_count,
    hookimpl,
    listed,
    number,
    order_of_convergence,
    polished,
    quantile_band,
    rounding_level,
    summarize_settings,
    with_uncertainty,
    wrapped,
)

LINES = ("-", "--", ":", "-.")
MOST_OBJECTIVES = 6
WIDTH, HEIGHT = 11.0, 2.9
"""The width of the figure and the height of a row, in inches."""
ABOVE, BELOW = 100.0, 0.3
SHORTEST = 1e-9
"""The smallest cost of a step that is drawn, in seconds. A logarithmic axis cannot show a cost of zero."""
AXES = ("step", "evaluations", "seconds")
HEADER = (
    *("objective", "gradient", "optimizer", "setting", "runs", "converged", "at no minimum", "median steps"),
    *("evaluations a step", "milliseconds a step", "order", "uncertainty", "pairs"),
)
FINEST = 0.001
"""No smaller uncertainty of an order is reported, because the fitted law holds only in the limit."""


@dataclass(frozen=True, eq=False)
class Course:
    """The best setting of one optimizer on one objective.

    Attributes:
        name: the optimizer, and its gradient backend if the experiment has several.
        setting: the setting and its runs.
        band: the median gap (or gradient norm) over the starts at each step, and the range of the middle half of the starts.
        costs: the cost of one step in steps (always 1), in evaluations and in seconds. The cost of the start is spread evenly
            over the steps. The last two are medians over the runs that took a step, and NaN if no run did.
        order: the order of convergence of its converged runs, or None.
        at_no_minimum: the number of runs that converged where f curves downwards along some direction.
        unknown: the number of converged runs for which this cannot be determined: the objective has no Hessian, or an eigenvalue
            may be zero.
    """

    name: str
    setting: SettingSummary
    band: Band
    costs: tuple[float, float, float]
    order: Order | None
    at_no_minimum: int
    unknown: int


@dataclass(frozen=True)
class Effort(Figure):
    """The median gap over the starts against steps, evaluations and seconds, for each optimizer's best setting."""

    title: ClassVar[str] = "Effort"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a row for each objective; None if no run took a step."""
        groups = _courses(results)
        if not groups:
            return None
        shown = dict(list(groups.items())[:MOST_OBJECTIVES])
        names = list(dict.fromkeys(course.name for courses in shown.values() for course in courses))
        looks = {name: _look(place) for place, name in enumerate(names)}
        figure = MatplotlibFigure(figsize=(WIDTH, HEIGHT * len(shown) + 0.4), layout="constrained")
        grid = figure.add_gridspec(len(shown), len(AXES))
        for row, (objective, courses) in enumerate(shown.items()):
            for column in range(len(AXES)):
                panel = figure.add_subplot(grid[row, column])
                _draw_panel(panel, courses, column, looks)
                if column == 0:
                    panel.set_title(wrapped(objective, 31, 2))
        handles = {line.get_label(): line for panel in figure.axes for line in panel.lines}
        figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=3, fontsize=9)
        rows = [_cells(course) for courses in groups.values() for course in courses]
        return Drawing(figure, _caption(groups), [HEADER, *rows])


def _look(place: int) -> tuple[str, str]:
    return PALETTE[place % len(PALETTE)], LINES[place // len(PALETTE) % len(LINES)]


def _courses(results: Results) -> dict[str, list[Course]]:
    if not any(run.steps for run in results.runs):
        return {}
    groups: dict[tuple[str, str, str], list[SettingSummary]] = {}
    for setting in summarize_settings(results.runs):
        groups.setdefault((setting.objective, setting.gradient, setting.optimizer), []).append(setting)
    several = len({gradient for _, gradient, _ in groups}) > 1
    courses: dict[str, list[Course]] = {}
    for (objective, gradient, optimizer), settings in groups.items():
        name = f"{optimizer} × {gradient}" if several else optimizer
        courses.setdefault(objective, []).append(_course(results, name, best_setting(settings)))
    return courses


def _course(results: Results, name: str, setting: SettingSummary) -> Course:
    runs = setting.runs
    objective = results.objective(runs[0])
    curves, paths, ends = [], [], []
    for run, series in results.series(runs):
        curves.append(series.gradient_norm if run.minimum_value is None else series.value - run.minimum_value)
        if series.x is not None and run.outcome == Outcome.CONVERGED:
            limit = polished(objective, series.x[-1])
            paths += [] if limit is None else [(before_noise(series.x, limit), limit)]
            ends.append(series.x[-1])
    lost = [run.outcome in LOST_OUTCOMES for run in runs]
    # A lost run is extended by one step, so that its line can leave the panel.
    last_step = max(run.steps + gone for run, gone in zip(runs, lost, strict=True))
    band = quantile_band(curves, lost=lost, last_step=last_step)
    last = np.array(ends).reshape(len(ends), runs[0].dimension)
    downwards = int(curving_downwards(objective, last).sum())
    unknown = setting.converged - downwards - int(curving_upwards(objective, last).sum())
    return Course(name, setting, band, _costs(runs), order_of_convergence(paths), downwards, unknown)


def _costs(runs: Sequence[StoredRun]) -> tuple[float, float, float]:
    moved = [run for run in runs if run.steps]
    evaluations = _median([evaluation_count(run) / run.steps for run in moved])
    return 1.0, evaluations, max(_median([run.seconds / run.steps for run in moved]), SHORTEST)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan


def _draw_panel(panel: Axes, courses: Sequence[Course], column: int, looks: Mapping[str, tuple[str, str]]) -> None:
    floor = rounding_level(courses[0].setting.runs[0].minimum_value)
    tops = [course.band.high[0] for course in courses if np.isfinite(course.band.high[0])]
    top = max([*tops, 10.0 * floor]) * ABOVE
    for course in courses:
        # A logarithmic axis has no place for step 0, so it is drawn a little before step 1.
        x = np.maximum(course.band.steps, BELOW) * course.costs[column]
        median, low, high = (np.clip(edge, floor, 1e3 * top) for edge in (course.band.median, course.band.low, course.band.high))
        colour, line = looks[course.name]
        panel.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
        panel.plot(x, median, color=colour, linestyle=line, label=course.name, marker="o" if len(x) < 40 else "", markersize=2.5)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(floor / 3.0, top)
    panel.set_xlabel(AXES[column])
    if column == 0:
        known = courses[0].setting.runs[0].minimum_value is not None
        panel.set_ylabel("f − f*" if known else "‖∇f‖")


def _order_cells(order: Order | None) -> tuple[str, str, str]:
    if order is None:
        return "cannot tell", "", ""
    if order.is_superlinear:
        return "superlinear", "", str(order.pairs)
    return f"{order.power:.3f}", f"{max(order.uncertainty, FINEST):.1g}", str(order.pairs)


def _at_no_minimum(course: Course) -> str:
    if course.unknown and course.unknown == course.setting.converged:
        return "unknown"
    return f"{course.at_no_minimum} ({course.unknown} unknown)" if course.unknown else str(course.at_no_minimum)


def _cells(course: Course) -> tuple[str, ...]:
    setting = course.setting
    return (
        setting.objective,
        setting.gradient,
        setting.optimizer,
        setting.label,
        str(len(setting.runs)),
        str(setting.converged),
        _at_no_minimum(course),
        *("" if math.isnan(value) else number(value) for value in (setting.median_steps, course.costs[1], 1e3 * course.costs[2])),
        *_order_cells(course.order),
    )


def _caption(groups: Mapping[str, Sequence[Course]]) -> str:
    reading = [
        "Each line is the median over the starts of the gap to the known minimum (or of ‖∇f‖, where the minimum is unknown), and "
        "the band holds the middle half. The lines are drawn against steps, evaluations and seconds, on logarithmic axes that "
        "begin before the first step.",
        "One evaluation is one value of f, one gradient, or one row of the Hessian. For evaluations and seconds, each step is "
        "drawn at its number times the median cost of one step, which includes a share of the cost of the start. The seconds of "
        "a step are the run's share of its batch's time. They were measured once, whatever else the machine was doing, and "
        "depend on the batch, so they cannot rank methods that are close.",
        "Values below the rounding level are drawn at that level; a line leaves through the top if it grows beyond the picture, "
        "or when half of its runs are lost.",
        "The order p is fitted to eₖ₊₁ = C eₖᵖ, where eₖ is the distance to the stationary point at which a run came to rest. "
        "The fit uses all converged runs for which Newton's method finds that point to within rounding. With p = 1, each step "
        "shrinks the distance by the same factor; with p = 2, each step doubles the number of correct digits. An order is stated "
        "only if the distances follow this law while they shrink by a factor of a thousand or more. Twice the number after ± "
        "covers the scatter, and a p that still changes. If they follow no such law, but eₖ₊₁/eₖ falls at least tenfold in every "
        "run, convergence is faster than linear.",
        CHOICE_CAPTION,
    ]
    if len(groups) > MOST_OBJECTIVES:
        reading.append(f"The first {MOST_OBJECTIVES} of {len(groups)} objectives are drawn; the table lists all of them.")
    return "\n".join([" ".join(reading), *(_finding(objective, courses) for objective, courses in groups.items())])


def _finding(objective: str, courses: Sequence[Course]) -> str:
    alike: dict[str, list[str]] = {}
    for course in courses:
        setting = course.setting
        name = f"{course.name} with {setting.label}" if setting.label else course.name
        alike.setdefault(_fate(course), []).append(name)
    return f"On {objective}: {'; '.join(f'{listed(names)}: {fate}' for fate, names in alike.items())}."


def _fate(course: Course) -> str:
    setting = course.setting
    text = effort_in_words(setting)
    if course.order is not None and course.order.is_superlinear:
        text += ", faster than linear"
    elif course.order is not None:
        text += f", with order {with_uncertainty(course.order.power, max(course.order.uncertainty, FINEST))}"
    if course.at_no_minimum:
        text += f"; {counted(course.at_no_minimum, 'run')} converged at a saddle or a maximum"
    return text


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"effort": Effort}

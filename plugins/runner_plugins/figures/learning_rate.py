"""Where a learning rate crawls, converges and explodes: the last gap of every run against the swept parameter."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from runner import (
    LOST_OUTCOMES,
    OUTCOME_COLOURS,
    PALETTE,
    Array,
    Drawing,
    Figure,
    Outcome,
    Results,
    StoredRun,
    count_outcomes,
    counted,
    hookimpl,
    listed,
    number,
    panels,
    part,
    rounding_level,
    stability_limit,
    summarize_settings,
    wrapped,
)

LEARNING_RATE = "optimizer.learning_rate"
MARKERS: Mapping[str, str] = {
    Outcome.CONVERGED: "o",
    Outcome.MAX_STEPS: "^",
    Outcome.STALLED: "s",
    Outcome.DIVERGED: "X",
    Outcome.NON_FINITE: "P",
    Outcome.TIMEOUT: "D",
    Outcome.FAILED: "v",
}
"""The shape of each outcome, where the colours tell the lines apart."""
LINES = ("-", "--", "-.", ":")
MOST_LINES = 4
"""So many combinations of further swept parameters get a line each; more share one."""
TOLD_PANELS = 4
Value = float | int | str | bool | None
LEGEND_LINE = 0.17
"""Inches of height for a line of a legend."""
MANY_DOTS = 5000
"""Beyond this the dots of an SVG are stored as pixels, because so many shapes make it slow to open."""
MARGIN = 0.04
STRIP = (0.06, 0.22)
"""Where the strip of lost runs begins and ends above the highest gap, as a share of the logarithmic range below it."""
DARK = "#222222"
THEORY = "#6A3D9A"


@dataclass(frozen=True)
class MedianLine:
    """A line of a panel, the median over some runs at each value of the swept parameter.

    Attributes:
        method: the optimizer, and the gradient backend where there are several.
        combination: the values of the further swept parameters, in words; empty if there are none or all are in the line.
        pooled: the further swept parameters over which the median is taken too.
        place: its number among the lines of the same method.
        runs: its runs.
    """

    method: str
    combination: str
    pooled: tuple[str, ...]
    place: int
    runs: tuple[StoredRun, ...]

    def label(self, several_methods: bool) -> str:
        """What the legend calls it; the method is left out where there is only one."""
        over = f"median over the starts and {listed(self.pooled)}" if self.pooled else ""
        return ", ".join(filter(None, (self.method if several_methods or not self.combination else "", self.combination, over)))


@dataclass(frozen=True)
class Sweep:
    """What one panel shows: an objective's runs, by the value of one swept parameter.

    Attributes:
        objective: the objective's label.
        parameter: the swept parameter, as `optimizer.name`.
        runs: the runs that have it, all optimizers together.
    """

    objective: str
    parameter: str
    runs: tuple[StoredRun, ...]

    @property
    def name(self) -> str:
        """The parameter's name without its kind."""
        return self.parameter.partition(".")[2]

    @cached_property
    def methods(self) -> dict[str, list[StoredRun]]:
        """The runs of each optimizer; of each optimizer and gradient backend, where there are several of these."""
        several = len({run.gradient for run in self.runs}) > 1
        methods: dict[str, list[StoredRun]] = {}
        for run in self.runs:
            methods.setdefault(f"{run.optimizer} × {run.gradient}" if several else run.optimizer, []).append(run)
        return methods

    @cached_property
    def lines(self) -> list[MedianLine]:
        """The lines, one for each method and each combination of its further swept parameters if these are few."""
        return [line for method, runs in self.methods.items() for line in _lines(method, runs, self.parameter)]

    @property
    def limits(self) -> list[float]:
        """2/L for each L among the runs, smallest first; empty unless the learning rate is swept and L is known."""
        curvatures = {run.curvature[1] for run in self.runs if run.curvature is not None}
        limits = {stability_limit(curvature) for curvature in curvatures}
        return sorted(limit for limit in limits if limit is not None) if self.parameter == LEARNING_RATE else []

    @property
    def drawn_limits(self) -> list[float]:
        """Those limits that are near enough to the values tried to be drawn."""
        values = self.values(self.runs)
        return [limit for limit in self.limits if values.min() / 3 <= limit <= values.max() * 3]

    @property
    def known(self) -> bool:
        """Whether the gap is shown; else the gradient norm."""
        return self.runs[0].minimum_value is not None

    @property
    def floor(self) -> float:
        """The rounding level of the gap."""
        return rounding_level(self.runs[0].minimum_value)

    def values(self, runs: Sequence[StoredRun]) -> Array:
        """The swept parameter of some runs, `(runs,)`."""
        return np.array([float(run.parameters[self.parameter] or 0.0) for run in runs])

    def last(self, runs: Sequence[StoredRun]) -> Array:
        """The last gap or gradient norm of some runs, at least the rounding level, `(runs,)`; +inf for those lost."""
        return np.array([math.inf if _is_lost(run) else max(_last(run), self.floor) for run in runs])


@dataclass(frozen=True)
class LearningRate(Figure):
    """The last f − f* of every run against the first swept parameter, beside 2/L where that is a learning rate."""

    title: ClassVar[str] = "Effect of the swept parameter"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective and swept parameter; None if no numeric parameter is swept."""
        sweeps = _sweeps(results)
        if not sweeps:
            return None
        several = len({sweep.parameter for sweep in sweeps}) > 1
        titles = [f"{sweep.objective}, {sweep.name}" if several else sweep.objective for sweep in sweeps]
        several_lines = any(len(sweep.lines) > 1 for sweep in sweeps)
        looks = _looks(sweeps) if several_lines else {}
        figure, axes = panels(titles, height=3.4 + LEGEND_LINE * max(len(sweep.lines) for sweep in sweeps))
        for panel, sweep in zip(axes, sweeps, strict=True):
            _draw_panel(panel, sweep, looks)
            if several_lines or any(line.pooled for line in sweep.lines):
                below = panel.transAxes + ScaledTranslation(-0.05, -0.48, figure.dpi_scale_trans)
                panel.legend(
                    loc="upper left",
                    bbox_to_anchor=(0, 0),
                    bbox_transform=below,
                    fontsize=8,
                    borderaxespad=0,
                    handlelength=3.6,
                )
        outcomes = count_outcomes(run for sweep in sweeps for run in sweep.runs)
        handles = [_dot(outcome, several_lines) for outcome in outcomes]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.2, fontsize=9)
        return Drawing(figure, _caption(sweeps))


def _sweeps(results: Results) -> list[Sweep]:
    keys = {}
    for optimizer, names in results.swept.items():
        if names:
            keys[optimizer] = "optimizer." + ("learning_rate" if "learning_rate" in names else names[0])
    groups: dict[tuple[str, str], list[StoredRun]] = {}
    for run in results.runs:
        key = keys.get(run.optimizer, "")
        if isinstance(run.parameters.get(key), int | float):
            groups.setdefault((run.objective, key), []).append(run)
    return [Sweep(objective, key, tuple(runs)) for (objective, key), runs in groups.items()]


def _lines(method: str, runs: Sequence[StoredRun], parameter: str) -> list[MedianLine]:
    further = [key for key in runs[0].parameters if key != parameter and len({run.parameters.get(key) for run in runs}) > 1]
    combinations: dict[tuple[Value, ...], list[StoredRun]] = {}
    for run in runs:
        combinations.setdefault(tuple(run.parameters.get(key) for key in further), []).append(run)
    settings = {(run.parameters[parameter], *(run.parameters.get(key) for key in further)) for run in runs}
    if len(settings) == len({run.parameters[parameter] for run in runs}):
        # The further parameters move together with this one, so that nothing is mixed.
        return [MedianLine(method, "", (), 0, tuple(runs))]
    names = tuple(key.partition(".")[2] for key in further)
    if len(combinations) > MOST_LINES:
        return [MedianLine(method, "", names, 0, tuple(runs))]
    columns = [[value for value in column if isinstance(value, float)] for column in zip(*combinations, strict=True)]
    return [
        MedianLine(
            method,
            ", ".join(f"{name} = {_text(value, column)}" for name, value, column in zip(names, values, columns, strict=True)),
            (),
            place,
            tuple(group),
        )
        for place, (values, group) in enumerate(combinations.items())
    ]


def _text(value: Value, beside: Sequence[float]) -> str:
    return number(value, beside) if isinstance(value, float) else str(value)


def _looks(sweeps: Sequence[Sweep]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return colour and line style by method and combination: a colour for each method, or for each line of the only one."""
    methods = list(dict.fromkeys(line.method for sweep in sweeps for line in sweep.lines))
    looks = {}
    for line in (line for sweep in sweeps for line in sweep.lines):
        method = methods.index(line.method)
        hue = method if len(methods) > 1 else line.place
        style = line.place + method // len(PALETTE)
        looks[line.method, line.combination] = PALETTE[hue % len(PALETTE)], LINES[style % len(LINES)]
    return looks


def _is_lost(run: StoredRun) -> bool:
    return run.outcome in LOST_OUTCOMES or not math.isfinite(_last(run))


def _last(run: StoredRun) -> float:
    return run.final_gradient_norm if run.minimum_value is None else run.final_gap


def _is_log_spaced(values: Array) -> bool:
    """Whether the values are spread more evenly on a logarithmic axis than on a linear one."""
    points = np.unique(values)
    if len(points) < 2 or points[0] <= 0:
        return False
    if len(points) == 2:
        return bool(points[1] / points[0] >= 10)
    linear, logarithmic = np.diff(points), np.diff(np.log(points))
    return bool(np.std(logarithmic) / np.mean(logarithmic) < np.std(linear) / np.mean(linear))


def _draw_panel(panel: Axes, sweep: Sweep, looks: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    if _is_log_spaced(sweep.values(sweep.runs)):
        panel.set_xscale("log")
    panel.set_yscale("log")
    strip = _frame(panel, sweep)
    for line in sweep.lines:
        colour, style = looks.get((line.method, line.combination), (DARK, "-"))
        _draw_dots(panel, sweep, line, colour if looks else None, strip)
        width = 1.7 if looks else 1.3
        label = wrapped(line.label(len(sweep.methods) > 1), 44, 3)
        panel.plot(*_medians(sweep, line.runs), color=colour, linestyle=style, linewidth=width, zorder=1.9, label=label)
    for limit in sweep.drawn_limits:
        _draw_limit(panel, sweep, limit)
    panel.set_xlabel(wrapped(sweep.name))
    panel.set_ylabel("last gap, f − f*" if sweep.known else "last gradient norm, ‖∇f‖")


def _draw_limit(panel: Axes, sweep: Sweep, limit: float) -> None:
    panel.axvline(limit, color=THEORY, linestyle=(0, (4, 2)), linewidth=1.4, zorder=1.5)
    text = f"2/L = {number(limit, sweep.values(sweep.runs))}"
    if any(not _is_plain(run.optimizer) for run in sweep.runs):
        text += "\nlimit of plain\ngradient descent"
    left = panel.transData.transform((limit, 1.0))[0] < panel.transAxes.transform((0.4, 0.0))[0]
    panel.annotate(
        text,
        (limit, 0.5),
        (6 if left else -6, 0),
        panel.get_xaxis_transform(),
        "offset points",
        ha="left" if left else "right",
        va="center",
        fontsize=8,
        color=THEORY,
        zorder=1.6,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )


def _frame(panel: Axes, sweep: Sweep) -> tuple[float, float]:
    """Set the range of the gaps, with a strip on top for the lost runs; return where the strip begins and ends."""
    last = sweep.last(sweep.runs)
    seen = last[np.isfinite(last)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (sweep.floor, 1.0)
    ratio = max(high / low, 100.0)
    low, high = low / ratio**MARGIN, low * ratio ** (1 + MARGIN)
    begin, end = (float(high * ratio**share) for share in STRIP)
    lost = [run for run in sweep.runs if _is_lost(run)]
    panel.set_ylim(low, end if lost else high)
    if lost:
        panel.axhspan(begin, end, color=OUTCOME_COLOURS[Outcome.DIVERGED], alpha=0.09, linewidth=0)
        names = listed(list(count_outcomes(lost)), "or")
        panel.annotate(names, (0.015, end), (0, -3), ("axes fraction", "data"), "offset points", va="top", fontsize=8)
        ticks = LogLocator(numticks=8).tick_values(low, high)
        panel.yaxis.set_major_locator(FixedLocator([float(tick) for tick in ticks if low <= tick <= high]))
        panel.yaxis.set_minor_locator(NullLocator())
    return begin, end


def _draw_dots(panel: Axes, sweep: Sweep, line: MedianLine, colour: str | None, strip: tuple[float, float]) -> None:
    """Draw the runs of a line as dots, in a colour and with the outcomes as shapes, or else with the outcomes as colours."""
    runs = line.runs
    values, heights = sweep.values(runs), sweep.last(runs)
    lost = ~np.isfinite(heights)
    starts = np.array([run.start for run in runs], dtype=np.float64)
    # Lost runs have no height of their own: one above the other, by their start and line, they can be counted.
    rows = starts * len(sweep.lines) + sweep.lines.index(line)
    most = max(run.start for run in sweep.runs) * len(sweep.lines) + len(sweep.lines) - 1
    share = 0.1 + 0.55 * rows / max(most, 1)
    heights[lost] = (strip[0] * (strip[1] / strip[0]) ** share)[lost]
    for outcome in count_outcomes(runs):
        chosen = np.array([run.outcome == outcome for run in runs])
        ink, shape, size = (_colour(outcome), "o", 16) if colour is None else (colour, _marker(outcome), 20)
        dots = panel.scatter(values[chosen], heights[chosen], s=size, marker=shape, color=ink, alpha=0.75, linewidths=0)
        dots.set_rasterized(len(sweep.runs) > MANY_DOTS)


def _medians(sweep: Sweep, runs: Sequence[StoredRun]) -> tuple[Array, Array]:
    """Return each value of the swept parameter and the median over all its runs; NaN, a break, where that is lost."""
    values, last = sweep.values(runs), sweep.last(runs)
    points = np.unique(values)
    medians = np.array([np.median(last[values == point]) for point in points])
    return points, np.where(np.isfinite(medians), medians, np.nan)


def _colour(outcome: str) -> str:
    return OUTCOME_COLOURS.get(outcome, "#888888")


def _marker(outcome: str) -> str:
    return MARKERS.get(outcome, "*")


def _dot(outcome: str, shapes: bool) -> Line2D:
    """Return the legend's dot of an outcome: its shape, or else its colour."""
    marker, colour = (_marker(outcome), "#666666") if shapes else ("o", _colour(outcome))
    return Line2D([], [], linestyle="", marker=marker, markersize=6, markeredgewidth=0, color=colour, label=outcome)


def _is_plain(optimizer: str) -> bool:
    """Whether a label is that of gradient descent itself, to which 2/L applies."""
    return re.match(r"gradient_descent\b", optimizer) is not None


def _caption(sweeps: Sequence[Sweep]) -> str:
    told = [" ".join([_best(sweep), *_theory(sweep)]) for sweep in sweeps[:TOLD_PANELS]]
    if len(sweeps) > TOLD_PANELS:
        others = counted(len(sweeps) - TOLD_PANELS, "other panel")
        told.append(f"For {others}, the summary table says how the runs ended and which setting was best.")
    return "\n".join([" ".join(_reading(sweeps)), *told])


def _reading(sweeps: Sequence[Sweep]) -> list[str]:
    quantities = {True: "gap f − f* to the known minimum", False: "gradient norm ‖∇f‖"}
    shown = listed([words for known, words in quantities.items() if any(sweep.known == known for sweep in sweeps)], "or")
    text = [f"Each dot is one run: its last {shown} against {listed(sorted({sweep.name for sweep in sweeps}))}."]
    text += _line_words([line for sweep in sweeps for line in sweep.lines], any(len(sweep.lines) > 1 for sweep in sweeps))
    if any(_is_lost(run) for sweep in sweeps for run in sweep.runs):
        text.append("Runs that were lost, because they diverged, became non-finite or failed, stand in the strip on top.")
    floors = {sweep.floor for sweep in sweeps if any(_last(run) <= sweep.floor for run in sweep.runs)}
    if floors:
        levels = listed([number(floor) for floor in sorted(floors)], "or")
        text.append(f"What lies below the rounding level, {levels}, exact zeros included, is drawn at it.")
    if any(sweep.limits for sweep in sweeps):
        theory = "The dashed line is theory" if any(sweep.drawn_limits for sweep in sweeps) else "Theory"
        text.append(
            f"{theory}: with L the largest eigenvalue of the Hessian at the known minimiser, plain gradient descent is stable "
            "near it if the learning rate is below 2/L, and unstable above."
        )
    return text


def _line_words(lines: Sequence[MedianLine], several: bool) -> list[str]:
    """Say what colours, shapes and lines are, and over what the medians are taken."""
    pooled = list(dict.fromkeys((line.method, line.pooled) for line in lines if line.pooled))
    if not several and pooled and len({over for _, over in pooled}) <= 1 and len(pooled) == len({line.method for line in lines}):
        over = pooled[0][1]
        names = f"the other swept {'parameter' if len(over) == 1 else 'parameters'}, {listed(over)}"
        return [f"Its colour is the outcome, and the line is the median over the starting points and over {names}."]
    if several:
        what = ["optimizer"] if len({line.method for line in lines}) > 1 else []
        what += ["combination of the other swept parameters"] if any(line.combination for line in lines) else []
        text = [f"Its shape is the outcome, and its colour is that of its line. There is a line for each {listed(what)}:"]
        text[0] += " the median over the starting points."
    else:
        text = ["Its colour is the outcome, and the line is the median over the starting points."]
    text += [f"For {method} it is the median over {listed(over)} too, which are swept as well." for method, over in pooled]
    return text


def _best(sweep: Sweep) -> str:
    text = []
    for name, runs in sweep.methods.items():
        best = min(summarize_settings(runs), key=lambda setting: setting.rank)
        if not best.converged:
            text.append(f"{name} converged in none of its {counted(len(runs), 'run')}")
            continue
        steps = f"{number(best.median_steps)} {'step' if best.median_steps == 1 else 'steps'}"
        steps = steps if best.converged == 1 else f"a median of {steps}"
        fate = f"{part(best.converged, len(best.runs), 'run')} converged in {steps}"
        if best.lost:
            fate += f" and {best.lost} {'was' if best.lost == 1 else 'were'} lost"
        text.append(f"{name} did best at {best.label or sweep.name}, where {fate}")
    return f"On {sweep.objective}, {'; '.join(text)}."


def _theory(sweep: Sweep) -> list[str]:
    """Set what was measured on both sides of 2/L beside what theory says of them."""
    if len(sweep.limits) != 1:
        return []
    limit = sweep.limits[0]
    shown = number(limit, sweep.values(sweep.runs))
    text = []
    for name, runs in sweep.methods.items():
        below, at, above = ([run for run in runs if _side(run, limit) == side] for side in (-1, 0, 1))
        sides = [(side, words) for side, words in ((below, "below"), (at, "at"), (above, "above")) if side]
        counts = "; ".join(f"{words} it, {_fate(side)}" for side, words in sides)
        if _is_plain(name):
            text.append(f"For {name}, 2/L is {shown}: {counts}.")
            text += _exceptions(below, above)
            text += _unfinished(sweep, below, limit)
        else:
            text.append(f"{name} is not plain gradient descent, and 2/L = {shown} is no promise for it: {counts}.")
    return text


def _side(run: StoredRun, limit: float) -> int:
    rate = float(run.parameters[LEARNING_RATE] or 0.0)
    return 0 if math.isclose(rate, limit, rel_tol=1e-12) else 1 if rate > limit else -1


def _fate(runs: Sequence[StoredRun]) -> str:
    lost, converged = sum(_is_lost(run) for run in runs), sum(run.outcome == Outcome.CONVERGED for run in runs)
    if lost == len(runs):
        return f"{part(lost, lost, 'run')} {'was' if lost == 1 else 'were'} lost"
    if converged == len(runs):
        return f"{part(converged, converged, 'run')} converged"
    return f"{part(converged, len(runs), 'run')} converged and {lost or 'none'} {'were' if lost > 1 else 'was'} lost"


def _exceptions(below: Sequence[StoredRun], above: Sequence[StoredRun]) -> list[str]:
    lost = sum(run.outcome in (Outcome.DIVERGED, Outcome.NON_FINITE) for run in below)
    settled = sum(run.outcome == Outcome.CONVERGED for run in above)
    text = []
    if lost:
        text.append(f"{counted(lost, 'run')} diverged below it, which theory does not exclude far from the minimiser.")
    if settled:
        elsewhere = "which theory allows only elsewhere than at that minimiser, or by chance"
        text.append(f"{counted(settled, 'run')} converged above it, {elsewhere}.")
    return text if text or not (below and above) else ["No run is at odds with the theory."]


def _unfinished(sweep: Sweep, below: Sequence[StoredRun], limit: float) -> list[str]:
    """Say which runs below the limit did not converge, and whether crawling explains it."""
    waiting = [run for run in below if run.outcome == Outcome.MAX_STEPS]
    if not waiting:
        return []
    rates = [float(run.parameters[LEARNING_RATE] or 0.0) for run in waiting]
    done = [float(run.parameters[LEARNING_RATE] or 0.0) for run in below if run.outcome == Outcome.CONVERGED]
    tried = [limit, *np.unique(sweep.values(sweep.runs)).tolist()]
    low, high = (number(rate, tried) for rate in (min(rates), max(rates)))
    where = f"= {low}" if low == high else f"from {low} to {high}"
    steps = max(run.steps for run in waiting)
    text = f"{counted(len(waiting), 'run')} below it, at {sweep.name} {where}, had not converged after {counted(steps, 'step')}"
    slow = bool(done) and max(rates) < min(done)
    return [text + (": every learning rate that converged is larger, and too small a one crawls." if slow else ".")]


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"learning_rate": LearningRate}

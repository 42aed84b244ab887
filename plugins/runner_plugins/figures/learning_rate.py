"""The last gap of every run against the swept parameter: learning rates that crawl, converge or explode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from runner import (
    ENDING_COLOURS,
    LEGEND_LINE,
    OUTCOME_COLOURS,
    PALETTE,
    Drawing,
    Figure,
    MedianLine,
    Outcome,
    ParameterSweep,
    Results,
    count_endings,
    count_outcomes,
    counted,
    hookimpl,
    legend_below,
    listed,
    number,
    panels,
    parameter_sweeps,
    resting_above,
    sweep_finding,
    wrapped,
)

MARKERS: Mapping[str, str] = {
    Outcome.CONVERGED: "o",
    Outcome.MAX_STEPS: "^",
    Outcome.STALLED: "s",
    Outcome.DIVERGED: "X",
    Outcome.NON_FINITE: "P",
    Outcome.TIMEOUT: "D",
    Outcome.FAILED: "v",
    "converged elsewhere": "h",
    "stalled elsewhere": "p",
    "below f*": "d",
}
"""The shape of a dot for each outcome, for panels in which colours distinguish the lines."""
LINES = ("-", "--", "-.", ":")
TOLD_PANELS = 4
MANY_DOTS = 5000
"""The number of dots above which an SVG stores them as pixels, because many shapes make the file slow to open."""
MARGIN = 0.04
STRIP = (0.06, 0.22)
"""The two edges of the strip of lost runs above the highest gap, as shares of the logarithmic range below the strip."""
DARK = "#222222"
THEORY = "#6A3D9A"


@dataclass(frozen=True)
class LearningRate(Figure):
    """The last f − f* of every run against the first swept parameter, with the limit 2/L if it is a learning rate."""

    title: ClassVar[str] = "Effect of the swept parameter"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective and swept parameter; None if no numeric parameter is swept."""
        sweeps = parameter_sweeps(results)
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
                legend_below(panel, handlelength=3.6)
        outcomes = count_endings(run for sweep in sweeps for run in sweep.runs)
        handles = [_dot(outcome, several_lines) for outcome in outcomes]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.2, fontsize=9)
        return Drawing(figure, _caption(sweeps))


def _looks(sweeps: Sequence[ParameterSweep]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return colour and line style by method and combination: a colour for each method, or for each line of a single method."""
    methods = list(dict.fromkeys(line.method for sweep in sweeps for line in sweep.lines))
    looks = {}
    for line in (line for sweep in sweeps for line in sweep.lines):
        method = methods.index(line.method)
        hue = method if len(methods) > 1 else line.place
        style = line.place + method // len(PALETTE)
        looks[line.method, line.combination] = PALETTE[hue % len(PALETTE)], LINES[style % len(LINES)]
    return looks


def _draw_panel(panel: Axes, sweep: ParameterSweep, looks: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    if sweep.is_log_spaced:
        panel.set_xscale("log")
    panel.set_yscale("log")
    strip = _frame(panel, sweep)
    for line in sweep.lines:
        colour, style = looks.get((line.method, line.combination), (DARK, "-"))
        _draw_dots(panel, sweep, line, colour if looks else None, strip)
        width = 1.7 if looks else 1.3
        label = wrapped(line.label(len(sweep.methods) > 1), 44, 3)
        panel.plot(*sweep.medians(line.runs), color=colour, linestyle=style, linewidth=width, zorder=1.9, label=label)
    for limit in sweep.near_limits:
        _draw_limit(panel, sweep, limit)
    panel.set_xlabel(wrapped(sweep.name))
    panel.set_ylabel("last gap, f − f*" if sweep.scale.known else "last f − smallest f of all runs")


def _draw_limit(panel: Axes, sweep: ParameterSweep, limit: float) -> None:
    panel.axvline(limit, color=THEORY, linestyle=(0, (4, 2)), linewidth=1.4, zorder=1.5)
    text = f"2/L = {number(limit, sweep.values(sweep.runs))}"
    if not sweep.is_plain:
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


def _frame(panel: Axes, sweep: ParameterSweep) -> tuple[float, float]:
    """Set the range of the gaps, with a strip on top for the lost runs, and return the two ends of the strip."""
    last = sweep.last(sweep.runs)
    seen = last[np.isfinite(last)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (sweep.scale.floor, 1.0)
    ratio = max(high / low, 100.0)
    low, high = low / ratio**MARGIN, low * ratio ** (1 + MARGIN)
    begin, end = (float(high * ratio**share) for share in STRIP)
    lost = sweep.lost(sweep.runs)
    panel.set_ylim(low, end if lost else high)
    if lost:
        panel.axhspan(begin, end, color=OUTCOME_COLOURS[Outcome.DIVERGED], alpha=0.09, linewidth=0)
        names = listed(list(count_outcomes(lost)), "or")
        panel.annotate(names, (0.015, end), (0, -3), ("axes fraction", "data"), "offset points", va="top", fontsize=8)
        ticks = LogLocator(numticks=8).tick_values(low, high)
        panel.yaxis.set_major_locator(FixedLocator([float(tick) for tick in ticks if low <= tick <= high]))
        panel.yaxis.set_minor_locator(NullLocator())
    return begin, end


def _draw_dots(panel: Axes, sweep: ParameterSweep, line: MedianLine, colour: str | None, strip: tuple[float, float]) -> None:
    """Draw the runs of a line as dots: in the given colour with a shape for each outcome, or with a colour for each outcome."""
    runs = line.runs
    values, heights = sweep.values(runs), sweep.last(runs)
    lost = ~np.isfinite(heights)
    starts = np.array([run.start for run in runs], dtype=np.float64)
    # Lost runs have no gap. They are drawn one above the other, by start and line, so that they can be counted.
    rows = starts * len(sweep.lines) + sweep.lines.index(line)
    most = max(run.start for run in sweep.runs) * len(sweep.lines) + len(sweep.lines) - 1
    share = 0.1 + 0.55 * rows / max(most, 1)
    heights[lost] = (strip[0] * (strip[1] / strip[0]) ** share)[lost]
    for outcome in count_endings(runs):
        chosen = np.array([run.ending == outcome for run in runs])
        ink, shape, size = (_colour(outcome), "o", 16) if colour is None else (colour, _marker(outcome), 20)
        dots = panel.scatter(values[chosen], heights[chosen], s=size, marker=shape, color=ink, alpha=0.75, linewidths=0)
        dots.set_rasterized(len(sweep.runs) > MANY_DOTS)


def _colour(outcome: str) -> str:
    return ENDING_COLOURS.get(outcome, "#888888")


def _marker(outcome: str) -> str:
    return MARKERS.get(outcome, "*")


def _dot(outcome: str, shapes: bool) -> Line2D:
    """Return the dot of an outcome in the legend, with its shape or its colour."""
    marker, colour = (_marker(outcome), "#666666") if shapes else ("o", _colour(outcome))
    return Line2D([], [], linestyle="", marker=marker, markersize=6, markeredgewidth=0, color=colour, label=outcome)


def _caption(sweeps: Sequence[ParameterSweep]) -> str:
    told = [sweep_finding(sweep) for sweep in sweeps[:TOLD_PANELS]]
    if len(sweeps) > TOLD_PANELS:
        others = counted(len(sweeps) - TOLD_PANELS, "other panel")
        told.append(f"For {others}, the summary table says how the runs ended and which setting was best.")
    return "\n".join([" ".join(_reading(sweeps)), *told])


def _reading(sweeps: Sequence[ParameterSweep]) -> list[str]:
    quantities = {True: "gap f − f* to the known minimum", False: "difference between f and the smallest f of all runs"}
    shown = listed([words for known, words in quantities.items() if any(sweep.scale.known == known for sweep in sweeps)], "or")
    text = [f"Each dot shows the last {shown} of one run against {listed(sorted({sweep.name for sweep in sweeps}))}."]
    text += _line_words([line for sweep in sweeps for line in sweep.lines], any(len(sweep.lines) > 1 for sweep in sweeps))
    if any(sweep.lost(sweep.runs) for sweep in sweeps):
        text.append("Runs that were lost, because they diverged, became non-finite or failed, are drawn in the strip at the top.")
    for sweep in sweeps:
        above = resting_above(sweep.runs, sweep.scale.reference)
        if above:
            most = number(max(run.final_value for run in above) - sweep.scale.reference)
            text.append(f"On {sweep.objective}, {counted(len(above), 'run')} came to rest above the smallest f, by up to {most}.")
    if any(not sweep.scale.known for sweep in sweeps):
        text.append("A run that ends at the smallest f is drawn at the bottom of the panel.")
    floors = {sweep.scale.floor for sweep in sweeps if sweep.scale.known and sweep.touches_floor}
    if floors:
        levels = listed([number(floor) for floor in sorted(floors)], "or")
        text.append(f"Values below the rounding level ({levels}), exact zeros included, are drawn at that level.")
    if any(sweep.limits for sweep in sweeps):
        theory = "The dashed line is theory" if any(sweep.near_limits for sweep in sweeps) else "Theory"
        text.append(
            f"{theory}: with L the largest eigenvalue of the Hessian at the known minimiser, plain gradient descent is stable "
            "near it if the learning rate is below 2/L, and unstable above."
        )
    return text


def _line_words(lines: Sequence[MedianLine], several: bool) -> list[str]:
    """Return sentences that explain the colours, shapes and lines, and name the runs over which the medians are taken."""
    pooled = list(dict.fromkeys((line.method, line.pooled) for line in lines if line.pooled))
    if not several and pooled and len({over for _, over in pooled}) <= 1 and len(pooled) == len({line.method for line in lines}):
        over = pooled[0][1]
        names = f"the other swept {'parameter' if len(over) == 1 else 'parameters'}, {listed(over)}"
        return [f"The colour of a dot is its outcome, and the line is the median over the starting points and over {names}."]
    if several:
        what = ["optimizer"] if len({line.method for line in lines}) > 1 else []
        what += ["combination of the other swept parameters"] if any(line.combination for line in lines) else []
        text = ["The shape of a dot is its outcome, and its colour is that of its line."]
        text.append(f"Each {listed(what)} has a line: the median over the starting points.")
    else:
        text = ["The colour of a dot is its outcome, and the line is the median over the starting points."]
    for method, over in pooled:
        parameters = f"swept {'parameter' if len(over) == 1 else 'parameters'} {listed(over)}"
        text.append(f"For {method}, the median is taken over the {parameters} too.")
    return text


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"learning_rate": LearningRate}

"""Outcomes: the number of runs that ended in each way, for each objective and optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.patches import Patch

from runner import (
    ENDING_COLOURS,
    Drawing,
    Figure,
    Outcome,
    Results,
    StoredRun,
    count_endings,
    counted,
    hookimpl,
    listed,
    part,
    surprises_in_words,
    wrapped,
)

WIDTH = 9.0
BAR = 0.36
"""The height of one bar, in inches."""
NARROW = 0.045
"""A segment with a smaller share of its bar has no room for its count, which is then written after the bar."""
DARK = 0.4
"""The luminance below which a number on a bar is white."""
TOLD_OBJECTIVES = 6
Groups = dict[str, dict[str, list[StoredRun]]]


@dataclass(frozen=True)
class Outcomes(Figure):
    """Share and number of the runs of each optimizer that ended in each way."""

    title: ClassVar[str] = "Outcomes"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective with a bar for each optimizer; None if no run has been stored."""
        groups = _groups(results.runs)
        if not groups:
            return None
        titles = [wrapped(objective, 70, 3) for objective in groups]
        heights = [len(bars) + 0.9 + 0.5 * title.count("\n") for title, bars in zip(titles, groups.values(), strict=True)]
        figure = MatplotlibFigure(figsize=(WIDTH, BAR * sum(heights) + 0.9), layout="constrained")
        grid = figure.add_gridspec(len(groups), 1, height_ratios=heights)
        for place, bars in enumerate(groups.values()):
            panel = figure.add_subplot(grid[place, 0])
            panel.set_title(titles[place])
            _draw_bars(panel, bars, last=place == len(groups) - 1)
        counts = count_endings(results.runs)
        handles = [Patch(color=_colour(outcome), label=outcome) for outcome in counts]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, handlelength=1.2)
        return Drawing(figure, _caption(groups, counts))


def _groups(runs: Sequence[StoredRun]) -> Groups:
    """Return the runs by objective and by bar: the optimizer, and the gradient backend if there are several."""
    several = len({run.gradient for run in runs}) > 1
    groups: Groups = {}
    for run in runs:
        bar = f"{run.optimizer} × {run.gradient}" if several else run.optimizer
        groups.setdefault(run.objective, {}).setdefault(bar, []).append(run)
    return groups


def _draw_bars(panel: Axes, bars: Mapping[str, Sequence[StoredRun]], last: bool) -> None:
    for place, runs in enumerate(bars.values()):
        behind = [counted(len(runs), "run")]
        left = 0.0
        for outcome, count in count_endings(runs).items():
            share = count / len(runs)
            colour = _colour(outcome)
            panel.barh(place, share, left=left, height=0.72, color=colour, edgecolor="white", linewidth=0.8)
            if share >= NARROW:
                ink = "white" if _luminance(colour) < DARK else "black"
                panel.text(left + share / 2, place, str(count), ha="center", va="center", fontsize=8.5, color=ink)
            else:
                behind.append(f"{count} {outcome}")
            left += share
        panel.text(1.01, place, ", ".join(behind), va="center", fontsize=8.5)
    panel.set_yticks(range(len(bars)), [wrapped(name, 34) for name in bars])
    panel.set_ylim(len(bars) - 0.5, -0.5)
    panel.set_xlim(0, 1)
    panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"] if last else [])
    panel.tick_params(length=0)
    panel.grid(visible=False)
    panel.spines[["left", "bottom"]].set_visible(False)


def _luminance(colour: str) -> float:
    """Return the luminance of a colour, from 0 for black to 1 for white, without regard to the gamma of the screen."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(outcome: str) -> str:
    return ENDING_COLOURS.get(outcome, "#888888")


def _caption(groups: Groups, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    reading = "Each bar is split by how the runs of one optimizer on one objective ended; the numbers are counts of runs."
    converged = counts.get(Outcome.CONVERGED, 0)
    rest = [f"{count} ended as {outcome}" for outcome, count in counts.items() if outcome != Outcome.CONVERGED]
    tested = any(run.convergence_test for bars in groups.values() for runs in bars.values() for run in runs)
    if tested:
        text = [f"In all, {part(converged, total, 'run')} converged" + (f"; {listed(rest)}." if rest else ".")]
        text += [_finding(objective, bars) for objective, bars in list(groups.items())[:TOLD_OBJECTIVES]]
    else:
        text = [f"No convergence test was set; {listed(rest)}." if rest else "No convergence test was set."]
    if any(ending.endswith(" elsewhere") for ending in counts):
        text.append("Elsewhere means that ‖∇f‖ is small where f − f* is above the target.")
    surprises = surprises_in_words([run for bars in groups.values() for runs in bars.values() for run in runs])
    lines = [reading, " ".join([*text, *(f"{surprise}." for surprise in surprises)])]
    if tested and len(groups) > TOLD_OBJECTIVES:
        others = counted(len(groups) - TOLD_OBJECTIVES, "other objective")
        lines.append(f"For {others}, the summary table says how the runs ended and which setting was best.")
    return "\n".join(lines)


def _finding(objective: str, bars: Mapping[str, Sequence[StoredRun]]) -> str:
    found = [f"{name} converged in {_times(runs)}" for name, runs in bars.items()]
    return f"On {objective}, {listed(found)}."


def _times(runs: Sequence[StoredRun]) -> str:
    return part(sum(run.ending == Outcome.CONVERGED for run in runs), len(runs), "run")


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"outcomes": Outcomes}

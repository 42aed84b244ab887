"""Paths of some runs over the curve or the contours of their objective."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes

from runner import (
    BEHAVIOUR_COLOURS,
    LEGEND_LINE,
    PALETTE,
    Array,
    ByRows,
    Drawing,
    Figure,
    Objective,
    Results,
    StoredRun,
    best_setting,
    coordinate_names,
    counted,
    draw_height,
    fit_height,
    frame_of,
    hookimpl,
    known_minimum,
    listed,
    number,
    one_of_each_behaviour,
    panels,
    summarize_settings,
    wrapped,
)

MOST_PANELS = 9
STARTS = 3
"""The number of starts from which each optimizer's best setting is drawn, if there are several optimizers."""
FURTHEST = 2.0
"""A path is drawn up to this many times the distance from the minimum to the farthest start."""
ARRIVED = 1e-12
"""A run whose f − f* is at most this, relative to max(1, |f*|), ended at the minimum."""
MANY_ITERATES = 300
"""A path with more iterates is stored as pixels in an SVG, because many dots make the file slow to open."""


@dataclass(frozen=True, eq=False)
class Path:
    """A run in the picture.

    Attributes:
        run: the run.
        x: its iterates, `(steps + 1, dimension)`.
        colour: its colour.
        label: its label in the legend, which has each label once.
        by_behaviour: True if it represents the runs of one behaviour, False if it represents the best setting of its optimizer.
    """

    run: StoredRun
    x: Array
    colour: str
    label: str
    by_behaviour: bool


@dataclass(frozen=True)
class Landscape(Figure):
    """Paths over the curve of an objective of one coordinate, or over the contours of an objective of two."""

    title: ClassVar[str] = "Paths over the landscape"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective of one or two coordinates; None if no such objective can be created again."""
        groups: dict[str, list[StoredRun]] = {}
        for run in results.runs:
            if run.dimension <= 2 and run.records_x and run.steps > 0:
                groups.setdefault(run.objective, []).append(run)
        found = [(name, results.objective(runs[0]), _paths(results, runs)) for name, runs in list(groups.items())[:MOST_PANELS]]
        shown = [(name, objective, paths) for name, objective, paths in found if objective is not None and paths]
        if not shown:
            return None
        lines = max(len({path.label for path in paths}) for _, _, paths in shown)
        figure, axes = panels([name for name, _, _ in shown], height=3.5 + LEGEND_LINE * lines)
        for panel, (_, objective, paths) in zip(axes, shown, strict=True):
            title = panel.get_title(loc="left")
            try:
                _draw_panel(panel, objective, paths)
            except Exception as error:
                # The plugin raised the exception, and the other panels are useful without this panel.
                panel.clear()
                panel.set_title(title)
                panel.text(0.5, 0.5, wrapped(f"{type(error).__name__}: {error}", 40), transform=panel.transAxes, ha="center")
        return Drawing(figure, _caption(shown, len(groups)))


def _paths(results: Results, runs: Sequence[StoredRun]) -> list[Path]:
    """Choose the runs of an objective: one of each behaviour for a single optimizer, else the best setting of each optimizer."""
    methods = list(dict.fromkeys((run.optimizer, run.gradient) for run in runs))
    typical = one_of_each_behaviour(runs) if len(methods) == 1 else []
    if typical:
        chosen = [(run, BEHAVIOUR_COLOURS[str(run.behaviour)], f"{run.behaviour}{_setting(run, results)}") for run in typical]
    else:
        chosen = _best_of_each(runs, methods)
    places = {run.id: (colour, label) for run, colour, label in chosen}
    found = results.series([run for run, _, _ in chosen])
    return [Path(run, series.x, *places[run.id], bool(typical)) for run, series in found if series.x is not None]


def _setting(run: StoredRun, results: Results) -> str:
    swept = results.swept.get(run.optimizer, ())
    values = [(name, run.parameters.get(f"optimizer.{name}")) for name in swept]
    told = [f"{name} = {number(value)}" for name, value in values if isinstance(value, int | float)]
    return f": {', '.join(told)}" if told else ""


def _best_of_each(runs: Sequence[StoredRun], methods: Sequence[tuple[str, str]]) -> list[tuple[StoredRun, str, str]]:
    several = len({gradient for _, gradient in methods}) > 1
    chosen: list[tuple[StoredRun, str, str]] = []
    for place, (optimizer, gradient) in enumerate(methods):
        own = [run for run in runs if (run.optimizer, run.gradient) == (optimizer, gradient)]
        best = best_setting(summarize_settings(own))
        label = f"{optimizer} × {gradient}" if several else optimizer
        label += f": {best.label}" if best.label else ""
        some = sorted(best.runs, key=lambda run: run.start)[:STARTS]
        chosen.extend((run, PALETTE[place % len(PALETTE)], label) for run in some)
    return chosen


def _draw_panel(panel: Axes, objective: Objective, paths: Sequence[Path]) -> None:
    known = known_minimum(objective)
    minimum = np.empty((0, objective.dimension)) if known is None else np.asarray(known.x)[None]
    starts = np.array([path.x[0] for path in paths])
    near = _nearby(paths, starts, minimum)
    draw_height(panel, objective, frame_of([near, minimum]))
    heights = {id(path): path.x[:, 1] if objective.dimension == 2 else ByRows(objective.value)(path.x) for path in paths}
    named: set[str] = set()
    for path in paths:
        across, up = path.x[:, 0], heights[id(path)]
        label = None if path.label in named else path.label
        named.add(path.label)
        (line,) = panel.plot(across, up, "o-", color=path.colour, linewidth=1.1, markersize=2.4, label=label, zorder=3)
        line.set_rasterized(len(across) > MANY_ITERATES)
        panel.plot(across[:1], up[:1], "o", color="white", markeredgecolor=path.colour, markersize=6, zorder=4)
    if len(minimum):
        up = minimum[:, 1] if objective.dimension == 2 else objective.value(minimum)
        panel.plot(minimum[:, 0], up, "*", color="#000000", markersize=9, zorder=5)
    if objective.dimension == 1:
        low, high = frame_of([near, minimum])
        fit_height(panel, ByRows(objective.value)(np.linspace(low, high, 200)), margin=0.08)
    across_name, up_name = (*coordinate_names(objective, objective.dimension), "f")[:2]
    panel.set_xlabel(across_name)
    panel.set_ylabel(up_name)
    panel.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16), fontsize=8, borderaxespad=0)


def _nearby(paths: Sequence[Path], starts: Array, minimum: Array) -> Array:
    """Return the iterates for which the picture has room."""
    centre = minimum[0] if len(minimum) else starts.mean(axis=0)
    reach = FURTHEST * max(float(np.abs(starts - centre).max()), 1e-6)
    together = np.concatenate([path.x for path in paths])
    with np.errstate(invalid="ignore"):
        return np.concatenate([starts, together[(np.abs(together - centre) <= reach).all(axis=-1)]])


def _caption(shown: Sequence[tuple[str, Objective, Sequence[Path]]], objectives: int) -> str:
    kinds = {objective.dimension for _, objective, _ in shown}
    ground = {1: "the curve of f", 2: "the contours of f, bright where it is low"}
    over = listed([ground[kind] for kind in sorted(kinds)], "or")
    text = [f"The paths of some runs over {over}: each dot is an iterate, and the open dot is the start."]
    if any(known_minimum(objective) is not None for _, objective, _ in shown):
        text.append("The star is the known minimum.")
    text += _choices(shown)
    if objectives > len(shown):
        text.append(
            f"{counted(objectives - len(shown), 'other objective')} could not be drawn: no room is left or the plugin is missing."
        )
    fates = {name: _fates(paths) for name, _, paths in shown}
    if any(len(methods) > 1 for alike in fates.values() for methods in alike.values()):
        text.append("Where paths coincide, the one drawn last hides the others.")
    told = ["; ".join(f"{listed(methods)} {fate}" for fate, methods in alike.items()) for alike in fates.values()]
    return "\n".join([" ".join(text), *(f"On {name}: {words}." for name, words in zip(fates, told, strict=True))])


def _choices(shown: Sequence[tuple[str, Objective, Sequence[Path]]]) -> list[str]:
    """Return sentences about the way in which the runs of each objective were chosen."""
    alike = "for each behaviour, the run with the middle learning rate from the first start is drawn"
    best = f"the best setting of each optimizer is drawn, from at most {STARTS} starts"
    moved = [name for name, _, paths in shown if paths[0].by_behaviour]
    if len(moved) in (0, len(shown)):
        words = alike if moved else best
        return [f"{words[0].upper()}{words[1:]}."]
    return [f"On {listed(moved)}, {alike}; elsewhere {best}."]


def _fates(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Return the ends of the runs in words, with the methods of these runs."""
    methods: dict[str, list[StoredRun]] = {}
    for path in paths:
        methods.setdefault(path.label.replace(": ", " with ", 1), []).append(path.run)
    alike: dict[str, list[str]] = {}
    for method, runs in methods.items():
        alike.setdefault(_fate(runs), []).append(method)
    return alike


def _fate(runs: Sequence[StoredRun]) -> str:
    outcomes = Counter(run.outcome for run in runs)
    ends = [f"as {outcome}" if len(outcomes) == 1 else f"{count} as {outcome}" for outcome, count in outcomes.items()]
    few, many = min(run.steps for run in runs), max(run.steps for run in runs)
    steps = counted(many, "step") if few == many else f"{few} to {many} steps"
    return f"ended {listed(ends)} after {steps}{_height(runs)}"


def _height(runs: Sequence[StoredRun]) -> str:
    heights = [run.final_value for run in runs if np.isfinite(run.final_value)]
    if not heights:
        return ""
    lowest = runs[0].minimum_value
    if lowest is not None and all(run.final_gap <= ARRIVED * max(1.0, abs(lowest)) for run in runs):
        return f" at the minimum, f = {number(lowest)}"
    low, high = number(min(heights)), number(max(heights))
    return f" at f = {low}" if low == high else f" at f between {low} and {high}"


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"landscape": Landscape}

"""Basins of attraction: the minimum that each start leads to, and the number of starts that lead to the global minimum."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex, to_rgb
from numpy.typing import NDArray

from runner import (
    RESTING_OUTCOMES,
    Array,
    Behaviour,
    ByRows,
    Drawing,
    Figure,
    HasCurvatureBounds,
    Minima,
    Objective,
    Outcome,
    Results,
    Series,
    SettingSummary,
    StoredRun,
    best_setting,
    coordinate_names,
    counted,
    curving_downwards,
    curving_upwards,
    draw_height,
    find_minima,
    frame_of,
    hookimpl,
    listed,
    number,
    panels,
    part,
    polished,
    summarize_settings,
    wilson_interval,
)

FEWEST_STARTS = 10
MOST_PANELS = 18
GRID_POINTS = 160
MOST_COLOURS = 12
"""If the optimizers reach more minima of an objective than this, each minimum has the colour of its height."""
MOST_RUNS = 0.95
LOWER = 1e-6
"""A value is lower than a minimum if it is smaller by this, relative to max(1, |f|)."""
HEIGHTS = "plasma"
STILL = 1e-3
"""A run has come to rest if the last tenth of its steps lies within this fraction of the region of starts."""
NOWHERE = "#BBBBBB"
HEADER = (
    *("objective", "gradient", "optimizer", "setting", "runs", "came to rest", "minima reached", "places undecided"),
    *("at no minimum", "found the global minimum", "95 % interval"),
)


@dataclass(frozen=True, eq=False)
class Ends:
    """The runs of one objective and optimizer, from many starts.

    Attributes:
        setting: the best setting of the optimizer.
        runs: its runs that have iterates, which are all runs except those that failed at their starts.
        objective: the objective; None if it cannot be created again.
        starts: the starts of the runs, `(runs, dimension)`.
        minima: the places where the runs ended.
        stationary: True for the places that are not minima, because f curves downwards there, `(minima,)`.
        certain: True for the places that are certainly minima, because f curves upwards there or takes its smallest value,
            `(minima,)`.
        found: True for the runs that found the global minimum, `(runs,)`.
    """

    setting: SettingSummary
    runs: Sequence[StoredRun]
    objective: Objective | None
    starts: Array
    minima: Minima
    stationary: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    found: NDArray[np.bool_]

    @property
    def undecided(self) -> int:
        """The number of places that may or may not be minima."""
        return int((~self.stationary & ~self.certain).sum())

    @property
    def span(self) -> float:
        """The width of the region of starts."""
        return max(float(np.ptp(self.starts, axis=0).max()), 1e-300)

    @property
    def lowest(self) -> NDArray[np.bool_]:
        """True for the global minima, `(minima,)`."""
        result = np.zeros(len(self.minima.x), dtype=bool)
        result[self.minima.reached[self.found]] = True
        return result

    @property
    def settled(self) -> int:
        """The number of runs that came to rest."""
        return int((self.minima.reached >= 0).sum())

    @property
    def at_no_minimum(self) -> int:
        """The number of runs that came to rest where f curves downwards along some direction."""
        reached = self.minima.reached[self.minima.reached >= 0]
        return int(self.stationary[reached].sum())

    @property
    def known(self) -> bool:
        """True if the value of the global minimum is known; if not, the lowest value of all runs is used in its place."""
        return self.runs[0].minimum_value is not None


@dataclass(frozen=True)
class Basins(Figure):
    """Every start in the colour of the minimum that it leads to, and the number of starts that lead to the global minimum."""

    title: ClassVar[str] = "Basins of attraction"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective of one or two coordinates and each optimizer; None without enough starts."""
        ends = _ends(results)
        drawable = [each for each in ends if each.starts.shape[1] <= 2]
        drawn = drawable[:MOST_PANELS]
        if not drawn:
            return None
        several = _several_backends(ends)
        figure, axes = panels([f"{each.setting.objective}, {_method(each, several)}" for each in drawn], height=3.1)
        remaining, many = iter(axes), False
        for group in _by_objective(drawn).values():
            colours, scale = _colours(group)
            many |= scale is not None
            for each, own in zip(group, colours, strict=True):
                _draw_panel(next(remaining), each, own, scale)
        return Drawing(figure, _caption(ends, drawn, len(drawable), many), [HEADER, *map(_cells, ends)])


def _by_objective(ends: Sequence[Ends]) -> dict[str, list[Ends]]:
    groups: dict[str, list[Ends]] = {}
    for each in ends:
        groups.setdefault(each.setting.objective, []).append(each)
    return groups


def _ends(results: Results) -> list[Ends]:
    groups: dict[tuple[str, str, str], list[StoredRun]] = {}
    for run in results.runs:
        if run.records_x:
            groups.setdefault((run.objective, run.gradient, run.optimizer), []).append(run)
    chosen = [best_setting(summarize_settings(runs)) for runs in groups.values()]
    read = [(setting, *_read(results, setting.runs)) for setting in chosen if len(setting.runs) >= FEWEST_STARTS]
    # If every run of a setting failed at its start, the setting has no iterate.
    found = [each for each in read if each[1]]
    lowest: dict[str, float] = {}
    for setting, _, _, minima in found:
        heights = [*minima.value[:1].tolist(), lowest.get(setting.objective, np.inf)]
        lowest[setting.objective] = min(heights)
    return [_judged(results, *each, lowest[each[0].objective]) for each in found]


def _several_backends(ends: Sequence[Ends]) -> bool:
    return len({each.setting.gradient for each in ends}) > 1


def _method(ends: Ends, several: bool) -> str:
    setting = ends.setting
    return f"{setting.optimizer} × {setting.gradient}" if several else setting.optimizer


def _read(results: Results, runs: Sequence[StoredRun]) -> tuple[Sequence[StoredRun], Array, Minima]:
    """Return the runs that have iterates, with their starts and their ends."""
    kept, first, last, resting = [], [], [], []
    paths = [(run, series) for run, series in results.series(runs) if series.x is not None and len(series.x)]
    starts = np.array([series.x[0] for _, series in paths if series.x is not None])
    span = float(np.ptp(starts, axis=0).max()) if len(starts) else 1.0
    for run, series in paths:
        assert series.x is not None
        kept.append(run)
        first.append(series.x[0])
        last.append(series.x[-1])
        resting.append(_rests(run, series, span))
    values = np.array([run.final_value for run in kept])
    return kept, np.array(first), find_minima(np.array(last), values, np.array(resting, dtype=bool), span)


def _rests(run: StoredRun, series: Series, span: float) -> bool:
    if run.outcome in RESTING_OUTCOMES:
        return True
    if run.outcome != Outcome.MAX_STEPS or run.behaviour in (Behaviour.CRAWLING, Behaviour.DIVERGING, Behaviour.UNKNOWN):
        return False
    assert series.x is not None
    late = series.x[-max(2, len(series.x) // 10) :]
    return bool(np.abs(late - late[-1]).max() <= STILL * span)


def _judged(
    results: Results, setting: SettingSummary, runs: Sequence[StoredRun], starts: Array, minima: Minima, lowest: float
) -> Ends:
    objective = results.objective(setting.runs[0])
    known = setting.runs[0].minimum_value
    as_low = minima.lowest(lowest if known is None else known)
    found = np.array([place >= 0 and bool(as_low[place]) for place in minima.reached.tolist()], dtype=bool)
    # f curves upwards next to an inflection too, but Newton's method does not reach a stationary point from there in a few steps.
    stationary = np.array([polished(objective, x) is not None for x in minima.x], dtype=bool)
    certain = (curving_upwards(objective, minima.x) & stationary) | (as_low if known is not None else False)
    return Ends(setting, runs, objective, starts, minima, curving_downwards(objective, minima.x), certain, found)


def _colours(group: Sequence[Ends]) -> tuple[list[list[str]], Normalize | None]:
    """Choose the colours of the places where the runs of an objective came to rest.

    Returns:
        The colour of each place of each optimizer: green for a global minimum, and grey for a place that is not a minimum. The
        second item is the scale of the heights if the other places are coloured by their heights, else None.
    """
    x, value = (np.concatenate([getattr(each.minima, name) for each in group]) for name in ("x", "value"))
    union = find_minima(x, value, np.ones(len(x), dtype=bool), group[0].span)
    as_low, stationary = (np.zeros(len(union.x), dtype=bool) for _ in range(2))
    as_low[union.reached[np.concatenate([each.lowest for each in group])]] = True
    stationary[union.reached[np.concatenate([each.stationary for each in group])]] = True
    others = np.flatnonzero(~as_low & ~stationary)
    many = len(others) + as_low.sum() > MOST_COLOURS
    scale = Normalize(*_range(group)) if many else None
    colours = np.full(len(union.x), NOWHERE)
    colours[others] = _of_places(union.x[others] / group[0].span) if scale is None else _of_heights(scale(union.value[others]))
    colours[as_low] = [to_hex(shade) for shade in mpl.colormaps["Greens"](np.linspace(0.9, 0.4, int(as_low.sum())))]
    borders = np.cumsum([len(each.minima.x) for each in group])[:-1]
    return [colours[numbers].tolist() for numbers in np.split(union.reached, borders)], scale


def _range(group: Sequence[Ends]) -> tuple[float, float]:
    """Return the range of heights at which most runs came to rest; a few runs that ended far away would use up all colours."""
    heights = [each.minima.value[each.minima.reached[each.minima.reached >= 0]] for each in group]
    low, high = np.quantile(np.concatenate(heights), [0.0, MOST_RUNS])
    return float(low), float(high)


def _of_heights(shares: Array) -> list[str]:
    return [to_hex(colour) for colour in mpl.colormaps[HEIGHTS](shares)]


def _of_places(x: Array) -> list[str]:
    """Return colours that distinguish places, in the order of their coordinates."""
    palette = [to_hex(colour) for colour in mpl.colormaps["tab20"](range(20)) if _is_not_green(colour)]
    ranks = np.argsort(np.lexsort(np.round(x, 2).T))
    return [palette[rank % len(palette)] for rank in ranks.tolist()]


def _is_not_green(colour: Array) -> bool:
    """Return True if a colour, given as red, green and blue, cannot be mistaken for green or grey."""
    red, green, blue = colour[:3].tolist()
    return bool(green < max(red, blue) and max(red, green, blue) - min(red, green, blue) > 0.1)


def _draw_panel(panel: Axes, ends: Ends, inks: Sequence[str], scale: Normalize | None) -> None:
    frame = frame_of([ends.starts], margin=0.03)
    own = [[*inks, NOWHERE][place] for place in ends.minima.reached.tolist()]
    starred = ends.minima.x[ends.lowest if scale is not None else ~ends.stationary]
    if ends.starts.shape[1] == 1:
        value = None if ends.objective is None else ByRows(ends.objective.value)
        if ends.objective is not None:
            draw_height(panel, ends.objective, frame)
            panel.set_ylim(panel.get_ylim())
        # `ByRows` needs at least one point, and no place has a star if no run came to rest.
        heights, depths = (value(x) if value is not None and len(x) else np.zeros(len(x)) for x in (ends.starts, starred))
        panel.scatter(ends.starts[:, 0], heights, s=14, color=own, zorder=3, linewidths=0)
        panel.plot(starred[:, 0], depths, "*", color="black", markersize=8, zorder=4)
    else:
        _fill(panel, ends, frame, [*inks, NOWHERE], 0.45 if scale is None else 0.7)
        panel.scatter(ends.starts[:, 0], ends.starts[:, 1], s=7, color=own, zorder=3, edgecolors="white", linewidths=0.25)
        panel.plot(starred[:, 0], starred[:, 1], "*", color="black", markersize=6, zorder=4)
        panel.set_ylim(frame[0][1], frame[1][1])
        panel.grid(visible=False)
    if scale is not None:
        colours = ScalarMappable(scale, HEIGHTS)
        panel.figure.colorbar(colours, ax=panel, label="f at the minimum reached", aspect=30, extend="max")
    panel.set_xlim(frame[0][0], frame[1][0])
    across_name, up_name = (*coordinate_names(ends.objective, ends.starts.shape[1]), "f")[:2]
    panel.set_xlabel(across_name)
    panel.set_ylabel(up_name)


def _fill(panel: Axes, ends: Ends, frame: tuple[Array, Array], inks: Sequence[str], alpha: float) -> None:
    """Fill the panel: every point gets the colour of the nearest start."""
    low, high = frame
    across, up = (np.linspace(low[axis], high[axis], GRID_POINTS) for axis in range(2))
    nearest = np.array([
        ((across[:, None] - ends.starts[:, 0]) ** 2 + (height - ends.starts[:, 1]) ** 2).argmin(axis=-1) for height in up
    ])  # fmt: skip
    # The last colour belongs to the place −1, which stands for runs that did not come to rest.
    points = np.array([to_rgb(ink) for ink in inks])[ends.minima.reached[nearest]]
    reach = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    panel.imshow(points, origin="lower", extent=reach, aspect="auto", alpha=alpha, interpolation="nearest", zorder=0.5)


def _cells(ends: Ends) -> tuple[str, ...]:
    found, runs = int(ends.found.sum()), len(ends.setting.runs)
    low, high = wilson_interval(found, runs)
    return (
        ends.setting.objective,
        ends.setting.gradient,
        ends.setting.optimizer,
        ends.setting.label,
        str(runs),
        str(ends.settled),
        str(int(ends.certain.sum())),
        str(ends.undecided),
        str(ends.at_no_minimum),
        f"{100 * found / runs:.1f} %" if ends.known else "unknown",
        f"{100 * low:.1f} % to {100 * high:.1f} %" if ends.known else "unknown",
    )


def _caption(ends: Sequence[Ends], drawn: Sequence[Ends], drawable: int, many: bool) -> str:
    text = ["Each dot is a start, in the colour of the place where its run came to rest; the stars mark these places."]
    if any(each.setting.label for each in ends):
        text.append("The panels show the best setting of each optimizer, which is named below.")
    if any(each.starts.shape[1] == 2 for each in drawn):
        text.append("Every other point has the colour of the nearest start, so the borders are as sharp as the starts are dense.")
    text.append("Green marks the global minimum, and grey marks runs that did not come to rest at a minimum.")
    if many:
        text.append(
            f"Where runs reach more than {MOST_COLOURS} minima, each minimum has the colour of its height, and only a global "
            "minimum has a star."
        )
    if not all(each.known for each in ends):
        text.append(
            "Where the global minimum is not known, the lowest minimum that any run found replaces it; a lower one may exist."
        )
    if drawable > len(drawn):
        text.append(f"The first {len(drawn)} of {drawable} panels are drawn.")
    if any(each.undecided for each in ends):
        text.append(
            "A place may or may not be a minimum if the Hessian is missing or has an eigenvalue near zero there, or if the run "
            "has not reached a stationary point."
        )
    text.append("The percentages are 95 % Wilson intervals for the share among all starts drawn in the same way.")
    several = _several_backends(ends)
    told = [_finding(objective, group, several) for objective, group in _by_objective(ends).items()]
    return "\n".join([" ".join(text), *told])


def _finding(objective: str, group: Sequence[Ends], several: bool) -> str:
    value = group[0].runs[0].minimum_value
    shares = "; ".join(_share(each, several) for each in group)
    if value is not None:
        found = f"On {objective}, the global minimum, f = {number(value)}, was found by {shares}."
        return found + _guarantee(group[0].objective)
    found = f"On {objective}, the lowest minimum that any run found was reached by {shares}."
    lowest = min((float(each.minima.value.min()) for each in group if len(each.minima.value)), default=math.inf)
    best = min((run.best_value for each in group for run in each.runs), default=math.nan)
    if best < lowest - LOWER * max(1.0, abs(lowest)):
        found += f" A run found a lower value, f = {number(best)}, where it did not come to rest."
    return found + _guarantee(group[0].objective)


def _guarantee(objective: object) -> str:
    """Return what the convexity of an objective guarantees, if its own bounds of the curvature show that it is convex."""
    lowest = float(np.min(objective.curvature_bounds[0])) if isinstance(objective, HasCurvatureBounds) else -1.0
    if not lowest >= 0:
        return ""
    if lowest > 0:
        return " By its own bounds of the curvature, f is strongly convex, so it has exactly one local minimum."
    return " By its own bounds of the curvature, f is convex, so every local minimum is global."


def _share(ends: Ends, several: bool) -> str:
    runs, found = len(ends.setting.runs), int(ends.found.sum())
    low, high = wilson_interval(found, runs)
    rest = "all" if ends.settled == runs else str(ends.settled)
    method = _method(ends, several) + (f" with {ends.setting.label}" if ends.setting.label else "")
    minima = int(ends.certain.sum())
    places = [f"at {minima} {'minimum' if minima == 1 else 'minima'}"] if minima else []
    places += [f"at {counted(ends.undecided, 'place')} that may or may not be a minimum"] if ends.undecided else []
    text = f"{method} from {part(found, runs, 'start')} ({100 * low:.0f} to {100 * high:.0f} %; {rest} came to rest"
    text += f", {listed(places)}" if places else ""
    return text + (f", and {ends.at_no_minimum} at saddles or maxima)" if ends.at_no_minimum else ")")


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"basins": Basins}

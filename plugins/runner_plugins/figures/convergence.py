"""Convergence of each method: f − f* against the step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes

from runner import (
    CHOICE_CAPTION,
    LEGEND_LINE,
    LOST_OUTCOMES,
    PALETTE,
    Band,
    Drawing,
    Figure,
    GapScale,
    Reached,
    Results,
    SettingSummary,
    best_setting,
    counted,
    effort_in_words,
    hookimpl,
    legend_below,
    listed,
    number,
    panels,
    part,
    quantile_band,
    resting_above,
    summarize_settings,
    wrapped,
)

MOST_CURVES = 5
LEGEND_WIDTH = 46
"""Largest number of characters on one line of a legend; more would make the panel narrower."""
TOLD_OBJECTIVES = 4
CROWDED = 25.0
"""The axis of the steps is logarithmic if the longest curve has more than this many times the steps of the shortest curve."""
STYLES: Mapping[str, tuple[str, str]] = {
    "best": (PALETTE[2], "-"),
    "smallest": (PALETTE[4], ":"),
    "largest that loses no run": (PALETTE[1], "-."),
    "smallest that loses a run": (PALETTE[5], "--"),
}
OTHER = "another"
OTHER_STYLES = ((PALETTE[3], (0, (5, 1))), (PALETTE[0], (0, (3, 1, 1, 1))), (PALETTE[6], (0, (1, 1))))
Line = str | tuple[int, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of the picture: a setting, the reason for choosing it, and its quantiles over the starts."""

    setting: SettingSummary
    role: str
    band: Band
    scale: GapScale

    @property
    def method(self) -> tuple[str, str]:
        """The labels of the optimizer and of the gradient backend."""
        return self.setting.optimizer, self.setting.gradient

    @property
    def leaves(self) -> bool:
        """True if its median becomes infinite, because half of the runs are lost."""
        return 2 * self.setting.lost >= len(self.setting.runs) or not math.isfinite(self.band.median[-1])


@dataclass(frozen=True)
class Convergence(Figure):
    """Median and middle half of f − f* over the starts against the step; the smallest f of all runs stands for an unknown f*."""

    title: ClassVar[str] = "Convergence"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective; None if no run has been stored."""
        settings: dict[str, list[SettingSummary]] = {}
        for setting in summarize_settings(results.runs):
            settings.setdefault(setting.objective, []).append(setting)
        if not settings:
            return None
        curves = {objective: _curves(results, group) for objective, group in settings.items()}
        log_steps = _is_crowded([curve for group in curves.values() for curve in group])
        lines = max(sum(_label(curve, group).count("\n") + 1 for curve in group) for group in curves.values())
        figure, axes = panels(list(curves), height=3.1 + LEGEND_LINE * lines)
        for panel, group in zip(axes, curves.values(), strict=True):
            _draw_panel(panel, group, log_steps)
            legend_below(panel)
        return Drawing(figure, _caption(settings, curves, log_steps))


def _curves(results: Results, settings: Sequence[SettingSummary]) -> list[Curve]:
    scale = GapScale.of([run for setting in settings for run in setting.runs])
    return [Curve(setting, role, _band(results, setting, scale), scale) for setting, role in _chosen(results, settings)]


def _chosen(results: Results, settings: Sequence[SettingSummary]) -> list[tuple[SettingSummary, str]]:
    """Choose the lines of one objective: the best setting of each optimizer, and as many other settings as there is room for.

    A role is given to every optimizer or to none, so that no optimizer looks worse than another because of the choice.
    """
    groups: dict[tuple[str, str], list[SettingSummary]] = {}
    for setting in settings:
        groups.setdefault((setting.optimizer, setting.gradient), []).append(setting)
    roles = [_roles(results, group) for group in groups.values()]
    chosen = [(place, *group[0]) for place, group in enumerate(roles)]
    for role in ("smallest that loses a run", "smallest", "largest that loses no run", OTHER):
        taken = {id(setting) for _, _, setting in chosen}
        more = [(place, r, s) for place, group in enumerate(roles) for r, s in group if r == role and id(s) not in taken]
        if len(chosen) + len(more) <= MOST_CURVES:
            chosen += more
    order = [*STYLES, OTHER]
    return [(setting, role) for _, role, setting in sorted(chosen, key=lambda entry: (entry[0], order.index(entry[1])))]


def _roles(results: Results, group: Sequence[SettingSummary]) -> list[tuple[str, SettingSummary]]:
    """Return the most informative settings of one optimizer with their roles, the most informative one first."""
    best = best_setting(group)
    key = _swept(results, group[0].optimizer)
    ordered = sorted((s for s in group if _value(s, key) is not None), key=lambda s: _value(s, key) or 0.0)
    if len(ordered) < 2:
        return [("best", best), *((OTHER, setting) for setting in group if setting is not best)]
    stable = [setting for setting in ordered if not setting.lost]
    losing = [setting for setting in ordered if setting.lost]
    return [
        *([("best", best)] if best.lost < len(best.runs) else []),
        ("smallest", ordered[0]),
        *(("largest that loses no run", setting) for setting in stable[-1:]),
        *(("smallest that loses a run", setting) for setting in losing[:1]),
        *((OTHER, setting) for setting in ordered),
    ]


def _swept(results: Results, optimizer: str) -> str:
    names = results.swept.get(optimizer, ())
    return "optimizer." + ("learning_rate" if "learning_rate" in names else next(iter(names), ""))


def _value(setting: SettingSummary, key: str) -> float | None:
    value = setting.parameters.get(key)
    return float(value) if isinstance(value, int | float) else None


def _band(results: Results, setting: SettingSummary, scale: GapScale) -> Band:
    runs = setting.runs
    return quantile_band(
        (series.value - scale.reference for _, series in results.series(runs)),
        lost=[run.outcome in LOST_OUTCOMES for run in runs],
        # The curve of a lost run is extended by one step, so that its line can leave the panel within this step.
        last_step=max(run.steps + (run.outcome in LOST_OUTCOMES) for run in runs),
    )


def _is_crowded(curves: Sequence[Curve]) -> bool:
    lengths = [int(curve.band.steps[-1]) for curve in curves if curve.band.steps[-1] > 0]
    return bool(lengths) and max(lengths) > CROWDED * min(lengths)


def _draw_panel(panel: Axes, curves: Sequence[Curve], log_steps: bool) -> None:
    floor = curves[0].scale.floor
    low, high = _limits(curves, floor)
    methods = _methods(curves)
    others = [curve for curve in curves if curve.role == OTHER]
    for curve in curves:
        place = others.index(curve) % len(OTHER_STYLES) if curve in others else 0
        colour, line = OTHER_STYLES[place] if curve in others else STYLES[curve.role]
        if len(methods) > 1:
            colour = PALETTE[methods.index(curve.method) % len(PALETTE)]
        _draw_curve(panel, curve, colour, line, (low, high), _label(curve, curves))
    if curves[0].scale.known and any(curve.band.low.min() <= floor for curve in curves):
        panel.axhline(floor, color="#888888", linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        panel.text(1, floor, "rounding level", transform=panel.get_yaxis_transform(), ha="right", va="bottom", fontsize=7.5)
    panel.set_yscale("log")
    panel.set_ylim(low, high)
    if log_steps:
        panel.set_xscale("symlog", linthresh=1.0, linscale=0.4)
    panel.set_xlim(left=0)
    panel.set_xlabel("step (logarithmic from 1)" if log_steps else "step")
    panel.set_ylabel("gap to the minimum, f − f*" if curves[0].scale.known else "f − smallest f of all runs")


def _methods(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(curve.method for curve in curves))


def _draw_curve(panel: Axes, curve: Curve, colour: str, line: Line, limits: tuple[float, float], label: str) -> None:
    band = curve.band
    floor = curve.scale.floor
    # Infinite values are drawn a little above the top, so that the line is seen to leave the panel there.
    median, lower, upper = (np.clip(edge, floor, 1e3 * limits[1]) for edge in (band.median, band.low, band.high))
    if band.runs > 1:
        panel.fill_between(band.steps, lower, upper, color=colour, alpha=0.16, linewidth=0)
    panel.plot(band.steps, median, color=colour, linestyle=line, label=label)
    if median[-1] < limits[1]:
        panel.plot(band.steps[-1:], median[-1:], "o", color=colour, markersize=4, clip_on=False, zorder=4)


def _limits(curves: Sequence[Curve], floor: float) -> tuple[float, float]:
    """Return the smallest and the largest value of the panel: the lowest median, and two decades above the highest start."""
    starts = [edge[0] for curve in curves for edge in (curve.band.median, curve.band.high) if math.isfinite(edge[0])]
    high = max([*starts, 10 * floor])
    lowest = min([float(curve.band.median.min()) for curve in curves] + [high])
    low = max(lowest, floor)
    return low / 4, high * (100 if any(curve.leaves for curve in curves) else 4)


def _label(curve: Curve, curves: Sequence[Curve]) -> str:
    setting = curve.setting
    several_gradients = len({gradient for _, gradient in _methods(curves)}) > 1
    method = f"{setting.optimizer} × {setting.gradient}" if several_gradients else setting.optimizer
    names = [method] if len(_methods(curves)) > 1 or not setting.label else []
    names += [curve.role] if setting.label and curve.role != OTHER else []
    lines = list(filter(None, (", ".join(names), setting.label)))
    if setting.lost:
        lines[-1] += f" ({setting.lost} of {len(setting.runs)} lost)"
    if len(": ".join(lines)) <= LEGEND_WIDTH:
        return wrapped(": ".join(lines), LEGEND_WIDTH)
    return "\n".join(wrapped(line, LEGEND_WIDTH) for line in lines)


def _caption(settings: Mapping[str, list[SettingSummary]], curves: Mapping[str, list[Curve]], log_steps: bool) -> str:
    drawn = [curve for group in curves.values() for curve in group]
    return "\n".join(
        [
            " ".join(_reading(drawn, settings, curves, log_steps)),
            *_choice(settings, curves),
            *_findings(curves),
            *_contradictions(settings),
        ]
    )


def _reading(
    drawn: Sequence[Curve], settings: Mapping[str, list[SettingSummary]], curves: Mapping[str, list[Curve]], log_steps: bool
) -> list[str]:
    unknown = [objective for objective, group in curves.items() if not group[0].scale.known]
    quantity = "gap f − f* to the known minimum"
    if len(unknown) == len(curves):
        quantity = "difference between f and the smallest f of all runs"
    text = [f"Each line is the median {quantity} over the starting points after each step, on a logarithmic axis"]
    if any(curve.band.runs > 1 for curve in drawn):
        text[0] += ", and the band around it holds at least the middle half of the runs"
    text[0] += "."
    if not log_steps:
        text.append("A straight line that falls to the right means that every step shrinks this value by the same factor.")
    if any(curve.band.runs > 1 for curve in drawn):
        text.append("After a run stops, its last value is kept; a lost run counts as infinite.")
    if any(curve.leaves for curve in drawn):
        text.append("A line leaves through the top if it grows beyond the picture, or when half of its runs are lost.")
    if unknown and len(unknown) < len(curves):
        text.append(f"The minimum of {listed(unknown)} is not known, so the smallest f of all its runs stands for f*.")
    for objective in unknown:
        smallest = curves[objective][0].scale.reference
        above = resting_above((run for setting in settings[objective] for run in setting.runs), smallest)
        if above:
            most = number(max(run.final_value for run in above) - smallest)
            text.append(f"On {objective}, {counted(len(above), 'run')} came to rest above the smallest f, by up to {most}.")
    floors = {curve.scale.floor for curve in drawn if curve.scale.known and _touches_floor(curve)}
    if floors:
        levels = listed([number(level) for level in sorted(floors)], "or")
        text.append(f"Values below the rounding level ({levels}), exact zeros included, are drawn at that level.")
    return text


def _touches_floor(curve: Curve) -> bool:
    return bool(curve.band.low.min() <= curve.scale.floor)


def _choice(settings: Mapping[str, list[SettingSummary]], curves: Mapping[str, list[Curve]]) -> list[str]:
    total = sum(len(group) for group in settings.values())
    drawn = sum(len(group) for group in curves.values())
    if total == sum(len(_methods(group)) for group in curves.values()):
        return []
    if drawn == total:
        return [CHOICE_CAPTION]
    roles = [role for role in STYLES if any(curve.role == role for group in curves.values() for curve in group)]
    return [
        f"{drawn} of {counted(total, 'setting')} {'is' if drawn == 1 else 'are'} drawn, chosen for each optimizer: "
        f"the {listed(roles)}. {CHOICE_CAPTION}"
    ]


def _findings(curves: Mapping[str, list[Curve]]) -> list[str]:
    told = [_finding(objective, group) for objective, group in list(curves.items())[:TOLD_OBJECTIVES]]
    if len(curves) > len(told):
        others = counted(len(curves) - len(told), "other objective")
        told.append(f"For {others}, the summary table says how the runs ended and which setting was best.")
    return told


def _finding(objective: str, group: Sequence[Curve]) -> str:
    several_gradients = len({curve.setting.gradient for curve in group}) > 1
    text, before = [], ""
    for curve in group:
        setting = curve.setting
        method = setting.optimizer + (f" with {setting.gradient} gradients" if several_gradients else "")
        where = [method] if method != before else []
        where += [f"at {setting.label}" + ("" if curve.role == OTHER else f" ({curve.role})")] if setting.label else []
        text.append(f"{' '.join(where)}, {_fate(curve)}")
        before = method
    return f"On {objective}: {'; '.join(text)}."


def _fate(curve: Curve) -> str:
    setting = curve.setting
    runs = len(setting.runs)
    if setting.lost == runs:
        return f"{part(runs, runs, 'run')} {'was' if runs == 1 else 'were'} lost"
    fate = [effort_in_words(setting)]
    if setting.lost:
        fate.append(f"{setting.lost} {'was' if setting.lost == 1 else 'were'} lost")
    if not setting.successes and curve.scale.known:
        fate.append(f"the median gap at the end was {number(setting.median_gap)}")
    return listed(fate)


def _contradictions(settings: Mapping[str, list[SettingSummary]]) -> list[str]:
    """Return sentences about runs with values below the minimum that the objective states, by more than rounding."""
    text = []
    for objective, group in settings.items():
        runs = [run for setting in group for run in setting.runs]
        below = [(run.minimum_value or 0.0) - run.best_value for run in runs if run.reached == Reached.BELOW]
        if below:
            text.append(
                f"On {objective}, {counted(len(below), 'run')} found values below the stated minimum, by up to "
                f"{number(max(below))}, so the stated minimum is wrong."
            )
    return text


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"convergence": Convergence}

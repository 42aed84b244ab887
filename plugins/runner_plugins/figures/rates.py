"""Measured rate of convergence for each learning rate, with the rate that theory predicts."""

from __future__ import annotations

import math
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
    Behaviour,
    Drawing,
    Figure,
    RateSweep,
    Results,
    contraction,
    counted,
    hookimpl,
    interval,
    legend_below,
    number,
    panels,
    rate_sweeps,
    with_uncertainty,
    wrapped,
)

THEORY = "#6A3D9A"
UNTOLD = "#666666"
DASHES = {"2/L": (0, (4, 2)), "2/(μ + L)": (0, (1, 2))}
CURVE_POINTS = 600
LEAST_BAR = 0.02
"""An uncertainty below this share of 1 − q is drawn without a bar, because the dot would hide the bar."""
TOLD_PANELS = 4
SMALLEST_SHARE = 1e-6
ROUNDING = 1e-9


@dataclass(frozen=True)
class Rates(Figure):
    """1 − q against the learning rate, where each late step multiplies the error by q, with the prediction q = max |1 − γλ|."""

    title: ClassVar[str] = "Rates of convergence"

    def draw(self, results: Results) -> Drawing | None:
        """Draw a panel for each objective; None if no learning rate is swept, or the error shrinks in no run."""
        groups: dict[str, list[RateSweep]] = {}
        for sweep in rate_sweeps(results):
            if np.isfinite(_shares(sweep)).any():
                groups.setdefault(sweep.objective, []).append(sweep)
        if not groups:
            return None
        figure, axes = panels(list(groups), height=3.2 + LEGEND_LINE * (4 + max(map(len, groups.values()))))
        for panel, sweeps in zip(axes, groups.values(), strict=True):
            _draw_panel(panel, sweeps)
            legend_below(panel)
        return Drawing(figure, _caption(groups))


def _draw_panel(panel: Axes, sweeps: Sequence[RateSweep]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(*_range(sweeps))
    for place, sweep in enumerate(sweeps):
        colour = PALETTE[place % len(PALETTE)]
        label = _method(sweep, sweeps) if len(sweeps) > 1 else "measured, median over the starts"
        _draw_points(panel, sweep, colour, wrapped(label, 40))
    if any(point.doubt for sweep in sweeps for point in sweep.points):
        panel.plot(
            [], [], "o", color=UNTOLD, markerfacecolor="white", markersize=4, label="cannot tell: mean over the fitted steps"
        )
    restless = sorted({point.learning_rate for sweep in sweeps for point in sweep.points if point.settles is False})
    if restless:
        heights, across = np.full(len(restless), 0.03), panel.get_xaxis_transform()
        panel.plot(
            restless,
            heights,
            "x",
            color=BEHAVIOUR_COLOURS[Behaviour.DIVERGING],
            markersize=5,
            transform=across,
            label="some run did not settle",
        )
    for sweep in sweeps:
        if sweep.curvature is not None:
            _draw_theory(panel, sweep, sweep.curvature)
            break
    panel.set_xlabel("learning rate")
    panel.set_ylabel("1 − q, the share of the error\nthat each step removes")


def _range(sweeps: Sequence[RateSweep]) -> tuple[float, float]:
    """Return the smallest and the largest 1 − q that the panel shows, with room below for the crosses."""
    shares = np.concatenate([_shares(sweep) for sweep in sweeps])
    seen = shares[np.isfinite(shares)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.1, 1.0)
    best = [1.0 - sweep.best[1] for sweep in sweeps if sweep.best is not None]
    high = max([high, *best])
    return low * (low / high) ** 0.12 / 1.2, high * 1.4


def _shares(sweep: RateSweep) -> Array:
    """Return 1 − q at each learning rate; NaN where some run does not settle, or the error does not shrink."""
    shares = [1.0 - point.rate.factor if point.rate and point.settles is not False else math.nan for point in sweep.points]
    return np.array([share if share > SMALLEST_SHARE else math.nan for share in shares])


def _rates(sweep: RateSweep) -> Array:
    return np.array([point.learning_rate for point in sweep.points])


def _draw_points(panel: Axes, sweep: RateSweep, colour: str, label: str) -> None:
    rates, shares = _rates(sweep), _shares(sweep)
    told = np.array([point.factor is not None for point in sweep.points])
    panel.plot(rates, np.where(told, shares, np.nan), "o", color=colour, markersize=4, label=label)
    if not told.all():
        panel.plot(rates, np.where(told, np.nan, shares), "o", color=colour, markerfacecolor="white", markersize=4)
    bars = 2.0 * np.array([point.factor.uncertainty if point.factor else math.nan for point in sweep.points])
    seen = bars > LEAST_BAR * shares
    # A logarithmic axis has no place for zero.
    low, high = np.maximum(shares - bars, 0.01 * shares), shares + bars
    panel.vlines(rates[seen], low[seen], high[seen], color=colour, linewidth=1.0)


def _draw_theory(panel: Axes, sweep: RateSweep, curvature: tuple[float, float]) -> None:
    rates = _rates(sweep)
    low, high = float(rates.min()), float(rates.max())
    theory = {"2/L": sweep.limit, "2/(μ + L)": sweep.best and sweep.best[0]}
    named = {name: mark for name, mark in theory.items() if mark is not None and low / 3 <= mark <= high * 3}
    marks = list(named.values())
    # At the marks, the curve has a corner or leaves the picture, so the points must be close together there.
    near = [mark * (1.0 - np.geomspace(1e-9, 0.1, 60)) for mark in marks]
    curve = np.unique(np.concatenate([np.geomspace(low, high, CURVE_POINTS), *near, marks]))
    shares = 1.0 - contraction(curve, curvature)
    drawn = np.where(shares > SMALLEST_SHARE, shares, np.nan)
    panel.plot(curve, drawn, color=THEORY, linewidth=1.2, zorder=1.5, label="theory, 1 − max |1 − γλ|")
    for name, mark in named.items():
        label = f"{name} = {number(mark, marks)}"
        panel.axvline(mark, color=THEORY, linestyle=DASHES[name], linewidth=1.2, zorder=1.4, label=label)


def _method(sweep: RateSweep, sweeps: Sequence[RateSweep]) -> str:
    several = len({each.gradient for each in sweeps}) > 1
    return f"{sweep.optimizer} × {sweep.gradient}" if several else sweep.optimizer


def _caption(groups: Mapping[str, Sequence[RateSweep]]) -> str:
    told = [_finding(objective, sweep, sweeps) for objective, sweeps in list(groups.items())[:TOLD_PANELS] for sweep in sweeps]
    if len(groups) > TOLD_PANELS:
        told.append(f"The table of learning rates has the numbers of {counted(len(groups) - TOLD_PANELS, 'other objective')}.")
    return "\n".join([" ".join(_reading(groups)), *told])


def _reading(groups: Mapping[str, Sequence[RateSweep]]) -> list[str]:
    sweeps = [sweep for group in groups.values() for sweep in group]
    text = [
        "Near the end of a run, each step multiplies the error by a factor q. The dots are 1 − q, fitted to the latter half of "
        "each trajectory above rounding; the bars are twice the uncertainty, where they can be seen. Higher is faster."
    ]
    if any(point.doubt for sweep in sweeps for point in sweep.points):
        text.append(
            "A hollow dot does not show such a q, because the factor still changes or too few steps show it. Its height is the "
            "mean over the fitted steps."
        )
    if any(sweep.curvature is not None for sweep in sweeps):
        text.append(
            "The curve is theory: with μ and L the smallest and the largest eigenvalue of the Hessian at the known minimiser, "
            "q = max(|1 − γμ|, |1 − γL|) for the learning rate γ of plain gradient descent. To the left of the peak, the "
            "flattest direction is the slowest; to the right, the steepest direction is the slowest, because it overshoots."
        )
    if any(point.settles is False for sweep in sweeps for point in sweep.points):
        text.append(
            "A cross at the bottom marks a learning rate at which some run did not settle: it grew, kept oscillating, went "
            "elsewhere or was lost."
        )
    return text


def _finding(objective: str, sweep: RateSweep, sweeps: Sequence[RateSweep]) -> str:
    method = f", {_method(sweep, sweeps)}" if len(sweeps) > 1 else ""
    text = [f"On {objective}{method}, {_measured_best(sweep)}."]
    text += _best_words(sweep)
    text += _limit_words(sweep)
    if sweep.contradiction:
        return " ".join([f"Contradiction: {sweep.contradiction}.", *text])
    return " ".join([*text, *_agreement(sweep)])


def _measured_best(sweep: RateSweep) -> str:
    """Return a clause on the measured best learning rate."""
    tried, place = _rates(sweep), sweep.measured_best
    if place is None:
        answer, reason = sweep.best_answer
        found = "the best learning rate cannot be determined" if answer == "cannot tell" else "no learning rate is best"
        return f"{found}: {reason}"
    best = sweep.points[place]
    assert best.rate is not None
    measured_rates = sum(point.factor is not None for point in sweep.points)
    among = f", of the {measured_rates} with a measured q," if any(point.doubt for point in sweep.points) else ""
    measured = with_uncertainty(best.rate.factor, best.rate.uncertainty)
    return f"the best learning rate tried{among} is {number(best.learning_rate, tried)}, with q = {measured}"


def _best_words(sweep: RateSweep) -> list[str]:
    """Return a sentence on the best learning rate in theory, and where it lies among those tried."""
    if sweep.best is None:
        return []
    rate, factor = sweep.best
    tried = _rates(sweep)
    place = ""
    if not _lies_between(rate, tried.min(), tried.max()):
        place = ", lies outside the range tried"
    elif sweep.measured_best is not None:
        between = "lies" if _lies_between(rate, *sweep.beside_best) else "does not lie"
        place = f", {between} between the learning rates tried on both sides of the best one"
    theory = f"2/(μ + L) = {number(rate, tried)} with q = (κ − 1)/(κ + 1) = {number(factor)}"
    return [f"The theoretical best, {theory}{place}." if place else f"The theoretical best is {theory}."]


def _lies_between(rate: float, low: float, high: float) -> bool:
    return low * (1.0 - ROUNDING) <= rate <= high * (1.0 + ROUNDING)


def _limit_words(sweep: RateSweep) -> list[str]:
    tried = _rates(sweep)
    if sweep.measured_limit is None:
        answer, reason = sweep.limit_answer
        theory = [] if sweep.limit is None else [f"the theoretical limit is 2/L = {number(sweep.limit, tried)}"]
        found = "The limit cannot be determined" if answer == "cannot tell" else "No limit was found among these learning rates"
        return ["; ".join([f"{found}: {reason}", *theory]) + "."]
    measured = f"The limit up to which all runs settle is in the interval from {interval(*sweep.measured_limit, tried)}"
    if sweep.limit is None:
        return [f"{measured}."]
    theory_words = f"2/L = {number(sweep.limit, tried)}"
    if _lies_between(sweep.limit, *sweep.measured_limit):
        return [f"{measured}, which contains the theoretical limit {theory_words}."]
    return [f"{measured}; the theoretical limit, which holds only near the minimiser, is {theory_words}."]


def _agreement(sweep: RateSweep) -> list[str]:
    """Return a sentence that compares the measured with the predicted 1 − q, over all learning rates with a measured q."""
    pairs = [(point.factor.factor, point.learning_rate) for point in sweep.points if point.factor is not None]
    if sweep.curvature is None or not pairs:
        return []
    factors, rates = np.array(pairs).T
    shares = 1.0 - contraction(rates, sweep.curvature)
    off = np.abs(1.0 - factors - shares) / np.where(shares > 0.0, shares, np.nan)
    if not np.isfinite(off).all():
        return []
    worst = int(np.argmax(off))
    among = f"At the {counted(len(pairs), 'learning rate')} with a measured q, the 1 − q of theory and of measurement"
    if off[worst] < ROUNDING:
        return [f"{among} agree to within rounding."]
    differ = f"{among} differ by {_small(float(np.median(off)))} in the median"
    return [f"{differ}, and by {_small(float(off[worst]))} at most, at {number(rates[worst], _rates(sweep))}."]


def _small(difference: float) -> str:
    return "no more than rounding" if difference < ROUNDING else f"{100.0 * difference:.1g} %"


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"rates": Rates}

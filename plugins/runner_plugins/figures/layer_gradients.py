"""Gradients that explode or vanish on their way back through the layers, and the runs that survive."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.figure import SubFigure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from runner import (
    OUTCOME_COLOURS,
    PALETTE,
    Array,
    Drawing,
    Figure,
    InitialGradients,
    Outcome,
    Results,
    Survival,
    Survivals,
    counted,
    hookimpl,
    initial_gradients,
    listed,
    number,
    part,
    survivals,
    wrapped,
)

LINES = ("-", "--", ":", "-.")
CONSTANT = 0.01
"""A loss counts as unchanged if it ends within this fraction of its first value."""
MOST_OPTIMIZERS = 9
MOST_NETWORKS = 16
TOLD = 3
WIDTH, UPPER = 10.5, 3.9
"""The width of the figure and the height of its upper part, in inches."""
RANGE = 1e3
"""The darkest colour stands for this many times the lowest f, and for all larger values."""
DARK = 0.6
"""The share of the colour scale above which the colours are too dark for black text."""


FACTORS = ("network", "layers", "factor of each further layer ± its standard error", "starts")
"""The headings of the table below the picture. The factor is that of the gradient in the first layer."""
NONE = Survival(0, 0, math.nan)


@dataclass(frozen=True)
class LayerGradients(Figure):
    """‖∂f/∂Wₗ‖ of each layer at the start, against the layer and against the depth, and the runs that survive.

    It needs the gradients that `[record] gradient = true` stores, and an objective that offers its layers.
    """

    title: ClassVar[str] = "Gradients through the layers"

    def draw(self, results: Results) -> Drawing | None:
        """Draw the gradients by layer, by depth if there are several depths, and a table of survivors; None without such runs."""
        nets = initial_gradients(results)
        if not nets:
            return None
        fates = survivals(nets, results.swept)
        rows, columns = _table(fates)
        table_height = 0.3 * len(rows) + 1.3
        figure = MatplotlibFigure(figsize=(WIDTH, UPPER + table_height), layout="constrained")
        parts = figure.add_gridspec(2, 1, height_ratios=[UPPER, table_height])
        _draw_gradients(figure.add_subfigure(parts[0]), nets)
        _draw_table(figure.add_subfigure(parts[1]), fates, rows, columns)
        return Drawing(figure, _caption(nets, fates), _factors(nets))


def _draw_gradients(figure: SubFigure, nets: Sequence[InitialGradients]) -> None:
    """Draw the gradients at the start against the depth, if there are several depths, and against the layer."""
    depths = {net.depth for net in nets}
    axes = figure.subplots(1, 2 if len(depths) > 1 else 1, squeeze=False)[0]
    for place, variant in enumerate(dict.fromkeys(net.variant for net in nets)):
        _draw_variant(axes, place, variant, [net for net in nets if net.variant == variant], max(depths))
    axes[-1].set_title(f"In {max(depths)} layers, by layer")
    axes[-1].set_xlabel("layer, from the first to the last")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7.5)
    if len(depths) > 1:
        axes[0].set_title("Against the depth")
        axes[0].set_xlabel("number of layers")
    axes[0].set_ylabel("gradient norm at the start")
    for panel in axes:
        panel.set_yscale("log")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_variant(axes: Sequence[Axes], place: int, variant: str, nets: Sequence[InitialGradients], deepest: int) -> None:
    """Draw the lines of one variant, of all its depths, in each panel."""
    mine = sorted(nets, key=lambda net: net.depth)
    colour, line = PALETTE[place % len(PALETTE)], LINES[place // len(PALETTE) % len(LINES)]
    style: dict[str, Any] = {"color": colour, "linestyle": line, "marker": ".", "label": wrapped(variant, 34, 3)}
    if mine[-1].depth == deepest:
        axes[-1].plot(range(1, deepest + 1), _shown(mine[-1].at_start), **style)
    if len(axes) > 1:
        axes[0].plot([net.depth for net in mine], _shown([net.whole for net in mine]), **style)


def _shown(values: Array | Sequence[float]) -> Array:
    """Return the values with NaN for those that a logarithmic axis cannot show: zeros and infinities."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array) & (array > 0), array, np.nan)


def _table(fates: Survivals) -> tuple[list[tuple[str, int]], list[str]]:
    """Return the rows and columns of the table. If there are too many, keep the deepest networks and the first optimizers."""
    deepest = max(depth for _, depth in fates)
    rows = sorted(fates, key=lambda row: -row[1])
    rows = [row for row in rows if row[1] == deepest or len(rows) <= MOST_NETWORKS][:MOST_NETWORKS]
    columns = list(dict.fromkeys(method for row in rows for method in fates[row]))
    return rows, columns[:MOST_OPTIMIZERS]


def _draw_table(figure: SubFigure, fates: Survivals, rows: Sequence[tuple[str, int]], columns: Sequence[str]) -> None:
    panel = figure.subplots()
    cells = [[fates[row].get(column, NONE) for column in columns] for row in rows]
    finals = _shown(np.array([[cell.final for cell in line] for line in cells]))
    known = finals[np.isfinite(finals)]
    lowest = known.min() if known.size else 1.0
    scale = LogNorm(lowest, RANGE * lowest, clip=True)
    panel.set_facecolor(OUTCOME_COLOURS[Outcome.DIVERGED])
    panel.imshow(np.ma.masked_invalid(finals), aspect="auto", cmap="cividis_r", norm=scale)
    for (row, column), final in np.ndenumerate(finals):
        cell = cells[row][column]
        told = f"{cell.survived}/{cell.total}" if cell.total else "not run"
        if not cell.total:
            panel.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", linewidth=0))
        ink = "white" if np.isfinite(final) and scale(final) > DARK else "black"
        words = f"{number(cell.final)} ({told})" if cell.survived else told
        panel.text(column, row, words, ha="center", va="center", fontsize=8, color=ink)
    one_depth = len({depth for _, depth in rows}) == 1
    panel.set_title(
        "Median last f of the surviving runs (number of surviving runs)" + (f", in {rows[0][1]} layers" if one_depth else "")
    )
    panel.set_xticks(range(len(columns)), [wrapped(column, 24, 3) for column in columns])
    names = [variant if one_depth else f"{variant}, {depth} layers" for variant, depth in rows]
    panel.set_yticks(range(len(rows)), [wrapped(name, 60, 1) for name in names])
    panel.tick_params(length=0)
    panel.grid(visible=False)
    panel.spines[["left", "bottom"]].set_visible(False)


def _factors(nets: Sequence[InitialGradients]) -> list[Sequence[str]]:
    """Return the factor of each further layer for each variant, as rows below a heading; empty if there is one depth only."""
    deepest = {net.variant: net for net in sorted(nets, key=lambda net: net.depth)}
    growths = {variant: net.growth(nets) for variant, net in deepest.items()}
    rows = [
        (variant, str(deepest[variant].depth), growth.words, str(growth.starts))
        for variant, growth in growths.items()
        if growth is not None
    ]
    return [FACTORS, *rows] if rows else []


def _caption(nets: Sequence[InitialGradients], fates: Survivals) -> str:
    several = len({net.depth for net in nets}) > 1
    reading = (
        "The lines show the gradient of f with respect to the weights before the first step, as the median over the starts: "
        + ("on the left its norm against the number of layers; on the right, for the deepest networks, " if several else "")
        + "the norm of the part that belongs to each layer. A run survives unless it diverges, becomes non-finite or fails. The "
        "table shows, for each network and optimizer, the median last f of the surviving runs and their number. A larger f is "
        "darker; a cell is orange if no run survived."
        + (" Where there is a penalty, f includes it." if any("penalty" in net.variant for net in nets) else "")
    )
    return "\n".join([reading, _gradients_told(nets), _survival_told(nets, fates)])


def _gradients_told(nets: Sequence[InitialGradients]) -> str:
    """Return sentences about the range of the gradients, and the factor of each added layer."""
    deepest = max(net.depth for net in nets)
    deep = sorted((net for net in nets if net.depth == deepest and net.whole > 0), key=lambda net: net.whole)
    if not deep:
        return "No gradient at the start is above 0."
    least, most = deep[0], deep[-1]
    names = [f"({net.variant})" if ", " in net.variant else net.variant for net in (most, least)]
    text = [f"In {deepest} layers, the gradient at the start has a norm of {number(most.whole)} for {names[0]}"]
    if len(deep) > 1:
        text.append(f", and of {number(least.whole)} for {names[1]}, which is {number(most.whole / least.whole)} times smaller")
    factors = {net.variant: net.growth(nets) for net in (most, least)}
    grown = {variant: growth for variant, growth in factors.items() if growth is not None}
    if grown:
        told = [f"{growth.words} with {variant} ({counted(growth.starts, 'start')})" for variant, growth in grown.items()]
        text.append(
            ". The factor by which each further layer multiplies the gradient in the first layer, as the geometric mean over the "
            f"starts ± its standard error: {listed(told)}"
        )
    within = max(deep, key=lambda net: net.spread)
    text.append(
        f". The layers of one network differ most with {within.variant}: by a factor of {number(within.spread)}, "
        f"from {number(float(within.at_start[0]))} in the first layer to {number(float(within.at_start[-1]))} in the last."
    )
    return "".join(text)


Cell = tuple[InitialGradients, str, Survival]


def _survival_told(nets: Sequence[InitialGradients], fates: Survivals) -> str:
    """Return sentences about the settings that survive, that do not move, and that reach the lowest f, for each optimizer."""
    cells = [(net, method, fate) for net in nets for method, fate in fates[net.variant, net.depth].items()]
    deepest = max(net.depth for net in nets)
    deep = [cell for cell in cells if cell[0].depth == deepest and cell[2].survived]
    text = [f"{_surviving([fate for *_, fate in cells]).capitalize()} survived.", *_losses_told(cells)]
    idle = list(dict.fromkeys(net.variant for net, _, fate in deep if abs(fate.final - net.began) <= CONSTANT * abs(net.began)))
    if idle:
        text.append(
            f"In {deepest} layers, the surviving runs with {_some(idle)} learned nothing: their median last f differs by at most "
            f"{CONSTANT:.0%} from f at the start."
        )
    if deep:
        net, method, fate = min(deep, key=lambda cell: cell[2].final)
        ends = f"{number(fate.final)}, from {number(net.began)} at the start"
        text.append(f"The lowest median f in {deepest} layers was reached with {net.variant} and {method}: {ends}.")
    return " ".join(text)


def _losses_told(cells: Sequence[Cell]) -> Iterator[str]:
    """Return a sentence about the optimizers and settings whose runs are lost, if any are."""
    methods: dict[str, list[Survival]] = {}
    for _, method, fate in cells:
        methods.setdefault(method, []).append(fate)
    lost = [f"{net.variant} ({method}, {net.depth} layers)" for net, method, fate in cells if fate.survived < fate.total]
    if lost and len(methods) > 1:
        yield f"By optimizer: {listed([f'{_surviving(some)} with {method}' for method, some in methods.items()])}."
    if lost:
        yield f"Runs were lost with {_some(lost)}."


def _surviving(fates: Sequence[Survival]) -> str:
    return part(sum(fate.survived for fate in fates), sum(fate.total for fate in fates), "run")


def _some(items: Sequence[str]) -> str:
    rest = len(items) - TOLD
    return listed([*items[:TOLD], counted(rest, "other setting")] if rest > 0 else items)


@hookimpl
def runner_figures() -> Mapping[str, type[Figure]]:
    """Offer the figure."""
    return {"layer_gradients": LayerGradients}

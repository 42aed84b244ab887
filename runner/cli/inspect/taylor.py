"""`runner inspect OBJECTIVE --taylor N --around A`: what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.analysis.differentiation import Slope
from runner.cli.inspect.shared import Shown, fifteen, plain, slope_text, vector
from runner.cli.terminal.table_layout import fitted
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.models import Direction, ModelInspection, inspect_models
from runner.inspection.point import choose_point
from runner.inspection.series import CIRCLES, Remainder, SeriesInspection, inspect_series
from runner.tables.readable import exact, number, to_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SHOWN_DISTANCES = (0.1, 1.0)
OFF = 0.2
"""From here on a measured slope is not that of theory."""


def show_taylor(inspected: InspectedObjective, order: int, around: tuple[float, ...]) -> Shown:
    """Compute the series, or in several dimensions the models, ready to be shown.

    Raises:
        ExperimentError: in several dimensions there are models of the orders 1 and 2 only.
    """
    place = choose_point(inspected, around, "--around")
    if inspected.dimension == 1:
        inspection = inspect_series(inspected, float(place.x[0]), order)
        data = {**plain(inspection), "shown": plain(inspection.shown)}
        return Shown(list(_series_lines(inspection)), data, lambda: _draw_series(inspected, inspection))
    if order > 2:
        raise ExperimentError(inspected.name, [f"--taylor {order}: it has dimension {inspected.dimension}, and beyond dimension "
                                             "1 there are models of the orders 1 and 2"])  # fmt: skip
    models = inspect_models(inspected, place, order)
    return Shown(list(_model_lines(models)), plain(models), lambda: _draw_models(models))


def _draw_series(inspected: InspectedObjective, inspection: SeriesInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.taylor import draw_series

    return draw_series(inspected, inspection)


def _draw_models(inspection: ModelInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.taylor import draw_models

    return draw_models(inspection)


def _series_lines(inspection: SeriesInspection) -> Iterator[str]:
    kind = "Maclaurin series" if inspection.around == 0 else "Taylor series"
    yield f"{inspection.objective}: {kind} around {exact(inspection.around)}, f(x) ≈ Σ cₙ (x − A)ⁿ, by {inspection.method}"
    if inspection.method != CIRCLES:
        yield f"not by {CIRCLES}, {inspection.because}"
    yield ""
    rows = zip(
        inspection.shown.tolist(), inspection.coefficients.errors.tolist(), inspection.coefficients.radii.tolist(), strict=False
    )
    heading = ("n", "cₙ", "wrong by at most", "radius")
    yield from fitted([heading, *(_coefficient_row(n, *row) for n, row in enumerate(rows))])
    yield ""
    columns = ("n", *(f"|f − Pₙ| at distance {t:g}" for t in SHOWN_DISTANCES), "slope measured", "theory")
    yield from fitted([columns, *(_remainder_row(each, inspection) for each in inspection.remainders)])
    yield from _remarks(inspection)


def _remarks(inspection: SeriesInspection) -> Iterator[str]:
    skipping = [str(each.order) for each in inspection.remainders if each.expected not in (None, each.order + 1)]
    if skipping:
        orders = ", ".join(skipping)
        yield f"behind n = {orders} the next coefficient is zero within its error, so the remainder shrinks faster than n + 1"
    ruled = [str(each.order) for each in inspection.remainders
             if each.slope and each.expected is not None and abs(each.slope.value - each.expected) > OFF]  # fmt: skip
    if ruled:
        yield f"behind n = {', '.join(ruled)} a later term is the larger one at every distance at which rounding is not"


def _coefficient_row(n: int, value: float, error: float, radius: float) -> tuple[str, str, str, str]:
    return str(n), to_error(value, error), f"{error:.0e}", f"{radius:.3g}"


def _remainder_row(remainder: Remainder, inspection: SeriesInspection) -> tuple[str, ...]:
    sizes = [remainder.sizes[int(np.argmin(np.abs(inspection.distances - t)))] for t in SHOWN_DISTANCES]
    known = len(inspection.coefficients.values) - 1
    beyond = "none: Pₙ is f" if remainder.vanishes else f"more than {known}"
    expected = beyond if remainder.expected is None else str(remainder.expected)
    return str(remainder.order), *(number(float(size)) for size in sizes), _slope(remainder.slope, remainder.vanishes), expected


def _slope(slope: Slope | None, rounding: bool = True) -> str:
    if slope is None:
        return "– (rounding only)" if rounding else "– (too far away)"
    return slope_text(slope)


def _model_lines(inspection: ModelInspection) -> Iterator[str]:
    yield f"{inspection.objective} around x = {vector(inspection.place.x, exact)}, f = {fifteen(inspection.value)}"
    for direction in inspection.directions:
        yield ""
        yield from _direction_lines(inspection, direction)


def _direction_lines(inspection: ModelInspection, direction: Direction) -> Iterator[str]:
    yield f"along {direction.name}, p = {vector(direction.unit)}"
    words = ("", "predicted by the first-order model", "predicted by the second-order model")
    heading = ("distance t", *(words[model.order] for model in direction.models), "actual decrease of f")
    columns = zip(*(model.decreases for model in direction.models), direction.actual, strict=True)
    rows = [(f"{t:g}", *(number(float(item)) for item in row)) for t, row in zip(inspection.shown, columns, strict=True)]
    yield from fitted([heading, *rows])
    for model in direction.models:
        slope = _slope(model.slope)
        yield f"what the model of order {model.order} leaves out: slope {slope} against t; theory {model.order + 1}"

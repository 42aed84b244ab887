"""`runner inspect OBJECTIVE --taylor N --around A`: the Taylor series, or in several dimensions models along directions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.analysis.differentiation import Slope
from runner.analysis.taylor import SMOOTH
from runner.cli.inspect.output import Output, fifteen_digits, six_digits, slope_text, to_json, vector
from runner.cli.terminal.tables import table_lines
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.models import ModelInspection, inspect_models
from runner.inspection.point import choose_point
from runner.inspection.series import CIRCLES, SeriesInspection, inspect_series
from runner.tables.readable import exact, number, to_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SHOWN_DISTANCES = (0.1, 1.0)
SLOPE_TOLERANCE = 0.2
"""A measured slope counts as the theoretical one if they differ by at most this, or by at most twice its uncertainty."""


def taylor_output(inspected: InspectedObjective, order: int, around: tuple[float, ...]) -> Output:
    """Compute the Taylor series in one dimension, or models of the orders 1 and 2 in several dimensions.

    Raises:
        ExperimentError: the objective has several dimensions and the order is above 2.
    """
    place = choose_point(inspected, around, "--around")
    if inspected.dimension > 1:
        if order > 2:
            problem = f"--taylor {order}: must be 1 or 2, because the objective has dimension {inspected.dimension}"
            raise ExperimentError(inspected.name, [f"{problem}; higher orders need dimension 1"])
        models = inspect_models(inspected, place, order)

        def draw_models() -> MatplotlibFigure:
            # This import loads Matplotlib.
            from runner.inspection.pictures.taylor import draw_models

            return draw_models(models)

        return Output(list(_model_lines(inspected, models)), to_json(models), draw_models)
    series = inspect_series(inspected, float(place.x[0]), order)

    def draw_series() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.taylor import draw_series

        return draw_series(inspected, series)

    return Output(list(_series_lines(series)), {**to_json(series), "shown": to_json(series.shown)}, draw_series)


def _series_lines(inspection: SeriesInspection) -> Iterator[str]:
    kind = "Maclaurin series" if inspection.around == 0 else "Taylor series"
    yield f"{inspection.objective}: {kind} around {exact(inspection.around)}, f(x) ≈ Σ cₙ (x − A)ⁿ, by {inspection.method}"
    if inspection.method != CIRCLES:
        yield f"not by {CIRCLES}, {inspection.because}"
    yield ""
    columns = zip(
        inspection.shown.tolist(), inspection.coefficients.errors.tolist(), inspection.coefficients.radii.tolist(), strict=False
    )
    coefficients = [
        (str(n), to_error(value, error), f"{error:.0e}", f"{radius:.3g}") for n, (value, error, radius) in enumerate(columns)
    ]
    yield from table_lines([("n", "cₙ", "estimated error", "radius"), *coefficients])
    if inspection.method == CIRCLES:
        low, high = inspection.singularity or (inspection.coefficients.reach, None)
        yield f"on circles up to distance {six_digits(low)} from A, f equals a power series to within {SMOOTH:g} of its variation"
        if high is not None:
            yield f"within distance {six_digits(high)}, f has a singularity in the complex plane, or its formula has a branch cut"
    yield ""
    heading = ("n", *(f"largest |f − Pₙ| at A ± {t:g}" for t in SHOWN_DISTANCES), "slope measured", "theory")
    shown = [int(np.argmin(np.abs(inspection.distances - t))) for t in SHOWN_DISTANCES]
    rows: list[tuple[str, ...]] = [heading]
    for each in inspection.remainders:
        expected = "none seen" if each.vanishes else f"more than {len(inspection.coefficients.values) - 1}"
        if each.expected is not None:
            expected = str(each.expected)
        largest = [float(each.largest[place]) for place in shown]
        sizes = ["–" if math.isnan(size) else number(size) for size in largest]
        rows.append((str(each.order), *sizes, _slope(each.slope, each.vanishes), expected))
    yield from table_lines(rows)
    if any(np.isnan(each.largest[shown]).any() for each in inspection.remainders):
        yield "–: f has no value at one of the two points"
    faster = [str(each.order) for each in inspection.remainders if each.expected not in (None, each.order + 1)]
    if faster:
        orders = ", ".join(faster)
        yield (
            f"after n = {orders} the next coefficient is zero within its error, "
            "so the remainder shrinks faster than distance^(n + 1)"
        )
    hidden = [
        str(each.order)
        for each in inspection.remainders
        if each.slope
        and each.expected is not None
        and abs(each.slope.value - each.expected) > max(SLOPE_TOLERANCE, 2.0 * each.slope.uncertainty)
    ]
    if hidden:
        yield f"after n = {', '.join(hidden)} no distance shows the next term: at each one, a later term or rounding is larger"


def _slope(slope: Slope | None, is_rounding: bool = True) -> str:
    if slope is None:
        return "– (rounding only)" if is_rounding else "– (too far away)"
    return slope_text(slope)


def _model_lines(inspected: InspectedObjective, inspection: ModelInspection) -> Iterator[str]:
    place = f"{inspected.point_name} = {vector(inspection.place.x, exact)}"
    yield f"{inspection.objective} around {place}, f = {fifteen_digits(inspection.value)}"
    orders = {1: "first", 2: "second"}
    for direction in inspection.directions:
        yield ""
        yield f"along {direction.name}, p = {vector(direction.unit)}"
        predictions = [f"predicted by the {orders[model.order]}-order model" for model in direction.models]
        columns = zip(*(model.decreases for model in direction.models), direction.actual, strict=True)
        rows = [(f"{t:g}", *(number(float(item)) for item in row)) for t, row in zip(inspection.shown, columns, strict=True)]
        yield from table_lines([("distance t", *predictions, "actual decrease of f"), *rows])
        for model in direction.models:
            slope = _slope(model.slope)
            yield f"error of the model of order {model.order}: slope {slope} against t; theory {model.order + 1}"

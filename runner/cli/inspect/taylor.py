"""`runner inspect OBJECTIVE --taylor N --around A`: what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.analysis.differentiation import Slope
from runner.cli.inspect.shared import Shown, fifteen, plain, slope_text, vector
from runner.cli.terminal.table_layout import fitted
from runner.errors import ExperimentError
from runner.inspection.models import Direction, ModelFacts, model_facts
from runner.inspection.point import place_at
from runner.inspection.series import CIRCLES, Remainder, SeriesFacts, series_facts
from runner.inspection.subject import Subject
from runner.tables.readable import exact, number, to_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SHOWN_DISTANCES = (0.1, 1.0)
OFF = 0.2
"""From here on a measured slope is not that of theory."""


def show_taylor(subject: Subject, order: int, around: tuple[float, ...]) -> Shown:
    """Compute the series, or in several dimensions the models, ready to be shown.

    Raises:
        ExperimentError: in several dimensions there are models of the orders 1 and 2 only.
    """
    place = place_at(subject, around, "--around")
    if subject.dimension == 1:
        facts = series_facts(subject, float(place.x[0]), order)
        data = {**plain(facts), "shown": plain(facts.shown)}
        return Shown(list(_series_lines(facts)), data, lambda: _draw_series(subject, facts))
    if order > 2:
        raise ExperimentError(subject.name, [f"--taylor {order}: it has dimension {subject.dimension}, and beyond dimension 1 "
                                             "there are models of the orders 1 and 2"])  # fmt: skip
    models = model_facts(subject, place, order)
    return Shown(list(_model_lines(models)), plain(models), lambda: _draw_models(models))


def _draw_series(subject: Subject, facts: SeriesFacts) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.taylor import draw_series

    return draw_series(subject, facts)


def _draw_models(facts: ModelFacts) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.taylor import draw_models

    return draw_models(facts)


def _series_lines(facts: SeriesFacts) -> Iterator[str]:
    kind = "Maclaurin series" if facts.around == 0 else "Taylor series"
    yield f"{facts.objective}: {kind} around {exact(facts.around)}, f(x) ≈ Σ cₙ (x − A)ⁿ, by {facts.method}"
    if facts.method != CIRCLES:
        yield f"not by {CIRCLES}, {facts.because}"
    yield ""
    rows = zip(facts.shown.tolist(), facts.coefficients.errors.tolist(), facts.coefficients.radii.tolist(), strict=False)
    heading = ("n", "cₙ", "wrong by at most", "radius")
    yield from fitted([heading, *(_coefficient_row(n, *row) for n, row in enumerate(rows))])
    yield ""
    columns = ("n", *(f"|f − Pₙ| at distance {t:g}" for t in SHOWN_DISTANCES), "slope measured", "theory")
    yield from fitted([columns, *(_remainder_row(each, facts) for each in facts.remainders)])
    yield from _remarks(facts)


def _remarks(facts: SeriesFacts) -> Iterator[str]:
    skipping = [str(each.order) for each in facts.remainders if each.expected not in (None, each.order + 1)]
    if skipping:
        orders = ", ".join(skipping)
        yield f"behind n = {orders} the next coefficient is zero within its error, so the remainder shrinks faster than n + 1"
    ruled = [str(each.order) for each in facts.remainders
             if each.slope and each.expected is not None and abs(each.slope.value - each.expected) > OFF]  # fmt: skip
    if ruled:
        yield f"behind n = {', '.join(ruled)} a later term is the larger one at every distance at which rounding is not"


def _coefficient_row(n: int, value: float, error: float, radius: float) -> tuple[str, str, str, str]:
    return str(n), to_error(value, error), f"{error:.0e}", f"{radius:.3g}"


def _remainder_row(remainder: Remainder, facts: SeriesFacts) -> tuple[str, ...]:
    sizes = [remainder.sizes[int(np.argmin(np.abs(facts.distances - t)))] for t in SHOWN_DISTANCES]
    known = len(facts.coefficients.values) - 1
    beyond = "none: Pₙ is f" if remainder.vanishes else f"more than {known}"
    expected = beyond if remainder.expected is None else str(remainder.expected)
    return str(remainder.order), *(number(float(size)) for size in sizes), _slope(remainder.slope, remainder.vanishes), expected


def _slope(slope: Slope | None, rounding: bool = True) -> str:
    if slope is None:
        return "– (rounding only)" if rounding else "– (too far away)"
    return slope_text(slope)


def _model_lines(facts: ModelFacts) -> Iterator[str]:
    yield f"{facts.objective} around x = {vector(facts.place.x, exact)}, f = {fifteen(facts.value)}"
    for direction in facts.directions:
        yield ""
        yield from _direction_lines(facts, direction)


def _direction_lines(facts: ModelFacts, direction: Direction) -> Iterator[str]:
    yield f"along {direction.name}, p = {vector(direction.unit)}"
    words = ("", "predicted by the first-order model", "predicted by the second-order model")
    heading = ("distance t", *(words[model.order] for model in direction.models), "actual decrease of f")
    columns = zip(*(model.decreases for model in direction.models), direction.actual, strict=True)
    rows = [(f"{t:g}", *(number(float(item)) for item in row)) for t, row in zip(facts.shown, columns, strict=True)]
    yield from fitted([heading, *rows])
    for model in direction.models:
        slope = _slope(model.slope)
        yield f"what the model of order {model.order} leaves out: slope {slope} against t; theory {model.order + 1}"

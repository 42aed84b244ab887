"""`runner inspect OBJECTIVE --spacings`: the error of finite differences against their spacing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.cli.inspect.output import Output, fifteen_digits, slope_text, to_json, vector
from runner.cli.terminal.tables import table_lines
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.spacings import RULES, Scheme, SpacingInspection, choose_spacing_point, inspect_spacings
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


FLAT_BELOW = 1e-10
"""The spacing h up to which the truncation error h² of the complex step is far below rounding."""
ROUNDING = 1e-12
"""Largest error of the complex step that counts as rounding."""
SUSPICIOUS = 1e-3
"""If the relative error of the best difference exceeds this, the reference gradient may be wrong."""


def spacings_output(inspected: InspectedObjective, at: tuple[float, ...] | None) -> Output:
    """Measure the error of each scheme at spacings from 1e-1 to 1e-15, at `at` or, if that is None, at a default point."""
    inspection = inspect_spacings(inspected, choose_spacing_point(inspected, at))

    def draw() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.spacings import draw_spacings

        return draw_spacings(inspection)

    return Output(list(_lines(inspected, inspection)), to_json(inspection), draw)


def _lines(inspected: InspectedObjective, inspection: SpacingInspection) -> Iterator[str]:
    yield f"{inspection.objective} at {inspected.point_name} = {vector(inspection.place.x, exact)}, {inspection.place.why}"
    yield f"∇f by {inspection.reference}, taken as exact: {vector(inspection.gradient, fifteen_digits)}"
    error = "‖g − ∇f‖ / ‖∇f‖" if inspection.relative else "‖g − ∇f‖ (absolute, because ∇f is zero)"
    yield f"error: {error} for the gradient g of each scheme, at spacings h from 1e-1 to 1e-15"
    yield ""
    heading = (
        "scheme",
        "slope measured",
        "slope in theory",
        "best h measured",
        "error at best h",
        "best h in theory",
        "rule of thumb",
    )
    yield from table_lines([heading, *map(_row, inspection.schemes)])
    for scheme in inspection.schemes:
        if scheme.best is None:
            yield f"{scheme.name}: no slope, because its error is finite at no spacing"
        elif scheme.slope is None:
            yield f"{scheme.name}: no slope, because rounding dominates at every spacing: the scheme has no truncation error here"
        if scheme.order is not None and scheme.predicted is None:
            yield (
                f"{scheme.name}: no best spacing in theory, because f or its derivative of order {scheme.order + 1} "
                "is zero here within rounding, or not finite"
            )
    if inspection.complex_step is None:
        yield f"no complex step, {inspection.without_complex_step}"
    else:
        largest = float(np.max(inspection.complex_step[inspection.spacings <= FLAT_BELOW]))
        reason = "; nothing cancels, so only rounding is left" if largest < ROUNDING else ""
        yield f"complex step: error at most {number(largest)} at every h ≤ {FLAT_BELOW:.0e}{reason}"
    closest = min((scheme.best_error for scheme in inspection.schemes if scheme.best_error is not None), default=0.0)
    if inspection.relative and closest > SUSPICIOUS:
        yield (
            f"every finite difference differs from ∇f by {inspection.reference} by at least {number(closest)} (relative): "
            "that gradient may be wrong"
        )


def _row(scheme: Scheme) -> tuple[str, ...]:
    return (
        scheme.name,
        "–" if scheme.slope is None else slope_text(scheme.slope),
        "–" if scheme.order is None else str(scheme.order),
        _two_digits(scheme.best),
        _two_digits(scheme.best_error),
        _two_digits(scheme.predicted),
        "–" if scheme.rule is None else f"{RULES[scheme.name]} = {scheme.rule:.1e}",
    )


def _two_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"

"""`runner inspect OBJECTIVE --spacings`: what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.cli.inspect.shared import Shown, fifteen, plain, slope_text, vector
from runner.cli.terminal.table_layout import fitted
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.spacings import RULES, Scheme, SpacingInspection, choose_spacing_point, inspect_spacings
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


FLAT_BELOW = 1e-10
"""Where h² is far below rounding."""
AT_ROUNDING = 1e-12
SUSPICIOUS = 1e-3


def show_spacings(inspected: InspectedObjective, at: tuple[float, ...] | None) -> Shown:
    """Measure the errors, ready to be shown."""
    inspection = inspect_spacings(inspected, choose_spacing_point(inspected, at))
    return Shown(list(_lines(inspection)), plain(inspection), lambda: _draw(inspection))


def _draw(inspection: SpacingInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.spacings import draw_spacings

    return draw_spacings(inspection)


def _lines(inspection: SpacingInspection) -> Iterator[str]:
    yield f"{inspection.objective} at x = {vector(inspection.place.x, exact)}, {inspection.place.why}"
    yield f"∇f by {inspection.reference}, taken for right: {vector(inspection.gradient, fifteen)}"
    yield f"error: ‖g − ∇f‖{' / ‖∇f‖' if inspection.relative else ', for ∇f is zero'}, at spacings h from 1e-1 to 1e-15"
    yield ""
    heading = ("scheme", "slope measured", "theory", "best h measured", "its error", "theory here", "rule of thumb")
    yield from fitted([heading, *map(_row, inspection.schemes)])
    for scheme in inspection.schemes:
        if scheme.best is None:
            yield f"{scheme.name}: no slope, because its error is finite at no spacing"
        elif scheme.slope is None:
            yield f"{scheme.name}: no slope, because rounding rules at every spacing: the scheme has no truncation error here"
        if scheme.order is not None and scheme.predicted is None:
            yield (
                f"{scheme.name}: no best spacing in theory, because f or its derivative of order {scheme.order + 1} "
                "is zero here within rounding, or not finite"
            )
    yield _complex_line(inspection)
    closest = min((scheme.best_error for scheme in inspection.schemes if scheme.best_error is not None), default=0.0)
    if inspection.relative and closest > SUSPICIOUS:
        yield f"no difference comes closer to ∇f by {inspection.reference} than {number(closest)}: that gradient may be wrong"


def _row(scheme: Scheme) -> tuple[str, ...]:
    return (
        scheme.name,
        "–" if scheme.slope is None else slope_text(scheme.slope),
        "–" if scheme.order is None else str(scheme.order),
        _text(scheme.best),
        _text(scheme.best_error),
        _text(scheme.predicted),
        "–" if scheme.rule is None else f"{RULES[scheme.name]} = {scheme.rule:.1e}",
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


def _complex_line(inspection: SpacingInspection) -> str:
    if inspection.complex_step is None:
        return f"no complex step, {inspection.without_complex_step}"
    flat = inspection.complex_step[inspection.spacings <= FLAT_BELOW]
    largest = float(np.max(flat))
    reason = "; nothing cancels, so it stays at rounding" if largest < AT_ROUNDING else ""
    return f"complex step: error at most {number(largest)} at every h ≤ {FLAT_BELOW:.0e}{reason}"

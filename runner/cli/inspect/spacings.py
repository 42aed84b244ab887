"""`runner inspect OBJECTIVE --spacings`: what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.cli.inspect.shared import Shown, fifteen, plain, slope_text, vector
from runner.cli.terminal.table_layout import fitted
from runner.inspection.spacings import RULES, Scheme, SpacingFacts, spacing_facts, spacing_place
from runner.inspection.subject import Subject
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


FLAT_BELOW = 1e-10
"""Where h² is far below rounding."""
AT_ROUNDING = 1e-12
SUSPICIOUS = 1e-3


def show_spacings(subject: Subject, at: tuple[float, ...] | None) -> Shown:
    """Measure the errors, ready to be shown."""
    facts = spacing_facts(subject, spacing_place(subject, at))
    return Shown(list(_lines(facts)), plain(facts), lambda: _draw(facts))


def _draw(facts: SpacingFacts) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.spacings import draw_spacings

    return draw_spacings(facts)


def _lines(facts: SpacingFacts) -> Iterator[str]:
    yield f"{facts.objective} at x = {vector(facts.place.x, exact)}, {facts.place.why}"
    yield f"∇f by {facts.reference}, taken for right: {vector(facts.gradient, fifteen)}"
    yield f"error: ‖g − ∇f‖{' / ‖∇f‖' if facts.relative else ', for ∇f is zero'}, at spacings h from 1e-1 to 1e-15"
    yield ""
    heading = ("scheme", "slope measured", "theory", "best h measured", "its error", "theory here", "rule of thumb")
    yield from fitted([heading, *map(_row, facts.schemes)])
    for scheme in facts.schemes:
        if scheme.best is None:
            yield f"{scheme.name}: no slope, because its error is finite at no spacing"
        elif scheme.slope is None:
            yield f"{scheme.name}: no slope, because rounding rules at every spacing: the scheme has no truncation error here"
        if scheme.order is not None and scheme.predicted is None:
            yield (
                f"{scheme.name}: no best spacing in theory, because f or its derivative of order {scheme.order + 1} "
                "is zero here within rounding, or not finite"
            )
    yield _complex_line(facts)
    closest = min((scheme.best_error for scheme in facts.schemes if scheme.best_error is not None), default=0.0)
    if facts.relative and closest > SUSPICIOUS:
        yield f"no difference comes closer to ∇f by {facts.reference} than {number(closest)}: that gradient may be wrong"


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


def _complex_line(facts: SpacingFacts) -> str:
    if facts.complex_step is None:
        return f"no complex step, {facts.without_complex_step}"
    flat = facts.complex_step[facts.spacings <= FLAT_BELOW]
    largest = float(np.max(flat))
    reason = "; nothing cancels, so it stays at rounding" if largest < AT_ROUNDING else ""
    return f"complex step: error at most {number(largest)} at every h ≤ {FLAT_BELOW:.0e}{reason}"

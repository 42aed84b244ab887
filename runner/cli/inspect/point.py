"""`runner inspect OBJECTIVE --at X`: what is printed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.analysis.definiteness import Curvature
from runner.analysis.kinks import Kink
from runner.cli.inspect.shared import MOST_COORDINATES, Shown, difference, fifteen, plain, six, vector
from runner.cli.terminal.table_layout import fitted
from runner.contracts.arrays import Array
from runner.inspection.chain_rule import ChainLink
from runner.inspection.inspected_objective import BackendResult, InspectedObjective
from runner.inspection.point import PointInspection, choose_point, inspect_point
from runner.tables.readable import counted, exact, number, to_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


MOST_ROWS = 8
"""The largest matrix that is printed in full."""


def show_point(inspected: InspectedObjective, at: Sequence[float] | None) -> Shown:
    """Collect the facts at a point, ready to be shown."""
    inspection = inspect_point(inspected, choose_point(inspected, at, "--at"))
    data = plain(inspection)
    if inspection.curvature is not None:
        data["curvature"]["words"] = inspection.curvature.words
    if inspection.newton is not None:
        data["newton"]["descends"] = inspection.newton.descends
    return Shown(list(_lines(inspection)), data, lambda: _draw(inspected, inspection))


def _draw(inspected: InspectedObjective, inspection: PointInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.point import draw_point

    return draw_point(inspected, inspection)


def _lines(inspection: PointInspection) -> Iterator[str]:
    yield f"{inspection.objective} at x = {vector(inspection.place.x, exact)}, {inspection.place.why}"
    yield f"f(x) = {fifteen(inspection.value)}"
    if not math.isfinite(inspection.value):
        yield "f is not finite here, so what follows may mean nothing"
    yield ""
    yield from _gradient_lines(inspection.gradients)
    yield from _steepest_lines(inspection)
    yield ""
    yield from _hessian_lines(inspection)
    yield ""
    yield from _newton_lines(inspection)
    if inspection.gauss_newton is not None:
        yield ""
        yield from _gauss_newton_lines(inspection)
    if inspection.chain:
        yield ""
        yield from _chain_lines(inspection.chain)


def _gradient_lines(answers: Sequence[BackendResult]) -> Iterator[str]:
    given = [answer for answer in answers if answer.result is not None]
    if given:
        reference = given[0].result
        heading = ("gradient by", "∇f", f"differs from {given[0].backend} by")
        yield from fitted([heading, *(_gradient_row(answer, reference) for answer in given)])
    yield from _refusals("gradient", answers)


def _gradient_row(answer: BackendResult, reference: Array | None) -> tuple[str, str, str]:
    result = answer.result
    assert result is not None
    assert reference is not None
    if result is reference:
        return answer.backend, vector(result, fifteen), ""
    error = float(np.abs(result - reference).max())
    text = vector(result, fifteen if error == 0 else lambda item: to_error(item, error))
    return answer.backend, text, difference(error)


def _refusals(quantity: str, answers: Sequence[BackendResult]) -> Iterator[str]:
    for answer in answers:
        if answer.result is None:
            yield f"no {quantity} by {answer.backend}, {answer.because}"


def _steepest_lines(inspection: PointInspection) -> Iterator[str]:
    steepest, gradient = inspection.steepest, inspection.gradient
    if steepest is not None:
        error = abs(steepest.measured - steepest.predicted)
        yield (
            f"slope along the steepest descent: −‖∇f‖ = {fifteen(steepest.predicted)}; by a difference of f: "
            f"{to_error(steepest.measured, error)} (off by {difference(error)})"
        )
    elif gradient is not None and not gradient.any():
        yield "the gradient is zero: there is no direction of steepest descent"


def _hessian_lines(inspection: PointInspection) -> Iterator[str]:
    given = [answer for answer in inspection.hessians if answer.result is not None]
    if given:
        yield f"Hessian by {given[0].backend}"
        yield from matrix_lines(_result(given[0]))
        for answer in given[1:]:
            apart = float(np.abs(_result(answer) - _result(given[0])).max())
            yield f"that by {answer.backend} differs by {difference(apart)}"
    yield from _refusals("Hessian", inspection.hessians)
    if inspection.kinks:
        yield from _kink_lines(inspection.kinks)
    elif inspection.curvature is not None:
        yield from curvature_lines(inspection.curvature)
    elif given:
        yield "it is not finite here, so it has no eigenvalues"


def _kink_lines(kinks: Sequence[Kink]) -> Iterator[str]:
    for kink in kinks[:MOST_ROWS]:
        place, jump = kink.coordinate + 1, six(kink.jump)
        yield f"kink along coordinate {place}: the slopes on its two sides differ by {jump}, as near as 1e-8"
    if len(kinks) > MOST_ROWS:
        yield f"… and along {len(kinks) - MOST_ROWS:,} more"
    yield "so from there f looks as if it had no derivative here, and what backends give for one says little of its shape"


def _result(answer: BackendResult) -> Array:
    assert answer.result is not None
    return answer.result


def matrix_lines(matrix: Array) -> list[str]:
    """Return a matrix as rows of numbers; of a large one its corner."""
    rows, columns = min(len(matrix), MOST_ROWS), min(matrix.shape[1], MOST_ROWS)
    cells = [[six(float(item)) for item in row[:columns]] for row in matrix[:rows]]
    width = max((len(cell) for row in cells for cell in row), default=0)
    more = " …" if columns < matrix.shape[1] else ""
    lines = ["  " + "  ".join(cell.rjust(width) for cell in row) + more for row in cells]
    if rows < len(matrix) or more:
        lines.append(f"  … {len(matrix):,} × {matrix.shape[1]:,} in all")
    return lines


def curvature_lines(curvature: Curvature) -> Iterator[str]:
    """Yield the eigenvalues, the condition number, and what they say together."""
    eigenvalues = curvature.eigenvalues
    if len(eigenvalues) <= MOST_COORDINATES:
        yield f"eigenvalues: {', '.join(map(six, eigenvalues.tolist()))}"
    else:
        negative, zero, positive = curvature.signs
        yield (
            f"eigenvalues: {negative} below zero, {zero} zero, {positive} above; from {six(float(eigenvalues[0]))} to "
            f"{six(float(eigenvalues[-1]))}"
        )
    condition = curvature.condition_number
    yield f"condition number: {six(condition) if math.isfinite(condition) else 'infinite within rounding'}"
    yield f"shape: {curvature.words} (zero is |λ| ≤ {number(curvature.tolerance)})"


def _newton_lines(inspection: PointInspection) -> Iterator[str]:
    newton = inspection.newton
    if newton is None:
        yield f"no Newton direction, {inspection.without_newton}"
        return
    yield f"Newton's step: {vector(newton.direction)}"
    if newton.slope == 0:
        yield "it does not move: the gradient is zero"
        return
    verb = "descends" if newton.descends else "does not descend: it leads uphill"
    yield f"it {verb}; slope along it ∇f·p = {six(newton.slope)}"
    yield f"decrease of f over it: predicted by the second-order model {six(newton.predicted)}, actual {six(newton.actual)}"


def _gauss_newton_lines(inspection: PointInspection) -> Iterator[str]:
    gauss_newton = inspection.gauss_newton
    assert gauss_newton is not None
    residuals = counted(len(gauss_newton.jacobian), "residual")
    yield f"f is a sum of squares of {residuals}; their Jacobian J by {gauss_newton.backend}"
    yield from matrix_lines(gauss_newton.jacobian)
    yield "Gauss–Newton part of the Hessian, 2JᵀJ"
    yield from matrix_lines(gauss_newton.part)
    if math.isfinite(gauss_newton.difference):
        share = f", {gauss_newton.relative:.3g} of ‖∇²f‖" if math.isfinite(gauss_newton.relative) else ""
        yield f"the rest, ∇²f − 2JᵀJ, has the norm {six(gauss_newton.difference)}{share}"


def _chain_lines(chain: Sequence[ChainLink]) -> Iterator[str]:
    yield "the chain rule, from the last layer back: what reaches a layer is the product of all above it"
    heading = ("layer", "weights", "‖its Jacobian‖", "reaches it, ‖∂f/∂a‖", "at most", "‖∂f/∂ its weights‖")
    rows = [
        (each.name, f"{each.weights:,}", *map(number, (each.jacobian_norm, each.reaching, each.bound, each.gradient_norm)))
        for each in reversed(chain)
    ]
    yield from fitted([heading, *rows])

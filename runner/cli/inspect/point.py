"""`runner inspect OBJECTIVE --at X`: the derivatives at a point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from runner.analysis.definiteness import Curvature, Shape
from runner.cli.inspect.output import MOST_COORDINATES, Output, difference, fifteen_digits, six_digits, to_json, vector
from runner.cli.terminal.tables import table_lines
from runner.contracts.arrays import Array
from runner.contracts.objective import HasData
from runner.inspection.inspected_objective import BackendResult, InspectedObjective
from runner.inspection.point import PointInspection, choose_point, inspect_point
from runner.tables.readable import counted, exact, number, to_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


MOST_MATRIX_ROWS = 8
"""The number of rows and columns of the largest matrix that is printed in full."""
MOST_KINKS = 8
"""The largest number of kinks, and of jumps, that are listed."""


def point_output(inspected: InspectedObjective, at: Sequence[float] | None) -> Output:
    """Return the derivatives at the point `at`, or at a default point if `at` is None."""
    inspection = inspect_point(inspected, choose_point(inspected, at, "--at"))
    data = to_json(inspection)
    data["shape"], data["shape_unknown"] = inspection.shape
    if inspection.curvature is not None:
        data["curvature"]["words"] = inspection.curvature.words
        data["curvature"]["tolerance"] = to_json(inspection.curvature.tolerance)
    if inspection.newton is not None:
        data["newton"]["descends"] = inspection.newton.descends

    def draw() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.point import draw_point

        return draw_point(inspected, inspection)

    return Output(list(_lines(inspected, inspection)), data, draw)


def _lines(inspected: InspectedObjective, inspection: PointInspection) -> Iterator[str]:
    yield f"{inspection.objective} at {inspected.point_name} = {vector(inspection.place.x, exact)}, {inspection.place.why}"
    yield f"f(x) = {fifteen_digits(inspection.value)}"
    if not math.isfinite(inspection.value):
        yield "f is not finite here, so the results below may be meaningless"
    yield ""
    yield from _gradient_lines(inspection)
    yield ""
    yield from _hessian_lines(inspection)
    yield ""
    newton = inspection.newton
    if newton is None:
        yield f"no Newton direction, {inspection.without_newton}"
    else:
        yield f"Newton's step: {vector(newton.direction)}"
        if inspection.gradient is not None and not inspection.gradient.any():
            yield "Newton's step does not move, because the gradient is zero"
        elif newton.slope == 0:
            yield "the slope along Newton's step is zero: ∇f·p = 0, although the gradient is not zero"
        else:
            verb = "descends" if newton.descends else "does not descend: it leads uphill"
            predicted, actual = six_digits(newton.predicted), six_digits(newton.actual)
            yield f"Newton's step {verb}; slope along it ∇f·p = {six_digits(newton.slope)}"
            yield f"decrease of f over it: predicted by the second-order model {predicted}, actual {actual}"
    if inspection.gauss_newton is not None:
        count = len(inspection.gauss_newton.jacobian)
        yield ""
        yield f"f is a sum of squares of {counted(count, 'residual')}; their Jacobian J by {inspection.gauss_newton.backend}"
        if isinstance(inspected.objective, HasData) and count != (samples := len(inspected.objective.data[1])):
            errors = f"these are not the errors of the {counted(samples, 'sample')}"
            yield f"{errors}; `runner plugins show {inspection.objective}` has the formula"
        yield from matrix_lines(inspection.gauss_newton.jacobian)
        yield "Gauss–Newton part of the Hessian, 2JᵀJ"
        yield from matrix_lines(inspection.gauss_newton.part)
        if math.isfinite(inspection.gauss_newton.difference):
            relative = inspection.gauss_newton.relative
            share = f", {relative:.3g} of ‖∇²f‖" if math.isfinite(relative) else ""
            yield f"the rest, ∇²f − 2JᵀJ, has the norm {six_digits(inspection.gauss_newton.difference)}{share}"
    if inspection.chain:
        yield ""
        yield "the chain rule, from the last layer back: the gradient that reaches a layer is a product over all layers above it"
        heading = ("layer", "weights", "‖its Jacobian‖", "reaches it, ‖∂f/∂a‖", "at most", "‖∂f/∂ its weights‖")
        rows = [
            (each.name, f"{each.weights:,}", *map(number, (each.jacobian_norm, each.reaching, each.bound, each.gradient_norm)))
            for each in reversed(inspection.chain)
        ]
        yield from table_lines([heading, *rows])


def _gradient_lines(inspection: PointInspection) -> Iterator[str]:
    """Yield the gradient by each backend, and the slope along the steepest descent, computed in two ways."""
    given = _given(inspection.gradients)
    if given:
        first_backend, reference = given[0]
        rows = [("gradient by", "∇f", f"differs from {first_backend} by"), (first_backend, vector(reference, fifteen_digits), "")]
        for backend, other in given[1:]:
            error = float(np.abs(other - reference).max())
            rows.append((backend, vector(other, partial(_with_certain_digits, error=error)), difference(error)))
        yield from table_lines(rows)
    yield from _refusals("gradient", inspection.gradients)
    yield from inspection.gradient_doubts.values()
    if inspection.doubtful:
        yield "the backends disagree beyond their errors, so nothing is concluded from the derivatives"
    steepest, gradient = inspection.steepest, inspection.gradient
    if steepest is not None:
        error = abs(steepest.measured - steepest.predicted)
        yield (
            f"slope along the steepest descent: −‖∇f‖ = {fifteen_digits(steepest.predicted)}; by a difference of f: "
            f"{to_error(steepest.measured, error)} (difference {difference(error)})"
        )
    elif gradient is not None and not gradient.any() and inspection.differentiable:
        yield "the gradient is zero, so there is no direction of steepest descent"


def _with_certain_digits(value: float, error: float) -> str:
    """Return a number with the digits that its error leaves certain, or with six digits if the error exceeds it."""
    if error == 0:
        return fifteen_digits(value)
    return six_digits(value) if abs(value) < error else to_error(value, error)


def _hessian_lines(inspection: PointInspection) -> Iterator[str]:
    """Yield the Hessian by the first backend, its distance from the others, and the curvature or the kinks."""
    given = _given(inspection.hessians)
    if given:
        first_backend, reference = given[0]
        yield f"Hessian by {first_backend}"
        yield from matrix_lines(reference)
        for backend, hessian in given[1:]:
            yield f"the Hessian by {backend} differs by {difference(float(np.abs(hessian - reference).max()))}"
    yield from _refusals("Hessian", inspection.hessians)
    if inspection.kinks:
        for kink in inspection.kinks[:MOST_KINKS]:
            place, height = kink.coordinate + 1, six_digits(kink.jump)
            yield f"kink along coordinate {place}: the slopes on its two sides differ by {height}, even at a distance of 1e-8"
        if len(inspection.kinks) > MOST_KINKS:
            yield f"… and along {len(inspection.kinks) - MOST_KINKS:,} more"
    for jump in inspection.jumps[:MOST_KINKS]:
        place, height = jump.coordinate + 1, six_digits(jump.height)
        yield f"jump along coordinate {place}: f differs by {height} on its two sides, even at a distance of 1e-8"
    if len(inspection.jumps) > MOST_KINKS:
        yield f"… and along {len(inspection.jumps) - MOST_KINKS:,} more"
    if inspection.kinks or inspection.jumps:
        yield "f seems to have no derivative here; the derivatives that backends compute say little about its shape"
    elif inspection.doubtful:
        yield "the shape cannot be determined, because the gradient is doubtful here"
    elif inspection.curvature is not None:
        yield from curvature_lines(inspection.curvature)
    elif given:
        yield "the Hessian is not finite here, so it has no eigenvalues"


def _given(answers: Sequence[BackendResult]) -> list[tuple[str, Array]]:
    """Return the backends that computed a derivative, each with its result."""
    return [(answer.backend, answer.result) for answer in answers if answer.result is not None]


def _refusals(quantity: str, answers: Sequence[BackendResult]) -> Iterator[str]:
    for answer in answers:
        if answer.result is None:
            yield f"no {quantity} by {answer.backend}, {answer.because}"


def matrix_lines(matrix: Array) -> list[str]:
    """Return the rows of a matrix, or only its upper left corner if it is large."""
    rows, columns = min(len(matrix), MOST_MATRIX_ROWS), min(matrix.shape[1], MOST_MATRIX_ROWS)
    cells = [[six_digits(float(item)) for item in row[:columns]] for row in matrix[:rows]]
    width = max((len(cell) for row in cells for cell in row), default=0)
    more = " …" if columns < matrix.shape[1] else ""
    lines = ["  " + "  ".join(cell.rjust(width) for cell in row) + more for row in cells]
    if rows < len(matrix) or more:
        lines.append(f"  … {len(matrix):,} × {matrix.shape[1]:,} in all")
    return lines


def curvature_lines(curvature: Curvature) -> Iterator[str]:
    """Yield the eigenvalues, the condition number, and the shape that they imply."""
    eigenvalues = curvature.eigenvalues
    if len(eigenvalues) <= MOST_COORDINATES:
        yield f"eigenvalues: {', '.join(map(six_digits, eigenvalues.tolist()))}"
    else:
        negative, zero, positive = curvature.signs
        low, high = six_digits(float(eigenvalues[0])), six_digits(float(eigenvalues[-1]))
        yield f"eigenvalues: {negative} negative, {zero} zero, {positive} positive; from {low} to {high}"
    condition = curvature.condition_number
    if math.isfinite(condition):
        yield f"condition number: {six_digits(condition)}"
    else:
        yield f"condition number: {'cannot be determined' if math.isnan(condition) else 'infinite within rounding'}"
    errors = [error for error in curvature.errors.tolist() if math.isfinite(error)]
    if curvature.shape == Shape.UNKNOWN:
        yield f"shape: {curvature.words}"
    elif curvature.singular:
        yield f"shape: {curvature.words} (|λ| ≤ {number(max(errors))} counts as zero)"
    elif len(errors) < len(curvature.errors):
        yield f"shape: {curvature.words} (some eigenvalues could not be measured twice)"
    else:
        yield f"shape: {curvature.words} (error of the eigenvalues: at most {number(max(errors))})"

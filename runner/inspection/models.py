"""The Taylor models of first and second order at a point, compared with f along descent directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.analysis.differentiation import EPSILON, Slope, fitted_slope
from runner.analysis.taylor import asymptotic_window, both_sides, mean_of_sides, polynomial
from runner.contracts.arrays import Array
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.point import ChosenPoint, inspect_point

DISTANCES: Array = 10.0 ** np.linspace(-6.0, 1.0, 281)
PRINTED_DISTANCES = (0.001, 0.01, 0.1, 1.0)
"""The distances at which decreases are computed for the printed table."""


@dataclass(frozen=True)
class Model:
    """A Taylor model of f along one direction.

    Attributes:
        order: 1 or 2.
        sizes: |f − model| at each distance, the geometric mean of both sides.
        slope: the slope of log |f − model| against log distance; None if rounding dominates |f − model| everywhere.
        decreases: the predicted decreases of f at the printed distances.
    """

    order: int
    sizes: Array
    slope: Slope | None
    decreases: Array


@dataclass(frozen=True)
class Direction:
    """The values of f and of its models along a unit vector.

    Attributes:
        name: the name of the direction.
        unit: the unit vector, `(dimension,)`.
        models: the model of first order and, if a Hessian is known, that of second order.
        actual: the actual decreases of f at the printed distances.
    """

    name: str
    unit: Array
    models: tuple[Model, ...]
    actual: Array


@dataclass(frozen=True)
class ModelInspection:
    """The models at a point.

    Attributes:
        objective: the name of the objective.
        place: the point.
        value: f at the point.
        distances: the distances at which |f − model| is measured.
        shown: the printed distances, at which decreases are computed.
        directions: the steepest descent and, if it is defined and the second order is asked for, Newton's direction.
    """

    objective: str
    place: ChosenPoint
    value: float
    distances: Array
    shown: tuple[float, ...]
    directions: tuple[Direction, ...]


def inspect_models(inspected: InspectedObjective, place: ChosenPoint, order: int) -> ModelInspection:
    """Compare f with its models of order 1 and, if `order` is 2, of order 2.

    Raises:
        ExperimentError: the gradient is not known, zero or not finite, so no descent direction exists.
        PluginError: the objective raises.
    """
    at_point = inspect_point(inspected, place)
    gradient = at_point.gradient
    if gradient is None or at_point.steepest is None:
        problem = "is not known" if gradient is None else "is zero or not finite"
        raise ExperimentError(inspected.name, [f"the gradient {problem} at {place.x.tolist()}, so there is no direction of "
                                               "descent; choose another --around"])  # fmt: skip
    units = {"steepest descent": gradient / at_point.steepest.predicted}
    if at_point.newton is not None and order == 2:
        units["Newton's direction"] = at_point.newton.direction / float(np.linalg.norm(at_point.newton.direction))
    hessian = at_point.hessian if order == 2 else None
    directions = tuple(_direction(inspected, at_point.value, place.x, name, units[name], gradient, hessian) for name in units)
    return ModelInspection(inspected.name, place, at_point.value, DISTANCES, PRINTED_DISTANCES, directions)


def _direction(
    inspected: InspectedObjective, value: float, x: Array, name: str, unit: Array, gradient: Array, hessian: Array | None
) -> Direction:  # fmt: skip
    coefficients = [value, float(gradient @ unit)]
    if hessian is not None:
        coefficients.append(0.5 * float(unit @ hessian @ unit))

    def function(t: Array) -> Array:
        return inspected.values(x + t[:, None] * unit)

    models = []
    for order in range(1, len(coefficients)):
        terms = np.array(coefficients[: order + 1])

        def model(t: Array, terms: Array = terms) -> Array:
            return polynomial(terms, t)

        sizes = mean_of_sides(*both_sides(function, model, DISTANCES))
        floor = 4.0 * EPSILON * polynomial(np.abs(terms), DISTANCES)
        window = asymptotic_window(DISTANCES, sizes, floor, float(DISTANCES[-1]))
        slope = fitted_slope(DISTANCES[window], sizes[window])
        models.append(Model(order, sizes, slope, terms[0] - model(np.array(PRINTED_DISTANCES))))
    return Direction(name, unit, tuple(models), value - function(np.array(PRINTED_DISTANCES)))

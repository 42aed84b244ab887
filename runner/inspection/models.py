"""The first-order model that gradient descent trusts and the second-order model that Newton's method trusts, at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.analysis.differentiation import EPSILON, Slope, fitted_slope
from runner.analysis.taylor import asymptotic_window, both_sides, polynomial
from runner.contracts.arrays import Array
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.point import ChosenPoint, inspect_point

DISTANCES: Array = 10.0 ** np.linspace(-6.0, 1.0, 281)
SHOWN = (0.001, 0.01, 0.1, 1.0)
"""The distances whose decreases are printed."""


@dataclass(frozen=True)
class Model:
    """A model of f along one direction.

    Attributes:
        order: 1 or 2.
        sizes: |f − model| at each distance, the geometric mean of both sides.
        slope: measured; None where the remainder is rounding everywhere.
        decreases: what it predicts f to fall by, at the distances that are shown.
    """

    order: int
    sizes: Array
    slope: Slope | None
    decreases: Array


@dataclass(frozen=True)
class Direction:
    """f and its models along a unit vector.

    Attributes:
        name: of the direction.
        unit: the vector, `(dimension,)`.
        models: of the first order, and of the second where there is a Hessian.
        actual: what f falls by, at the distances that are shown.
    """

    name: str
    unit: Array
    models: tuple[Model, ...]
    actual: Array


@dataclass(frozen=True)
class ModelInspection:
    """The models at a point.

    Attributes:
        objective: its name.
        place: the point.
        value: f there.
        distances: at which remainders were measured.
        shown: at which decreases are printed.
        directions: the steepest descent, and Newton's where there is one.
    """

    objective: str
    place: ChosenPoint
    value: float
    distances: Array
    shown: tuple[float, ...]
    directions: tuple[Direction, ...]


def inspect_models(inspected: InspectedObjective, place: ChosenPoint, order: int) -> ModelInspection:
    """Measure the remainders of the models, up to an order of 2.

    Raises:
        ExperimentError: there is no direction to go, because the gradient is not known, zero or not finite.
        PluginError: the objective fails.
    """
    inspection = inspect_point(inspected, place)
    gradient = inspection.gradient
    if gradient is None or inspection.steepest is None:
        why = "is not known" if gradient is None else "is zero or not finite"
        raise ExperimentError(inspected.name, [f"the gradient {why} at {place.x.tolist()}, so there is no direction of descent; "
                                             "choose another --around"])  # fmt: skip
    ways = {"steepest descent": gradient / inspection.steepest.predicted}
    if inspection.newton is not None and order == 2:
        ways["Newton's direction"] = inspection.newton.direction / float(np.linalg.norm(inspection.newton.direction))
    hessian = inspection.hessian if order == 2 else None
    directions = tuple(
        _direction(inspected, inspection.value, place.x, name, unit, gradient, hessian) for name, unit in ways.items()
    )
    return ModelInspection(inspected.name, place, inspection.value, DISTANCES, SHOWN, directions)


def _direction(
    inspected: InspectedObjective, value: float, x: Array, name: str, unit: Array, gradient: Array, hessian: Array | None
) -> Direction:  # fmt: skip
    terms = [value, float(gradient @ unit)]
    if hessian is not None:
        terms.append(0.5 * float(unit @ hessian @ unit))

    def function(t: Array) -> Array:
        return inspected.values(x + t[:, None] * unit)

    models = tuple(_model(function, np.array(terms[: order + 1]), order) for order in range(1, len(terms)))
    return Direction(name, unit, models, value - function(np.array(SHOWN)))


def _model(function: Callable[[Array], Array], terms: Array, order: int) -> Model:
    def model(t: Array) -> Array:
        return polynomial(terms, t)

    sizes = both_sides(function, model, DISTANCES)
    floor = 4.0 * EPSILON * polynomial(np.abs(terms), DISTANCES)
    window = asymptotic_window(DISTANCES, sizes, floor, float(DISTANCES[-1]))
    return Model(order, sizes, fitted_slope(DISTANCES[window], sizes[window]), terms[0] - model(np.array(SHOWN)))

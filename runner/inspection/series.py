"""Taylor polynomials of an objective of one coordinate, and how fast what they leave out shrinks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner.analysis.differentiation import Slope, fitted_slope
from runner.analysis.taylor import (
    ABOVE_ROUNDING,
    Coefficients,
    asymptotic_window,
    both_sides,
    coefficients_on_circles,
    coefficients_on_intervals,
    next_order,
    polynomial,
    rounding_floor,
)
from runner.contracts.arrays import Array, ByRows
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective

MORE = 4
"""So many coefficients beyond the last are computed, to know the order of the remainder."""
DISTANCES: Array = 10.0 ** np.linspace(-4.0, 1.0, 201)
CIRCLES = "Cauchy's integral on circles in the complex plane"
INTERVALS = "interpolation at real Chebyshev points"


@dataclass(frozen=True)
class Remainder:
    """What the polynomial of one order leaves out.

    Attributes:
        order: n.
        sizes: |f − Pₙ| at each distance, the geometric mean of both sides.
        slope: of its logarithm against that of the distance, where it is far above rounding and the distance small; or None.
        expected: the order of the next coefficient that is not zero, mostly n + 1; None where none is known to be.
        vanishes: whether it is rounding at every distance, so that Pₙ is f as far as can be seen.
    """

    order: int
    sizes: Array
    slope: Slope | None
    expected: int | None
    vanishes: bool


@dataclass(frozen=True)
class SeriesInspection:
    """The Taylor series of an objective of one coordinate.

    Attributes:
        objective: its name.
        around: A.
        order: N.
        method: how the coefficients were computed.
        because: why not on circles; empty where they were.
        coefficients: c₀ … c_N and some more.
        distances: from A.
        remainders: of the orders 1 … N.
    """

    objective: str
    around: float
    order: int
    method: str
    because: str
    coefficients: Coefficients
    distances: Array
    remainders: tuple[Remainder, ...]

    @property
    def shown(self) -> Array:
        """The coefficients c₀ … c_N, those that are zero within their error as zero."""
        values = self.coefficients.values[: self.order + 1]
        return np.where(np.abs(values) > self.coefficients.errors[: self.order + 1], values, 0.0)


def inspect_series(inspected: InspectedObjective, around: float, order: int) -> SeriesInspection:
    """Compute a Taylor series and its remainders.

    Raises:
        ExperimentError: f is not smooth at A.
        PluginError: the objective fails.
    """
    value = inspected.value(np.array([around]))
    if not np.isfinite(value):
        raise ExperimentError(inspected.name, [f"--around {around:g}: f is not finite there; choose a point at which it is"])
    coefficients, because = _on_circles(inspected, around, order + MORE)
    method = CIRCLES
    if coefficients is None:
        method = INTERVALS
        coefficients = coefficients_on_intervals(lambda t: inspected.values(t[:, None]), around, order + MORE)
    if coefficients is None:
        raise ExperimentError(inspected.name, [f"--around {around:g}: f has no Taylor series there: it is neither analytic "
                                             "around that point, nor smooth on the real line"])  # fmt: skip
    heard = np.where(np.abs(coefficients.values) > coefficients.errors, coefficients.values, 0.0)
    remainders = tuple(_remainder(inspected, around, coefficients, heard, n) for n in range(1, order + 1))
    return SeriesInspection(inspected.name, around, order, method, because, coefficients, DISTANCES, remainders)


def _on_circles(inspected: InspectedObjective, around: float, order: int) -> tuple[Coefficients | None, str]:
    """Return the coefficients by complex values, or None and why."""
    name = type(inspected.objective).__name__

    by_rows = ByRows(inspected.objective.value)

    def function(z: Any) -> Any:
        return by_rows(cast(Array, z[:, None]))

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = coefficients_on_circles(function, around, order)
    except Exception as error:  # whatever a plugin raises on complex numbers is the reason
        return None, f"because {name}.value does not accept complex numbers ({type(error).__name__}: {error})"
    if found is None:
        return None, f"because {name}.value is not analytic around {around:g}, as computed with complex numbers"
    return found, ""


def _remainder(inspected: InspectedObjective, around: float, coefficients: Coefficients, heard: Array, order: int) -> Remainder:
    sizes = both_sides(
        lambda t: inspected.values(around + t[:, None]), lambda t: polynomial(heard[: order + 1], t), DISTANCES
    )  # fmt: skip
    floor = rounding_floor(heard, DISTANCES)
    window = asymptotic_window(DISTANCES, sizes, floor, coefficients.reach)
    slope = fitted_slope(DISTANCES[window], sizes[window])
    vanishes = not (sizes > ABOVE_ROUNDING * floor).any()
    return Remainder(order, sizes, slope, next_order(coefficients, order), vanishes)

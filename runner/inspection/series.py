"""The Taylor series of an objective of one coordinate, and the order of its remainders."""

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
    mean_of_sides,
    nearest_singularity,
    next_order,
    polynomial,
    rounding_floor,
)
from runner.contracts.arrays import Array, ByRows
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective

EXTRA_COEFFICIENTS = 4
"""The number of coefficients that are computed beyond the last order, to find the order of its remainder."""
DISTANCES: Array = 10.0 ** np.linspace(-4.0, 1.0, 201)
CIRCLES = "Cauchy's integral on circles in the complex plane"
INTERVALS = "interpolation at real Chebyshev points"


@dataclass(frozen=True)
class Remainder:
    """The remainder f − Pₙ of the Taylor polynomial of one order.

    Attributes:
        order: n.
        sizes: |f − Pₙ| at each distance, the geometric mean of both sides.
        largest: |f − Pₙ| at each distance, on the side where it is larger; NaN where f has no value on one side.
        slope: the slope of log |f − Pₙ| against log distance, fitted where the remainder is far above rounding and the distance
            is small; None if no such distances exist.
        expected: the order of the next coefficient that is not zero, usually n + 1; None if all that are computed may be zero.
        vanishes: True if rounding dominates the remainder at every distance, so that Pₙ equals f within rounding.
    """

    order: int
    sizes: Array
    largest: Array
    slope: Slope | None
    expected: int | None
    vanishes: bool


@dataclass(frozen=True)
class SeriesInspection:
    """The Taylor series f(x) = Σ cₙ (x − A)ⁿ of an objective of one coordinate.

    Attributes:
        objective: the name of the objective.
        around: A, the point of expansion.
        order: N, the last order.
        method: the method that computed the coefficients, `CIRCLES` or `INTERVALS`.
        because: the reason why the method is not `CIRCLES`, beginning with `because`; empty for `CIRCLES`.
        coefficients: c₀ … c_N, and `EXTRA_COEFFICIENTS` more.
        distances: the distances from A at which remainders are measured.
        remainders: the remainders of the orders 1 … N.
        singularity: the distance from A up to which f was found to equal a power series, and the distance within which it has a
            singularity or a branch cut in the complex plane; None if none is found, or if f does not accept complex numbers.
    """

    objective: str
    around: float
    order: int
    method: str
    because: str
    coefficients: Coefficients
    distances: Array
    remainders: tuple[Remainder, ...]
    singularity: tuple[float, float] | None

    @property
    def shown(self) -> Array:
        """The coefficients c₀ … c_N, `(N + 1,)`; a coefficient that is zero within its error is zero."""
        values = self.coefficients.values[: self.order + 1]
        return np.where(np.abs(values) > self.coefficients.errors[: self.order + 1], values, 0.0)


def inspect_series(inspected: InspectedObjective, around: float, order: int) -> SeriesInspection:
    """Compute the Taylor series of an objective of one coordinate, and its remainders.

    Raises:
        ExperimentError: f is not finite at `around`, or the coefficients cannot be computed.
        PluginError: the objective raises.
    """
    if not np.isfinite(inspected.value(np.array([around]))):
        raise ExperimentError(inspected.name, [f"--around {around:g}: f is not finite there; choose a point where f is finite"])

    method = CIRCLES
    coefficients, singularity, because = _on_circles(inspected, around, order + EXTRA_COEFFICIENTS)
    if coefficients is None:
        method = INTERVALS
        coefficients = coefficients_on_intervals(lambda t: inspected.values(t[:, None]), around, order + EXTRA_COEFFICIENTS)
    if coefficients is None:
        problem = (
            f"--around {around:g}: the series could not be computed here, {because}, and there is no real interval on which its "
            "values agree with a polynomial to 9 digits; there may be a corner or a jump, or rounding hides the series; try "
            "another --around"
        )
        raise ExperimentError(inspected.name, [problem])

    significant = np.where(np.abs(coefficients.values) > coefficients.errors, coefficients.values, 0.0)
    floor = rounding_floor(significant, DISTANCES)
    remainders = []
    for n in range(1, order + 1):
        terms = significant[: n + 1]

        def taylor_polynomial(t: Array, terms: Array = terms) -> Array:
            return polynomial(terms, t)

        sides = both_sides(lambda t: inspected.values(around + t[:, None]), taylor_polynomial, DISTANCES)
        sizes = mean_of_sides(*sides)
        window = asymptotic_window(DISTANCES, sizes, floor, coefficients.reach)
        slope = fitted_slope(DISTANCES[window], sizes[window])
        # Beyond the reach, the series says nothing about the rounding error of f.
        vanishes = bool(DISTANCES[0] <= coefficients.reach) and not (sizes > ABOVE_ROUNDING * floor).any()
        remainders.append(Remainder(n, sizes, np.maximum(*sides), slope, next_order(coefficients, n), vanishes))
    return SeriesInspection(
        inspected.name, around, order, method, because, coefficients, DISTANCES, tuple(remainders), singularity
    )


def _on_circles(
    inspected: InspectedObjective, around: float, order: int
) -> tuple[Coefficients | None, tuple[float, float] | None, str]:  # fmt: skip
    """Return the coefficients, from values at complex numbers, and bounds for the nearest singularity or branch cut.

    If there are no coefficients, the last item is the reason, beginning with `because`.
    """
    name = type(inspected.objective).__name__
    by_rows = ByRows(inspected.objective.value)

    def function(z: Any) -> Any:
        return by_rows(cast(Array, z[:, None]))

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = coefficients_on_circles(function, around, order)
            singularity = None if found is None else nearest_singularity(function, around, found.reach)
    except Exception as error:  # Any exception means that f does not accept complex numbers.
        return None, None, f"because {name}.value does not accept complex numbers ({type(error).__name__}: {error})"
    if found is None:
        return None, None, f"because no circle was found on which {name}.value is analytic around {around:g}, as computed"
    return found, singularity, ""

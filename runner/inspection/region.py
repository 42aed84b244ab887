"""The search for counterexamples to convexity in a box, by random chords and by eigenvalues of the Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from runner.analysis.chords import Chord, ChordSearch, SecondDifference, try_chords
from runner.analysis.convexity import MOST_HESSIANS, CurvatureSearch, smallest_curvature
from runner.analysis.definiteness import DIFFERENCE_ERROR
from runner.contracts.arrays import Array, ByRows
from runner.contracts.objective import HasCurvatureBounds, HasGradient
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import ANALYTIC, InspectedObjective, as_plugin_error
from runner.tables.readable import number

MOST_POINTS = 4000
FEWEST_POINTS = 20
MOST_VALUES, FEWEST_HESSIANS = 100_000, 50
"""At most this many values or gradients are spent on Hessians. If they suffice for fewer Hessians than this, none is computed."""
LARGEST_DIMENSION = 100
"""The largest dimension in which Hessians are computed at many points."""
NOT_CONVEX = "not convex"
NONE_FOUND = "no counterexample found"
CANNOT_TELL = "cannot tell"
FEWEST_FINITE, FINITE_SHARE = 20, 0.01
"""The verdict requires at least this number of chords with finite values, and this share of all chords."""
NEGLIGIBLE, NEGLIGIBLE_IN_RANGE = 0.01, 1e-6
"""An excess is negligible up to this share of the usual sag, or of the usual range of f."""


@dataclass(frozen=True)
class StatedBounds:
    """The bounds that the objective states for the eigenvalues of its Hessian, for all x.

    Attributes:
        low: the lower bound.
        high: the upper bound.
    """

    low: float
    high: float


@dataclass(frozen=True)
class RegionInspection:
    """The result of a search for counterexamples to convexity.

    Attributes:
        objective: the name of the objective.
        low: the lowest value of each coordinate of the box.
        high: the highest value of each coordinate of the box.
        seed: the seed of the random numbers.
        verdict: `NOT_CONVEX`, `NONE_FOUND` or `CANNOT_TELL`.
        because: the reason for `CANNOT_TELL`; empty for the other verdicts.
        chords: the search over chords.
        backend: the gradient backend that computed Hessians; None if no backend computes them.
        without_hessian: the reason why no smallest eigenvalue is known, beginning with `because`; empty if it is known.
        curvature: the search for the smallest eigenvalue of the Hessian; None without Hessians.
        curvature_error: the error of the smallest eigenvalue; infinite without Hessians.
        difference: the second derivative at the same place and in the same direction, from differences of f; None without
            Hessians.
        counterexample: a chord below f by more than rounding; None if no such chord was found.
        stated: the objective's own bounds of its curvature; None if it states none.
        contradiction: the amount by which the smallest eigenvalue found lies below the stated lower bound, or above the upper
            bound; zero if it does not, within its error.
    """

    objective: str
    low: float
    high: float
    seed: int
    verdict: str
    because: str
    chords: ChordSearch
    backend: str | None
    without_hessian: str
    curvature: CurvatureSearch | None
    curvature_error: float
    difference: SecondDifference | None
    counterexample: Chord | None
    stated: StatedBounds | None
    contradiction: float

    @property
    def agree(self) -> bool:
        """True if the smallest eigenvalue and the differences of f agree within their errors."""
        if self.curvature is None or self.difference is None:
            return False
        return abs(self.curvature.smallest - self.difference.value) <= self.curvature_error + self.difference.error

    @property
    def seen(self) -> float:
        """The curvature that is compared with the stated bounds: the more exact of both results; NaN without Hessians."""
        if self.curvature is None or self.difference is None:
            return math.nan
        return self.curvature.smallest if self.backend == ANALYTIC else self.difference.value


def inspect_region(inspected: InspectedObjective, low: float, high: float, tries: int, seed: int) -> RegionInspection:
    """Search a box for counterexamples to convexity.

    Args:
        inspected: the objective.
        low: the lowest value of each coordinate of the box.
        high: the highest value of each coordinate of the box.
        tries: the number of random pairs of points; the search adds other chords.
        seed: the seed of the random numbers.

    Raises:
        ExperimentError: f is finite on none of the chords.
        PluginError: the objective raises.
    """

    def function(x: Array) -> Array:
        # `inspected.values` requires numbers of 64 bits, and the search also asks for more exact ones.
        return inspected.values(x) if x.dtype == np.float64 else ByRows(inspected.objective.value)(x)

    generator = np.random.Generator(np.random.PCG64(seed))
    with np.errstate(all="ignore"):
        search = try_chords(function, low, high, inspected.dimension, tries, generator, inspected.known_minimum())
        backend, curvature, because = _search_curvature(inspected, low, high, tries, generator)
        error, difference = math.inf, None
        if curvature is not None:
            search.try_across(curvature.place[None], curvature.direction[None])
            sizes = np.abs(curvature.sampled[np.isfinite(curvature.sampled)])
            error = (1e-12 if backend == ANALYTIC else 10.0 * DIFFERENCE_ERROR) * max(curvature.largest, float(np.median(sizes)))
            difference = search.second_difference(curvature.place, curvature.direction)
        chords = search.result()
    if chords.unknown == chords.tried:
        text = f"--region {low:g},{high:g}: f is finite on none of {chords.tried:,} chords; choose another region"
        raise ExperimentError(inspected.name, [text])

    stated = None
    with as_plugin_error(f"objective {inspected.name}: its curvature_bounds"):
        if isinstance(objective := inspected.objective, HasCurvatureBounds):
            stated = StatedBounds(*(float(np.asarray(bound).reshape(-1)[0]) for bound in objective.curvature_bounds))
    inspection = RegionInspection(
        objective=inspected.name,
        low=low,
        high=high,
        seed=seed,
        verdict=NONE_FOUND,
        because="",
        chords=chords,
        backend=backend,
        without_hessian=because,
        curvature=curvature,
        curvature_error=error,
        difference=difference,
        counterexample=chords.worst,
        stated=stated,
        contradiction=0.0,
    )
    verdict, because = _verdict(inspection)
    return replace(inspection, verdict=verdict, because=because, contradiction=_contradiction(inspection))


def _verdict(inspection: RegionInspection) -> tuple[str, str]:
    """Return the verdict, and the reason for `CANNOT_TELL`."""
    chords, curvature, difference = inspection.chords, inspection.curvature, inspection.difference
    finite = chords.tried - chords.unknown
    if chords.worst is not None:
        return NOT_CONVEX, ""
    because = ""
    if finite < max(FEWEST_FINITE, FINITE_SHARE * chords.tried):
        because = f"f is finite on only {finite:,} of {chords.tried:,} chords"
    elif chords.holes:
        because = f"on {chords.holes:,} chords f is finite at both ends, but not between them"
    elif chords.jumps:
        because = f"f lies above {chords.jumps:,} of the checked chords, but only across jumps, which may be rounding, "
        because += "because f does not compute in extended precision"
    elif chords.hidden > max(NEGLIGIBLE * chords.usual_sag, NEGLIGIBLE_IN_RANGE * chords.usual_range):
        because = f"the differences are rounding or noise, which may hide an excess of {number(chords.hidden)}, "
        because += f"while f lies at most {number(chords.usual_sag)} below 90 % of the long chords"
    elif curvature is not None and difference is not None and inspection.agree:
        exact = inspection.backend == ANALYTIC and curvature.smallest < -inspection.curvature_error
        if exact or difference.value + difference.error < 0:
            because = "the smallest curvature seen is negative, but no chord there lies below f by more than rounding"
    return (CANNOT_TELL, because) if because else (NONE_FOUND, "")


def _contradiction(inspection: RegionInspection) -> float:
    """Return the amount by which the smallest eigenvalue found is outside the stated bounds; zero if errors may explain it."""
    stated, difference = inspection.stated, inspection.difference
    if stated is None or difference is None or not inspection.agree:
        return 0.0
    error = difference.error
    if inspection.backend == ANALYTIC:
        sizes = [abs(bound) for bound in (stated.low, stated.high) if math.isfinite(bound)]
        error = inspection.curvature_error + 1e-12 * max(sizes, default=0.0)
    outside = max(stated.low - inspection.seen, inspection.seen - stated.high)
    return outside if outside > error else 0.0


def _search_curvature(
    inspected: InspectedObjective, low: float, high: float, tries: int, generator: np.random.Generator
) -> tuple[str | None, CurvatureSearch | None, str]:  # fmt: skip
    """Return the backend that computes Hessians, the search for the smallest eigenvalue, and the reason if it found none."""
    dimension = inspected.dimension
    if dimension > LARGEST_DIMENSION:
        because = f"because the dimension is {dimension}, and Hessians at many points are computed up to {LARGEST_DIMENSION}"
        return None, None, because
    chosen = inspected.most_exact_backend("hessian")
    if chosen is None:
        return None, None, "because no backend computes the Hessian"
    name = chosen[0]
    values = 2 * dimension**2
    if isinstance(inspected.objective, HasGradient):
        values = dimension if name == ANALYTIC else 2 * dimension
    most = min(MOST_HESSIANS, MOST_VALUES // values)
    if most < FEWEST_HESSIANS:
        return name, None, f"because {name} requires about {values:,} values of f for one Hessian"
    points = min(tries, max(FEWEST_POINTS, MOST_POINTS // dimension), most // 2)
    try:
        found = smallest_curvature(hessians(inspected, name), low, high, dimension, points, generator, most)
    except PluginError as error:
        return name, None, f"because it fails: {error}"
    return name, found, "" if found is not None else f"because the Hessian is finite at none of {points:,} points"


def hessians(inspected: InspectedObjective, name: str) -> Callable[[Array], Array]:
    """Return a function that computes ∇²f at many points with one backend.

    The function maps `(points, dimension)` to `(points, dimension, dimension)`, with the same numbers as one evaluation for each
    point. Where f is not finite, the result is NaN. The function raises PluginError if a plugin raises.
    """
    backend = inspected.backends[name]
    by_rows = ByRows(lambda x: Evaluator(inspected.objective, backend, len(x)).hessian(x))

    def compute(x: Array) -> Array:
        with as_plugin_error(f"objective {inspected.name}, differentiated by {type(backend).__name__}"):
            matrices = by_rows(x)
        matrices[~np.isfinite(inspected.values(x))] = np.nan
        return matrices

    return compute

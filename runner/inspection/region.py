"""The search for counterexamples to convexity in a box, by random chords and by eigenvalues of the Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.analysis.convexity import Chord, ChordSearch, CurvatureSearch, chord_across, smallest_curvature, try_chords
from runner.analysis.definiteness import DIFFERENCE_ERROR
from runner.contracts.arrays import Array, ByRows
from runner.contracts.objective import HasCurvatureBounds
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError
from runner.inspection.inspected_objective import ANALYTIC, InspectedObjective, as_plugin_error

MOST_POINTS = 4000
FEWEST_POINTS = 20
LARGEST_DIMENSION = 100
"""The largest dimension in which Hessians are computed at many points."""


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
        chords: the search over random chords.
        backend: the gradient backend that computed Hessians; None if no backend computes them.
        without_hessian: the reason why no smallest eigenvalue is known, beginning with `because`; empty if it is known.
        curvature: the search for the smallest eigenvalue of the Hessian; None without Hessians.
        counterexample: a chord below f by more than rounding; None if no such chord was found.
        stated: the objective's own bounds of its curvature; None if it states none.
        contradiction: the amount by which the smallest eigenvalue found lies below the stated lower bound; zero if it does
            not, within its error.
    """

    objective: str
    low: float
    high: float
    seed: int
    chords: ChordSearch
    backend: str | None
    without_hessian: str
    curvature: CurvatureSearch | None
    counterexample: Chord | None
    stated: StatedBounds | None
    contradiction: float


def inspect_region(inspected: InspectedObjective, low: float, high: float, tries: int, seed: int) -> RegionInspection:
    """Search a box for counterexamples to convexity.

    Args:
        inspected: the objective.
        low: the lowest value of each coordinate of the box.
        high: the highest value of each coordinate of the box.
        tries: the number of random chords.
        seed: the seed of the random numbers.

    Raises:
        ExperimentError: f is finite on none of the chords.
        PluginError: the objective raises.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    with np.errstate(all="ignore"):
        chords = try_chords(inspected.values, low, high, inspected.dimension, tries, generator)
        if chords.unknown == tries:
            text = f"--region {low:g},{high:g}: f is finite on none of {tries:,} chords; choose another region"
            raise ExperimentError(inspected.name, [text])
        backend, curvature, because = _search_curvature(inspected, low, high, tries, generator)
        counterexample = chords.worst
        if counterexample is None and curvature is not None and curvature.smallest < 0:
            counterexample = chord_across(inspected.values, curvature.place, curvature.direction, low, high)
    stated, contradiction = None, 0.0
    with as_plugin_error(f"objective {inspected.name}: its curvature_bounds"):
        if isinstance(objective := inspected.objective, HasCurvatureBounds):
            stated = StatedBounds(*(float(np.asarray(bound).reshape(-1)[0]) for bound in objective.curvature_bounds))
    if stated is not None and curvature is not None and not math.isnan(stated.low):
        size = max(abs(stated.low), abs(stated.high) if math.isfinite(stated.high) else 0.0, abs(curvature.smallest))
        error = (1e-12 if backend == ANALYTIC else 10.0 * DIFFERENCE_ERROR) * size
        below = stated.low - curvature.smallest
        contradiction = below if below > error else 0.0
    return RegionInspection(
        objective=inspected.name,
        low=low,
        high=high,
        seed=seed,
        chords=chords,
        backend=backend,
        without_hessian=because,
        curvature=curvature,
        counterexample=counterexample,
        stated=stated,
        contradiction=contradiction,
    )


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
    points = min(tries, max(FEWEST_POINTS, MOST_POINTS // dimension))
    try:
        found = smallest_curvature(hessians(inspected, name), low, high, dimension, points, generator)
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

"""Whether an objective is convex on a box, as far as trying it out can tell."""

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
LARGEST = 100
"""The largest dimension in which Hessians are computed at many points."""


@dataclass(frozen=True)
class StatedBounds:
    """What the objective's formula says of its curvature, anywhere.

    Attributes:
        low: no eigenvalue of the Hessian is smaller.
        high: none is larger.
    """

    low: float
    high: float


@dataclass(frozen=True)
class RegionInspection:
    """What a search for counterexamples to convexity found.

    Attributes:
        objective: its name.
        low: the lowest value of each coordinate of the box.
        high: the highest.
        seed: of the random numbers.
        chords: the search over chords.
        backend: which computed Hessians; None where none could.
        without_hessian: why none could; empty where one could.
        curvature: the search for the smallest eigenvalue; None without Hessians.
        counterexample: a chord that f rises above beyond rounding; None if none was found.
        stated: what the objective states of its curvature; None if it states nothing.
        contradiction: how far the smallest eigenvalue seen lies below the stated one, beyond its error; zero where it does not.
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
    """Search a box for counterexamples.

    Raises:
        ExperimentError: f is finite on none of the chords.
        PluginError: the objective fails.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    dimension = inspected.dimension
    with np.errstate(all="ignore"):
        chords = try_chords(inspected.values, low, high, dimension, tries, generator)
        if chords.unknown == tries:
            text = f"--region {low:g},{high:g}: f is finite on none of {tries:,} chords; choose another"
            raise ExperimentError(inspected.name, [text])
        backend, curvature, because = _curvature(inspected, low, high, tries, generator)
        counterexample = chords.worst
        if counterexample is None and curvature is not None and curvature.smallest < 0:
            counterexample = chord_across(inspected.values, curvature.place, curvature.direction, low, high)
    stated = _stated(inspected)
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
        contradiction=_contradiction(stated, curvature, backend),
    )


def _curvature(
    inspected: InspectedObjective, low: float, high: float, tries: int, generator: np.random.Generator
) -> tuple[str | None, CurvatureSearch | None, str]:  # fmt: skip
    if inspected.dimension > LARGEST:
        return None, None, f"because it has dimension {inspected.dimension}, and Hessians at many points stop at {LARGEST}"
    best = inspected.best("hessian")
    if best is None:
        return None, None, "because no backend computes the Hessian"
    name = best[0]
    hessian = hessians(inspected, name)
    points = min(tries, max(FEWEST_POINTS, MOST_POINTS // inspected.dimension))
    try:
        found = smallest_curvature(hessian, low, high, inspected.dimension, points, generator)
    except PluginError as error:
        return name, None, f"because it fails: {error}"
    return name, found, "" if found is not None else f"because it is finite at none of {points:,} points"


def hessians(inspected: InspectedObjective, name: str) -> Callable[[Array], Array]:
    """Return what computes ∇²f at many points by one backend, as if at one at a time; NaN where f itself is not finite."""
    backend = inspected.backends[name]
    by_rows = ByRows(lambda some: Evaluator(inspected.objective, backend, len(some)).hessian(some))

    def compute(x: Array) -> Array:
        with as_plugin_error(f"objective {inspected.name}, differentiated by {type(backend).__name__}"):
            matrices = by_rows(x)
        matrices[~np.isfinite(inspected.values(x))] = np.nan
        return matrices

    return compute


def _stated(inspected: InspectedObjective) -> StatedBounds | None:
    with as_plugin_error(f"objective {inspected.name}: its curvature_bounds"):
        objective = inspected.objective
        if not isinstance(objective, HasCurvatureBounds):
            return None
        low, high = (float(np.asarray(bound).reshape(-1)[0]) for bound in objective.curvature_bounds)
    return StatedBounds(low, high)


def _contradiction(stated: StatedBounds | None, curvature: CurvatureSearch | None, backend: str | None) -> float:
    if stated is None or curvature is None or math.isnan(stated.low):
        return 0.0
    sizes = max(abs(stated.low), abs(stated.high) if math.isfinite(stated.high) else 0.0, abs(curvature.smallest))
    error = (1e-12 if backend == ANALYTIC else 10.0 * DIFFERENCE_ERROR) * sizes
    below = stated.low - curvature.smallest
    return below if below > error else 0.0

"""`runner inspect OBJECTIVE --region LOW,HIGH`: the search for counterexamples to convexity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.cli.inspect.output import Output, fifteen_digits, six_digits, to_json, vector
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.region import RegionInspection, inspect_region
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


NOT_CONVEX = "not convex"
NONE_FOUND = "no counterexample found"


def region_output(inspected: InspectedObjective, region: tuple[float, ...], tries: int, seed: int) -> Output:
    """Search a box for counterexamples to convexity.

    Args:
        inspected: the objective.
        region: the lowest and the highest value of each coordinate.
        tries: the number of chords to try.
        seed: the seed of the random chords.

    Raises:
        ExperimentError: the region does not consist of two increasing numbers.
    """
    if len(region) != 2 or not region[0] < region[1]:
        given = ",".join(f"{each:g}" for each in region)
        text = f"--region {given}: must be the lowest and the highest value of each coordinate, such as -3,3"
        raise ExperimentError(inspected.name, [text])
    inspection = inspect_region(inspected, region[0], region[1], tries, seed)
    data = to_json(inspection)
    if inspection.curvature is not None:
        del data["curvature"]["sampled"]

    def draw() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.region import draw_region

        return draw_region(inspected, inspection)

    return Output(list(_lines(inspected, inspection)), {"verdict": verdict(inspection), **data}, draw)


def verdict(inspection: RegionInspection) -> str:
    """Return the verdict, `NOT_CONVEX` or `NONE_FOUND`."""
    return NONE_FOUND if inspection.counterexample is None else NOT_CONVEX


def _lines(inspected: InspectedObjective, inspection: RegionInspection) -> Iterator[str]:
    chord, chords, curvature = inspection.counterexample, inspection.chords, inspection.curvature
    box = f"with each coordinate from {exact(inspection.low)} to {exact(inspection.high)}"
    yield f"{inspection.objective}, {box}: {verdict(inspection)}"
    if chord is not None:
        yield f"  x₁ = {vector(chord.first, fifteen_digits)}"
        yield f"  x₂ = {vector(chord.second, fifteen_digits)}"
        yield f"  λ  = {fifteen_digits(chord.weight)}"
        above = f"{number(chord.excess)}; rounding accounts for at most {number(chord.rounding)}"
        yield f"  f(λx₁ + (1 − λ)x₂) lies above λf(x₁) + (1 − λ)f(x₂) by {above}"
    unknown = f", of which {chords.unknown:,} are inconclusive, because f is not finite there" if chords.unknown else ""
    yield f"chords tried: {chords.tried:,} (seed {inspection.seed}){unknown}"
    if chords.noisy and chord is None:
        yield f"{chords.noisy} chords lie below f only within its noise or jumps, and do not count"
    if curvature is None:
        yield f"no smallest curvature, {inspection.without_hessian}"
    else:
        place = f"{inspected.point_name} = {vector(curvature.place)}"
        hessians = f"{curvature.tried:,} Hessians by {inspection.backend}"
        yield f"smallest curvature seen: {six_digits(curvature.smallest)} at {place}, in {hessians}"
        if curvature.smallest < 0 and chord is None:
            yield "the smallest curvature is negative, although f lies above no chord there by more than rounding"
    if chord is None:
        yield "this is evidence for convexity here, but not a proof"
    stated = inspection.stated
    if stated is None:
        return
    bounds = f"from {six_digits(stated.low)} to {six_digits(stated.high) if math.isfinite(stated.high) else '∞'}"
    if stated.low > 0:
        conclusion = f": f is strongly convex, with μ = {six_digits(stated.low)}"
    else:
        conclusion = ": f is convex" if stated.low == 0 else ", so convexity does not follow from it"
    yield f"by the objective's own formula, for all x, every eigenvalue of ∇²f lies {bounds}{conclusion}"
    if inspection.contradiction > 0:
        yield f"the smallest curvature seen lies below this bound by {number(inspection.contradiction)}: the formula is wrong"

"""`runner inspect OBJECTIVE --region LOW,HIGH`: what is printed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.cli.inspect.shared import Shown, fifteen, plain, six, vector
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import InspectedObjective
from runner.inspection.region import RegionInspection, inspect_region
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


NOT_CONVEX = "not convex"
NONE_FOUND = "no counterexample found"


def show_region(inspected: InspectedObjective, region: tuple[float, ...], tries: int, seed: int) -> Shown:
    """Search a box, ready to be shown.

    Raises:
        ExperimentError: the region is none.
    """
    if len(region) != 2 or not region[0] < region[1]:
        given = ",".join(f"{each:g}" for each in region)
        text = f"--region {given}: must be the lowest and the highest value of each coordinate, as in -3,3"
        raise ExperimentError(inspected.name, [text])
    inspection = inspect_region(inspected, region[0], region[1], tries, seed)
    data = plain(inspection)
    if inspection.curvature is not None:
        del data["curvature"]["sampled"]
    return Shown(list(_lines(inspection)), {"verdict": verdict(inspection), **data}, lambda: _draw(inspected, inspection))


def verdict(inspection: RegionInspection) -> str:
    """Return the verdict in a few words."""
    return NONE_FOUND if inspection.counterexample is None else NOT_CONVEX


def _draw(inspected: InspectedObjective, inspection: RegionInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.region import draw_region

    return draw_region(inspected, inspection)


def _lines(inspection: RegionInspection) -> Iterator[str]:
    where = f"with each coordinate from {exact(inspection.low)} to {exact(inspection.high)}"
    yield f"{inspection.objective}, {where}: {verdict(inspection)}"
    if inspection.counterexample is not None:
        yield from _counterexample_lines(inspection)
    yield from _search_lines(inspection)
    if inspection.counterexample is None:
        yield "that is evidence for convexity here, and no proof of it"
    yield from _stated_lines(inspection)


def _counterexample_lines(inspection: RegionInspection) -> Iterator[str]:
    chord = inspection.counterexample
    assert chord is not None
    yield f"  x₁ = {vector(chord.first, fifteen)}"
    yield f"  x₂ = {vector(chord.second, fifteen)}"
    yield f"  λ  = {fifteen(chord.weight)}"
    above = f"{number(chord.excess)}; rounding makes at most {number(chord.rounding)}"
    yield f"  f(λx₁ + (1 − λ)x₂) lies above λf(x₁) + (1 − λ)f(x₂) by {above}"


def _search_lines(inspection: RegionInspection) -> Iterator[str]:
    chords = inspection.chords
    yield f"chords tried: {chords.tried:,} (seed {inspection.seed})" + (
        f", of which {chords.unknown:,} say nothing, for f is not finite there" if chords.unknown else ""
    )
    if chords.noisy and inspection.counterexample is None:
        yield f"{chords.noisy} of them lie below f, but by no more than its noise or jumps along them, and do not count"
    curvature = inspection.curvature
    if curvature is None:
        yield f"no smallest curvature, {inspection.without_hessian}"
        return
    yield (
        f"smallest curvature seen: {six(curvature.smallest)} at x = {vector(curvature.place)}, of {curvature.tried:,} Hessians "
        f"by {inspection.backend}"
    )
    if curvature.smallest < 0 and inspection.counterexample is None:
        yield "it is below zero, yet f lies above no chord there by more than rounding"


def _stated_lines(inspection: RegionInspection) -> Iterator[str]:
    stated = inspection.stated
    if stated is None:
        return
    bounds = f"every eigenvalue of ∇²f lies from {six(stated.low)} to {six(stated.high) if math.isfinite(stated.high) else '∞'}"
    if stated.low > 0:
        proved = f"f is strongly convex, with μ = {six(stated.low)}"
    else:
        proved = "f is convex" if stated.low == 0 else "which does not make it convex"
    yield f"by the objective's own formula, for all x: {bounds}: {proved}"
    if inspection.contradiction > 0:
        yield f"the smallest curvature seen lies below that by {number(inspection.contradiction)}: the formula is wrong"

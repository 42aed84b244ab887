"""`runner inspect OBJECTIVE --region LOW,HIGH`: the search for counterexamples to convexity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from runner.analysis.noise import EPSILON
from runner.cli.inspect.output import Output, fifteen_digits, six_digits, to_json, vector
from runner.errors import ExperimentError
from runner.inspection.inspected_objective import ANALYTIC, InspectedObjective
from runner.inspection.region import CANNOT_TELL, RegionInspection, inspect_region
from runner.tables.readable import exact, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SMALLEST_WIDTH, FEWEST_NUMBERS = 1e-290, 1000
"""The smallest width of the box, and the smallest number of floating-point numbers that it must hold."""


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
    width, size = region[1] - region[0], max(map(abs, region))
    if not math.isfinite(width) or width < max(SMALLEST_WIDTH, FEWEST_NUMBERS * EPSILON * size):
        given = f"--region {region[0]!r},{region[1]!r}: the width is {width:g}; it"
        allowed = f"must be at least {SMALLEST_WIDTH:g} and finite, with more than about {FEWEST_NUMBERS} numbers in it"
        raise ExperimentError(inspected.name, [f"{given} {allowed}; choose another box"])
    inspection = inspect_region(inspected, region[0], region[1], tries, seed)
    data = to_json(inspection)
    if inspection.curvature is not None:
        del data["curvature"]["sampled"]

    def draw() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.region import draw_region

        return draw_region(inspected, inspection)

    return Output(list(_lines(inspected, inspection)), {"verdict": inspection.verdict, **data}, draw)


def _lines(inspected: InspectedObjective, inspection: RegionInspection) -> Iterator[str]:
    chord, chords, curvature = inspection.counterexample, inspection.chords, inspection.curvature
    stated, difference = inspection.stated, inspection.difference
    if stated is not None and chord is not None and stated.low >= 0:
        yield "contradiction: by the objective's own formula f is convex, but a chord lies below f: the formula or f is wrong"
    if stated is not None and inspection.contradiction > 0:
        side, bound = ("below", stated.low) if inspection.seen < stated.low else ("above", stated.high)
        yield (
            f"contradiction: by the objective's own formula no eigenvalue of ∇²f is {side} {six_digits(bound)}, but "
            f"{six_digits(inspection.seen)} was seen, which differs by {number(inspection.contradiction)}: "
            "the formula is wrong"
        )
    box = f"with each coordinate from {exact(inspection.low)} to {exact(inspection.high)}"
    reason = f": {inspection.because}" if inspection.because else ""
    yield f"{inspection.objective}, {box}: {inspection.verdict}{reason}"
    if chord is not None:
        yield f"  x₁ = {vector(chord.first, fifteen_digits)}"
        yield f"  x₂ = {vector(chord.second, fifteen_digits)}"
        yield f"  λ  = {fifteen_digits(chord.weight)}"
        above = f"{number(chord.excess)}; rounding and noise account for at most {number(chord.rounding)}"
        yield f"  f(λx₁ + (1 − λ)x₂) lies above λf(x₁) + (1 − λ)f(x₂) by {above}"
        if chord.jump > 0:
            numbers = f"numbers of about {chord.jump / EPSILON:.0e} or more"
            yield f"  between x₁ and x₂, f jumps by {number(chord.jump)}; rounding causes such a jump only in {numbers}"
    unknown = f", of which {chords.unknown:,} are inconclusive, because f is not finite there" if chords.unknown else ""
    yield f"chords tried: {chords.tried:,} (seed {inspection.seed}){unknown}"
    if chord is None:
        if chords.exceeded:
            yield (
                f"{chords.exceeded:,} of them lie below f by more than 32 ε|f|; of these, {chords.checked:,} were checked, and "
                "their excess is within the noise of f, or neighbouring chords do not share it"
            )
        yield (
            f"f lies up to {number(chords.sag)} below these chords; an excess of less than about {number(chords.resolution)} "
            "could not be distinguished from rounding"
        )
    if curvature is None or difference is None:
        yield f"no smallest curvature, {inspection.without_hessian}"
    else:
        place = f"{inspected.point_name} = {vector(curvature.place)}"
        if inspection.agree:
            hessians = f"{curvature.tried:,} Hessians by {inspection.backend}"
            error = abs(curvature.smallest - difference.value) + difference.error
            within = "" if inspection.backend == ANALYTIC else f" ± {rounded_up(error)}"
            yield f"smallest curvature seen: {six_digits(curvature.smallest)}{within} at {place}, in {hessians}"
        else:
            differences = f"give {six_digits(difference.value)} ± {number(difference.error)}"
            yield (
                f"smallest curvature: cannot tell; {inspection.backend} gives {six_digits(curvature.smallest)} at {place}, where "
                f"differences of f along its eigenvector {differences}"
            )
    if chord is None and inspection.verdict != CANNOT_TELL:
        yield "this is evidence for convexity here, but not a proof"
    if stated is None:
        return
    bounds = f"from {six_digits(stated.low)} to {six_digits(stated.high) if math.isfinite(stated.high) else '∞'}"
    conclusion = ""
    if not stated.low >= 0:  # A bound may be NaN.
        conclusion = ", so convexity does not follow from it"
    elif chord is None and inspection.contradiction == 0:
        conclusion = f": f is strongly convex, with μ = {six_digits(stated.low)}" if stated.low > 0 else ": f is convex"
    yield f"by the objective's own formula, for all x, every eigenvalue of ∇²f lies {bounds}{conclusion}"


def rounded_up(error: float) -> str:
    """Return an error with one digit, rounded up, so that the interval it describes does not shrink."""
    if not 0.0 < error < math.inf:
        return f"{error:.1g}"
    unit = Decimal(1).scaleb(Decimal(error).adjusted())
    return f"{float(Decimal(error).quantize(unit, rounding=ROUND_CEILING)):.1g}"

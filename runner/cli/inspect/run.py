"""`runner inspect RUN`: what is printed along a stored trajectory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
import numpy as np

from runner.cli.inspect.shared import Shown, plain, six
from runner.cli.terminal.table_layout import WIDER, Habits, fitted
from runner.errors import PluginError
from runner.inspection.inspected_objective import with_every_backend
from runner.inspection.trajectory import InspectedStep, TrajectoryInspection, inspect_trajectory, restore_objective
from runner.registry.registry import Registry
from runner.results import results_database
from runner.tables.readable import counted, number, part

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


RUN = re.compile(r"[0-9]+|[0-9a-f]{4,64}")
SHOWN_ROWS = 12
CLOSE = 0.01
HABITS = Habits(then=("Newton", "‖step‖", "smallest λ"), more=f"{WIDER}, and --format json everything")
DECREASES = ("decrease: first order", "second order", "actual")


def is_run(name: str, registry: Registry) -> bool:
    """Whether a name stands for a stored run: a number or the beginning of an identity, and no objective's name."""
    if not RUN.fullmatch(name):
        return False
    try:
        registry.find("objective", name)
    except PluginError:
        return True
    return False


def show_run(name: str, source: str, registry: Registry) -> Shown:
    """Read a run and compute what there is to know along it, ready to be shown.

    Raises:
        StoreError: the database cannot be read.
        QueryError: it has no such run.
        PluginError: the objective cannot be made again.
    """
    with results_database.open(source) as results:
        record = results.run(int(name) if name.isdecimal() else name)
        ((_, series),) = results.trajectories([record.id])
    inspected = with_every_backend(restore_objective(record.objective, registry), registry)
    inspection = inspect_trajectory(inspected, record, series)
    if inspection.changed:
        click.echo(
            f"warning: the code of objective {inspection.objective} has changed since run {record.id} was computed; its stored "
            "values are those of the old code, the derivatives those of the new", err=True,
        )  # fmt: skip
    return Shown(list(_lines(inspection)), plain(inspection), lambda: _draw(inspection))


def _draw(inspection: TrajectoryInspection) -> MatplotlibFigure:
    # Matplotlib, loaded only where a picture is wanted.
    from runner.inspection.pictures.trajectory import draw_trajectory

    return draw_trajectory(inspection)


def _lines(inspection: TrajectoryInspection) -> Iterator[str]:
    yield (
        f"run {inspection.run} ({inspection.identity[:12]}): {inspection.optimizer} on {inspection.objective}, "
        f"{counted(inspection.steps, 'step')}, {inspection.outcome}"
    )
    yield f"∇f by {inspection.gradient_backend}, " + (
        f"∇²f by {inspection.hessian_backend}"
        if inspection.hessian_backend
        else "no ∇²f: no backend computes it, or it is too large"
    )
    yield ""
    heading = ("step", "f", "smallest λ", "largest λ", "shape", "‖step‖", *DECREASES, "Newton")
    yield from fitted([heading, *map(_row, _some(inspection.visits))], HABITS)
    yield ""
    yield from _summary(inspection)


def _some(visits: Sequence[InspectedStep]) -> list[InspectedStep]:
    places = np.unique(np.linspace(0, len(visits) - 1, min(len(visits), SHOWN_ROWS)).round().astype(int))
    return [visits[place] for place in places.tolist()]


def _row(visit: InspectedStep) -> tuple[str, ...]:
    newton = {True: "descends", False: "climbs", None: "–"}[visit.newton_descends]
    numbers = (visit.first_order, visit.second_order, visit.actual)
    return (
        str(visit.step), number(visit.value), _known(visit.smallest), _known(visit.largest), visit.shape or "–",
        number(visit.step_size), *map(_known, numbers), newton,
    )  # fmt: skip


def _known(value: float) -> str:
    return "–" if math.isnan(value) else number(value)


def _summary(inspection: TrajectoryInspection) -> Iterator[str]:
    visits = inspection.visits
    if len(visits) < inspection.steps:
        yield f"looked at {len(visits)} of {inspection.steps:,} steps, evenly spread"
    known = [visit for visit in visits if not math.isnan(visit.largest)]
    if known:
        low, high = min(visit.smallest for visit in known), max(visit.largest for visit in known)
        yield f"curvature along the run: from {six(low)} to {six(high)}"
        if inspection.learning_rate is not None:
            products = [inspection.learning_rate * visit.largest for visit in known]
            span = f"from {six(min(products))} to {six(max(products))}"
            yield f"learning rate times largest curvature: {span}; near a minimum, gradient descent is stable below 2"
        asked = [visit for visit in known if visit.newton_descends is not None]
        descending = sum(visit.newton_descends is True for visit in asked)
        yield (
            f"Newton's direction descends at {part(descending, len(asked), 'iterate')} where it is defined"
            if asked
            else ("Newton's direction is nowhere defined")
        )
    yield from _models(visits)


def _models(visits: Sequence[InspectedStep]) -> Iterator[str]:
    for words, predicted in (
        ("first", [visit.first_order for visit in visits]),
        ("second", [visit.second_order for visit in visits]),
    ):
        pairs = zip(predicted, (visit.actual for visit in visits), strict=True)
        comparable = [(guess, actual) for guess, actual in pairs if math.isfinite(guess - actual) and actual != 0]
        if comparable:
            close = sum(abs(guess - actual) <= CLOSE * abs(actual) for guess, actual in comparable)
            yield f"the {words}-order model predicts the decrease within 1 % at {part(close, len(comparable), 'step')}"

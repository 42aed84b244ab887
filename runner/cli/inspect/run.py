"""`runner inspect RUN`: curvature and models along a stored trajectory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import numpy as np

from runner.cli.inspect.output import Output, six_digits, to_json
from runner.cli.terminal.tables import NarrowLayout, table_lines
from runner.errors import PluginError
from runner.inspection.inspected_objective import with_every_backend
from runner.inspection.trajectory import InspectedStep, TrajectoryInspection, inspect_trajectory, restore_objective
from runner.registry.registry import Registry
from runner.results import results_database
from runner.tables.readable import counted, number, part

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


NUMBER_OR_IDENTITY = re.compile(r"[0-9]+|[0-9a-f]{4,64}")
MOST_ROWS = 12
CLOSE = 0.01
"""Largest relative error of a predicted decrease that counts as close."""
LAYOUT = NarrowLayout(hide_later=("Newton", "‖step‖", "smallest λ"), hint="a wider terminal or --format json shows them")
HEADING = (
    "step", "f", "smallest λ", "largest λ", "shape", "‖step‖", "decrease: first order", "second order", "actual", "Newton",
)  # fmt: skip


def is_run(name: str, registry: Registry) -> bool:
    """Return True if a name is a number or the beginning of an identity, and not the name of an objective."""
    if not NUMBER_OR_IDENTITY.fullmatch(name):
        return False
    try:
        registry.find("objective", name)
    except PluginError:
        return True
    return False


def run_output(name: str, source: str, registry: Registry) -> Output:
    """Return the curvature and the decrease that models predict, along a stored run.

    Raises:
        StoreError: the database cannot be read.
        QueryError: the database has no such run.
        PluginError: the run's objective cannot be made.
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

    def draw() -> MatplotlibFigure:
        # This import loads Matplotlib.
        from runner.inspection.pictures.trajectory import draw_trajectory

        return draw_trajectory(inspection)

    return Output(list(_lines(inspection)), to_json(inspection), draw)


def _lines(inspection: TrajectoryInspection) -> Iterator[str]:
    end = f"{counted(inspection.steps, 'step')}, {inspection.outcome}"
    yield f"run {inspection.run} ({inspection.identity[:12]}): {inspection.optimizer} on {inspection.objective}, {end}"
    backend = inspection.hessian_backend
    hessian = f"∇²f by {backend}" if backend else "no ∇²f: no backend computes it, or it is too large"
    yield f"∇f by {inspection.gradient_backend}, {hessian}"
    yield ""
    count = len(inspection.visits)
    shown = np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).round().astype(int)).tolist()
    yield from table_lines([HEADING, *(_row(inspection.visits[place]) for place in shown)], LAYOUT)
    yield ""
    yield from _conclusions(inspection)


def _row(visit: InspectedStep) -> tuple[str, ...]:
    newton = {True: "descends", False: "climbs", None: "–"}[visit.newton_descends]
    numbers = (visit.first_order, visit.second_order, visit.actual)
    return (
        str(visit.step), number(visit.value), _known(visit.smallest), _known(visit.largest), visit.shape or "–",
        number(visit.step_size), *map(_known, numbers), newton,
    )  # fmt: skip


def _known(value: float) -> str:
    return "–" if math.isnan(value) else number(value)


def _conclusions(inspection: TrajectoryInspection) -> Iterator[str]:
    """Yield the range of the curvature, the part of the steps at which Newton's direction descends, and the models' accuracy."""
    visits = inspection.visits
    if len(visits) < inspection.steps:
        yield f"computed at {len(visits)} of {inspection.steps:,} steps, evenly spread"
    known = [visit for visit in visits if not math.isnan(visit.largest)]
    if known:
        low, high = min(visit.smallest for visit in known), max(visit.largest for visit in known)
        yield f"curvature along the run: from {six_digits(low)} to {six_digits(high)}"
        if inspection.learning_rate is not None:
            products = [inspection.learning_rate * visit.largest for visit in known]
            span = f"from {six_digits(min(products))} to {six_digits(max(products))}"
            yield f"learning rate times largest curvature: {span}; near a minimum, gradient descent is stable below 2"
        with_newton = [visit for visit in known if visit.newton_descends is not None]
        if with_newton:
            descending = sum(visit.newton_descends is True for visit in with_newton)
            yield f"Newton's direction descends at {part(descending, len(with_newton), 'iterate')} where it is defined"
        else:
            yield "Newton's direction is defined at no iterate"
    for order, predicted in (
        ("first", [visit.first_order for visit in visits]),
        ("second", [visit.second_order for visit in visits]),
    ):
        pairs = zip(predicted, (visit.actual for visit in visits), strict=True)
        comparable = [(guess, actual) for guess, actual in pairs if math.isfinite(guess - actual) and actual != 0]
        if comparable:
            close = sum(abs(guess - actual) <= CLOSE * abs(actual) for guess, actual in comparable)
            yield f"the {order}-order model predicts the decrease within 1 % at {part(close, len(comparable), 'step')}"

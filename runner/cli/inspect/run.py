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
MOST_SHOWN_STEPS = 12
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
        PluginError: the run's objective cannot be created again.
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
    steps = inspection.visits
    shown = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_SHOWN_STEPS)).round().astype(int)).tolist()
    yield from table_lines([HEADING, *(_row(steps[place]) for place in shown)], LAYOUT)
    yield ""
    if len(steps) < inspection.steps:
        yield f"computed at {len(steps)} of {inspection.steps:,} steps, evenly spread"
    doubtful = [step for step in steps if step.doubt]
    if doubtful:
        where = part(len(doubtful), len(steps), "step")
        yield f"nothing is concluded from derivatives at {where}; at step {doubtful[0].step:,}, {doubtful[0].doubt}"
    known = [step for step in steps if not math.isnan(step.largest)]
    if known:
        low, high = min(step.smallest for step in known), max(step.largest for step in known)
        error = max(step.curvature_error for step in known)
        bounds = f"curvature along the run: from {six_digits(low)} to {six_digits(high)}"
        if not math.isfinite(error):
            yield f"{bounds}, but at some steps no two spacings confirm it"
        else:
            # The error is not printed if all six digits are certain.
            yield bounds + f", with errors up to {error:.1g}" * (error > 5e-7 * min(abs(low), abs(high)))
        if inspection.learning_rate is not None:
            products = [inspection.learning_rate * step.largest for step in known]
            span = f"from {six_digits(min(products))} to {six_digits(max(products))}"
            yield f"learning rate times largest curvature: {span}; near a minimum, gradient descent is stable below 2"
        with_newton = [step for step in known if step.newton_descends is not None]
        if with_newton:
            descending = sum(step.newton_descends is True for step in with_newton)
            yield f"Newton's direction descends at {part(descending, len(with_newton), 'iterate')} where it is defined"
        else:
            yield "Newton's direction is defined at no iterate"
    for order, predicted in (("first", [step.first_order for step in steps]), ("second", [step.second_order for step in steps])):
        pairs = zip(predicted, (step.actual for step in steps), strict=True)
        comparable = [(guess, actual) for guess, actual in pairs if math.isfinite(guess - actual) and actual != 0]
        if comparable:
            close = sum(abs(guess - actual) <= CLOSE * abs(actual) for guess, actual in comparable)
            yield f"the {order}-order model predicts the decrease within 1 % at {part(close, len(comparable), 'step')}"


def _row(step: InspectedStep) -> tuple[str, ...]:
    newton = {True: "descends", False: "climbs", None: "–"}[step.newton_descends]
    numbers = (step.first_order, step.second_order, step.actual)
    return (
        str(step.step), number(step.value), _known(step.smallest), _known(step.largest), step.shape or "–",
        number(step.step_size), *map(_known, numbers), newton,
    )  # fmt: skip


def _known(value: float) -> str:
    return "–" if math.isnan(value) else number(value)

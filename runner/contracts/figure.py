"""Figures, and the stored results from which they are drawn."""

from __future__ import annotations

import base64
import html
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import Objective
from runner.contracts.outcomes import Surprise, surprise
from runner.contracts.plugin import Plugin
from runner.contracts.reached import Reached, ending, place_reached
from runner.tables.frame import Column, Frame, printable_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SHOWN_COORDINATES = 10
"""The number of coordinates of a point that a notebook shows."""


@dataclass(frozen=True)
class StoredRun:
    """A stored run, from which figures and summaries are made.

    Attributes:
        id: the number of its row in the database.
        identity: SHA-256, in hexadecimal, over everything on which the run's numbers depend.
        objective: the label of the objective: its name, and its parameters if the experiment has several of that name.
        gradient: the label of the gradient backend.
        optimizer: the label of the optimizer, without its swept parameters.
        parameters: the parameters of these three plugins by `kind.name`, e.g. `optimizer.learning_rate`; a list is JSON text.
        start: the number of its starting point within the experiment, from 0.
        dimension: the number of coordinates of x.
        outcome: a `runner.Outcome` value.
        error: the reason why it failed; empty if it did not fail.
        steps: the number of steps that it took.
        final_value: f at the last iterate; may be NaN or infinite.
        best_value: the smallest f of all iterates; NaN if none was finite.
        final_gradient_norm: ‖∇f‖ at the last iterate.
        evaluations: the numbers of evaluations of f, ∇f and ∇²f, by `value`, `gradient` and `hessian`.
        seconds: its share of the time that its batch took, in seconds.
        minimum_value: the known smallest value of its objective, or None.
        curvature: the smallest and the largest eigenvalue of the Hessian at the known minimiser, or None.
        records_x: True if its iterates are stored.
        records_gradient: True if its gradients are stored, component by component.
        behaviour: a `runner.Behaviour` value for the way in which f changed; None if it was not measured.
        target: the largest f − f* of a run that reached the minimum: the target of its experiment, or its stopping rule `gap`;
            None for 1e-6 · max(1, |f*|).
        convergence_test: False if neither of the rules `gradient_norm` and `gap` is set, so that no convergence was tested.
        best_step: the number of the first iterate with the smallest f.
        remark: what is doubtful about it; empty if nothing is.
        at_rest: True if ‖∇f‖ is small at the last iterate; None if this was not measured.
        convex_gap_bound: ‖∇f‖ · ‖x − x*‖ at the last iterate plus the rounding error of f; None if it was not measured.
        value_error: the rounding error of f at the last iterate; None if it was not measured.
        curvature_sign: a `runner.CurvatureSign` value for the last iterate; None if it was not measured.
    """

    id: int
    identity: str
    objective: str
    gradient: str
    optimizer: str
    parameters: Mapping[str, float | int | str | bool | None]
    start: int
    dimension: int
    outcome: str
    error: str
    steps: int
    final_value: float
    best_value: float
    final_gradient_norm: float
    evaluations: Mapping[str, int]
    seconds: float
    minimum_value: float | None
    curvature: tuple[float, float] | None
    records_x: bool = True
    records_gradient: bool = False
    behaviour: str | None = None
    target: float | None = None
    convergence_test: bool = True
    best_step: int = 0
    remark: str = ""
    at_rest: bool | None = None
    convex_gap_bound: float | None = None
    value_error: float | None = None
    curvature_sign: str | None = None

    @property
    def surprise(self) -> Surprise | None:
        """A fact about the run that its outcome does not show."""
        return surprise(self.outcome, self.steps, self.final_value, self.best_value, self.best_step)

    @property
    def reached(self) -> Reached:
        """The place that it reached."""
        return place_reached(
            self.final_value,
            self.best_value,
            self.minimum_value,
            self.target,
            self.at_rest,
            self.convex_gap_bound,
            self.value_error,
            self.curvature_sign,
        )

    @property
    def ending(self) -> str:
        """Its end as tables and pictures name it: the outcome, or `converged elsewhere`, `stalled elsewhere` or `below f*`."""
        return ending(self.outcome, self.reached)

    @property
    def final_gap(self) -> float:
        """The last value minus the known minimum; NaN if the minimum is not known."""
        return float("nan") if self.minimum_value is None else self.final_value - self.minimum_value


@dataclass(frozen=True)
class Series:
    """The trajectory of one run: its iterates, from the start (step 0) to the last.

    Attributes:
        value: f, `(steps + 1,)`.
        gradient_norm: ‖∇f‖, `(steps + 1,)`.
        x: the iterates, `(steps + 1, dimension)`, or None where the experiment did not record them.
        gradient: ∇f at the iterates, `(steps + 1, dimension)`, or None where the experiment did not record it.
    """

    value: Array
    gradient_norm: Array
    x: Array | None
    gradient: Array | None = None

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows: a table of the first iterates."""
        columns = [Column("step", "integer", np.arange(len(self.value)))]
        columns += [Column(name, "number", getattr(self, name)) for name in ("value", "gradient_norm")]
        for name, points in (("x", self.x), ("gradient", self.gradient)):
            width = 0 if points is None else min(points.shape[1], SHOWN_COORDINATES)
            columns += [Column(f"{name}{place}", "number", points[:, place]) for place in range(width) if points is not None]
        return Frame(columns)._repr_html_()


class Results(ABC):
    """The stored results of an experiment, from which figures are drawn."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The experiment's name."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The text under `description` in the experiment file."""

    @property
    @abstractmethod
    def runs(self) -> Sequence[StoredRun]:
        """The stored runs of the experiment's grid, in the order of the grid."""

    @property
    @abstractmethod
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        """The numeric parameters in which the runs of each optimizer label differ, e.g. `("learning_rate",)`."""

    @abstractmethod
    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        """Read the trajectories of some runs, and yield each run with its trajectory, in the order given."""

    def objective(self, run: StoredRun) -> Objective | None:
        """Return the objective of a run, created again from its stored parameters, for example to draw contours.

        Return None if the plugin is not installed, or if its code has changed since the run was computed.
        """
        return None


@dataclass(frozen=True)
class Drawing:
    """A picture, its caption, and numbers that belong to it.

    Attributes:
        figure: the picture.
        caption: a paragraph that explains how to read the picture and what it shows for these results.
        table: numbers that belong to the picture, as rows of cells, the headings first; may be empty.
    """

    figure: MatplotlibFigure
    caption: str
    table: Sequence[Sequence[str]] = ()

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows: the picture, and below it the escaped caption."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=150)
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        caption = html.escape(printable_lines(self.caption))
        return f'<figure><img src="{source}" alt="" style="max-width: 100%"><figcaption>{caption}</figcaption></figure>'


class Figure(Plugin, ABC):
    """A picture of an experiment, drawn from its stored results alone.

    Attributes:
        title: the heading above the picture.
    """

    title: ClassVar[str]

    @abstractmethod
    def draw(self, results: Results) -> Drawing | None:
        """Return the picture, or None if these results contain nothing that it can show."""

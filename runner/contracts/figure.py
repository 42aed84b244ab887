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
from runner.contracts.plugin import Plugin
from runner.tables.frame import Column, Frame, printable_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


SHOWN_COORDINATES = 10
"""So many of a point does a notebook show."""


@dataclass(frozen=True)
class StoredRun:
    """One run as the database holds it; what figures and summaries are made from.

    Attributes:
        id: the row's number in the database.
        identity: SHA-256 over everything that decides the run's numbers, in hexadecimal.
        objective: the objective's label: its name, and its parameters where the experiment has several of that name.
        gradient: the gradient backend's label.
        optimizer: the optimizer's label, without its swept parameters.
        parameters: every parameter of the three, as `kind.name`, e.g. `optimizer.learning_rate`; a list as JSON.
        start: the number of its starting point within the experiment, from 0.
        dimension: how many coordinates x has.
        outcome: a `runner.Outcome` value.
        error: why it failed, else the empty string.
        steps: how many steps it took.
        final_value: f at the last iterate; may be NaN or infinite.
        best_value: the smallest f seen, NaN if none was finite.
        final_gradient_norm: ‖∇f‖ at the last iterate.
        evaluations: how often f, ∇f and ∇²f were computed, by `value`, `gradient`, `hessian`.
        seconds: its share of its batch's time.
        minimum_value: the known smallest value of its objective, or None.
        curvature: smallest and largest eigenvalue of the Hessian at the known minimiser, or None.
        records_x: whether its iterates are stored.
        records_gradient: whether its gradients are stored, component by component.
        behaviour: how it moved, a `runner.Behaviour` value; None where nobody measured it.
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

    @property
    def final_gap(self) -> float:
        """How far the last value lies above the known minimum; NaN where that is unknown."""
        return float("nan") if self.minimum_value is None else self.final_value - self.minimum_value


@dataclass(frozen=True)
class Series:
    """The trajectory of one run: its iterates, from the start (step 0) to the last.

    Attributes:
        value: f, `(steps + 1,)`.
        gradient_norm: ‖∇f‖, `(steps + 1,)`.
        x: the iterates, `(steps + 1, dimension)`, or None where the experiment did not record them.
        gradient: ∇f there, likewise; recorded only where the experiment asks for it.
    """

    value: Array
    gradient_norm: Array
    x: Array | None
    gradient: Array | None = None

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the first iterates, as a table."""
        columns = [Column("step", "integer", np.arange(len(self.value)))]
        columns += [Column(name, "number", getattr(self, name)) for name in ("value", "gradient_norm")]
        for name, points in (("x", self.x), ("gradient", self.gradient)):
            width = 0 if points is None else min(points.shape[1], SHOWN_COORDINATES)
            columns += [Column(f"{name}{place}", "number", points[:, place]) for place in range(width) if points is not None]
        return Frame(columns)._repr_html_()


class Results(ABC):
    """An experiment as the database holds it: all that a figure may draw from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The experiment's name."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the experiment says of itself."""

    @property
    @abstractmethod
    def runs(self) -> Sequence[StoredRun]:
        """Every run of the experiment's grid that is stored, in the order of the grid."""

    @property
    @abstractmethod
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        """For each optimizer label, the numeric parameters that its runs differ in, e.g. `("learning_rate",)`."""

    @abstractmethod
    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        """Read the trajectories of some runs, one after another, in the order given."""

    def objective(self, run: StoredRun) -> Objective | None:
        """Return a run's objective, made again from its stored parameters, for contours and the like.

        None where its plugin is not installed, or is not the code that computed the run.
        """
        return None


@dataclass(frozen=True)
class Drawing:
    """A figure and what it says.

    Attributes:
        figure: the picture.
        caption: a paragraph in plain words: how to read the picture, and what it shows here.
        table: numbers that belong to it, as rows of cells, the headings first; empty if there are none.
    """

    figure: MatplotlibFigure
    caption: str
    table: Sequence[Sequence[str]] = ()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture, and below it the caption, escaped."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=150)
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        caption = html.escape(printable_lines(self.caption))
        return f'<figure><img src="{source}" alt="" style="max-width: 100%"><figcaption>{caption}</figcaption></figure>'


class Figure(Plugin, ABC):
    """A picture of an experiment, drawn from the database alone.

    Attributes:
        title: the heading above the picture.
    """

    title: ClassVar[str]

    @abstractmethod
    def draw(self, results: Results) -> Drawing | None:
        """Draw the picture; None if these results hold nothing it could show."""

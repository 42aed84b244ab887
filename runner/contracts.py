"""What a plugin implements. Read this file first: the whole contract is here.

Shapes. Coordinates are on the last axis and a leading axis holds runs, which advance together:

    x         (runs, dimension)               value     (runs,)
    gradient  (runs, dimension)               hessian   (runs, dimension, dimension)
    residuals (runs, residuals)               jacobian  (runs, residuals, dimension)

float64 throughout. Write a plugin as for one point, with `...`, `axis=-1` and broadcasting, and it serves thousands.

Parameters. A plugin is a `@dataclass(frozen=True)`; its fields are its parameters (see `runner.parameter`). Where a sweep varies
a float field, the field holds a column `(runs, 1)` instead of a number. So combine it with arrays of shape `(runs, n)`, before
reducing to `(runs,)`.

Capabilities. What a plugin does not know, it does not have: an objective without a Hessian has no `hessian` method. The
protocols below name what may be offered, and `isinstance(objective, HasHessian)` asks its class.
"""

from __future__ import annotations

import base64
import html
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runner.capabilities import Capability
from runner.frames import Column, Frame, printable_lines
from runner.rowwise import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

Kind = Literal["objective", "gradient", "optimizer", "executor", "figure"]
Quantity = Literal["gradient", "hessian", "jacobian"]
Memory = Any
Mask = NDArray[np.bool_]
SHOWN_COORDINATES = 10
"""So many of a point does a notebook show."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Plugin:
    """What every plugin is: a frozen dataclass whose fields are its parameters."""

    def validate(self) -> None:
        """Refuse parameter values that fit one by one but not together.

        Called once for each grid point, with numbers in the fields, before anything runs.

        Raises:
            ValueError: the text says which values, and what is allowed.
        """


@dataclass(frozen=True)
class Minimum:
    """A known global minimum.

    Attributes:
        x: a global minimiser, `(dimension,)`, or `(runs, dimension)` where a parameter is swept.
        value: the smallest value, a number or `(runs,)`.
    """

    x: Array
    value: float | Array


class Objective(Plugin, ABC):
    """A function f to minimise, from R^dimension to R."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many coordinates x has."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Return f at each row: `(runs, dimension) -> (runs,)`."""


@runtime_checkable
class HasGradient(Protocol, metaclass=Capability):
    """An objective that knows its gradient."""

    def gradient(self, x: Array) -> Array:
        """Return ∇f at each row: `(runs, dimension) -> (runs, dimension)`."""


@runtime_checkable
class HasHessian(Protocol, metaclass=Capability):
    """An objective that knows its Hessian."""

    def hessian(self, x: Array) -> Array:
        """Return ∇²f at each row: `(runs, dimension) -> (runs, dimension, dimension)`, symmetric."""


@runtime_checkable
class HasValueAndGradient(Protocol, metaclass=Capability):
    """An objective that computes f and ∇f with shared work."""

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f at each row: `(runs, dimension) -> (runs,), (runs, dimension)`."""


@runtime_checkable
class HasResiduals(Protocol, metaclass=Capability):
    """An objective that is a sum of squares, f(x) = Σ rᵢ(x)²."""

    def residuals(self, x: Array) -> Array:
        """Return r at each row: `(runs, dimension) -> (runs, residuals)`."""

    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""


@runtime_checkable
class HasMinimum(Protocol, metaclass=Capability):
    """An objective whose global minimum is known, at least for some of its parameters."""

    @property
    def minimum(self) -> Minimum | None:
        """The known global minimum; None where it is not known for these parameters.

        Objectives of which it is known do not share a batch with others.
        """


@runtime_checkable
class HasStartRegion(Protocol, metaclass=Capability):
    """An objective that says where starting points make sense."""

    @property
    def start_region(self) -> tuple[float, float]:
        """The lowest and highest start, the same for each coordinate."""


@runtime_checkable
class DrawsStarts(Protocol, metaclass=Capability):
    """An objective that has a way of its own to draw starting points."""

    def draw_starts(self, generator: np.random.Generator, count: int) -> Array:
        """Draw starting points, `(count, dimension)`, with no randomness but the generator's.

        Called with numbers in the fields. Parameters that decide nothing but this are best left batched: runs that differ in
        them then advance together.
        """


@dataclass(frozen=True)
class LayerGradient:
    """What becomes of the gradient in one layer of a chain of functions, at some points.

    Attributes:
        name: of the layer.
        weights: where its weights lie in x.
        jacobian_norm: the spectral norm of the Jacobian of what leaves the layer by what enters it, all samples together,
            `(runs,)`: the most that the layer can stretch what is carried back through it. Where a sample's output depends on
            that sample alone, it is the largest of the samples' own norms.
        reaching: ‖∂f/∂a‖ over all samples, `(runs,)`, where a is what leaves the layer: the product of the loss's gradient with
            the Jacobians of all layers above. So `reaching` of a layer is at most `jacobian_norm · reaching` of the one above.
        gradient_norm: the norm of the gradient by the layer's weights, `(runs,)`.
    """

    name: str
    weights: slice
    jacobian_norm: Array
    reaching: Array
    gradient_norm: Array


@runtime_checkable
class HasLayers(Protocol, metaclass=Capability):
    """An objective that is a chain of layers, through which the gradient is carried back."""

    @property
    def layer_weights(self) -> Mapping[str, slice]:
        """Each layer's name, and where its weights lie in x, from the first layer to the last."""

    def backpropagation(self, x: Array) -> tuple[LayerGradient, ...]:
        """Return what becomes of the gradient in each layer, from the first to the last, for x `(runs, dimension)`."""


@runtime_checkable
class HasCurvatureBounds(Protocol, metaclass=Capability):
    """An objective whose formula bounds its curvature everywhere."""

    @property
    def curvature_bounds(self) -> tuple[float | Array, float | Array]:
        """What no eigenvalue of ∇²f, at any x, lies below, and what none lies above; each a number or `(runs,)`."""


@runtime_checkable
class HasData(Protocol, metaclass=Capability):
    """An objective that fits a model to data."""

    @property
    def data(self) -> tuple[Array, Array]:
        """The features, `(samples, features)`, and the targets, `(samples,)`."""

    def predict(self, x: Array, features: Array) -> Array:
        """Return what the model says: x `(runs, dimension)` and features `(samples, features)` -> `(runs, samples)`."""


class LeastSquares(Objective):
    """f(x) = Σ rᵢ(x)², given the residuals r and their Jacobian J; value and gradient 2 Jᵀr follow.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.1 (there with a factor 1/2).
    """

    @abstractmethod
    def residuals(self, x: Array) -> Array:
        """Return r at each row: `(runs, dimension) -> (runs, residuals)`."""

    @abstractmethod
    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""

    def value(self, x: Array) -> Array:
        """Return Σ rᵢ²."""
        r = self.residuals(x)
        total: Array = (r * r).sum(axis=-1)
        return total

    def gradient(self, x: Array) -> Array:
        """Return 2 Jᵀr."""
        r = self.residuals(x)
        total: Array = 2.0 * (self.jacobian(x) * r[..., :, None]).sum(axis=-2)
        return total


class GradientBackend(Plugin, ABC):
    """A way to differentiate an objective.

    It may also offer `hessian(objective, x)`, `jacobian(objective, x)` and `value_and_gradient(objective, x)`.
    """

    @abstractmethod
    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return ∇f at each row: `(runs, dimension) -> (runs, dimension)`."""

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Why this backend cannot compute `quantity` of `objective`, and what can; None if it can."""
        return None


@runtime_checkable
class ComputesHessian(Protocol, metaclass=Capability):
    """A gradient backend that computes Hessians."""

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return ∇²f at each row: `(runs, dimension) -> (runs, dimension, dimension)`."""


@runtime_checkable
class ComputesJacobian(Protocol, metaclass=Capability):
    """A gradient backend that computes the Jacobian of a least-squares objective's residuals."""

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return ∂r/∂x at each row: `(runs, dimension) -> (runs, residuals, dimension)`."""


@runtime_checkable
class ComputesValueAndGradient(Protocol, metaclass=Capability):
    """A gradient backend that computes f and ∇f with shared work."""

    def value_and_gradient(self, objective: Objective, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f at each row: `(runs, dimension) -> (runs,), (runs, dimension)`."""


class Point(ABC):
    """Where an optimizer stands, and what it may ask there. Each answer is computed once, when first asked, and counted."""

    @property
    @abstractmethod
    def x(self) -> Array:
        """The iterate, `(runs, dimension)`; read-only."""

    @property
    @abstractmethod
    def value(self) -> Array:
        """f(x), `(runs,)`."""

    @property
    @abstractmethod
    def gradient(self) -> Array:
        """∇f(x), `(runs, dimension)`."""

    @property
    @abstractmethod
    def hessian(self) -> Array:
        """∇²f(x), `(runs, dimension, dimension)`."""

    @property
    @abstractmethod
    def residuals(self) -> Array:
        """r(x) of a least-squares objective, `(runs, residuals)`."""

    @property
    @abstractmethod
    def jacobian(self) -> Array:
        """∂r/∂x of a least-squares objective, `(runs, residuals, dimension)`."""

    @abstractmethod
    def at(self, x: Array, where: Mask | None = None) -> Point:
        """Look elsewhere, as a line search does.

        Args:
            x: where to look, `(runs, dimension)`.
            where: `(runs,)`, True for the runs that need an answer; only these are counted, and the others' answers
                mean nothing.
        """


class Optimizer(Plugin, ABC):
    """A rule that moves from one iterate to the next.

    Attributes:
        needs: what it asks of a point; combinations that cannot give it are skipped before anything runs.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient",)

    def init(self, x: Array) -> Memory:
        """Return what the first step finds in `memory`, given the start `(runs, dimension)`.

        Memory is an array with a row for each run, or a tuple, list or dict of such; finished runs are cut out of them.
        Anything in it that is no array (a count of steps, say) is shared by all runs. An array without a row for each run
        belongs into the plugin; the engine notices one in memory, and computes such a batch one run at a time.
        """
        return ()

    @abstractmethod
    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return the next iterate `(runs, dimension)` and the memory for the step after."""


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item whose computation ended without a result: the process died, or had to be stopped.

    Attributes:
        item: the item.
        reason: what happened, in a few words, e.g. `its process was killed by SIGSEGV`.
        timed_out: whether it was stopped because it gave no sign of life for too long.
    """

    item: Item
    reason: str
    timed_out: bool


def _unheard() -> None:
    """Be a sign of life that nobody listens to."""


sign_of_life: ContextVar[Callable[[], None]] = ContextVar("sign_of_life", default=_unheard)
"""What a computation calls at each iterate. An executor sets it where it computes, to know what still moves from what hangs."""


class Executor(Plugin, ABC):
    """Where batches are computed."""

    @abstractmethod
    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], limit: Callable[[Item], float | None]
    ) -> Iterator[Result | Lost[Item]]:
        """Compute `function(item)` for each item.

        Args:
            function: what to compute; it can be pickled, and so can items and results.
            items: what to compute it for.
            limit: the seconds an item may go without a sign of life, or None. An executor that can stop a computation and hears
                its signs, by setting `sign_of_life`, does so beyond that; how long an item takes in all is not limited.

        Yields:
            Each result as soon as it is there, in any order; `Lost` for an item that ended without one. What the function raises,
            this raises.
        """


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


PLUGIN_CLASSES: Mapping[Kind, type[Plugin]] = {
    "objective": Objective,
    "gradient": GradientBackend,
    "optimizer": Optimizer,
    "executor": Executor,
    "figure": Figure,
}

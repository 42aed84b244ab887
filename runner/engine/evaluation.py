"""The evaluation of f, ∇f and ∇²f for a batch. The results of plugins are checked, and evaluations are counted for each run."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import ComputesHessian, ComputesJacobian, ComputesValueAndGradient, GradientBackend
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Mask, Memory, Optimizer, Point
from runner.contracts.plugin import Plugin
from runner.engine.batch import take_rows
from runner.engine.plugin_errors import WrongResult


class Counts:
    """The numbers of evaluations of f, ∇f and ∇²f for each run of a batch.

    Evaluations for the whole batch share one number; evaluations for some of its runs are counted run by run.

    Attributes:
        where: the runs that the next evaluations are for, `(runs,)`; None for all.
    """

    def __init__(self, runs: int) -> None:
        self.where: Mask | None = None
        self._common = {"value": 0, "gradient": 0, "hessian": 0}
        self._single = {name: np.zeros(runs, dtype=np.int64) for name in self._common}

    def add(self, quantities: tuple[str, ...]) -> None:
        """Count one evaluation of each quantity, for the runs in `where`."""
        for quantity in quantities:
            if self.where is None:
                self._common[quantity] += 1
            else:
                self._single[quantity] += self.where

    def totals(self) -> dict[str, Any]:
        """Return for each quantity the number of evaluations, `(runs,)`."""
        return {name: self._common[name] + single for name, single in self._single.items()}

    def keep(self, rows: Mask) -> None:
        """Keep some of the runs, given as a mask over the runs that are still going, `(runs,)`."""
        self._single = {name: single[rows] for name, single in self._single.items()}


class Evaluator:
    """An objective and a gradient backend for the runs of a batch that are still going.

    The methods take x of shape `(runs, dimension)`, and raise `WrongResult` for a result of another shape or type than
    documented.

    Attributes:
        counts: the numbers of evaluations so far.
        objective: the objective for these runs; its evaluations are not counted.
        backend: the gradient backend for these runs.
    """

    def __init__(self, objective: Objective, backend: GradientBackend, runs: int) -> None:
        self.counts = Counts(runs)
        self._runs = runs
        self.objective = objective
        self.backend = backend
        self._counted = stand_in(objective, objective, self.counts)
        # This is determined once, because isinstance with a protocol takes as long as a step of a small batch.
        self._shares_work = isinstance(backend, ComputesValueAndGradient)

    def keep(self, rows: Mask) -> None:
        """Keep some of the runs, given as a mask over the runs that are still going, `(runs,)`."""
        self.counts.keep(rows)
        self._runs = int(rows.sum())
        self.backend = take_rows(self.backend, rows)
        kept = take_rows(self.objective, rows)
        if kept is not self.objective:
            self.objective = kept
            self._counted = stand_in(kept, kept, self.counts)

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f, `(runs,)`, and ∇f, `(runs, dimension)`; the backend computes both at once if it can."""
        if self._shares_work:
            value, gradient = cast(ComputesValueAndGradient, self.backend).value_and_gradient(self._counted, x)
        else:
            value, gradient = self._counted.value(x), self.backend.gradient(self._counted, x)
        runs, dimension = x.shape
        value = self._check(self.objective, "value", value, (runs,), x)
        return value, self._check(self.backend, "gradient", gradient, (runs, dimension), x)

    def value(self, x: Array) -> Array:
        """Return f, `(runs,)`."""
        return self._check(self.objective, "value", self._counted.value(x), (len(x),), x)

    def gradient(self, x: Array) -> Array:
        """Return ∇f, `(runs, dimension)`."""
        return self._check(self.backend, "gradient", self.backend.gradient(self._counted, x), x.shape, x)

    def hessian(self, x: Array) -> Array:
        """Return ∇²f, `(runs, dimension, dimension)`."""
        hessian = cast(ComputesHessian, self.backend).hessian(self._counted, x)
        return self._check(self.backend, "hessian", hessian, (*x.shape, x.shape[1]), x)

    def residuals(self, x: Array) -> Array:
        """Return r, `(runs, residuals)`."""
        residuals: Array = cast(Any, self._counted).residuals(x)
        return self._check(self.objective, "residuals", residuals, (len(x), *np.shape(residuals)[-1:]), x)

    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x, `(runs, residuals, dimension)`."""
        jacobian = cast(ComputesJacobian, self.backend).jacobian(self._counted, x)
        return self._check(self.backend, "jacobian", jacobian, (len(x), *np.shape(jacobian)[-2:-1], x.shape[1]), x)

    def _check(self, plugin: Plugin, method: str, result: Array, shape: tuple[int, ...], x: Array) -> Array:
        if type(result) is np.ndarray and result.shape == shape and result.dtype == np.float64:
            # Row order is needed, because sums over an array of another layout may be computed in another order.
            return np.ascontiguousarray(result)
        described = f"{type(result).__name__} {result!r:.60}"
        if isinstance(result, np.ndarray):
            described = f"an array of shape {result.shape} and type {result.dtype}"
        text = f"{type(plugin).__name__}.{method} returned {described} for x of shape {x.shape}"
        raise WrongResult(f"{text}; it must return a float64 array of shape {shape}", plugin, method)


def stand_in(objective: Objective, evaluated: object, counts: Counts) -> Objective:
    """Return a stand-in for an objective, which counts its evaluations and has exactly the members of the objective.

    Args:
        objective: the objective.
        evaluated: the object whose members the stand-in calls: the objective, or an object that observes the calls.
        counts: the numbers of evaluations.
    """
    return cast(Objective, _counted_class(type(objective))(evaluated, counts))


@functools.cache
def _counted_class(cls: type[Objective]) -> Callable[[object, Counts], Any]:
    """Return the class of the stand-ins for the objectives of a class."""
    evaluations = PLUGIN_KINDS["objective"].evaluations
    methods = {name: _counted_method(name, each.counts) for name, each in evaluations.items() if hasattr(cls, name)}
    uncounted = [name for name in PLUGIN_KINDS["objective"].members if name not in evaluations and hasattr(cls, name)]
    properties = {name: property(operator.attrgetter(f"objective.{name}")) for name in uncounted}
    return cast(Callable[[object, Counts], Any], type(cls.__name__, (_Counted,), {**methods, **properties}))


class _Counted:
    """The stand-in for an objective: attributes other than evaluations, such as parameters, come from the objective itself."""

    def __init__(self, objective: object, counts: Counts) -> None:
        self.objective = objective
        self.counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)


def _counted_method(name: str, quantities: tuple[str, ...]) -> Callable[[_Counted, Array], Any]:
    def method(self: _Counted, x: Array) -> Any:
        self.counts.add(quantities)
        return getattr(self.objective, name)(x)

    return method


class EvaluatedPoint(Point):
    """A point that computes each quantity with an evaluator when it is first read, and keeps it.

    Args:
        evaluator: the evaluator.
        x: the iterate, `(runs, dimension)`; read-only.
        value: f, `(runs,)`, if it is known.
        gradient: ∇f, `(runs, dimension)`, if it is known.
        where: the runs for which evaluations are counted, `(runs,)`; None for all.
    """

    def __init__(
        self, evaluator: Evaluator, x: Array, value: Array | None = None, gradient: Array | None = None, where: Mask | None = None
    ) -> None:
        self._evaluator = evaluator
        self._x = x
        self._where = where
        self._known: dict[str, Array] = {}
        if value is not None:
            self._known["value"] = value
        if gradient is not None:
            self._known["gradient"] = gradient

    def _computed_once(self, name: str, compute: Callable[[Array], Array]) -> Array:
        if name not in self._known:
            self._evaluator.counts.where = self._where
            try:
                self._known[name] = compute(self._x)
            finally:
                self._evaluator.counts.where = None
        return self._known[name]

    @property
    def x(self) -> Array:
        """The iterate, `(runs, dimension)`; read-only."""
        return self._x

    @property
    def value(self) -> Array:
        """f(x), `(runs,)`."""
        return self._computed_once("value", self._evaluator.value)

    @property
    def gradient(self) -> Array:
        """∇f(x), `(runs, dimension)`."""
        return self._computed_once("gradient", self._evaluator.gradient)

    @property
    def hessian(self) -> Array:
        """∇²f(x), `(runs, dimension, dimension)`."""
        return self._computed_once("hessian", self._evaluator.hessian)

    @property
    def residuals(self) -> Array:
        """r(x) of a least-squares objective, `(runs, residuals)`."""
        return self._computed_once("residuals", self._evaluator.residuals)

    @property
    def jacobian(self) -> Array:
        """∂r/∂x of a least-squares objective, `(runs, residuals, dimension)`."""
        return self._computed_once("jacobian", self._evaluator.jacobian)

    def at(self, x: Array, where: Mask | None = None) -> Point:
        """Return another point; see `runner.Point.at`."""
        return EvaluatedPoint(self._evaluator, x, where=where)


def read_only(x: Array) -> Array:
    """Return x in row order and write-protected.

    A plugin that writes to its argument then raises an exception instead of changing the trajectory.
    """
    x = np.ascontiguousarray(x)
    x.setflags(write=False)
    return x


def take_step(optimizer: Optimizer, point: Point, memory: Memory) -> tuple[Array, Memory]:
    """Return the next iterate, `(runs, dimension)` and read-only, and the memory for the step after it.

    Raises:
        WrongResult: `optimizer.step` returned something else.
    """
    stepped: object = optimizer.step(point, memory)
    if not (isinstance(stepped, tuple) and len(stepped) == 2):
        text = f"{type(optimizer).__name__}.step returned {type(stepped).__name__}"
        raise WrongResult(f"{text}; it must return the next iterate and the memory, as in: return x, memory", optimizer, "step")
    x, memory = stepped
    if type(x) is not np.ndarray or x.shape != point.x.shape or x.dtype != np.float64:
        described = f"shape {np.shape(x)} and type {getattr(x, 'dtype', type(x).__name__)}"
        text = f"{type(optimizer).__name__}.step returned an iterate of {described} from x of shape {point.x.shape}"
        raise WrongResult(f"{text}; it must return a float64 array of shape {point.x.shape}", optimizer, "step")
    return read_only(x), memory

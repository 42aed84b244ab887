"""Contract checks that plugin authors run on their own plugins, in a test or at a prompt.

    from runner.testing import check_optimizer

    check_optimizer(MyOptimizer(learning_rate=0.1))

Each check returns None, or raises AssertionError with a sentence that says what is wrong. Give it the plugin made with numbers;
the columns of a sweep are made here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np

from runner.contracts import (
    ComputesHessian,
    ComputesJacobian,
    ComputesValueAndGradient,
    Executor,
    GradientBackend,
    HasGradient,
    HasHessian,
    HasMinimum,
    HasResiduals,
    HasStartRegion,
    HasValueAndGradient,
    LeastSquares,
    Mask,
    Minimum,
    Objective,
    Optimizer,
    Plugin,
    Quantity,
)
from runner.descent import take_memory
from runner.errors import PluginError
from runner.evaluation import EvaluatedPoint, Evaluator
from runner.experiment import take_rows
from runner.parameters import Parameter, parameters_of
from runner.rowwise import Array, norm

PluginT = TypeVar("PluginT", bound=Plugin)
Function = Callable[[Array], Any]

RUNS = 5
EPSILON = float(np.finfo(np.float64).eps)
FIRST_SPACING = EPSILON ** (1 / 3)
SECOND_SPACING = EPSILON ** (1 / 4)
MATCHES_DIFFERENCES = 1e-5
GOOD_BACKEND = 1e-3
CONVERGED = 0.01


def check_objective(objective: Objective) -> None:
    """Check an objective: shapes, purity, the batch against single runs, derivatives, the minimum.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    name = _check_plugin(objective, Objective)
    dimension: object = objective.dimension
    whole = isinstance(dimension, int) and dimension >= 1
    _require(whole, f"{name}.dimension must be a whole number of at least 1, not {dimension!r}")
    x = _points(objective, RUNS)
    for method, shape in _offered(objective).items():
        _check_function(f"{name}.{method}", getattr(objective, method), x, shape)
        for key, together, alone in _sweeps(objective, RUNS):
            _check_sweep(f"{name}.{method}", key, getattr(together, method), [getattr(one, method) for one in alone], x)
    _check_derivatives(name, objective, x)
    _check_shared(name, objective, x)
    if isinstance(objective, HasMinimum):
        _check_minimum(name, objective)


def check_gradient_backend(backend: GradientBackend, objective: Objective) -> None:
    """Check a gradient backend on an objective: shapes, purity, the batch against single runs, and the numbers.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    name = _check_plugin(backend, GradientBackend)
    quantities: dict[Quantity, bool] = {
        "gradient": True,
        "hessian": isinstance(backend, ComputesHessian),
        "jacobian": isinstance(backend, ComputesJacobian) and isinstance(objective, HasResiduals),
    }
    refusals = {quantity: backend.refusal(objective, quantity) for quantity, offered in quantities.items() if offered}
    for quantity, reason in refusals.items():
        _require(
            reason is None or reason.startswith("because "),
            f"{name}.refusal must return None or a text that starts with 'because ', not {reason!r} for the {quantity}",
        )
    _require(refusals["gradient"] is None, f"{name} cannot be checked on this objective, {refusals['gradient']}")
    x = _points(objective, RUNS)
    served = [quantity for quantity, reason in refusals.items() if reason is None]
    for quantity in served:
        _check_backend_method(name, backend, objective, quantity, x)
    if isinstance(backend, ComputesValueAndGradient):
        value, gradient = backend.value_and_gradient(objective, x)
        _require(_same(value, objective.value(x)), f"{name}.value_and_gradient returns another value than the objective")
        _require(_same(gradient, backend.gradient(objective, x)), f"{name}.value_and_gradient and {name}.gradient differ")


def check_optimizer(optimizer: Optimizer, steps: int = 10_000) -> None:
    """Check an optimizer on a bowl: shapes, purity, the batch against single runs, memory, and that it gets to the bottom.

    The bowl is f(x) = ½ (x₁ − 1)² + (x₂ + ½)². Make the optimizer with parameters with which it converges there.

    Args:
        optimizer: the optimizer.
        steps: within how many steps f has to fall to a hundredth of what it was.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    name = _check_plugin(optimizer, Optimizer)
    start = np.array([1.0, -0.5]) + np.random.default_rng(0).uniform(-1.0, 1.0, (RUNS, 2))
    together = list(_iterates(name, optimizer, start, 6))
    _require(
        all(map(_same, together, _iterates(name, optimizer, start, 6))),
        f"{name} goes another way the second time from the same start: keep what changes in memory, and draw random numbers "
        "from a generator seeded by a parameter",
    )
    for row in range(RUNS):
        alone = _iterates(name, optimizer, start[row : row + 1], 6)
        same = all(_same(x[row : row + 1], single) for x, single in zip(together, alone, strict=True))
        _require(same, f"{name} is not batch-safe: a run alone and the same run in a batch of {RUNS} differ")
    for key, swept, singles in _sweeps(optimizer, RUNS):
        _check_swept_optimizer(name, key, swept, singles, start)
    _check_compaction(name, optimizer, start)
    _check_convergence(name, optimizer, start, steps)


def check_executor(executor: Executor) -> None:
    """Check an executor: every result is there, once.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    name = _check_plugin(executor, Executor)
    for count in (0, 1, 20):
        results = list(executor.map(_double, range(count), _unlimited))
        expected = [2 * item for item in range(count)]
        complete = len(results) == count and all(each in results for each in expected)
        _require(complete, f"{name}.map yields {results} for the doubles of {count} items, not {expected}")


def _double(item: int) -> int:
    return 2 * item


def _unlimited(item: int) -> None:
    return None


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


def _check_plugin(plugin: Plugin, kind: type[Plugin]) -> str:
    """Check what holds for every plugin; return its name."""
    name = type(plugin).__name__
    _require(isinstance(plugin, kind), f"{name} must be a subclass of runner.{kind.__name__}")
    _require(bool(type(plugin).__doc__), f"{name} needs a docstring: it is the formula that the reports show")
    try:
        parameters_of(type(plugin))
        plugin.validate()
    except (PluginError, ValueError) as error:
        raise AssertionError(f"{name}: {error}") from error
    return name


def _points(objective: Objective, runs: int) -> Array:
    """Return points where starts make sense, the same every time."""
    low, high = objective.start_region if isinstance(objective, HasStartRegion) else (-2.0, 2.0)
    return np.random.default_rng(0).uniform(low, high, (runs, objective.dimension))


def _same(one: Any, other: Any) -> bool:
    """Whether two arrays, or tuples of arrays, are the same bit for bit."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one.shape == other.shape and one.tobytes() == other.tobytes())


def _row(result: Any, row: int) -> Any:
    return tuple(part[row : row + 1] for part in result) if isinstance(result, tuple) else result[row : row + 1]


def _offered(objective: Objective) -> dict[str, tuple[Any, ...]]:
    """Return the methods that an objective offers and the shapes of their results for one run; `...` is any length."""
    dimension = objective.dimension
    offered: dict[str, tuple[Any, ...]] = {"value": ()}
    if isinstance(objective, HasGradient):
        offered["gradient"] = (dimension,)
    if isinstance(objective, HasHessian):
        offered["hessian"] = (dimension, dimension)
    if isinstance(objective, HasResiduals):
        offered |= {"residuals": (...,), "jacobian": (..., dimension)}
    if isinstance(objective, HasValueAndGradient):
        offered["value_and_gradient"] = ((), (dimension,))
    return offered


def _check_function(name: str, function: Function, x: Array, shape: tuple[Any, ...]) -> None:
    """Check shape and type, purity, and the batch against single runs."""
    argument = x.copy()
    result = function(argument)
    _require(_same(argument, x), f"{name} writes into its argument x; copy it first")
    if isinstance(result, tuple):
        _require(len(result) == len(shape), f"{name} must return {len(shape)} arrays, not {len(result)}")
        for part, part_shape in zip(result, shape, strict=True):
            _check_array(name, part, (len(x), *part_shape), x)
    else:
        _check_array(name, result, (len(x), *shape), x)
    _require(_same(function(x.copy()), result), f"{name} returns something else the second time for the same x")
    for row in range(len(x)):
        _require(
            _same(function(x[row : row + 1].copy()), _row(result, row)),
            f"{name} is not batch-safe: a row alone and the same row in a batch of {len(x)} differ. Broadcast over the leading "
            "axis, reduce with axis=-1, use runner.dot, runner.norm, runner.matvec",
        )


def _check_array(name: str, result: Any, shape: tuple[Any, ...], x: Array) -> None:
    _require(isinstance(result, np.ndarray), f"{name} must return a NumPy array, not {type(result).__name__}")
    fits = result.ndim == len(shape) and all(want in (..., have) for want, have in zip(shape, result.shape, strict=True))
    wanted = str(shape).replace("Ellipsis", "any")
    _require(fits, f"{name} must return shape {wanted} for x of shape {x.shape}, not {result.shape}")
    _require(result.dtype == np.float64, f"{name} must return float64, not {result.dtype}")


def _sweeps(plugin: PluginT, runs: int) -> Iterator[tuple[str, PluginT, list[PluginT]]]:
    """Yield for each float parameter its name, the plugin with a column of values for it, and the plugins with one each."""
    for key, parameter in parameters_of(type(plugin)).items():
        value = getattr(plugin, key)
        if not parameter.batched or not isinstance(value, float) or not math.isfinite(value):
            continue
        singles = list(_neighbours(plugin, parameter, value))
        if len(singles) > 1:
            chosen = [singles[run % len(singles)] for run in range(runs)]
            column = np.array([[getattr(single, key)] for single in chosen])
            yield key, dataclasses.replace(cast(Any, plugin), **{key: column}), chosen


def _neighbours(plugin: PluginT, parameter: Parameter, value: float) -> Iterator[PluginT]:
    """Yield the plugin with values near `value`, as far as they are allowed."""
    for other in (value, value * 0.75, value * 1.25, value + 0.1):
        neighbour = dataclasses.replace(cast(Any, plugin), **{parameter.name: other})
        try:
            parameter.convert(other)
            neighbour.validate()
        except ValueError:
            continue
        yield neighbour


def _check_sweep(name: str, key: str, together: Function, alone: list[Function], x: Array) -> None:
    """Check a function of a plugin that holds a column against the plugins that hold its numbers."""
    try:
        result = together(x)
    except Exception as error:
        raise AssertionError(f"{name} raises {type(error).__name__} where {key} is swept: {error}") from error
    for row, function in enumerate(alone):
        _require(
            _same(function(x[row : row + 1]), _row(result, row)),
            f"{name} is not batch-safe where {key} is swept: {key} is then a column (runs, 1), to be combined with arrays "
            "(runs, n) before they are reduced to (runs,)",
        )


def _slopes(function: Function, x: Array, spacing: float) -> Array:
    """Return ∂function/∂xᵢ on a new last axis, by central differences."""
    axes = spacing * np.eye(x.shape[-1])
    return np.stack([(function(x + axis) - function(x - axis)) / (2.0 * spacing) for axis in axes], axis=-1)


def _check_slopes(name: str, claimed: Array, function: Function, x: Array, tolerance: float = MATCHES_DIFFERENCES) -> None:
    """Check a derivative against differences, which are trusted as far as those of two spacings agree."""
    measured, coarser = (_slopes(function, x, spacing) for spacing in (FIRST_SPACING, 2.0 * FIRST_SPACING))
    size = 1.0 + np.abs(measured).max() + np.abs(function(x)).max()
    error = np.abs(claimed - measured) - 4.0 * np.abs(measured - coarser)
    worst = np.unravel_index(np.argmax(error), error.shape)
    _require(
        bool(error.max() <= tolerance * size),
        f"{name} does not fit differences of what it is the derivative of: {claimed[worst]:.6g} where these give "
        f"{measured[worst]:.6g}, at x = {x[worst[0]]}",
    )


def _check_derivatives(name: str, objective: Objective, x: Array) -> None:
    if isinstance(objective, HasGradient):
        _check_slopes(f"{name}.gradient", objective.gradient(x), objective.value, x)
    if isinstance(objective, HasHessian):
        _check_hessian(f"{name}.hessian", objective.hessian(x), objective, x)
    if isinstance(objective, HasResiduals):
        _check_slopes(f"{name}.jacobian", objective.jacobian(x), objective.residuals, x)
        squares = (objective.residuals(x) ** 2).sum(axis=-1)
        _require(np.allclose(objective.value(x), squares, rtol=1e-12), f"{name}.value is not the sum of the squared residuals")


def _check_hessian(name: str, hessian: Array, objective: Objective, x: Array, tolerance: float = MATCHES_DIFFERENCES) -> None:
    _require(bool((hessian == hessian.swapaxes(-2, -1)).all()), f"{name} is not symmetric")
    if isinstance(objective, HasGradient):
        _check_slopes(name, hessian, objective.gradient, x, tolerance)
    else:
        second = _slopes(lambda z: _slopes(objective.value, z, SECOND_SPACING), x, SECOND_SPACING)
        size = 1.0 + np.abs(second).max() + np.abs(objective.value(x)).max()
        _require(bool(np.abs(hessian - second).max() <= 1e-3 * size), f"{name} does not fit second differences of the value")


def _check_shared(name: str, objective: Objective, x: Array) -> None:
    if not isinstance(objective, HasValueAndGradient):
        return
    value, gradient = objective.value_and_gradient(x)
    _require(np.allclose(value, objective.value(x), rtol=1e-12), f"{name}.value_and_gradient and {name}.value differ")
    if isinstance(objective, HasGradient):
        same = np.allclose(gradient, objective.gradient(x), rtol=1e-12)
        _require(same, f"{name}.value_and_gradient and {name}.gradient differ")


def _check_minimum(name: str, objective: Any) -> None:
    minimum = objective.minimum
    x, lowest = np.asarray(minimum.x), float(minimum.value)
    _require(x.shape == (objective.dimension,), f"{name}.minimum.x must have shape ({objective.dimension},), not {x.shape}")
    here = float(objective.value(x[None])[0])
    rounding = 1e-12 * max(1.0, abs(lowest))
    _require(abs(here - lowest) <= rounding, f"{name}.minimum.value is {lowest!r}, but f at minimum.x is {here!r}")
    region = _points(objective, 1000)
    around = [x + spread * (region - region.mean(axis=0)) for spread in (1e-1, 1e-3, 1e-5)]
    points = np.concatenate([region, *around])
    values = objective.value(points)
    best = int(np.argmin(values))
    _require(
        bool(values[best] >= lowest - rounding),
        f"{name}.minimum is none: f is {values[best]:.17g}, lower than {lowest:.17g}, at x = {points[best]}",
    )
    if isinstance(objective, HasGradient):
        slope, typical = float(norm(objective.gradient(x[None]))[0]), float(norm(objective.gradient(region)).max())
        _require(slope <= 1e-6 * typical, f"{name}.minimum.x is not stationary: ‖∇f‖ is {slope:.3g} there")
    for key, together, alone in _sweeps(objective, RUNS):
        _check_swept_minimum(name, key, together.minimum, [single.minimum for single in alone])


def _check_swept_minimum(name: str, key: str, together: Minimum, alone: list[Minimum]) -> None:
    x, value = np.stack([single.x for single in alone]), np.array([single.value for single in alone], dtype=np.float64)
    for part, swept, singles in (("x", together.x, x), ("value", np.asarray(together.value), value)):
        fits = swept.shape in (singles.shape, singles.shape[1:]) and bool((swept == singles).all())
        _require(fits, f"{name}.minimum.{part} is not that of the single runs where {key} is swept")


def _check_backend_method(name: str, backend: Any, objective: Any, quantity: Quantity, x: Array) -> None:
    label, dimension = f"{name}.{quantity}", x.shape[-1]
    shape = {"gradient": (dimension,), "hessian": (dimension, dimension), "jacobian": (..., dimension)}[quantity]
    method = getattr(backend, quantity)
    _check_function(label, partial(method, objective), x, shape)
    for key, together, alone in _sweeps(cast(GradientBackend, backend), RUNS):
        functions: list[Function] = [partial(getattr(one, quantity), objective) for one in alone]
        _check_sweep(label, key, partial(getattr(together, quantity), objective), functions, x)
    if quantity == "hessian":
        _check_hessian(label, method(objective, x), objective, x, GOOD_BACKEND)
    else:
        function = objective.value if quantity == "gradient" else objective.residuals
        _check_slopes(label, method(objective, x), function, x, GOOD_BACKEND)


@dataclass(frozen=True)
class _Bowl(LeastSquares):
    """f(x) = ½ (x₁ − 1)² + (x₂ + ½)²."""

    @property
    def dimension(self) -> int:
        return 2

    @property
    def minimum(self) -> Minimum:
        return Minimum(_BOTTOM, 0.0)

    def residuals(self, x: Array) -> Array:
        scaled: Array = _ROOTS * (x - _BOTTOM)
        return scaled

    def jacobian(self, x: Array) -> Array:
        return np.tile(np.diag(_ROOTS), (len(x), 1, 1))

    def hessian(self, x: Array) -> Array:
        return np.tile(np.diag(2.0 * _ROOTS**2), (len(x), 1, 1))


_ROOTS = np.array([math.sqrt(0.5), 1.0])
_BOTTOM = np.array([1.0, -0.5])


@dataclass(frozen=True)
class _Own(GradientBackend):
    """The bowl's own derivatives."""

    def gradient(self, objective: Objective, x: Array) -> Array:
        return cast(HasGradient, objective).gradient(x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        return cast(HasHessian, objective).hessian(x)

    def jacobian(self, objective: Objective, x: Array) -> Array:
        return cast(HasResiduals, objective).jacobian(x)


def _iterates(
    name: str, optimizer: Optimizer, start: Array, steps: int, leave: tuple[int, Mask] | None = None
) -> Iterator[Array]:
    """Yield the iterates on the bowl; `leave` names the step before which only some runs go on, and those."""
    x, evaluator = start.copy(), Evaluator(_Bowl(), _Own(), len(start))
    memory = optimizer.init(x)
    for step in range(steps):
        if leave is not None and step == leave[0]:
            memory = take_memory(memory, leave[1], len(x))
            optimizer, x = take_rows(optimizer, leave[1]), x[leave[1]]
            evaluator.keep(leave[1])
        before = x.copy()
        after, memory = optimizer.step(EvaluatedPoint(evaluator, x), memory)
        _require(_same(x, before), f"{name}.step writes into point.x; return a new array")
        _check_array(f"{name}.step", after, x.shape, x)
        x = np.ascontiguousarray(after)
        yield x


def _check_swept_optimizer(name: str, key: str, swept: Optimizer, singles: list[Optimizer], start: Array) -> None:
    try:
        together = list(_iterates(name, swept, start, 6))
    except Exception as error:
        raise AssertionError(f"{name}.step raises {type(error).__name__} where {key} is swept: {error}") from error
    for row, single in enumerate(singles):
        alone = _iterates(name, single, start[row : row + 1], 6)
        _require(
            all(_same(x[row : row + 1], one) for x, one in zip(together, alone, strict=True)),
            f"{name} is not batch-safe where {key} is swept: {key} is then a column (runs, 1), to be combined with arrays "
            "(runs, n) before they are reduced to (runs,)",
        )


def _check_compaction(name: str, optimizer: Optimizer, start: Array) -> None:
    """Check that the runs that stay in a batch do not notice that others leave it."""
    stay = np.arange(len(start)) % 2 == 0
    whole = [x[stay] for x in _iterates(name, optimizer, start, 8)]
    lost = (
        f"{name} loses its memory when other runs leave the batch: memory must be an array with a leading axis of runs, or a "
        "tuple, list or dict of such"
    )
    for step in (1, 3):
        try:
            shrunk = [x[stay] if len(x) == len(start) else x for x in _iterates(name, optimizer, start, 8, (step, stay))]
        except Exception as error:
            raise AssertionError(lost) from error
        _require(all(map(_same, whole, shrunk)), lost)


def _check_convergence(name: str, optimizer: Optimizer, start: Array, steps: int) -> None:
    value = _Bowl().value
    goal = CONVERGED * value(start)
    lowest = np.full(len(start), np.inf)
    for x in _iterates(name, optimizer, start, steps):
        lowest = np.fmin(lowest, value(x))
        if (lowest <= goal).all():
            return
    raise AssertionError(f"{name} does not converge on the bowl of runner.testing: within {steps} steps f falls only from "
                         f"{value(start)} to {lowest}")  # fmt: skip

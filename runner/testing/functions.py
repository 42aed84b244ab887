"""Checks of a function of a batch of points: shape and type, purity, a batch against single runs, and derivatives."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import HasGradient, HasStartRegion, Objective
from runner.numerics.slope_check import find_disagreements
from runner.testing.check import (
    HOW_TO_BATCH,
    Failure,
    Skip,
    call_on_batch,
    check_array,
    describe_error,
    fail_unless,
    row_of,
    same_bits,
)
from runner.testing.declarations import not_batch_safe_in_sweep

Function = Callable[[Array], Any]

RUNS = 5
MANY_RUNS = 40
REPETITIONS = 10
"""The number of times that a call is repeated, to find out if the plugin or the batch is at fault."""
EPSILON = float(np.finfo(np.float64).eps)
FIRST_SPACING = EPSILON ** (1 / 3)
"""The spacing of central differences that give first derivatives."""
SECOND_SPACING = EPSILON ** (1 / 4)
"""The spacing of central differences of central differences, which give second derivatives."""
COMPLEX_STEP = 2.0**-664
MATCHES_DIFFERENCES = 1e-5
MATCHES_COMPLEX_STEP = 1e-9
MATCHES_SECOND_DIFFERENCES = 1e-3
GOOD_BACKEND = 1e-3
"""The tolerance for a gradient backend, which may compute derivatives by differences itself."""


def sample_points(objective: Objective, runs: int) -> Array:
    """Return random points of the objective's start region, `(runs, dimension)`, the same at each call."""
    low, high = objective.start_region if isinstance(objective, HasStartRegion) else (-2.0, 2.0)
    return np.random.default_rng(0).uniform(low, high, (runs, objective.dimension))


def with_sizes(shape: tuple[Any, ...], sizes: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a shape, or a tuple of shapes, with names of sizes such as `dimension` replaced by the sizes."""
    return tuple(sizes[size] if isinstance(size, str) else with_sizes(size, sizes) for size in shape)


def check_shape(name: str, function: Function, x: Array, shape: tuple[Any, ...]) -> None:
    """Check that a function of x returns an array of the given shape or, for a tuple of shapes, a tuple of arrays.

    The shapes are those for one run.

    Raises:
        Failure: the function raises, or its result has another shape or type.
    """
    result = call_on_batch(name, function, x)
    if shape and isinstance(shape[0], tuple):
        fits = isinstance(result, tuple) and len(result) == len(shape)
        found = f"{len(result)} arrays" if isinstance(result, tuple) else type(result).__name__
        fail_unless(fits, f"{name} must return {len(shape)} arrays, not {found}")
        for part, part_shape in zip(result, shape, strict=True):
            check_array(name, part, (len(x), *part_shape), x)
    else:
        check_array(name, result, (len(x), *shape), x)


def check_purity(name: str, function: Function, x: Array) -> None:
    """Check that a function does not change its argument, and returns the same bits for the same argument.

    Raises:
        Failure: the function changes its argument, or returns different bits in a second call.
    """
    argument = x.copy()
    result = function(argument)
    fail_unless(same_bits(argument, x), f"{name} writes into its argument x; copy it first")
    fail_unless(
        same_bits(function(x.copy()), result), f"{name} returns different numbers when it is called twice with the same x"
    )


def check_batch(name: str, function: Function, x: Array) -> None:
    """Check that a function returns the same bits for a row alone as for this row in a batch.

    Raises:
        Failure: the bits differ, or the function raises for a row alone.
    """
    result = call_on_batch(name, function, x)
    for row in range(len(x)):
        try:
            alone = function(x[row : row + 1].copy())
        except Exception as error:
            raise Failure(f"{name} raises {describe_error(error)} for one run alone, but not for a batch of {len(x)}") from error
        if not same_bits(alone, row_of(result, row)):
            check_repetition(name, functools.partial(function, x[row : row + 1].copy()))
            check_repetition(name, functools.partial(function, x.copy()))
        fail_unless(
            same_bits(alone, row_of(result, row)),
            f"{name} is not batch-safe: the result for a row alone differs from that for the same row in a batch of {len(x)}. "
            f"{HOW_TO_BATCH}",
        )


def check_repetition(name: str, call: Callable[[], Any]) -> None:
    """Check that a call returns the same bits each time; it is repeated `REPETITIONS` times.

    Raises:
        Failure: the bits differ, so a difference between a batch and a run alone says nothing about the batch.
    """
    first = call()
    for _ in range(REPETITIONS):
        fail_unless(same_bits(call(), first), f"{name} is not reproducible: it returns different numbers for the same x")


def check_sweep(name: str, key: str, together: Function, alone: list[Function], x: Array) -> None:
    """Check that a method returns the same bits for a column of parameter values as for the single values.

    Args:
        name: the method, for the message.
        key: the swept parameter.
        together: the method of the plugin with the column.
        alone: the methods of the plugins with the single values, one for each run.
        x: the points, `(runs, dimension)`.

    Raises:
        Failure: the bits differ, or the plugin with the column raises.
    """
    try:
        result = together(x)
    except Exception as error:
        raise Failure(f"{name} raises {type(error).__name__} if {key} is swept: {error}") from error
    for row, function in enumerate(alone):
        if same_bits(function(x[row : row + 1]), row_of(result, row)):
            continue
        check_repetition(name, functools.partial(function, x[row : row + 1]))
        check_repetition(name, functools.partial(together, x))
        raise Failure(not_batch_safe_in_sweep(name, key))


def central_differences(function: Function, x: Array, spacing: float) -> Array:
    """Return the derivatives of a function with respect to each coordinate, on a new last axis."""
    axes = spacing * np.eye(x.shape[-1])
    return np.stack([(function(x + axis) - function(x - axis)) / (2.0 * spacing) for axis in axes], axis=-1)


def check_derivative(
    name: str, derivative: Array, of: str, function: Function, x: Array, tolerance: float = MATCHES_DIFFERENCES
) -> None:
    """Check a derivative against central differences, whose own error is estimated from a second spacing.

    Args:
        name: the method that computed the derivative, for the message.
        derivative: the derivative at x, with the coordinates on the last axis.
        of: the method whose derivative it is, for the message.
        function: that method.
        x: the points, `(runs, dimension)`.
        tolerance: the allowed difference, relative to the size of the differences and of the function.

    Raises:
        Failure: the derivative differs from the differences by more than their error and the tolerance.
    """
    measured, coarser = (central_differences(function, x, spacing) for spacing in (FIRST_SPACING, 2.0 * FIRST_SPACING))
    size = 1.0 + np.abs(measured).max() + np.abs(function(x)).max()
    error = np.abs(derivative - measured) - 4.0 * np.abs(measured - coarser)
    worst = np.unravel_index(np.argmax(error), error.shape)
    fail_unless(
        bool(error.max() <= tolerance * size),
        f"{name} does not agree with central differences of {of}: it returns {derivative[worst]:.6g} where the differences give "
        f"{measured[worst]:.6g}, at x = {x[worst[0]]}",
    )


def check_complex_numbers(name: str, function: Function, x: Array) -> None:
    """Check that the complex steps of a function, Im f(x + ih)/h, are right at all points, or wrong at all of them.

    The gradient backend `complex_step` refuses a function that loses the imaginary part of complex numbers everywhere. If a
    function loses it only at some points, the derivatives are wrong there.

    Args:
        name: the function, for the message.
        function: the function, `(runs, dimension) -> (runs,)`.
        x: the points, `(runs, dimension)`.

    Raises:
        Skip: the function does not accept complex numbers, or loses their imaginary part at all points.
        Failure: the function loses the imaginary part of complex numbers at some of the points.
    """
    found = find_disagreements(function, x, _complex_steps(name, function, x, on_warning="ignore"))
    wrong = {row: each for row, each in enumerate(found) if each is not None and each.sides is None}
    if len(wrong) == len(x):
        raise Skip(f"because {name} loses the imaginary part of complex numbers; gradient backend complex_step refuses it")
    if wrong:
        row, first = next(iter(wrong.items()))
        raise Failure(
            f"{name} loses the imaginary part of complex numbers at {len(wrong)} of {len(x)} points, so gradient backend "
            f"complex_step is wrong there: at x = {x[row]} it gives the slope {first.claimed:.6g} where central differences give "
            f"{first.measured:.6g}. Avoid abs, conj, real and conversions to float, or let {name} raise TypeError if "
            "np.iscomplexobj(x)"
        )


def check_complex_step(name: str, derivative: Array, of: str, function: Function, x: Array) -> None:
    """Check a derivative against complex steps, Im f(x + ih)/h, which are exact to rounding for an analytic function.

    The arguments are those of `check_derivative`.

    Raises:
        Skip: the function does not accept complex numbers, or is not analytic.
        Failure: the derivative is not exact.
    """
    exact = _complex_steps(of, function, x, on_warning="error")
    measured = central_differences(function, x, FIRST_SPACING)
    values = np.abs(function(x)).max()
    if not (np.abs(exact - measured) <= 10 * MATCHES_DIFFERENCES * (1.0 + np.abs(measured).max() + values)).all():
        raise Skip(f"because {of} is not analytic: it loses the imaginary part of complex numbers")
    deviation = np.abs(derivative - exact)
    worst = np.unravel_index(np.argmax(deviation), deviation.shape)
    fail_unless(
        bool(deviation.max() <= MATCHES_COMPLEX_STEP * (1.0 + np.abs(exact).max() + values)),
        f"{name} is close, but not exact: it returns {derivative[worst]:.12g} where a complex step of {of} gives "
        f"{exact[worst]:.12g}, at x = {x[worst[0]]}",
    )


def _complex_steps(name: str, function: Function, x: Array, on_warning: Literal["ignore", "error"]) -> Array:
    """Return Im f(x + ih)/h for each coordinate, along a new last axis.

    Raises:
        Skip: the function does not accept complex numbers, or gives a warning and `on_warning` is `error`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(on_warning)
            steps = [np.imag(function(x + 1j * COMPLEX_STEP * axis)) / COMPLEX_STEP for axis in np.eye(x.shape[-1])]
    except Exception as error:
        raise Skip(f"because {name} does not accept complex numbers ({describe_error(error)})") from error
    return np.stack(steps, axis=-1)


def check_hessian(name: str, hessian: Array, objective: Objective, x: Array, tolerance: float = MATCHES_DIFFERENCES) -> None:
    """Check that a Hessian, `(runs, dimension, dimension)`, is symmetric and agrees with differences.

    The differences are those of the gradient, or second differences of the value if the objective offers no gradient.

    Raises:
        Failure: the Hessian is not symmetric, or does not agree.
    """
    fail_unless(bool((hessian == hessian.swapaxes(-2, -1)).all()), f"{name} is not symmetric")
    of = type(objective).__name__
    if isinstance(objective, HasGradient):
        check_derivative(name, hessian, f"{of}.gradient", objective.gradient, x, tolerance)
    else:
        second = central_differences(lambda z: central_differences(objective.value, z, SECOND_SPACING), x, SECOND_SPACING)
        size = 1.0 + np.abs(second).max() + np.abs(objective.value(x)).max()
        fits = bool(np.abs(hessian - second).max() <= MATCHES_SECOND_DIFFERENCES * size)
        fail_unless(fits, f"{name} does not agree with second differences of {of}.value")

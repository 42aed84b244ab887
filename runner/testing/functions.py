"""Checks of a function of x for a batch: shape and type, purity, the batch against single runs, slopes against differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import HasGradient, HasStartRegion, Objective
from runner.testing.check import (
    HOW_TO_BATCH,
    Failure,
    Skip,
    call_on_batch,
    check_array,
    describe_error,
    require,
    row_of,
    same_bits,
)
from runner.testing.declarations import not_batch_safe_in_sweep

Function = Callable[[Array], Any]

RUNS = 5
MANY_RUNS = 40
EPSILON = float(np.finfo(np.float64).eps)
FIRST_SPACING = EPSILON ** (1 / 3)
SECOND_SPACING = EPSILON ** (1 / 4)
COMPLEX_STEP = 2.0**-664
MATCHES_DIFFERENCES = 1e-5
MATCHES_COMPLEX_STEP = 1e-9
GOOD_BACKEND = 1e-3


def sample_points(objective: Objective, runs: int) -> Array:
    """Return points where starts make sense, the same every time."""
    low, high = objective.start_region if isinstance(objective, HasStartRegion) else (-2.0, 2.0)
    return np.random.default_rng(0).uniform(low, high, (runs, objective.dimension))


def with_sizes(shape: tuple[Any, ...], sizes: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a shape, or a tuple of shapes, with each name of a size replaced by the size."""
    return tuple(sizes[size] if isinstance(size, str) else with_sizes(size, sizes) for size in shape)


def check_shape(name: str, function: Function, x: Array, shape: tuple[Any, ...]) -> None:
    """Check what a function returns: one array, or a tuple of arrays where the shape is one of shapes."""
    result = call_on_batch(name, function, x)
    if shape and isinstance(shape[0], tuple):
        fits = isinstance(result, tuple) and len(result) == len(shape)
        found = f"{len(result)} arrays" if isinstance(result, tuple) else type(result).__name__
        require(fits, f"{name} must return {len(shape)} arrays, not {found}")
        for part, part_shape in zip(result, shape, strict=True):
            check_array(name, part, (len(x), *part_shape), x)
    else:
        check_array(name, result, (len(x), *shape), x)


def check_purity(name: str, function: Function, x: Array) -> None:
    """Check that a function leaves its argument alone and answers the same question with the same numbers."""
    argument = x.copy()
    result = function(argument)
    require(same_bits(argument, x), f"{name} writes into its argument x; copy it first")
    require(same_bits(function(x.copy()), result), f"{name} returns something else the second time for the same x")


def check_batch(name: str, function: Function, x: Array) -> None:
    """Check that each row alone gives the bits that it gives in a batch."""
    result = call_on_batch(name, function, x)
    for row in range(len(x)):
        try:
            alone = function(x[row : row + 1].copy())
        except Exception as error:
            raise Failure(f"{name} raises {describe_error(error)} for one run alone, and not in a batch of {len(x)}") from error
        require(
            same_bits(alone, row_of(result, row)),
            f"{name} is not batch-safe: a row alone and the same row in a batch of {len(x)} differ. {HOW_TO_BATCH}",
        )


def check_sweep(name: str, key: str, together: Function, alone: list[Function], x: Array) -> None:
    """Check a function of a plugin that holds a column against the plugins that hold its numbers."""
    try:
        result = together(x)
    except Exception as error:
        raise Failure(f"{name} raises {type(error).__name__} where {key} is swept: {error}") from error
    for row, function in enumerate(alone):
        require(same_bits(function(x[row : row + 1]), row_of(result, row)), not_batch_safe_in_sweep(name, key))


def central_differences(function: Function, x: Array, spacing: float) -> Array:
    """Return ∂function/∂xᵢ on a new last axis, by central differences."""
    axes = spacing * np.eye(x.shape[-1])
    return np.stack([(function(x + axis) - function(x - axis)) / (2.0 * spacing) for axis in axes], axis=-1)


def check_slopes(name: str, claimed: Array, function: Function, x: Array, tolerance: float = MATCHES_DIFFERENCES) -> None:
    """Check a derivative against differences, which are trusted as far as those of two spacings agree."""
    measured, coarser = (central_differences(function, x, spacing) for spacing in (FIRST_SPACING, 2.0 * FIRST_SPACING))
    size = 1.0 + np.abs(measured).max() + np.abs(function(x)).max()
    error = np.abs(claimed - measured) - 4.0 * np.abs(measured - coarser)
    worst = np.unravel_index(np.argmax(error), error.shape)
    require(
        bool(error.max() <= tolerance * size),
        f"{name} does not fit differences of what it is the derivative of: {claimed[worst]:.6g} where these give "
        f"{measured[worst]:.6g}, at x = {x[worst[0]]}",
    )


def check_complex_step(name: str, claimed: Array, of: str, function: Function, x: Array) -> None:
    """Check a derivative against complex steps, which are exact to rounding where a function takes complex numbers.

    Raises:
        Skip: it does not take them.
        Failure: the derivative is not exact.
    """
    exact = _complex_slopes(of, function, x)
    size = 1.0 + np.abs(exact).max() + np.abs(function(x)).max()
    error = np.abs(claimed - exact)
    worst = np.unravel_index(np.argmax(error), error.shape)
    require(
        bool(error.max() <= MATCHES_COMPLEX_STEP * size),
        f"{name} is near, but not exact: {claimed[worst]:.12g} where a complex step of {of} gives {exact[worst]:.12g}, "
        f"at x = {x[worst[0]]}",
    )


def _complex_slopes(of: str, function: Function, x: Array) -> Array:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            steps = [np.imag(function(x + 1j * COMPLEX_STEP * axis)) / COMPLEX_STEP for axis in np.eye(x.shape[-1])]
    except Exception as error:
        raise Skip(f"because {of} does not take complex numbers ({describe_error(error)})") from error
    exact = np.stack(steps, axis=-1)
    measured = central_differences(function, x, FIRST_SPACING)
    size = 1.0 + np.abs(measured).max() + np.abs(function(x)).max()
    if not (np.abs(exact - measured) <= 10 * MATCHES_DIFFERENCES * size).all():
        raise Skip(f"because {of} is not analytic: it loses the imaginary part of complex numbers")
    return exact


def check_hessian(name: str, hessian: Array, objective: Objective, x: Array, tolerance: float = MATCHES_DIFFERENCES) -> None:
    """Check that a Hessian is symmetric, and what differences of the gradient (or the value) say it is."""
    require(bool((hessian == hessian.swapaxes(-2, -1)).all()), f"{name} is not symmetric")
    if isinstance(objective, HasGradient):
        check_slopes(name, hessian, objective.gradient, x, tolerance)
    else:
        second = central_differences(lambda z: central_differences(objective.value, z, SECOND_SPACING), x, SECOND_SPACING)
        size = 1.0 + np.abs(second).max() + np.abs(objective.value(x)).max()
        require(bool(np.abs(hessian - second).max() <= 1e-3 * size), f"{name} does not fit second differences of the value")

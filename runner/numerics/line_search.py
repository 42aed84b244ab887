"""Line searches, which find a step size for each run along its own descent direction.

Evaluations are counted only for runs that are still searching. NaN never counts as a decrease, so a search backs away from
places where f is not defined. A run whose next trial point equals its current one stops searching.
"""

from __future__ import annotations

import numpy as np

from runner.contracts.arrays import Array, dot
from runner.contracts.optimizer import Point


def armijo(
    point: Point, direction: Array, first: float | Array, c1: float | Array, shrink: float | Array, max_trials: int
) -> Array:
    """Backtrack along a direction p until f decreases enough: f(x + αp) ≤ f(x) + c₁ α ∇f(x)·p.

    The step sizes α = first, first · shrink, first · shrink², … are tried in turn, and the first that is accepted is taken.

    Source: Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966); Nocedal and Wright,
    Numerical Optimization, 2nd ed., algorithm 3.1.

    Args:
        point: the point at which the search starts.
        direction: p, `(runs, dimension)`.
        first: the first step size, a number or a column `(runs, 1)`.
        c1: the smallest accepted fraction of the decrease α ∇f(x)·p, a number or a column.
        shrink: the factor for the step size after each rejected trial, a number or a column.
        max_trials: the largest number of step sizes that are tried.

    Returns:
        The next iterates, `(runs, dimension)`. A run stays at x if no step size is accepted or if its direction does not lead
        downhill.
    """
    x, value = point.x, point.value[:, None]
    slope = dot(point.gradient, direction)[:, None]
    step_size, found_x = first, x
    searching = slope < 0
    for _ in range(max_trials):
        trial = x + step_size * direction
        searching = searching & (trial != found_x).any(axis=-1, keepdims=True)
        if not searching.any():
            break
        falls = point.at(trial, where=searching[:, 0]).value[:, None] <= value + c1 * step_size * slope
        found_x = np.where(searching & falls, trial, found_x)
        searching = searching & ~falls
        step_size = shrink * step_size
    return found_x


def wolfe(point: Point, direction: Array, first: float | Array, c1: float | Array, c2: float | Array, max_trials: int) -> Array:
    """Bracket and bisect along a direction p until f decreases enough and the slope has flattened enough.

    These are the weak Wolfe conditions: f(x + αp) ≤ f(x) + c₁ α ∇f(x)·p and ∇f(x + αp)·p ≥ c₂ ∇f(x)·p. The search begins with
    α = first and doubles α until the first condition fails. From then on, it bisects: it tries the middle between two step
    sizes, the longest that was too short for the second condition, and the shortest that was too long for the first. ∇f is
    computed only where the first condition holds.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., equation 3.6; Lewis and Overton, Nonsmooth optimization via
    quasi-Newton methods (2013), algorithm 2.6.

    Args:
        point: the point at which the search starts.
        direction: p, `(runs, dimension)`.
        first: the first step size, a number or a column `(runs, 1)`.
        c1: the smallest accepted fraction of the decrease α ∇f(x)·p, a number or a column.
        c2: the fraction of the slope that may remain, a number or a column; c₁ < c₂ < 1.
        max_trials: the largest number of step sizes that are tried.

    Returns:
        The next iterates, `(runs, dimension)`. A run that finds no step size goes to the last point at which f had decreased
        enough. It stays at x if there is no such point, or if its direction does not lead downhill.
    """
    x, value = point.x, point.value[:, None]
    slope = dot(point.gradient, direction)[:, None]
    short, long = np.zeros_like(slope), np.full_like(slope, np.inf)
    step_size, found_x = first, x
    searching = slope < 0
    for _ in range(max_trials):
        trial = x + step_size * direction
        searching = searching & (trial != found_x).any(axis=-1, keepdims=True)
        if not searching.any():
            break
        falls = searching & (point.at(trial, where=searching[:, 0]).value[:, None] <= value + c1 * step_size * slope)
        found_x = np.where(falls, trial, found_x)
        long = np.where(searching & ~falls, step_size, long)
        if falls.any():
            steep = falls & (dot(point.at(trial, where=falls[:, 0]).gradient, direction)[:, None] < c2 * slope)
            short = np.where(steep, step_size, short)
            searching = searching & (steep | ~falls)
        step_size = np.where(searching, np.where(long < np.inf, 0.5 * (short + long), 2.0 * step_size), step_size)
    return found_x

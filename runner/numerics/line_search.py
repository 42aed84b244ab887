"""Line searches: how far to go along a direction that leads downhill, each run for itself.

Only the runs that still search are counted. A value of NaN never falls enough, so a search backs away from where f is not
defined; and a run whose next trial is where it is already searches no longer.
"""

from __future__ import annotations

import numpy as np

from runner.contracts.arrays import Array, dot
from runner.contracts.optimizer import Point


def armijo(
    point: Point, direction: Array, first: float | Array, c1: float | Array, shrink: float | Array, max_trials: int
) -> Array:
    """Backtrack along `direction` until f falls enough: the first x + αp with f(x + αp) ≤ f(x) + c₁ α ∇f(x)·p.

    The step sizes α = first, first · shrink, first · shrink², … are tried in turn.

    Source: Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966); Nocedal and Wright,
    Numerical Optimization, 2nd ed., algorithm 3.1.

    Args:
        point: where the search starts.
        direction: p, `(runs, dimension)`.
        first: the first step size tried; a number or a column `(runs, 1)`, as the next two.
        c1: the fraction of the decrease promised by the slope that is enough.
        shrink: what a step size is multiplied by after a trial in vain.
        max_trials: how many step sizes are tried at most.

    Returns:
        Where the runs go, `(runs, dimension)`. One that finds nothing, or whose direction leads not downhill, stays where it
        is.
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
    """Bracket and bisect along `direction` until f falls enough and the slope has eased enough.

    So f(x + αp) ≤ f(x) + c₁ α ∇f(x)·p and ∇f(x + αp)·p ≥ c₂ ∇f(x)·p. From α = first, α is doubled as long as no tried α was too
    long for the first condition, and is then half-way between the longest that was too short for the second and the shortest
    that was too long. ∇f is computed only where the first condition holds.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., equation 3.6; Lewis and Overton, Nonsmooth optimization via
    quasi-Newton methods (2013), algorithm 2.6.

    Args:
        point: where the search starts.
        direction: p, `(runs, dimension)`.
        first: the first step size tried; a number or a column `(runs, 1)`, as the next two.
        c1: the fraction of the decrease promised by the slope that is enough.
        c2: the fraction of the slope that may be left; c₁ < c₂ < 1.
        max_trials: how many step sizes are tried at most.

    Returns:
        Where the runs go, `(runs, dimension)`. One that finds nothing goes to the last place where f had fallen enough; if
        there was none, or its direction leads not downhill, it stays where it is.
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

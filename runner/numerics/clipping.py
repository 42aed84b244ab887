"""Clipping: bounds for the coordinates and the length of gradients."""

from __future__ import annotations

import numpy as np

from runner.contracts.arrays import Array, dot, norm


def clip(gradient: Array, max_norm: float | Array | None, max_value: float | Array | None) -> Array:
    """Bound each coordinate of each row, then the length of each row.

    First g ← min(max(g, −v), v) with v = max_value, which may change the direction of g. Then g ← g · min(1, c/‖g‖) with
    c = max_norm, which keeps the direction.

    Sources: Mikolov, Statistical language models based on neural networks (thesis, Brno 2012), section 3.2.2, for the
    coordinates; Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (ICML 2013), algorithm 1,
    for the length.

    Args:
        gradient: `(runs, dimension)`.
        max_norm: c, a number or `(runs, 1)`; None or infinite for no bound of the length.
        max_value: v, a number or `(runs, 1)`; None or infinite for no bound of the coordinates.

    Returns:
        The bounded gradient, `(runs, dimension)`: no row is longer than c, and no coordinate exceeds v in absolute value.
    """
    if max_value is not None:
        gradient = np.clip(gradient, -np.asarray(max_value), max_value)
    if max_norm is None:
        return gradient
    # The norm of a huge finite gradient overflows. It is therefore computed in units of half the mean size of its coordinates,
    # which cannot overflow. Rows of zeros become NaN in these units, and are returned unchanged.
    coordinates = gradient.shape[-1]
    unit = dot(np.abs(gradient), np.full(coordinates, 0.5 / coordinates))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = gradient / unit
        length = norm(scaled)[:, None]
        return np.where(unit > max_norm / length, max_norm * (scaled / length), gradient)

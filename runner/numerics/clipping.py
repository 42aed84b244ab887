"""Bounding gradients, for the optimizers that clip."""

from __future__ import annotations

import numpy as np

from runner.contracts.arrays import Array, dot, norm


def clip(gradient: Array, max_norm: float | Array | None, max_value: float | Array | None) -> Array:
    """Bound each coordinate of each row, then the length of each row.

    g ← min(max(g, −v), v) with v = max_value, which may turn the direction; then g ← g · min(1, c/‖g‖) with c = max_norm, which
    does not.

    Sources: Mikolov, Statistical language models based on neural networks (thesis, Brno 2012), section 3.2.2, for the
    coordinates; Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (ICML 2013), algorithm 1,
    for the length.

    Args:
        gradient: `(runs, dimension)`.
        max_norm: c, a number or `(runs, 1)`; None or infinite leaves the length alone.
        max_value: v, likewise for the coordinates.

    Returns:
        The bounded gradient, `(runs, dimension)`; no row is longer than c, and no coordinate larger than v.
    """
    if max_value is not None:
        gradient = np.clip(gradient, -np.asarray(max_value), max_value)
    return gradient if max_norm is None else _shortened(gradient, max_norm)


def _shortened(gradient: Array, longest: float | Array) -> Array:
    """Return each row as it is, or of length `longest` if it is longer.

    The length of a huge finite gradient overflows, so it is computed in units of its coordinates' mean size, halved lest that
    overflow too. Rows of zeros divide to NaN here, and stay as they are.
    """
    coordinates = gradient.shape[-1]
    unit = dot(np.abs(gradient), np.full(coordinates, 0.5 / coordinates))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = gradient / unit
        length = norm(scaled)[:, None]
        return np.where(unit > longest / length, longest * (scaled / length), gradient)

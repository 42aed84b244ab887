"""The extreme eigenvalues of a Hessian, and the largest stable learning rate that follows from them."""

from __future__ import annotations

import math

import numpy as np

from runner.contracts.arrays import Array


def hessian_spectrum(hessian: Array) -> tuple[float, float] | None:
    """Return the smallest and the largest eigenvalue of a Hessian.

    Finite differences give a slightly asymmetric Hessian, so the eigenvalues are those of the symmetric part (H + Hᵀ) / 2.

    Args:
        hessian: second derivatives, `(dimension, dimension)`.

    Returns:
        The two eigenvalues, or None if an entry is not finite.

    Raises:
        ValueError: the array is not a square matrix.
    """
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1] or not hessian.size:
        raise ValueError(f"a Hessian has the shape (dimension, dimension), not {hessian.shape}")
    if not np.isfinite(hessian).all():
        return None
    # The entries are halved before they are added, because the sum of two large ones may overflow.
    eigenvalues = np.linalg.eigvalsh(0.5 * hessian + 0.5 * hessian.T)
    return float(eigenvalues[0]), float(eigenvalues[-1])


def stability_limit(curvature_max: float) -> float | None:
    """Return 2/L, the learning rate beyond which gradient descent is unstable at a minimiser.

    Near a minimiser, the step x − γ ∇f(x) multiplies the error along an eigenvector of the Hessian by 1 − γ λ, where λ is the
    eigenvalue. Let L be the largest eigenvalue. Gradient descent with a fixed learning rate γ is stable at the minimiser if
    γ < 2/L, and unstable if γ > 2/L. Beyond the limit, a run ends at the minimiser only if its start leads exactly to it.

    The limit holds near this minimiser, and for gradient descent alone. Optimizers that clip, scale or average the gradient have
    other limits, and Newton's method has no limit of this kind.

    Sources: Polyak, Introduction to Optimization (1987), section 1.4 (0 < γ < 2/L); Nesterov, Introductory Lectures on Convex
    Optimization (2004), section 2.1.5 (0 < h < 2/L).

    Args:
        curvature_max: L, the largest eigenvalue of the Hessian at the minimiser.

    Returns:
        2/L; None if L is zero, negative, NaN or infinite, or if 2/L overflows.
    """
    if not math.isfinite(curvature_max) or curvature_max <= 0:
        return None
    limit = 2.0 / curvature_max
    return limit if math.isfinite(limit) else None

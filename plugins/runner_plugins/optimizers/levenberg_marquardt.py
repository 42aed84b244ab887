"""The Levenberg-Marquardt method for least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from runner import Array, Mask, Memory, Optimizer, Point, Quantity, dot, hookimpl, matvec, parameter


class Damping(NamedTuple):
    """The memory of the Levenberg-Marquardt method.

    Attributes:
        damping: μ, `(runs, 1)`; 0 before it is known.
        growth: ν, the factor for μ after a rejected trial, `(runs, 1)`.
    """

    damping: Array
    growth: Array


@dataclass(frozen=True)
class LevenbergMarquardt(Optimizer):
    """xₖ₊₁ = xₖ + p, where p minimises ‖J p + r‖² + μ ‖p‖², with the residuals r of f = Σ rᵢ² and their Jacobian J at xₖ.

    With μ = 0 this is the Gauss-Newton step; with a large μ it is a short step down the gradient. The first values are μ = τ σ₁²
    and ν = 2, where τ = `damping` and σ₁ is the largest singular value of J(x₀). Then μ depends on the ratio of the actual to the
    predicted decrease, ϱ = (f(x) − f(x + p))/(‖r‖² − ‖J p + r‖²):

        if ϱ > 0      x ← x + p,   μ ← μ max(1/3, 1 − (2ϱ − 1)³),   ν ← 2
        else try again with        μ ← μ ν,                         ν ← 2ν

    So f decreases at every step that moves. Each run searches for itself, and each μ that it tries costs one evaluation of f; J
    is computed once in a step. A run stays where it is after `max_trials` rejected trials, or if p is too short to move it.
    With J = Σ σᵢ uᵢvᵢᵀ the step is p = −Σ vᵢ σᵢ (uᵢᵀr)/(σᵢ² + μ); JᵀJ is never formed, and J need not have full rank. Where J
    or r is not finite, the step is NaN.

    Source: Levenberg (1944); Marquardt (1963); Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.3; Nielsen,
    Damping parameter in Marquardt's method (1999), for μ.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient", "jacobian")

    damping: float = parameter(1e-3, above=0, doc="the damping at the start, relative to the largest eigenvalue of JᵀJ, τ")
    max_trials: int = parameter(20, at_least=1, doc="largest number of dampings that are tried in a step")

    def init(self, x: Array) -> Memory:
        """Return a damping that is not yet known."""
        return Damping(np.zeros((len(x), 1)), np.full((len(x), 1), 2.0))

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x + p, and the damping."""
        x, value, jacobian, residuals = point.x, point.value[:, None], point.jacobian, point.residuals
        finite: Mask = np.all(np.isfinite(jacobian), axis=(-2, -1)) & np.all(np.isfinite(residuals), axis=-1)
        # svd raises for all runs if one matrix contains NaN. Such a run is computed with zeros, and gets its NaN afterwards.
        u, sigma, vt = np.linalg.svd(np.where(finite[:, None, None], jacobian, 0.0), full_matrices=False)
        v, slopes, squares = vt.swapaxes(-2, -1), sigma * matvec(u.swapaxes(-2, -1), residuals), sigma * sigma
        mu = np.where(memory.damping > 0, memory.damping, self.damping * squares.max(axis=-1, keepdims=True))
        nu, x_next, searching = memory.growth, x, finite[:, None]
        for _ in range(self.max_trials):
            shortened = slopes / np.where(squares + mu > 0, squares + mu, 1.0)
            trial = x - matvec(v, shortened)
            searching = searching & (trial != x).any(axis=-1, keepdims=True)
            if not searching.any():
                break
            decrease = value - point.at(trial, where=searching[:, 0]).value[:, None]
            predicted = dot(shortened, slopes + mu * shortened)[:, None]
            found = searching & (decrease > 0)
            surplus = 2.0 * (decrease / np.where(found, predicted, 1.0)) - 1.0
            eased = mu * np.maximum(1.0 / 3.0, 1.0 - surplus * surplus * surplus)
            mu = np.where(found, eased, np.where(searching, mu * nu, mu))
            nu = np.where(found, 2.0, np.where(searching, 2.0 * nu, nu))
            x_next = np.where(found, trial, x_next)
            searching = searching & ~found
        return np.where(finite[:, None], x_next, np.nan), Damping(mu, nu)


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer the Levenberg-Marquardt method."""
    return {"levenberg_marquardt": LevenbergMarquardt}

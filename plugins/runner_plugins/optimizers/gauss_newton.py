"""The Gauss-Newton method for least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runner import Array, Mask, Memory, Optimizer, Point, Quantity, hookimpl, matvec, parameter


@dataclass(frozen=True)
class GaussNewton(Optimizer):
    """xₖ₊₁ = xₖ + γ p, where p minimises ‖J p + r‖, with the residuals r of f = Σ rᵢ² and their Jacobian J at xₖ.

    This is Newton's method with 2 JᵀJ in place of the Hessian; it needs no second derivatives. With the singular values
    J = Σ σᵢ uᵢvᵢᵀ the step is p = −Σ vᵢ (uᵢᵀr)/σᵢ; JᵀJ, which squares the condition number, is never formed. Singular values up
    to floor · max σᵢ count as zero and are left out. Where J does not have full rank, p is the shortest minimiser. Each run
    decides for itself. Where J = 0 the step is zero, and where J or r is not finite the step is NaN. With γ = 1, a linear
    least-squares problem is solved in one step.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.3. There f has a factor 1/2, which does not
    change p.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient", "jacobian")

    learning_rate: float = parameter(1.0, above=0, doc="the fraction of the Gauss-Newton step that is taken, γ")
    floor: float = parameter(1e-12, above=0, below=1, doc="the smallest singular value that counts, relative to the largest")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x + γ p."""
        jacobian, residuals = point.jacobian, point.residuals
        finite: Mask = np.all(np.isfinite(jacobian), axis=(-2, -1)) & np.all(np.isfinite(residuals), axis=-1)
        # svd raises for all runs if one matrix contains NaN. Such a run is computed with zeros, and gets its NaN afterwards.
        u, sigma, vt = np.linalg.svd(np.where(finite[:, None, None], jacobian, 0.0), full_matrices=False)
        counts = sigma > self.floor * sigma.max(axis=-1, keepdims=True)
        inverse = np.where(counts, 1.0 / np.where(counts, sigma, 1.0), 0.0)
        p = -matvec(vt.swapaxes(-2, -1), inverse * matvec(u.swapaxes(-2, -1), residuals))
        p[~finite] = np.nan
        return point.x + self.learning_rate * p, memory


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer the Gauss-Newton method."""
    return {"gauss_newton": GaussNewton}

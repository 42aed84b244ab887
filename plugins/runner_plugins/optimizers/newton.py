"""Newton's method, with a choice of steps for places where the Hessian is not positive definite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from runner import Array, Mask, Memory, Optimizer, Point, Quantity, hookimpl, matvec, parameter


@dataclass(frozen=True)
class Newton(Optimizer):
    """xₖ₊₁ = xₖ − γ B ∇f(xₖ), where B is H⁻¹, the inverse of the Hessian, if that is positive definite.

    Let H = Σ λᵢ vᵢvᵢᵀ and Λ = max |λᵢ|. Eigenvalues up to floor · Λ in size count as zero. Where H is not positive definite, B is

        absolute   Σ vᵢvᵢᵀ / max(|λᵢ|, floor · Λ): downhill along negative curvature too, so runs move away from saddle points
        gradient   1/Λ: a gradient step, for this run and this step
        plain      H⁺, the pseudo-inverse: the pure method of Newton, which goes to saddle points and maxima as well

    Each run decides for itself. Where H = 0 the step is zero, and where H is not finite the step is NaN. With γ = 1, the minimum
    of a convex quadratic is reached in one step. There is no line search, so a step may raise f.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.4; Dauphin et al., Identifying and attacking the saddle
    point problem in high-dimensional non-convex optimization (NeurIPS 2014), for `absolute`.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient", "hessian")

    learning_rate: float = parameter(1.0, above=0, doc="the fraction of the Newton step that is taken, γ")
    indefinite: Literal["absolute", "gradient", "plain"] = parameter("absolute", doc="step where H is not positive definite")
    floor: float = parameter(1e-12, above=0, below=1, doc="the smallest eigenvalue that counts, relative to the largest")

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ B ∇f(x)."""
        hessian = point.hessian
        finite: Mask = np.all(np.isfinite(hessian), axis=(-2, -1))
        # eigh raises for all runs if one matrix contains NaN. Such a run is computed with zeros, and gets its NaN afterwards.
        curvatures, directions = eigen(np.where(finite[:, None, None], hessian, 0.0))
        slopes = matvec(directions.swapaxes(-2, -1), point.gradient)
        step = matvec(directions, self._inverse(curvatures) * slopes)
        step[~finite] = np.nan
        return point.x - self.learning_rate * step, memory

    def _inverse(self, curvatures: Array) -> Array:
        """Return the eigenvalues of B, given those of H."""
        size = np.abs(curvatures)
        largest = size.max(axis=-1, keepdims=True)
        smallest = self.floor * largest
        with np.errstate(divide="ignore", over="ignore"):
            if self.indefinite == "absolute":
                inverse = 1.0 / np.maximum(size, smallest)
            elif self.indefinite == "plain":
                inverse = np.where(size > smallest, 1.0 / curvatures, 0.0)
            else:
                definite = (curvatures > smallest).all(axis=-1, keepdims=True)
                inverse = 1.0 / np.where(definite, curvatures, largest)
        return np.where(largest > 0, inverse, 0.0)


def eigen(hessian: Array) -> tuple[Array, Array]:
    """Return the eigenvalues, `(runs, dimension)`, and eigenvectors, in columns, of each symmetric matrix."""
    if hessian.shape[-1] == 1:  # For a thousand 1×1 matrices, eigh takes a hundred times as long as this shortcut.
        return hessian[..., 0], np.ones_like(hessian)
    eigenvalues, eigenvectors = np.linalg.eigh(hessian)
    return eigenvalues, eigenvectors


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer Newton's method."""
    return {"newton": Newton}

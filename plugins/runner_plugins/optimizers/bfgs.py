"""The quasi-Newton method BFGS, with a line search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runner import Array, Mask, Memory, Optimizer, Point, dot, hookimpl, matvec, norm, parameter, wolfe


class Model(NamedTuple):
    """The memory of BFGS.

    Attributes:
        x: the last iterate, `(runs, dimension)`.
        gradient: ∇f there, `(runs, dimension)`.
        inverse: H, the approximation of the inverse of ∇²f there, `(runs, dimension, dimension)`.
        fresh: True for the runs whose H has not been updated yet, `(runs,)`.
    """

    x: Array
    gradient: Array
    inverse: Array
    fresh: Mask


@dataclass(frozen=True)
class BFGS(Optimizer):
    """xₖ₊₁ = xₖ + α p, p = −Hₖ ∇f(xₖ), where Hₖ approximates (∇²f)⁻¹ and α satisfies the Wolfe conditions.

    With s = xₖ₊₁ − xₖ, y = ∇f(xₖ₊₁) − ∇f(xₖ) and ρ = 1/(sᵀy), the new H is the symmetric matrix that satisfies the secant
    equation H y = s and is nearest to the old H in a weighted norm:

        Hₖ₊₁ = (I − ρ s yᵀ) Hₖ (I − ρ y sᵀ) + ρ s sᵀ

    H₀ = I, multiplied by sᵀy/yᵀy before its first update. The search begins with α = γ and bisects. It ends where f has decreased
    enough, f(x + αp) ≤ f(x) + c₁ α ∇f(x)ᵀp, and the slope has flattened, ∇f(x + αp)ᵀp ≥ c₂ ∇f(x)ᵀp. Then sᵀy > 0, and H stays
    positive definite. If a run finds no such α within `max_trials`, it goes to the last point at which f had decreased enough.
    Without such a point it stays where it is and begins again with H = I. H is not updated where sᵀy ≤ ε ‖s‖ ‖y‖, with
    ε = `curvature`. Each run decides for itself.

    Source: Broyden, Fletcher, Goldfarb and Shanno (1970); Nocedal and Wright, Numerical Optimization, 2nd ed., section 6.1,
    equations 6.17 and 6.20; Lewis and Overton, Nonsmooth optimization via quasi-Newton methods (2013), algorithm 2.6, for α.
    """

    learning_rate: float = parameter(1.0, above=0, doc="the fraction of the quasi-Newton step that is tried first, γ")
    c1: float = parameter(1e-4, above=0, below=1, doc="smallest accepted fraction of the decrease that the slope predicts, c₁")
    c2: float = parameter(0.9, above=0, below=1, doc="fraction of the slope that may remain, c₂")
    max_trials: int = parameter(50, at_least=1, doc="largest number of step sizes that are tried")
    curvature: float = parameter(1e-10, at_least=0, below=1, doc="smallest cosine between s and y for which H is updated, ε")

    def validate(self) -> None:
        """Refuse c₁ ≥ c₂, for which a step size need not exist."""
        if self.c1 >= self.c2:
            raise ValueError(f"c1 = {self.c1:g} must be less than c2 = {self.c2:g}: else there may be no such step size")

    def init(self, x: Array) -> Memory:
        """Return H = I."""
        runs, dimension = x.shape
        return Model(x, np.zeros_like(x), np.tile(np.eye(dimension), (runs, 1, 1)), np.ones(runs, dtype=np.bool_))

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − α H ∇f(x), and H."""
        model = updated(memory, point.x, point.gradient, self.curvature)
        direction = -matvec(model.inverse, model.gradient)
        return wolfe(point, direction, self.learning_rate, self.c1, self.c2, self.max_trials), model


def updated(model: Model, x: Array, gradient: Array, curvature: float | Array) -> Model:
    """Return the model at the next iterate.

    Multiplied out, the update is H − (s uᵀ + u sᵀ) with u = ρ H y − ½ ρ (1 + ρ yᵀH y) s, which is symmetric to the last bit.
    Where H is not updated, u = 0.
    """
    s, y = x - model.x, gradient - model.gradient
    sy, yy = dot(s, y)[:, None], dot(y, y)[:, None]
    curved = sy > curvature * norm(s)[:, None] * norm(y)[:, None]
    scale = np.where(curved & model.fresh[:, None], sy / np.where(curved, yy, 1.0), 1.0)
    hy = scale * matvec(model.inverse, y)
    rho = 1.0 / np.where(curved, sy, 1.0)
    u = np.where(curved, rho * hy - 0.5 * rho * (1.0 + rho * dot(y, hy)[:, None]) * s, 0.0)
    product = s[:, :, None] * u[:, None, :]
    inverse = scale[..., None] * model.inverse - (product + product.swapaxes(-2, -1))
    stayed = (s == 0).all(axis=-1)
    inverse[stayed] = np.eye(x.shape[-1])
    return Model(x, gradient, inverse, stayed | (model.fresh & ~curved[:, 0]))


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer BFGS."""
    return {"bfgs": BFGS}

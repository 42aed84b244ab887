"""The quasi-Newton method L-BFGS: BFGS with a memory of a few steps instead of a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runner import Array, Mask, Memory, Optimizer, Point, dot, hookimpl, norm, parameter, wolfe


class History(NamedTuple):
    """The memory of L-BFGS: the last pairs s, y of each run, the latest at the end.

    Attributes:
        x: the last iterate, `(runs, dimension)`.
        gradient: ∇f there, `(runs, dimension)`.
        s: the moves, `(runs, history, dimension)`.
        y: the changes of the gradient, `(runs, history, dimension)`.
        rho: 1/(sᵀy), `(runs, history)`; 0 for a missing pair, which then has no effect.
    """

    x: Array
    gradient: Array
    s: Array
    y: Array
    rho: Array


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """xₖ₊₁ = xₖ + α p, p = −Hₖ ∇f(xₖ), where Hₖ approximates (∇²f)⁻¹ and α satisfies the Wolfe conditions.

    H comes from the last m = `history` pairs s = xₖ₊₁ − xₖ, y = ∇f(xₖ₊₁) − ∇f(xₖ) by the update of BFGS,
    H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ with ρ = 1/(sᵀy). The updates begin with H = (sᵀy/yᵀy) I for the latest pair, or
    with I before the first pair; the matrix is never formed. The search begins with α = γ and bisects. It ends where f has
    decreased enough, f(x + αp) ≤ f(x) + c₁ α ∇f(x)ᵀp, and the slope has flattened, ∇f(x + αp)ᵀp ≥ c₂ ∇f(x)ᵀp. Then sᵀy > 0, and
    H is positive definite. If a run finds no such α within `max_trials`, it goes to the last point at which f had decreased
    enough. Without such a point it stays where it is and drops its pairs. A pair with sᵀy ≤ ε ‖s‖ ‖y‖, where ε = `curvature`,
    is not kept. Each run decides for itself.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989); Nocedal and Wright,
    Numerical Optimization, 2nd ed., section 7.2, algorithm 7.4 and equation 7.20; Lewis and Overton, Nonsmooth optimization via
    quasi-Newton methods (2013), algorithm 2.6, for α.
    """

    history: int = parameter(10, at_least=1, doc="number of pairs s, y that are kept, m")
    learning_rate: float = parameter(1.0, above=0, doc="the fraction of the quasi-Newton step that is tried first, γ")
    c1: float = parameter(1e-4, above=0, below=1, doc="smallest accepted fraction of the decrease that the slope predicts, c₁")
    c2: float = parameter(0.9, above=0, below=1, doc="fraction of the slope that may remain, c₂")
    max_trials: int = parameter(50, at_least=1, doc="largest number of step sizes that are tried")
    curvature: float = parameter(1e-10, at_least=0, below=1, doc="smallest cosine between s and y for which they are kept, ε")

    def validate(self) -> None:
        """Refuse c₁ ≥ c₂, for which a step size need not exist."""
        if self.c1 >= self.c2:
            raise ValueError(f"c1 = {self.c1:g} must be less than c2 = {self.c2:g}: else there may be no such step size")

    def init(self, x: Array) -> Memory:
        """Return a history without pairs."""
        runs, dimension = x.shape
        none = np.zeros((runs, self.history, dimension))
        return History(x, np.zeros_like(x), none, none, np.zeros((runs, self.history)))

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − α H ∇f(x), and the pairs from which H follows."""
        history = remembered(memory, point.x, point.gradient, self.curvature)
        direction = -times_inverse(history, history.gradient)
        return wolfe(point, direction, self.learning_rate, self.c1, self.c2, self.max_trials), history


def remembered(history: History, x: Array, gradient: Array, curvature: float | Array) -> History:
    """Return the history at the next iterate."""
    s, y = x - history.x, gradient - history.gradient
    sy = dot(s, y)[:, None]
    kept: Mask = sy > curvature * norm(s)[:, None] * norm(y)[:, None]
    rho = appended(history.rho, 1.0 / np.where(kept, sy, 1.0), kept)
    stayed = (s == 0).all(axis=-1)
    return History(
        x,
        gradient,
        appended(history.s, s, kept[..., None]),
        appended(history.y, y, kept[..., None]),
        np.where(stayed[:, None], 0.0, rho),
    )


def appended(rows: Array, latest: Array, kept: Mask) -> Array:
    """Return the rows of each run; for the runs in `kept`, the first row is dropped and the latest row is appended."""
    latest = latest.reshape(len(rows), 1, *rows.shape[2:])
    return np.where(kept, np.concatenate([rows[:, 1:], latest], axis=1), rows)


def times_inverse(history: History, gradient: Array) -> Array:
    """Return H ∇f: the two-loop recursion."""
    newest_first = [(history.s[:, i], history.y[:, i], history.rho[:, i, None]) for i in reversed(range(history.rho.shape[1]))]
    q, alphas = gradient, []
    for s, y, rho in newest_first:
        alpha = rho * dot(s, q)[:, None]
        q = q - alpha * y
        alphas.append(alpha)
    _, y, rho = newest_first[0]
    paired = rho > 0
    r = np.where(paired, 1.0 / np.where(paired, rho * dot(y, y)[:, None], 1.0), 1.0) * q
    for (s, y, rho), alpha in zip(reversed(newest_first), reversed(alphas), strict=True):
        r = r + (alpha - rho * dot(y, r)[:, None]) * s
    return r


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer L-BFGS."""
    return {"l_bfgs": LBFGS}

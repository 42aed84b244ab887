"""A parabola with a ripple: convex or full of local minima, depending on its two parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter

NEWTON_STEPS = 8
"""Five reach rounding whatever a and ω are."""


@dataclass(frozen=True)
class SinQuadratic(Objective):
    """f(x) = a sin(ωx) + x², for one coordinate x.

    f′(x) = aω cos(ωx) + 2x and f″(x) = 2 − aω² sin(ωx) ≥ 2 − |a|ω². So f is convex if and only if |a|ω² ≤ 2, and strongly convex
    if |a|ω² < 2. In particular sin(x) + x² (a = ω = 1), often called non-convex, is strongly convex: f″(x) = 2 − sin(x) ≥ 1.
    Beyond |a|ω² = 2 there are inflection points, and for large |a|ω² many local minima.

    The global minimiser x* has a sin(ωx*) ≤ 0 and |ωx*| ≤ π/2. Let p be the point, π/(2ω) or its negative, at which
    a sin(ωp) = −|a|: for any x with |ωx| > π/2, f(x) is larger than f(p). Between 0 and p, f″ ≥ 2 and f′ changes sign, so x* is
    the only stationary point there, for any a and ω.

    Source: for convexity by f″, Boyd and Vandenberghe, Convex Optimization (2004), section 3.1.4; the rest is proved here.
    """

    a: float = parameter(1.0, doc="height of the ripple")
    omega: float = parameter(1.0, doc="angular frequency of the ripple, ω, in radians per unit of x")

    @property
    def dimension(self) -> int:
        """The number of coordinates, 1."""
        return 1

    @property
    def start_region(self) -> tuple[float, float]:
        """From −3 to 3."""
        return -3.0, 3.0

    @property
    def curvature_bounds(self) -> tuple[float | Array, float | Array]:
        """2 − |a|ω² and 2 + |a|ω²; f″ takes both values unless a or ω is zero."""
        ripple = np.abs(self.a) * self.omega**2
        bounds = 2.0 - ripple, 2.0 + ripple
        return bounds if np.ndim(ripple) == 0 else (bounds[0].reshape(-1), bounds[1].reshape(-1))

    @property
    def minimum(self) -> Minimum:
        """The global minimum, to rounding, for any a and ω.

        With u = |ωx| and q = |a|ω², the condition f′ = 0 on the side where a sin(ωx) ≤ 0 reads 2u − q cos(u) = 0. Its left side
        is increasing and convex on [0, π/2]. The start min(π/2, q/2) lies beyond the root, so Newton's method decreases
        monotonically from there to the root.
        """
        slope = np.atleast_2d(np.asarray(self.a * self.omega))
        with np.errstate(divide="ignore", over="ignore"):
            reach = np.minimum(0.5 * np.pi / np.abs(self.omega), 0.5 * np.abs(slope))
        x = -np.sign(slope) * reach
        for _ in range(NEWTON_STEPS):
            x = x - self.gradient(x) / self.hessian(x)[..., 0]
        value = self.value(x)
        return Minimum(x, value) if np.ndim(self.a * self.omega) else Minimum(x[0], float(value[0]))

    def value(self, x: Array) -> Array:
        """Return a sin(ωx) + x²."""
        sin = x.__array_namespace__().sin
        total: Array = (self.a * sin(self.omega * x) + x * x)[..., 0]
        return total

    def gradient(self, x: Array) -> Array:
        """Return aω cos(ωx) + 2x."""
        cos = x.__array_namespace__().cos
        slope: Array = self.a * self.omega * cos(self.omega * x) + 2.0 * x
        return slope

    def hessian(self, x: Array) -> Array:
        """Return 2 − aω² sin(ωx)."""
        sin = x.__array_namespace__().sin
        curvature: Array = (2.0 - self.a * self.omega**2 * sin(self.omega * x))[..., None]
        return curvature


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer the rippled parabola."""
    return {"sin_quadratic": SinQuadratic}

"""Ackley's function: a rippled plain with one deep, pointed funnel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter


@dataclass(frozen=True)
class Ackley(Objective):
    """f(x) = −a exp(−b r) − exp((1/d) Σ cos(c xᵢ)) + a + e, with r = √((1/d) Σ xᵢ²), for any real x; usually |xᵢ| ≤ 32.768.

    Its minimum is f(0) = 0, the tip of a cone: near it f ≈ a b r, so f is not differentiable there, and ‖∇f‖ does not fall below
    about a b/√d on the way. No fixed learning rate lets gradient descent settle at it. At x = 0 the gradient is defined as 0, a
    subgradient, and the Hessian as +∞ on the diagonal and 0 elsewhere, the limit of second differences across the tip. Where
    squares underflow, for |xᵢ| < 1e-162, x counts as 0.

    It is computed as −a expm1(−b r) − e expm1(−(2/d) Σ sin²(c xᵢ/2)), in which nothing cancels.

    Source: Ackley, A Connectionist Machine for Genetic Hillclimbing (1987), for two coordinates; Bäck and Schwefel, An overview
    of evolutionary algorithms for parameter optimization, Evol. Comput. 1 (1993) 1-23, doi:10.1162/evco.1993.1.1.1.
    """

    dimension: int = parameter(2, at_least=1, doc="number of coordinates, d")
    a: float = parameter(20.0, above=0, doc="depth of the funnel")
    b: float = parameter(0.2, above=0, doc="steepness of the funnel: it is 1/b wide")
    c: float = parameter(2.0 * math.pi, doc="angular frequency of the ripple, in radians per unit of x")

    @property
    def minimum(self) -> Minimum:
        """f(0) = 0."""
        return Minimum(np.zeros(self.dimension), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −32.768 to 32.768."""
        return -32.768, 32.768

    def value(self, x: Array) -> Array:
        """Return −a expm1(−b r) − e expm1(−(2/d) Σ sin²(c xᵢ/2))."""
        distance, origin = self._distance(x)
        sine = x.__array_namespace__().sin(0.5 * self.c * x)
        return self._height(distance, origin, self._fall(sine))

    def gradient(self, x: Array) -> Array:
        """Return a b exp(−b r) xᵢ/(d r) + exp((1/d) Σ cos(c xᵢ)) c sin(c xᵢ)/d; 0 at x = 0."""
        return self.value_and_gradient(x)[1]

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share r and the sines."""
        xp = x.__array_namespace__()
        distance, origin = self._distance(x)
        sine, cosine = xp.sin(0.5 * self.c * x), xp.cos(0.5 * self.c * x)
        fall = self._fall(sine)
        funnel = self.a * self.b * xp.exp(-self.b * distance) / distance * x
        ripple = 2.0 * math.e * self.c * xp.exp(fall) * sine * cosine
        return self._height(distance, origin, fall), xp.where(origin, 0.0, funnel + ripple) / self.dimension

    def hessian(self, x: Array) -> Array:
        """Return ∇²f; +∞ on the diagonal at x = 0.

        With u = x/r and s = sin(c x), it is

            (a b/d) exp(−b r) ((I − uuᵀ/d)/r − b uuᵀ/d) + exp((1/d) Σ cos(c xᵢ)) (c²/d) (diag(cos(c xᵢ)) − ssᵀ/d).
        """
        xp, d = x.__array_namespace__(), self.dimension
        distance, origin = self._distance(x)
        sine, cosine = xp.sin(0.5 * self.c * x), xp.cos(0.5 * self.c * x)
        funnel = self.a * self.b / d * xp.exp(-self.b * distance)
        ripple = math.e / d * self.c**2 * xp.exp(self._fall(sine))
        diagonal = funnel / distance + ripple * (1.0 - 2.0 * sine * sine)
        u = xp.sqrt(funnel * (1.0 / distance + self.b) / d) / distance * x
        s = 2.0 * xp.sqrt(ripple / d) * sine * cosine
        smooth = diagonal[..., None] * np.eye(d) - u[..., :, None] * u[..., None, :] - s[..., :, None] * s[..., None, :]
        hessian: Array = xp.where(origin[..., None], np.diag(np.full(d, np.inf)), smooth)
        return hessian

    def _distance(self, x: Array) -> tuple[Array, Array]:
        """Return r, `(runs, 1)`, with 1 in place of 0, and a mask that is True where r is 0."""
        xp = x.__array_namespace__()
        square = self._mean(x * x)
        origin = square == 0
        return xp.sqrt(xp.where(origin, 1.0, square)), origin

    def _fall(self, sine: Array) -> Array:
        """Return (1/d) Σ cos(c xᵢ) − 1, `(runs, 1)`, given sin(c xᵢ/2)."""
        return -2.0 * self._mean(sine * sine)

    def _mean(self, x: Array) -> Array:
        mean: Array = x.__array_namespace__().vecdot(np.full(self.dimension, 1.0 / self.dimension), x)[..., None]
        return mean

    def _height(self, distance: Array, origin: Array, fall: Array) -> Array:
        xp = distance.__array_namespace__()
        funnel = xp.where(origin, 0.0, -self.a * xp.expm1(-self.b * distance))
        height: Array = (funnel - math.e * xp.expm1(fall))[..., 0]
        return height


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer Ackley's function."""
    return {"ackley": Ackley}

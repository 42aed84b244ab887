"""Rosenbrock's valley: curved, narrow and nearly flat along its floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runner import Array, LeastSquares, Minimum, Objective, hookimpl, parameter


@dataclass(frozen=True)
class Rosenbrock(LeastSquares):
    """f(x) = Σ b (xᵢ₊₁ − xᵢ²)² + (a − xᵢ)², the sum over i = 1 … d − 1, for any real x.

    Its minimum is f(a, …, a, a²) = 0 if d = 2, or if a² = a, that is, a = 0 or a = 1; otherwise it is not known. With d = 2
    there is no other stationary point. The floor of the valley, x₂ = x₁², is steep across and flat along: at the minimiser for
    a = 1 and b = 100 the curvatures are 1001.6 and 0.4. With a = 1, b = 100 and 4 ≤ d ≤ 30 there is one more local minimum,
    near (−1, 1, …, 1).

    It is a sum of squares, of the residuals √b (xᵢ₊₁ − xᵢ²) and then a − xᵢ. Its Hessian is tridiagonal.

    Source: Rosenbrock, An automatic method for finding the greatest or least value of a function, Comput. J. 3 (1960) 175-184,
    doi:10.1093/comjnl/3.3.175; Shang and Qiu, A note on the extended Rosenbrock function, Evol. Comput. 14 (2006) 119-126, for
    the second minimum; Jamil and Yang (2013), arXiv:1308.4008, for the sum.
    """

    dimension: int = parameter(2, at_least=2, doc="number of coordinates, d")
    a: float = parameter(1.0, doc="position of the minimum along the valley")
    b: float = parameter(100.0, above=0, doc="steepness of the valley's walls")

    @property
    def minimum(self) -> Minimum | None:
        """f(a, …, a, a²) = 0 if d = 2, a = 0 or a = 1, else None."""
        if self.dimension > 2 and not np.isin(self.a, (0.0, 1.0)).all():
            return None
        ones = np.ones(self.dimension - 1)
        return Minimum(np.concatenate([self.a * ones, self.a * self.a * ones[:1]], axis=-1), 0.0)

    @property
    def start_region(self) -> tuple[float, float]:
        """From −2.048 to 2.048."""
        return -2.048, 2.048

    def residuals(self, x: Array) -> Array:
        """Return √b (xᵢ₊₁ − xᵢ²), then a − xᵢ."""
        across, along = self._parts(x)
        residuals: Array = x.__array_namespace__().concat([np.sqrt(self.b) * across, along], axis=-1)
        return residuals

    def jacobian(self, x: Array) -> Array:
        """Return ∂r/∂x, with two entries in each row for the first d − 1 residuals, and −1 for the others."""
        xp, eye = x.__array_namespace__(), np.eye(self.dimension)
        here, ahead = eye[:-1], eye[1:]
        across = np.sqrt(self.b) * xp.ones_like(x[..., 1:])
        rows = across[..., None] * ahead - (2.0 * across * x[..., :-1])[..., None] * here
        jacobian: Array = xp.concat([rows, xp.zeros_like(rows) - here], axis=-2)
        return jacobian

    def value(self, x: Array) -> Array:
        """Return Σ b (xᵢ₊₁ − xᵢ²)² + (a − xᵢ)²."""
        return self._squares(*self._parts(x))

    def gradient(self, x: Array) -> Array:
        """Return −4b xᵢ (xᵢ₊₁ − xᵢ²) − 2(a − xᵢ) for i < d, plus 2b (xᵢ − xᵢ₋₁²) for i > 1."""
        return self._slope(x, *self._parts(x))

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share xᵢ₊₁ − xᵢ² and a − xᵢ."""
        across, along = self._parts(x)
        return self._squares(across, along), self._slope(x, across, along)

    def hessian(self, x: Array) -> Array:
        """Return 12b xᵢ² − 4b xᵢ₊₁ + 2 for i < d, plus 2b for i > 1, on the diagonal, and −4b xᵢ next to it."""
        xp, zero = x.__array_namespace__(), _zero(x)
        inner = x[..., :-1]
        first = self.b * (12.0 * inner * inner - 4.0 * x[..., 1:]) + 2.0
        second = 2.0 * self.b * xp.ones_like(inner)
        diagonal = xp.concat([first, zero], axis=-1) + xp.concat([zero, second], axis=-1)
        entries = xp.concat([diagonal, -4.0 * self.b * inner, zero], axis=-1)
        hessian: Array = xp.reshape(xp.take(entries, self._places, axis=-1), (*x.shape, self.dimension))
        return hessian

    def _parts(self, x: Array) -> tuple[Array, Array]:
        """Return xᵢ₊₁ − xᵢ² and a − xᵢ, each `(runs, dimension − 1)`."""
        inner = x[..., :-1]
        return x[..., 1:] - inner * inner, self.a - inner

    def _squares(self, across: Array, along: Array) -> Array:
        squares = self.b * across * across + along * along
        total: Array = across.__array_namespace__().vecdot(np.ones(self.dimension - 1), squares)
        return total

    def _slope(self, x: Array, across: Array, along: Array) -> Array:
        xp, zero = x.__array_namespace__(), _zero(x)
        steep = 2.0 * self.b * across
        first = -2.0 * (x[..., :-1] * steep + along)
        slope: Array = xp.concat([first, zero], axis=-1) + xp.concat([zero, steep], axis=-1)
        return slope

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """The place of each entry of the Hessian in a list of d diagonal entries, d − 1 entries next to them, and a zero."""
        d = self.dimension
        places = np.full((d, d), 2 * d - 1)
        i = np.arange(d)
        places[i, i] = i
        places[i[1:], i[:-1]] = places[i[:-1], i[1:]] = d + i[:-1]
        return places.ravel()


def _zero(x: Array) -> Array:
    """Return a column of zeros, `(runs, 1)`."""
    zero: Array = x.__array_namespace__().zeros_like(x[..., :1])
    return zero


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer Rosenbrock's valley."""
    return {"rosenbrock": Rosenbrock}

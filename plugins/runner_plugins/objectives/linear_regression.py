"""Linear regression: a line or plane fitted to data by least squares."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from runner import Array, LeastSquares, Minimum, Objective, hookimpl, parameter, read_table

TRUE_BIAS = -1.0


class Triangle(NamedTuple):
    """The data after an orthogonal reduction: f(x) = ‖R x − z‖² + ρ².

    Attributes:
        r: upper triangular, `(dimension, dimension)`.
        z: the reduced y, `(dimension,)`.
        rho: the length of the part of y that no x can fit.
    """

    r: Array
    z: Array
    rho: float


@dataclass(frozen=True)
class LinearRegression(LeastSquares):
    """f(w, b) = (1/m) Σ (w·Xᵢ + b − yᵢ)²: the mean squared error over m samples, with x = (w₁ … w_p, b).

    Without a file, the data are generated: Xᵢⱼ uniform on (−1, 1), then yᵢ = w·Xᵢ + b + noise · N(0, 1) with w = (2, −2, 2, …)
    and b = −1, all drawn in that order from NumPy's `Generator(PCG64(seed))`. With one feature, y = 2 X − 1 + noise.

    The samples are read once. A Householder QR factorisation of the matrix [X 1 y]/√m = Q [R z; 0 ρ] replaces the m residuals by
    dimension + 1 residuals, (R x − z, ρ), with the same sum of squares. With one feature these are 3 residuals, however many
    samples there are. A residual is not the error of a sample: an optimizer that draws some of the residuals does not draw
    samples. A step costs the same for a hundred samples as for a million, and XᵀX, which squares the condition number, is never
    formed. The Hessian is 2 RᵀR. The minimiser is the least-squares solution; if there are several, it is the one with the
    smallest norm.

    Source: Golub and Van Loan, Matrix Computations, 4th ed., section 5.3.
    """

    features: int = parameter(1, at_least=1, doc="number of features, p")
    samples: int = parameter(100, at_least=1, doc="number of samples, m")
    noise: float = parameter(0.1, at_least=0, batched=False, doc="standard deviation of the noise in y")
    seed: int = parameter(0, at_least=0, doc="seed of the generated data")
    csv: Path | None = parameter(None, doc="a CSV file: one sample per line, y in the last column, maybe a header line")

    def validate(self) -> None:
        """Refuse a CSV file together with the parameters of generated data, and a file that is not such a table."""
        if self.csv is not None:
            defaults = {field.name: field.default for field in dataclasses.fields(self) if field.name != "csv"}
            given = [name for name, default in defaults.items() if getattr(self, name) != default]
            if given:
                raise ValueError(f"{' and '.join(given)} cannot be given with csv, whose file decides the data")
            _ = self.data

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """The samples: X, `(samples, features)`, and y, `(samples,)`.

        Raises:
            ValueError: the CSV file is not such a table; the message names the line and the reason.
        """
        if self.csv is not None:
            table = read_table(self.csv)
            return table[:, :-1].copy(), table[:, -1].copy()
        generator = np.random.Generator(np.random.PCG64(self.seed))
        features = generator.uniform(-1.0, 1.0, (self.samples, self.features))
        weights = np.where(np.arange(self.features) % 2, -2.0, 2.0)
        noise = self.noise * generator.standard_normal(self.samples)
        return features, (features * weights).sum(axis=-1) + TRUE_BIAS + noise

    @property
    def dimension(self) -> int:
        """The number of features, plus one for the bias."""
        return 1 + (self.features if self.csv is None else self.data[0].shape[1])

    @property
    def start_region(self) -> tuple[float, float]:
        """From −3 to 3."""
        return -3.0, 3.0

    @cached_property
    def minimum(self) -> Minimum:
        """The least-squares solution."""
        r, z, _ = self._triangle
        # The tolerance for the rank depends on the data: R has the rounding errors of a factorisation of all samples.
        tolerance = np.finfo(np.float64).eps * max(self.data[0].shape[0], self.dimension)
        x: Array = np.linalg.lstsq(r, z, rcond=tolerance)[0].astype(np.float64, copy=False)
        return Minimum(x, float(self.value(x[None])[0]))

    @cached_property
    def curvature_bounds(self) -> tuple[float, float]:
        """The smallest and the largest eigenvalue of 2 RᵀR, which is the Hessian everywhere."""
        scales = np.linalg.svd(self._triangle.r, compute_uv=False)
        return 2.0 * float(scales[-1]) ** 2, 2.0 * float(scales[0]) ** 2

    def predict(self, x: Array, features: Array) -> Array:
        """Return w·X + b, for the samples of features `(samples, p)`: `(runs, dimension) -> (runs, samples)`."""
        return _times(features, x[..., :-1]) + x[..., -1:]

    def residuals(self, x: Array) -> Array:
        """Return (R x − z, ρ)."""
        constant = np.full((*x.shape[:-1], 1), self._triangle.rho)
        residuals: Array = x.__array_namespace__().concat([self._misfit(x), constant], axis=-1)
        return residuals

    def jacobian(self, x: Array) -> Array:
        """Return R above a row of zeros."""
        r = self._triangle.r
        return np.broadcast_to(np.vstack([r, np.zeros_like(r[:1])]), (*x.shape[:-1], len(r) + 1, len(r)))

    def value(self, x: Array) -> Array:
        """Return ‖R x − z‖² + ρ²."""
        return self._squares(self._misfit(x))

    def gradient(self, x: Array) -> Array:
        """Return 2 Rᵀ(R x − z)."""
        return self._slope(self._misfit(x))

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share R x − z."""
        misfit = self._misfit(x)
        return self._squares(misfit), self._slope(misfit)

    def hessian(self, x: Array) -> Array:
        """Return 2 RᵀR."""
        r = self._triangle.r
        return np.broadcast_to(2.0 * (r.T @ r), (*x.shape, len(r)))

    def _misfit(self, x: Array) -> Array:
        return _times(self._triangle.r, x) - self._triangle.z

    def _squares(self, misfit: Array) -> Array:
        # vecdot conjugates its first argument. This is undone here, so that a complex misfit is squared, and f stays analytic.
        xp = misfit.__array_namespace__()
        squares: Array = xp.vecdot(xp.conj(misfit), misfit) + self._triangle.rho**2
        return squares

    def _slope(self, misfit: Array) -> Array:
        return 2.0 * _times(self._transposed, misfit)

    @cached_property
    def _transposed(self) -> Array:
        return np.ascontiguousarray(self._triangle.r.T)

    @cached_property
    def _triangle(self) -> Triangle:
        features, y = self.data
        samples, dimension = len(y), self.dimension
        # Rows of zeros change no sum of squares. With them, data with fewer samples than coordinates need no special case.
        table = np.zeros((samples + dimension + 1, dimension + 1))
        table[:samples] = np.column_stack([features, np.ones(samples), y])
        reduced: Array = np.asarray(np.linalg.qr(table / math.sqrt(samples), mode="r"))
        return Triangle(
            np.ascontiguousarray(reduced[:dimension, :dimension]),
            np.ascontiguousarray(reduced[:dimension, dimension]),
            float(reduced[dimension, dimension]),
        )


def _times(matrix: Array, x: Array) -> Array:
    """Return the matrix times each row of x, as `runner.matvec` does, for the arrays of any library."""
    product: Array = x.__array_namespace__().vecdot(matrix, x[..., None, :])
    return product


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer linear regression."""
    return {"linear_regression": LinearRegression}

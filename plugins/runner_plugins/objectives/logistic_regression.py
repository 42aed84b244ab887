"""Logistic regression: a model that distinguishes two classes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from runner import Array, Minimum, Objective, hookimpl, parameter, read_table

TRUE_LENGTH, TRUE_BIAS = 3.0, -1.0
CAP = 300.0
"""Beyond u = 37, log(1 + e^u) is u to rounding; and e^300 can still be squared."""
BLOCK = 4096
"""Samples taken at once. A dot product of this length is not split among threads, whose number would change its last bits."""
CHUNK = 32768
"""Numbers taken at once, so that what is computed on the way stays in the cache: twice as fast as all runs at once."""
NEWTON_STEPS = 30
"""About ten are enough. Where a plane separates the classes each adds 1 to the margins, and beyond 36 rounding takes over."""
MORE_NEWTON_STEPS = 1000
HALVINGS = 60


@dataclass(frozen=True)
class LogisticRegression(Objective):
    """f(w, b) = (1/m) Σ log(1 + exp(−sᵢ (w·Xᵢ + b))) + (l2/2) ‖w‖², with sᵢ = 2yᵢ − 1 and x = (w₁ … w_p, b).

    This is the mean negative log-likelihood of m labels yᵢ, 0 or 1, where P(yᵢ = 1) = 1/(1 + exp(−w·Xᵢ − b)), plus a penalty on
    the weights but not on the bias. It is convex. With l2 > 0 and both classes present, the minimum exists and is unique. With l2
    = 0 it exists if and only if no plane separates the classes; a plane that also contains samples of both classes counts as
    separating them. Data without a minimum are refused, because f decreases without end as the weights grow. With l2 = 0 and
    linearly dependent features there are many minimisers, and the stated minimum is one of them.

    Without a file, the data are generated: Xᵢⱼ uniform on (−1, 1), then yᵢ = 1 where uᵢ < P(yᵢ = 1), uᵢ uniform on (0, 1), with
    w = (3, −3, 3, …)/√p and b = −1, all drawn in that order from NumPy's `Generator(PCG64(seed))`.

    A step reads every sample. log(1 + e^u) is computed as log1p(e^v) + (u − v) with v = min(u, 300), exact to rounding for any u.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed. (2009), section 4.4; Albert and
    Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika 71 (1984) 1-10,
    doi:10.1093/biomet/71.1.1.
    """

    features: int = parameter(1, at_least=1, doc="number of features, p")
    samples: int = parameter(100, at_least=2, doc="number of samples, m")
    seed: int = parameter(0, at_least=0, doc="seed of the generated data")
    l2: float = parameter(0.0, at_least=0, doc="strength of the penalty on the weights")
    csv: Path | None = parameter(None, doc="a CSV file: one sample per line, y (0 or 1) in the last column, maybe a header line")

    def validate(self) -> None:
        """Refuse a CSV file together with the parameters of generated data, and data without a minimum."""
        if self.csv is not None:
            defaults = {field.name: field.default for field in dataclasses.fields(self) if field.name not in ("csv", "l2")}
            given = [name for name, default in defaults.items() if getattr(self, name) != default]
            if given:
                raise ValueError(f"{' and '.join(given)} cannot be given with csv, whose file decides the data")
        y = self.data[1]
        if (y == y[0]).all():
            raise ValueError(f"{self._named}: every y is {y[0]:g}, and without both classes f has no minimum")
        if self.l2 == 0:
            _ = self.minimum

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """The samples: X, `(samples, features)`, and y, `(samples,)`.

        Raises:
            ValueError: the CSV file is not such a table; the message names the line or sample and the reason.
        """
        if self.csv is not None:
            table = read_table(self.csv)
            features, y = table[:, :-1].copy(), table[:, -1].copy()
            wrong = np.flatnonzero((y != 0) & (y != 1))
            if wrong.size:
                raise ValueError(
                    f"{self.csv}: y, in the last column, must be 0 or 1, not {y[wrong[0]]:g} (sample {wrong[0] + 1})"
                )
            return features, y
        generator = np.random.Generator(np.random.PCG64(self.seed))
        features = generator.uniform(-1.0, 1.0, (self.samples, self.features))
        weights = np.where(np.arange(self.features) % 2, -TRUE_LENGTH, TRUE_LENGTH) / math.sqrt(self.features)
        odds = np.exp((features * weights).sum(axis=-1) + TRUE_BIAS)
        return features, (generator.uniform(size=self.samples) < odds / (1.0 + odds)).astype(np.float64)

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
        """The minimum, to rounding, by Newton's method.

        Raises:
            ValueError: the data have no minimum.
        """
        x = np.stack([self._minimiser(float(l2)) for l2 in np.ravel(self.l2)])
        value = self.value(x)
        return Minimum(x, value) if np.ndim(self.l2) else Minimum(x[0], float(value[0]))

    def value(self, x: Array) -> Array:
        """Return the mean of log(1 + exp(−sᵢ (w·Xᵢ + b))), plus (l2/2) ‖w‖²."""
        return self._mean(_losses, x) + self._penalty(x)

    def gradient(self, x: Array) -> Array:
        """Return the mean of −sᵢ (Xᵢ, 1)/(1 + exp(sᵢ (w·Xᵢ + b))), plus l2 (w, 0)."""
        return self._mean(_slopes, x) + self._ridge * x

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return f and ∇f, which share the exponentials."""
        both = self._mean(_losses_and_slopes, x)
        return both[..., 0] + self._penalty(x), both[..., 1:] + self._ridge * x

    def hessian(self, x: Array) -> Array:
        """Return the mean of qᵢ (Xᵢ, 1)(Xᵢ, 1)ᵀ, where qᵢ is the variance of yᵢ, plus l2 diag(1, …, 1, 0)."""
        return self._mean(_curvatures, x) + self._ridge[..., None] * np.eye(self.dimension)

    @cached_property
    def _ridge(self) -> Array:
        """l2 for each weight and 0 for the bias, `(dimension,)`; `(runs, dimension)` where l2 is swept."""
        ridge: Array = self.l2 * self._penalised
        return ridge

    @cached_property
    def _penalised(self) -> Array:
        return np.append(np.ones(self.dimension - 1), 0.0)

    def _penalty(self, x: Array) -> Array:
        penalty: Array = 0.5 * x.__array_namespace__().vecdot(self._ridge, x * x)
        return penalty

    @cached_property
    def _design(self) -> Array:
        """−sᵢ (Xᵢ, 1), `(samples, dimension)`: its product with x is uᵢ, and the loss is log(1 + e^uᵢ)."""
        features, y = self.data
        return np.where(y == 1, -1.0, 1.0)[:, None] * np.column_stack([features, np.ones(len(y))])

    @cached_property
    def _blocks(self) -> list[Array]:
        """The design matrix in blocks of samples, each block `(dimension, samples)`."""
        design = self._design
        return [np.ascontiguousarray(design[first : first + BLOCK].T) for first in range(0, len(design), BLOCK)]

    def _mean(self, part: Callable[[Array, Array], Array], x: Array) -> Array:
        """Return the mean over all samples, where `part(block, x)` returns the sum over a block of samples."""
        samples = len(self.data[1])
        rows = max(1, CHUNK // min(samples, BLOCK))
        if x.ndim != 2 or len(x) <= rows:
            return self._total(part, x) / samples
        totals = [self._total(part, x[first : first + rows]) for first in range(0, len(x), rows)]
        mean: Array = x.__array_namespace__().concat(totals, axis=0) / samples
        return mean

    def _total(self, part: Callable[[Array, Array], Array], x: Array) -> Array:
        total = part(self._blocks[0], x)
        for block in self._blocks[1:]:
            total = total + part(block, x)
        return total

    def _minimiser(self, l2: float) -> Array:
        """Return the minimiser for one l2, by damped Newton steps in coordinates z, x = basis · z, in which it is unique."""
        basis, ridge = self._basis(l2), l2 * self._penalised
        z, last = np.zeros(basis.shape[1]), False

        def height(z: Array) -> float:
            x = basis @ z
            return float(self._mean(_losses, x[None])[0] + 0.5 * (ridge * x * x).sum())

        for _ in range(MORE_NEWTON_STEPS if l2 > 0 else NEWTON_STEPS):
            x = basis @ z
            slope = basis.T @ (self._mean(_slopes, x[None])[0] + ridge * x)
            curvature = basis.T @ (self._mean(_curvatures, x[None])[0] + np.diag(ridge)) @ basis
            try:
                step = np.linalg.solve(curvature, slope)
            except np.linalg.LinAlgError:
                break
            if last:
                return np.asarray(basis @ (z - step))
            # Near the minimiser, each change of the margins is about the square of the last one. Without a minimum, each is 1.
            last = bool(np.abs(self._design @ (basis @ step)).max() <= 1e-6)
            here = height(z)
            for _ in range(HALVINGS):
                if height(z - step) <= here + 1e-12 * abs(here):
                    break
                step = 0.5 * step
            z = z - step
        if l2 > 0:
            raise ValueError(f"{self._named}: the minimum is not found with l2 = {l2:g}; give a larger l2")
        raise ValueError(
            f"{self._named}: a plane separates the two classes, so f has no minimum with l2 = 0: it falls for ever as the "
            "weights grow; give l2 > 0"
        )

    def _basis(self, l2: float) -> Array:
        """Return columns that span the directions on which f depends, scaled to the data."""
        size = np.sqrt((self._design**2).mean(axis=0))
        scale = 1.0 / np.where(size > 0, size, 1.0)
        if l2 > 0:
            return np.diag(scale)
        _, spread, directions = np.linalg.svd(np.linalg.qr(self._design * scale, mode="r"))
        tolerance = np.finfo(np.float64).eps * max(self._design.shape) * spread[0]
        return np.asarray(scale[:, None] * directions[: int((spread > tolerance).sum())].T)

    @property
    def _named(self) -> str:
        made_up = f"features = {self.features}, samples = {self.samples} and seed = {self.seed}"
        return made_up if self.csv is None else str(self.csv)


def _exponentials(block: Array, x: Array) -> tuple[Array, Array]:
    """Return e^v with v = min(u, 300), and u − v.

    NumPy orders complex numbers by their real part first, so this is analytic.
    """
    xp = x.__array_namespace__()
    # Unlike BLAS, einsum adds in the same order for one run and for many.
    u = xp.einsum("...d,ds->...s", x, block)
    capped = xp.minimum(u, CAP)
    return xp.exp(capped), u - capped


def _losses(block: Array, x: Array) -> Array:
    """Return Σ log(1 + e^u), `(runs,)`."""
    return _sum_losses(*_exponentials(block, x))


def _slopes(block: Array, x: Array) -> Array:
    """Return Σ ∇u e^u/(1 + e^u), `(runs, dimension)`."""
    return _sum_slopes(block, _exponentials(block, x)[0])


def _losses_and_slopes(block: Array, x: Array) -> Array:
    """Return the sums of losses and slopes side by side, `(runs, 1 + dimension)`."""
    exponentials, excess = _exponentials(block, x)
    losses, slopes = _sum_losses(exponentials, excess), _sum_slopes(block, exponentials)
    both: Array = x.__array_namespace__().concat([losses[..., None], slopes], axis=-1)
    return both


def _curvatures(block: Array, x: Array) -> Array:
    """Return Σ ∇u ∇uᵀ e^u/(1 + e^u)², `(runs, dimension, dimension)`."""
    xp = x.__array_namespace__()
    exponentials = _exponentials(block, x)[0]
    variances = exponentials / ((1.0 + exponentials) * (1.0 + exponentials))
    rows = [xp.vecdot(block, (variances * feature)[..., None, :]) for feature in block]
    sums = xp.stack(rows, axis=-1)
    symmetric: Array = 0.5 * (sums + xp.stack(rows, axis=-2))
    return symmetric


def _sum_losses(exponentials: Array, excess: Array) -> Array:
    xp = exponentials.__array_namespace__()
    losses: Array = xp.sum(xp.log1p(exponentials) + excess, axis=-1)
    return losses


def _sum_slopes(block: Array, exponentials: Array) -> Array:
    chances = exponentials / (1.0 + exponentials)
    slopes: Array = exponentials.__array_namespace__().vecdot(block, chances[..., None, :])
    return slopes


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer logistic regression."""
    return {"logistic_regression": LogisticRegression}

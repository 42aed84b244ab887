"""Derivatives by automatic differentiation, exact to rounding, for any formula written in the array API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from runner import Array, GradientBackend, HasResiduals, Objective, Quantity, hookimpl

BLOCK_ROWS = 1024
BLOCK_NUMBERS = 2**14
PROGRAMS = 256

Derivative = Callable[[jax.Array, jax.Array], jax.Array]


@dataclass(frozen=True)
class Jax(GradientBackend):
    """∇f(x)ᵀ = φ′ₙ φ′ₙ₋₁ ⋯ φ′₁ for f = φₙ ∘ ⋯ ∘ φ₁, where the φᵢ are the operations that compute f: the chain rule, by JAX.

    The product is computed from the left, which is reverse mode: it costs a few evaluations of f in any dimension. Column i of
    ∇²f is the derivative of ∇f along eᵢ (forward over reverse mode), and column i of ∂r/∂x is the derivative of r along eᵢ
    (forward mode). The only error is rounding. At a kink of f, the result is the derivative of one side, or a value between the
    sides.

    The method `value`, and for the Jacobian `residuals`, must be written with the functions of `x.__array_namespace__()`.

    Each run is differentiated by itself within one compiled program, so it has the same bits in any batch. The numbers are
    float64, whatever the settings of JAX are. The objective computes f itself, in NumPy.

    Each gradient or Hessian counts as one evaluation of f, and each Jacobian as one evaluation of r, for its forward pass. f and
    ∇f together count as one evaluation of f. The counts of ∇f and ∇²f count only calls of the objective's own methods, so they
    stay 0.

    Source: Griewank and Walther, Evaluating Derivatives, 2nd ed. (SIAM 2008), chapters 3 and 4; Bradbury et al., JAX: composable
    transformations of Python+NumPy programs (2018), https://github.com/jax-ml/jax.
    """

    def refusal(self, objective: Objective, quantity: Quantity) -> str | None:
        """Refuse an objective that JAX cannot trace."""
        name = type(objective).__name__
        if quantity == "jacobian" and not isinstance(objective, HasResiduals):
            return f"because {name} is no sum of squared residuals; use a least-squares objective such as linear_regression"
        problem = _problem(_family(objective, quantity), quantity)
        method = "residuals" if quantity == "jacobian" else "value"
        return problem and (
            f"because {name}.{method} is not written against the array namespace of its argument ({problem}); "
            "use gradient backend finite_difference"
        )

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return ∇f by reverse mode."""
        return self.value_and_gradient(objective, x)[1]

    def value_and_gradient(self, objective: Objective, x: Array) -> tuple[Array, Array]:
        """Return f as the objective computes it, and ∇f by reverse mode."""
        return objective.value(x), _derivative(objective, "gradient", x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return the symmetric part of ∇²f, computed by forward over reverse mode."""
        # This call is made only to be counted, because the engine does not see that the compiled program computes f.
        objective.value(x)
        hessian = _derivative(objective, "hessian", x)
        return 0.5 * (hessian + hessian.swapaxes(-2, -1))

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return ∂r/∂x by forward mode."""
        cast(HasResiduals, objective).residuals(x)  # This call, too, is made only to be counted.
        return _derivative(objective, "jacobian", x)


@dataclass(frozen=True)
class Family:
    """Objectives that differ only in some float parameters, and share a compiled program.

    Attributes:
        cls: their class.
        dimension: the number of coordinates of x.
        fixed: the parameters that they share.
        floats: the names of the parameters that the program takes as arguments.
        versions: the times when the files that the parameters name were last changed.
    """

    cls: type[Objective]
    dimension: int
    fixed: tuple[tuple[str, Any], ...]
    floats: tuple[str, ...]
    versions: tuple[int, ...]

    def member(self, numbers: jax.Array) -> Objective:
        """Return the objective with these float parameters, `(floats,)`, as columns of one row."""
        columns = {name: numbers[i].reshape(1, 1) for i, name in enumerate(self.floats)}
        return self.cls(**dict(self.fixed), **columns)


@dataclass(frozen=True)
class Program:
    """A compiled derivative.

    Attributes:
        compiled: the compiled function. Its arguments are the number of rows to compute, a block of x, and a block of float
            parameters.
        rows: the number of rows of a block.
    """

    compiled: Callable[..., jax.Array]
    rows: int

    def __call__(self, x: Array, numbers: Array) -> Array:
        """Return the derivative at each row of x, with the float parameters in the same row of `numbers`."""
        starts = range(0, max(1, len(x)), self.rows)
        blocks = [self._block(x[row : row + self.rows], numbers[row : row + self.rows]) for row in starts]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _block(self, x: Array, numbers: Array) -> Array:
        count = len(x)
        if count < self.rows:
            x, numbers = (np.concatenate([part, np.zeros((self.rows - count, part.shape[1]))]) for part in (x, numbers))
        return np.array(self.compiled(count, x, numbers))[:count]


def _derivative(objective: Objective, quantity: Quantity, x: Array) -> Array:
    itself = _itself(objective)
    family = _family(itself, quantity)
    numbers = np.empty((len(x), len(family.floats)))
    for i, name in enumerate(family.floats):
        numbers[:, i, None] = getattr(itself, name)
    with jax.enable_x64(True):
        return _program(family, quantity)(x, numbers)


def _itself(objective: Objective) -> Objective:
    """Return the objective behind the stand-in that counts evaluations for the engine."""
    return cast(Objective, cast(Any, objective.validate).__self__)


def _family(objective: Objective, quantity: Quantity) -> Family:
    """Return the largest family that JAX can trace."""
    values = {field.name: getattr(objective, field.name) for field in dataclasses.fields(cast(Any, objective)) if field.init}
    swept = any(isinstance(value, np.ndarray) for value in values.values())
    floats = tuple(
        field.name
        for field in dataclasses.fields(cast(Any, objective))
        if isinstance(values.get(field.name), float | np.ndarray) and field.metadata.get("batched", True)
    )
    fixed = tuple((name, value) for name, value in values.items() if name not in floats)
    versions = tuple(value.stat().st_mtime_ns for value in values.values() if isinstance(value, Path))
    family = Family(type(objective), objective.dimension, fixed, floats, versions)
    if floats and not swept and _problem(family, quantity) is not None:
        # If `value` branches on a parameter or calls a function of NumPy on it, the parameter must stay a number.
        return dataclasses.replace(family, fixed=tuple(values.items()), floats=())
    return family


@lru_cache(maxsize=PROGRAMS)
def _problem(family: Family, quantity: Quantity) -> str | None:
    """Return the reason why JAX cannot trace a derivative, or None if it can."""
    try:
        _shape(family, quantity)
    except Exception as error:  # any exception that a plugin raises for a tracer is a reason
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
    return None


@lru_cache(maxsize=PROGRAMS)
def _shape(family: Family, quantity: Quantity) -> Any:
    with jax.enable_x64(True):
        return jax.eval_shape(_at(family, quantity), np.empty(family.dimension), np.empty(len(family.floats)))


@lru_cache(maxsize=PROGRAMS)
def _program(family: Family, quantity: Quantity) -> Program:
    """Compile a derivative that is computed row by row.

    The rows are not vectorised, because XLA adds in another order, or fuses other products and sums, if the shape or the place of
    a row changes. A loop computes each row in the same way. It is as fast for a few coordinates, and several times slower for a
    hundred. All blocks have the same length. Otherwise, JAX would compile the program again whenever runs end and the length
    changes.
    """
    at, shape = _at(family, quantity), _shape(family, quantity)
    rows = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // max(1, shape.size)))

    def compute(count: jax.Array, x: jax.Array, numbers: jax.Array) -> jax.Array:
        def compute_row(row: jax.Array, results: jax.Array) -> jax.Array:
            return results.at[row].set(at(x[row], numbers[row]))

        results = jnp.zeros((rows, *shape.shape), shape.dtype)
        return cast(jax.Array, jax.lax.fori_loop(0, count, compute_row, results))

    return Program(jax.jit(compute), rows)


def _at(family: Family, quantity: Quantity) -> Derivative:
    """Return a derivative at one point, `(dimension,)`, given the float parameters, `(floats,)`."""

    def gradient(x: jax.Array, numbers: jax.Array) -> jax.Array:
        value, pull_back = jax.vjp(cast(Any, family.member(numbers).value), x[None])
        return cast(jax.Array, pull_back(jnp.ones_like(value))[0][0])

    def residuals(x: jax.Array, numbers: jax.Array) -> jax.Array:
        return cast(jax.Array, cast(Any, family.member(numbers)).residuals(x[None])[0])

    derivatives: Mapping[Quantity, Derivative] = {
        "gradient": gradient,
        "hessian": jax.jacfwd(gradient),
        "jacobian": jax.jacfwd(residuals),
    }
    return derivatives[quantity]


@hookimpl
def runner_gradients() -> Mapping[str, type[GradientBackend]]:
    """Offer automatic differentiation by JAX."""
    return {"jax": Jax}

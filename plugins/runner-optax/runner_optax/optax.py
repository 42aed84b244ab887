"""The optimizers of Optax, by their names."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import FunctionType
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from runner import Array, Memory, Optimizer, Point, hookimpl, parameter

BLOCK_ROWS = 1024
BLOCK_NUMBERS = 2**13
PROGRAMS = 256
RATES = ("learning_rate", "max_learning_rate")

Leaves = tuple[Any, ...]


@dataclass(frozen=True)
class Optax(Optimizer):
    """xₖ₊₁ = xₖ + uₖ with (uₖ, sₖ₊₁) = update(∇f(xₖ), sₖ, xₖ, f(xₖ)), where update and its state s are those of Optax.

    `optimizer` is a name in Optax, such as adam, rmsprop or lion, and the other parameters are arguments of that function. A
    missing argument takes the default of Optax, and an argument that the function does not have is refused. Only numbers can be
    given, not masks, types or schedules. Optimizers that evaluate f at other points, such as lbfgs with its line search, or that
    draw random numbers, such as noisy_sgd, cannot be used.

    Each run is stepped by itself within one compiled program, so it has the same bits in any batch. Norms over all coordinates,
    as in lamb, lars and fromage, are those of one run. The numbers are float64, whatever the settings of JAX are.

    Source: Babuschkin et al., The DeepMind JAX ecosystem (2020), https://github.com/google-deepmind/optax; the documentation of
    Optax gives the formula and the source of each optimizer.
    """

    optimizer: str = parameter(doc="name of the optimizer in Optax")
    learning_rate: float | None = parameter(None, above=0, doc="the learning rate")
    momentum: float | None = parameter(None, doc="the fraction of the velocity that is kept")
    nesterov: bool | None = parameter(None, doc="true for Nesterov's momentum")
    b1: float | None = parameter(None, doc="decay of the mean of the gradients")
    b2: float | None = parameter(None, doc="decay of the mean of their squares")
    b3: float | None = parameter(None, doc="a third decay (adan)")
    eps: float | None = parameter(None, doc="constant that keeps denominators above 0")
    eps_root: float | None = parameter(None, doc="constant within the root that keeps it above 0")
    eps_in_sqrt: bool | None = parameter(None, doc="true if eps is within the root (rmsprop)")
    decay: float | None = parameter(None, doc="decay of the mean of the squares (rmsprop)")
    centered: bool | None = parameter(None, doc="true to use the variance in place of the mean square (rmsprop)")
    initial_scale: float | None = parameter(None, doc="the mean square at the start (rmsprop)")
    bias_correction: bool | None = parameter(None, doc="true to correct means for their start at 0 (rmsprop)")
    bias_correction_mu: bool | None = parameter(None, doc="true to correct the mean for its start at 0 (amsgrad)")
    bias_correction_nu: bool | None = parameter(None, doc="true to correct the mean square for its start at 0 (amsgrad)")
    initial_accumulator_value: float | None = parameter(None, doc="the sum of squares at the start (adagrad)")
    rho: float | None = parameter(None, doc="decay of the mean squares (adadelta)")
    weight_decay: float | None = parameter(None, doc="the fraction of x that is subtracted, in learning rates")
    alpha: float | None = parameter(None, doc="generalisation of the current gradient (optimistic)")
    beta: float | None = parameter(None, doc="weight of the gradient before (optimistic), decay (signum)")
    optimism: float | None = parameter(None, doc="strength of the optimism (optimistic_adam)")
    threshold: float | None = parameter(None, doc="threshold from which the variance is used (radam)")
    trust_coefficient: float | None = parameter(None, doc="factor of the trust ratio (lars)")
    min_norm: float | None = parameter(None, doc="the smallest norm that counts (fromage)")
    eta_minus: float | None = parameter(None, doc="factor for a step after the slope has changed its sign (rprop)")
    eta_plus: float | None = parameter(None, doc="factor for a step while the slope keeps its sign (rprop)")
    min_step_size: float | None = parameter(None, doc="the smallest step (rprop)")
    max_step_size: float | None = parameter(None, doc="the largest step (rprop)")
    max_learning_rate: float | None = parameter(None, above=0, doc="the largest learning rate (polyak_sgd)")
    scaling: float | None = parameter(None, doc="factor of the step (polyak_sgd)")
    f_min: float | None = parameter(None, doc="the smallest value of f (polyak_sgd)")
    decay_rate: float | None = parameter(None, doc="decay of the mean squares (adafactor)")
    clipping_threshold: float | None = parameter(None, doc="the largest root mean square of a step (adafactor)")
    multiply_by_parameter_scale: bool | None = parameter(None, doc="true for steps relative to x (adafactor)")
    factored: bool | None = parameter(None, doc="true to factor the mean squares (adafactor)")
    weight_decay_rate: float | None = parameter(None, doc="the fraction of x that is subtracted (adafactor)")

    def validate(self) -> None:
        """Refuse unknown optimizers, arguments that do not fit, and optimizers that need more than f and ∇f at this point."""
        known = _known()
        if self.optimizer not in known:
            close = difflib.get_close_matches(self.optimizer, known, n=1)
            raise ValueError(
                f"optimizer = {self.optimizer!r} is not in Optax {optax.__version__}; "
                + (f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}")
            )
        accepted, given = known[self.optimizer], self._given
        for name in given:
            if name not in accepted:
                raise ValueError(f"optimizer = {self.optimizer!r} takes no {name}; it takes {', '.join(accepted)}")
        missing = [name for name, needed in accepted.items() if needed and name not in given]
        if missing:
            raise ValueError(f"optimizer = {self.optimizer!r} needs {' and '.join(missing)}")
        problem = _problem(self._rule(1))
        if problem is not None:
            raise ValueError(f"optimizer = {self.optimizer!r} cannot step from f and ∇f at one point alone: {problem}")

    def init(self, x: Array) -> Memory:
        """Return the leaves of the states of Optax, each with a leading runs axis."""
        rule = self._rule(x.shape[1])
        return _run(_init_program(rule), self._numbers(rule, len(x)), x)

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x + u, and the states after the step."""
        rule = self._rule(point.x.shape[1])
        arguments = (self._numbers(rule, len(point.x)), point.x, point.value, point.gradient, *memory)
        x, *leaves = _run(_step_program(rule), *arguments)
        return x, tuple(leaves)

    @property
    def _given(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "optimizer"}
        return {name: value for name, value in values.items() if value is not None}

    def _rule(self, dimension: int) -> Rule:
        given = self._given
        floats = tuple(name for name, value in given.items() if isinstance(value, float | np.ndarray))
        fixed = tuple((name, value) for name, value in given.items() if name not in floats)
        return Rule(self.optimizer, dimension, fixed, floats)

    def _numbers(self, rule: Rule, runs: int) -> Array:
        numbers = np.empty((runs, len(rule.floats)))
        for i, name in enumerate(rule.floats):
            numbers[:, i, None] = getattr(self, name)
        return numbers


@dataclass(frozen=True)
class Rule:
    """An optimizer of Optax without its float arguments, which the compiled code takes as arguments.

    Attributes:
        name: the name of the function in Optax.
        dimension: the number of coordinates of x.
        fixed: the arguments that are not floats.
        floats: the names of the float arguments.
    """

    name: str
    dimension: int
    fixed: tuple[tuple[str, Any], ...]
    floats: tuple[str, ...]

    def init(self, numbers: jax.Array, x: jax.Array) -> Leaves:
        """Return the leaves of the state at the start `(dimension,)`, given the float arguments `(floats,)`."""
        return tuple(map(jnp.asarray, jax.tree.leaves(self._made(numbers).init(x))))

    def step(self, numbers: jax.Array, x: jax.Array, value: jax.Array, gradient: jax.Array, *leaves: jax.Array) -> Leaves:
        """Return the next iterate and the leaves of the state after the step."""
        made = self._made(numbers)
        structure = jax.tree.structure(jax.eval_shape(made.init, x))
        # Some optimizers use f, and the others ignore it.
        updates, state = made.update(gradient, jax.tree.unflatten(structure, leaves), x, value=value)
        after = [jnp.asarray(new, old.dtype) for new, old in zip(jax.tree.leaves(state), leaves, strict=True)]
        return optax.apply_updates(x, updates), *after

    def _made(self, numbers: jax.Array) -> optax.GradientTransformationExtraArgs:
        arguments = {name: numbers[i] for i, name in enumerate(self.floats)}
        return optax.with_extra_args_support(getattr(optax, self.name)(**dict(self.fixed), **arguments))


@dataclass(frozen=True)
class Program:
    """A compiled function of rows.

    Attributes:
        compiled: the function of the number of rows to compute, and of blocks of the arguments.
        rows: the number of rows of a block.
    """

    compiled: Callable[..., Leaves]
    rows: int


@cache
def _known() -> dict[str, dict[str, bool]]:
    """Return, for each optimizer of Optax, the arguments that can be given here, each with True if it is required."""
    fields = {field.name for field in dataclasses.fields(Optax)}
    known = {}
    for name, function in vars(optax).items():
        if isinstance(function, FunctionType | partial) and not name.startswith(("_", "scale_by_")):
            arguments = inspect.signature(function).parameters
            if any(rate in arguments for rate in RATES):
                taken = {key: argument.default is argument.empty for key, argument in arguments.items() if key in fields}
                known[name] = taken
    return dict(sorted(known.items()))


@lru_cache(maxsize=PROGRAMS)
def _problem(rule: Rule) -> str | None:
    """Return the reason why an optimizer cannot take a step, or None if it can."""
    numbers, x, value = np.empty(len(rule.floats)), np.empty(rule.dimension), np.empty(())
    try:
        with jax.enable_x64(True):
            leaves = jax.eval_shape(rule.init, numbers, x)
            if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves):
                return "it draws random numbers"
            jax.eval_shape(rule.step, numbers, x, value, x, *leaves)
    except Exception as error:  # any exception that Optax raises is a reason
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
    return None


@lru_cache(maxsize=PROGRAMS)
def _init_program(rule: Rule) -> Program:
    return _row_after_row(rule.init, rule.dimension)


@lru_cache(maxsize=PROGRAMS)
def _step_program(rule: Rule) -> Program:
    return _row_after_row(rule.step, rule.dimension)


def _row_after_row(function: Callable[..., Leaves], dimension: int) -> Program:
    """Compile a function of one row for blocks of rows.

    The rows are not vectorised, because XLA would then change the order of its sums, or fuse different products and sums, when
    the shape or the place of a row changes. A loop computes each row in the same way. It is as fast for a few coordinates, and
    several times slower for a hundred. All blocks have the same length, since each new length would be compiled again whenever
    runs end.
    """
    rows = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // dimension))

    def compute(count: jax.Array, *blocks: jax.Array) -> Leaves:
        shapes = jax.eval_shape(function, *(block[0] for block in blocks))

        def compute_row(row: jax.Array, results: Leaves) -> Leaves:
            computed = function(*(block[row] for block in blocks))
            return tuple(result.at[row].set(part) for result, part in zip(results, computed, strict=True))

        results = tuple(jnp.zeros((rows, *shape.shape), shape.dtype) for shape in shapes)
        return cast(Leaves, jax.lax.fori_loop(0, count, compute_row, results))

    return Program(jax.jit(compute), rows)


def _run(program: Program, *arguments: Array) -> Leaves:
    """Return the results of the program for each row of the arguments, as NumPy arrays."""
    with jax.enable_x64(True):
        starts = range(0, len(arguments[0]), program.rows)
        blocks = [_block(program, [argument[row : row + program.rows] for argument in arguments]) for row in starts]
    return blocks[0] if len(blocks) == 1 else tuple(map(np.concatenate, zip(*blocks, strict=True)))


def _block(program: Program, arguments: list[Array]) -> Leaves:
    count = len(arguments[0])
    if count < program.rows:
        short = program.rows - count
        arguments = [np.concatenate([part, np.zeros((short, *part.shape[1:]), part.dtype)]) for part in arguments]
    return tuple(np.array(part)[:count] for part in program.compiled(count, *arguments))


@hookimpl
def runner_optimizers() -> Mapping[str, type[Optimizer]]:
    """Offer the optimizers of Optax."""
    return {"optax": Optax}

"""Optax compared with plain formulas, iterate by iterate; also the bits, the refusals, and a complete `runner run`."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from runner import Array, Point
from runner.testing import check_optimizer
from runner_optax.optax import BLOCK_ROWS, Optax, _known

EXAMPLE = Path(__file__).parent.parent / "example.toml"
REFUSED = ("lbfgs", "noisy_sgd")
NO_NUMBERS = {"mask", "weight_decay_mask", "trust_ratio_mask", "mu_dtype", "accumulator_dtype", "dtype_momentum", "variant"}
OF_MATRICES = {"min_dim_size_to_factor", "decay_offset"}


class Here(Point):
    """f(x) = Σ λᵢ xᵢ² + Σ sin xᵢ, with λ = 1, 4, 9 …"""

    def __init__(self, x: Array) -> None:
        self._x = x
        self._scale = np.arange(1.0, x.shape[1] + 1) ** 2

    x = property(lambda self: self._x)
    value = property(lambda self: (self._scale * self._x**2 + np.sin(self._x)).sum(axis=-1))
    gradient = property(lambda self: 2 * self._scale * self._x + np.cos(self._x))
    hessian = residuals = jacobian = property(lambda self: pytest.fail("only f and its gradient are needed"))

    def at(self, x: Array, where: Any = None) -> Point:
        return pytest.fail("f is not looked at elsewhere")


def starts(runs: int = 5, dimension: int = 3) -> Array:
    return np.random.default_rng(0).uniform(-2, 2, (runs, dimension))


def iterates(optimizer: Optax, x: Array, steps: int) -> Iterator[Array]:
    memory = optimizer.init(x)
    for _ in range(steps):
        x, memory = optimizer.step(Here(x), memory)
        yield x


def sgd(rate: float, momentum: float, nesterov: bool) -> Callable[[int, Array, Array], Array]:
    velocity: Any = 0.0

    def move(_: int, gradient: Array, x: Array) -> Array:
        nonlocal velocity
        velocity = momentum * velocity + gradient
        return -rate * (gradient + momentum * velocity if nesterov else velocity)

    return move


def rmsprop(rate: float, decay: float, eps: float) -> Callable[[int, Array, Array], Array]:
    square: Any = 0.0

    def move(_: int, gradient: Array, x: Array) -> Array:
        nonlocal square
        square = decay * square + (1 - decay) * gradient**2
        return -rate * gradient / np.sqrt(square + eps)

    return move


def adam(rate: float, b1: float, b2: float, eps: float, weight_decay: float = 0.0) -> Callable[[int, Array, Array], Array]:
    mean: Any = 0.0
    square: Any = 0.0

    def move(step: int, gradient: Array, x: Array) -> Array:
        nonlocal mean, square
        mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
        whole, root = mean / (1 - b1**step), np.sqrt(square / (1 - b2**step))
        return -rate * (whole / (root + eps) + weight_decay * x)

    return move


def lion(rate: float, b1: float, b2: float, weight_decay: float) -> Callable[[int, Array, Array], Array]:
    mean: Any = 0.0

    def move(_: int, gradient: Array, x: Array) -> Array:
        nonlocal mean
        step = np.sign(b1 * mean + (1 - b1) * gradient)
        mean = b2 * mean + (1 - b2) * gradient
        return -rate * (step + weight_decay * x)

    return move


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        (Optax("sgd", 0.02), lambda: sgd(0.02, 0.0, False)),
        (Optax("sgd", 0.02, momentum=0.9), lambda: sgd(0.02, 0.9, False)),
        (Optax("sgd", 0.02, momentum=0.8, nesterov=True), lambda: sgd(0.02, 0.8, True)),
        (Optax("rmsprop", 0.01), lambda: rmsprop(0.01, 0.9, 1e-8)),
        (Optax("rmsprop", 0.01, decay=0.99, eps=1e-4), lambda: rmsprop(0.01, 0.99, 1e-4)),
        (Optax("adam", 0.05), lambda: adam(0.05, 0.9, 0.999, 1e-8)),
        (Optax("adam", 0.05, b1=0.8, b2=0.9, eps=1e-3), lambda: adam(0.05, 0.8, 0.9, 1e-3)),
        (Optax("adamw", 0.05, weight_decay=0.01), lambda: adam(0.05, 0.9, 0.999, 1e-8, 0.01)),
        (Optax("lion", 0.01), lambda: lion(0.01, 0.9, 0.99, 1e-3)),
    ],
    ids=lambda value: value.optimizer if isinstance(value, Optax) else "",
)
def test_iterates_are_those_of_the_formula(optimizer: Optax, formula: Callable[[], Callable[[int, Array, Array], Array]]):
    move, x = formula(), starts()
    for step, iterate in enumerate(iterates(optimizer, x, 100), start=1):
        x = x + move(step, Here(x).gradient, x)
        assert np.abs(iterate - x).max() <= 1e-10


def test_polyak_sees_f():
    """γ = (f − f*)/‖∇f‖²."""
    x = starts()
    here = Here(x)
    (after,) = iterates(Optax("polyak_sgd", max_learning_rate=10.0, f_min=-5.0), x, 1)
    rate = np.minimum((here.value + 5) / (here.gradient**2).sum(axis=-1), 10.0)
    assert np.abs(after - (x - rate[:, None] * here.gradient)).max() < 1e-12


@pytest.mark.parametrize("name", sorted(set(_known()) - set(REFUSED)))
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_the_contract_holds_for_each(name: str):
    optimizer = Optax(name, learning_rate=0.05) if "learning_rate" in _known()[name] else Optax(name)
    optimizer.validate()
    check_optimizer(optimizer)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "lars", "adafactor", "amsgrad"])
def test_every_number_can_be_swept(name: str):
    """The checks of `check_optimizer`, with arguments that are absent by default."""
    arguments = inspect.signature(getattr(optax, name)).parameters
    numbers = {key: arguments[key].default for key in _known()[name] if isinstance(arguments[key].default, float)}
    check_optimizer(Optax(name, **{**numbers, "learning_rate": 0.05}))


@pytest.mark.parametrize("name", ["adam", "lamb", "rprop"])
def test_a_run_has_the_same_bits_in_any_batch_and_at_any_place(name: str):
    x = starts(40, 7)
    rates = np.linspace(0.01, 0.2, 40)[:, None]
    whole = list(iterates(Optax(name, rates), x, 5))
    for rows in (np.s_[:1], np.s_[3:4], np.s_[::-1], np.s_[5:30]):
        for together, some in zip(whole, iterates(Optax(name, rates[rows]), x[rows], 5), strict=True):
            assert some.tobytes() == together[rows].tobytes()
    (alone,) = iterates(Optax(name, float(rates[7, 0])), x[7:8], 1)
    assert alone.tobytes() == whole[0][7:8].tobytes()


def test_a_batch_may_be_longer_than_a_block():
    x = starts(BLOCK_ROWS + 3)
    whole, tail = (list(iterates(Optax("adam", 0.1), part, 2))[-1] for part in (x, x[-4:]))
    assert whole[-4:].tobytes() == tail.tobytes()


def test_memory_is_arrays_of_runs_and_the_setting_of_jax_is_left_alone():
    memory = Optax("adam", 0.1).init(starts(4))
    assert [(type(leaf), len(leaf)) for leaf in memory] == [(np.ndarray, 4)] * 3
    assert {leaf.dtype for leaf in memory} == {np.dtype(np.int32), np.dtype(np.float64)}
    assert jax.numpy.ones(1).dtype == np.float32


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        (Optax("adm", 0.1), f"optimizer = 'adm' is not in Optax {optax.__version__}; did you mean adam?"),
        (Optax("sgd", 0.1, b1=0.9), "optimizer = 'sgd' takes no b1; it takes learning_rate, momentum, nesterov"),
        (Optax("adam"), "optimizer = 'adam' needs learning_rate"),
        (
            Optax("noisy_sgd", 0.1),
            "optimizer = 'noisy_sgd' cannot step from f and ∇f at one point alone: it draws random numbers",
        ),
    ],
    ids=lambda value: value.optimizer if isinstance(value, Optax) else "",
)
@pytest.mark.filterwarnings("ignore:Specifying a key")
def test_what_cannot_be_is_refused(optimizer: Optax, told: str):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        optimizer.validate()


def test_a_line_search_is_refused_and_a_name_that_is_like_none_lists_all():
    with pytest.raises(
        ValueError, match="optimizer = 'lbfgs' cannot step from f and ∇f at one point alone: TypeError: .*value_fn"
    ):
        Optax("lbfgs").validate()
    with pytest.raises(ValueError, match="allowed: adabelief, .*, yogi"):
        Optax("zzz").validate()


def test_every_number_that_optax_takes_can_be_given():
    """A new version of Optax may add arguments: add them to the fields, or to the list of arguments that are not supported."""
    fields = {field.name for field in dataclasses.fields(Optax)}
    for name in sorted(set(_known()) - set(REFUSED)):
        left_out = set(inspect.signature(getattr(optax, name)).parameters) - fields
        assert left_out <= NO_NUMBERS | OF_MATRICES, name


def runner(folder: Path, *arguments: object) -> Any:
    command = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
    around = {name: value for name, value in os.environ.items() if name != "RUNNER_DB"}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_example_runs_and_its_runs_are_stored(tmp_path: Path):
    told = json.loads(runner(tmp_path, "run", EXAMPLE, "--db", "r.db", "--no-report", "--format", "json"))
    assert sum(told["computed"].values()) == 400
    with closing(sqlite3.connect(tmp_path / "r.db")) as database:
        asked = "SELECT text, count(*) FROM parameters WHERE kind = 'optimizer' AND name = 'optimizer' GROUP BY 1"
        assert database.execute(asked).fetchall() == [("adam", 120), ("lion", 40), ("rmsprop", 120), ("sgd", 120)]
        outcomes = dict(database.execute("SELECT outcome, count(*) FROM runs GROUP BY 1").fetchall())
        assert "failed" not in outcomes
        assert outcomes["converged"] > 20
        counted = "SELECT DISTINCT value_evaluations - steps, gradient_evaluations - steps FROM runs"
        assert database.execute(counted).fetchall() == [(1, 1)]

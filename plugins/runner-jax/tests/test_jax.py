"""Tests of the chain rule: agreement with formulas, equal bits in any batch, refusals, and its use in `runner run`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from runner import Array, HasResiduals, LeastSquares, Objective, parameter
from runner.testing import check_gradient_backend
from runner_jax.jax import BLOCK_ROWS, Jax
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic

EXAMPLE = Path(__file__).parent.parent / "example.toml"
KNOWN = [
    Quadratic(),
    Quadratic(2, 10.0),
    Quadratic(33, 1e3),
    SinQuadratic(),
    SinQuadratic(-7.0, 3.0),
    LinearRegression(),
    LinearRegression(features=4, samples=20),
]
labelled = pytest.mark.parametrize("objective", KNOWN, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}")


@dataclass(frozen=True)
class Valley(Objective):
    """f(x) = exp(x₁) sin(a x₂) + x₁² x₂³ + Σ tanh(xᵢ) log(1 + xᵢ²): no derivative vanishes."""

    dimension: int = parameter(3)
    a: float = parameter(1.5)

    def value(self, x: Array) -> Array:
        xp = x.__array_namespace__()
        one, two = x[..., :1], x[..., 1:2]
        first = xp.exp(one) * xp.sin(self.a * two) + one**2 * two**3
        return (first + xp.sum(xp.tanh(x) * xp.log1p(x * x), axis=-1, keepdims=True))[..., 0]


@dataclass(frozen=True)
class Rosenbrock(LeastSquares):
    """rᵢ = 10 (xᵢ₊₁ − xᵢ²) and 1 − xᵢ."""

    dimension: int = parameter(4)

    def residuals(self, x: Array) -> Array:
        xp = x.__array_namespace__()
        return xp.concat([10 * (x[..., 1:] - x[..., :-1] ** 2), 1 - x[..., :-1]], axis=-1)

    def jacobian(self, x: Array) -> Array:
        rows, moves = np.zeros((len(x), 2 * self.dimension - 2, self.dimension)), np.arange(self.dimension - 1)
        rows[:, moves, moves] = -20 * x[:, :-1]
        rows[:, moves, moves + 1] = 10
        rows[:, moves + self.dimension - 1, moves] = -1
        return rows


@dataclass(frozen=True)
class Branch(Objective):
    """f(x) = a Σ xᵢ², by a formula that branches on a."""

    dimension: int = 2
    a: float = 1.0

    def value(self, x: Array) -> Array:
        total = (x * x).sum(axis=-1)
        return total if self.a == 1 else self.a * total


@dataclass(frozen=True)
class InNumPy(Objective):
    """f(x) = Σ sin xᵢ, in NumPy and nothing else."""

    dimension: int = 2

    def value(self, x: Array) -> Array:
        return np.sin(x).sum(axis=-1)


def points(objective: Objective, runs: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-3, 3, (runs, objective.dimension))


def close(one: Array, other: Array, tolerance: float = 1e-12) -> bool:
    return bool(np.abs(one - other).max() <= tolerance * (1 + np.abs(other).max()))


@pytest.mark.parametrize("objective", [*KNOWN, Valley(), Rosenbrock(), Branch(a=2.0)], ids=repr)
def test_the_contract_holds(objective: Objective):
    check_gradient_backend(Jax(), objective)


@labelled
def test_derivatives_are_those_of_the_formulas(objective: Any):
    x = points(objective, 200)
    assert close(Jax().gradient(objective, x), objective.gradient(x))
    assert close(Jax().hessian(objective, x), objective.hessian(x))
    if isinstance(objective, HasResiduals):
        assert close(Jax().jacobian(objective, x), objective.jacobian(x))


def test_derivatives_of_a_formula_by_hand():
    x = points(Valley(2, 2.0), 100)
    one, two = x.T
    bend, slope = np.tanh(x) * 2 * x / (1 + x * x), np.log1p(x * x) / np.cosh(x) ** 2
    by_hand = bend + slope
    by_hand[:, 0] += np.exp(one) * np.sin(2 * two) + 2 * one * two**3
    by_hand[:, 1] += 2 * np.exp(one) * np.cos(2 * two) + 3 * one**2 * two**2
    assert close(Jax().gradient(Valley(2, 2.0), x), by_hand)
    mixed = 2 * np.exp(one) * np.cos(2 * two) + 6 * one * two**2
    assert close(Jax().hessian(Valley(2, 2.0), x)[:, 0, 1], mixed)


def test_least_squares_follow_from_their_residuals():
    objective, x = Rosenbrock(5), points(Rosenbrock(5), 50)
    assert close(Jax().jacobian(objective, x), objective.jacobian(x))
    assert close(Jax().gradient(objective, x), objective.gradient(x))


@pytest.mark.parametrize("dimension", [3, 5, 12])
def test_a_run_has_the_same_bits_in_any_batch_and_at_any_place(dimension: int):
    """If XLA vectorised the rows, its fused products and sums would depend on a row's place, e.g. in three coordinates."""
    for objective in (Valley(dimension), Rosenbrock(dimension), LinearRegression(features=dimension), Quadratic(dimension, 50.0)):
        x = points(objective, 100)
        whole = Jax().gradient(objective, x)
        for runs in (1, 2, 7, 64, 99):
            assert Jax().gradient(objective, x[:runs]).tobytes() == whole[:runs].tobytes()
        for shift in (1, 2, 3, 50):
            assert np.roll(Jax().gradient(objective, np.roll(x, shift, axis=0)), -shift, axis=0).tobytes() == whole.tobytes()
        hessian = Jax().hessian(objective, x[:9])
        assert Jax().hessian(objective, x[8:9]).tobytes() == hessian[8:9].tobytes()


def test_a_batch_may_be_longer_than_a_block():
    x = points(Valley(), 2 * BLOCK_ROWS + 3)
    whole = Jax().gradient(Valley(), x)
    assert whole.shape == x.shape
    assert Jax().gradient(Valley(), x[-5:]).tobytes() == whole[-5:].tobytes()


def test_no_run_is_an_empty_array():
    assert Jax().gradient(Valley(), np.empty((0, 3))).shape == (0, 3)


def test_a_swept_parameter_gives_the_bits_of_single_runs():
    x, numbers = points(Valley(), 20), np.linspace(0.5, 2.0, 20)
    swept = replace(Valley(), a=numbers[:, None])
    for method in (Jax().gradient, Jax().hessian):
        whole = method(swept, x)
        for row, number in enumerate(numbers):
            single = method(Valley(a=float(number)), x[row : row + 1])
            assert single.tobytes() == whole[row : row + 1].tobytes()


def test_a_formula_that_asks_what_a_parameter_is_works_for_numbers():
    x = points(Branch(), 5)
    assert close(Jax().gradient(Branch(a=3.0), x), 6 * x)
    assert Jax().refusal(Branch(a=3.0), "gradient") is None
    with pytest.raises(ValueError, match="truth value"):
        Jax().gradient(Branch(a=np.ones((5, 1))), x)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path):
    file = tmp_path / "data.csv"
    for change, text in enumerate(["0,1\n1,2\n2,4\n", "0,5\n1,1\n2,0\n"]):
        file.write_text(text, encoding="utf-8")
        os.utime(file, (change, change))
        objective: Any = LinearRegression(csv=file)
        x = points(objective, 5)
        assert close(Jax().gradient(objective, x), objective.gradient(x))


def test_a_formula_in_numpy_is_refused():
    told = Jax().refusal(InNumPy(), "gradient")
    assert told == (
        "because InNumPy.value is not written against the array namespace of its argument (TracerArrayConversionError: The "
        "numpy.ndarray conversion method __array__() was called on traced array with shape float64[1,2]); use gradient backend "
        "finite_difference"
    )
    assert Jax().refusal(Valley(), "jacobian") == (
        "because Valley is no sum of squared residuals; use a least-squares objective such as linear_regression"
    )
    assert Jax().refusal(Rosenbrock(), "jacobian") is None


def test_the_setting_of_jax_is_left_alone_and_does_not_matter():
    before = Jax().gradient(Valley(), points(Valley(), 3))
    assert before.dtype == np.float64
    assert jax.numpy.ones(1).dtype == np.float32
    with jax.enable_x64(True):
        assert Jax().gradient(Valley(), points(Valley(), 3)).tobytes() == before.tobytes()
        assert jax.numpy.ones(1).dtype == np.float64
    assert Jax().hessian(Valley(), points(Valley(), 3)).dtype == np.float64


def runner(folder: Path, *arguments: object) -> Any:
    command = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
    around = {name: value for name, value in os.environ.items() if name != "RUNNER_DB"}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_example_runs_and_its_runs_are_stored(tmp_path: Path):
    told = json.loads(runner(tmp_path, "run", EXAMPLE, "--db", "r.db", "--no-report", "--format", "json"))
    assert sum(told["computed"].values()) == 378
    with closing(sqlite3.connect(tmp_path / "r.db")) as database:
        rows = database.execute(
            "SELECT gradient, optimizer, objective, outcome, count(*) FROM runs GROUP BY 1, 2, 3, 4"
        ).fetchall()
        by_backend = {name: sorted(row[1:] for row in rows if row[0] == name) for name in ("analytic", "jax")}
        assert by_backend["jax"] == by_backend["analytic"]
        counted = "SELECT DISTINCT value_evaluations - steps, gradient_evaluations FROM runs WHERE gradient = 'jax' AND optimizer LIKE 'gradient%'"
        assert database.execute(counted).fetchall() == [(1, 0)]
        worst = "SELECT max(final_gap) FROM runs WHERE gradient = 'jax' AND optimizer LIKE 'newton%'"
        assert database.execute(worst).fetchone()[0] < 1e-12

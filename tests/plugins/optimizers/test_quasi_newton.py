"""BFGS and L-BFGS, against the matrix formula and theory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array, Objective, Optimizer
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.backtracking import Backtracking
from runner_plugins.optimizers.bfgs import BFGS, Model, updated
from runner_plugins.optimizers.l_bfgs import LBFGS
from tests.support.optimizer_paths import Iterates, Rosenbrock, point_of, take_steps


def values(objective: Any, way: Iterates) -> Array:
    return np.array([objective.value(x) for x in way.x])


def bfgs_by_hand(objective: Any, x: Array, steps: int, history: int | None = None) -> list[Array]:
    """BFGS for one run, with matrix products; with a history, the matrix is built anew from the last pairs at every step."""
    f = lambda z: float(objective.value(z[None])[0])  # noqa: E731
    slope = lambda z: objective.gradient(z[None])[0]  # noqa: E731
    pairs: list[tuple[Array, Array]] = []
    xs = [x]
    for _ in range(steps):
        kept = pairs if history is None else pairs[-history:]
        identity = np.eye(len(x))
        inverse = identity
        if pairs:
            s, y = pairs[0] if history is None else pairs[-1]
            inverse = (s @ y) / (y @ y) * identity
        for s, y in kept:
            rho = 1 / (s @ y)
            inverse = (identity - rho * np.outer(s, y)) @ inverse @ (identity - rho * np.outer(y, s)) + rho * np.outer(s, s)
        p, alpha, low, high = -inverse @ slope(x), 1.0, 0.0, math.inf
        while True:
            if f(x + alpha * p) > f(x) + 1e-4 * alpha * (slope(x) @ p):
                high = alpha
            elif slope(x + alpha * p) @ p < 0.9 * (slope(x) @ p):
                low = alpha
            else:
                break
            alpha = (low + high) / 2 if high < math.inf else 2 * alpha
        new = x + alpha * p
        pairs.append((new - x, slope(new) - slope(x)))
        x = new
        xs.append(x)
    return xs


@pytest.mark.parametrize("start", [[-1.2, 1.0], [0.3, -0.5], [2.0, 2.0]])
@pytest.mark.parametrize(("optimizer", "history"), [(BFGS(), None), (LBFGS(), 10), (LBFGS(history=1), 1), (LBFGS(history=3), 3)])
def test_bfgs_agrees_with_the_matrix_formula(optimizer: Optimizer, history: int | None, start: list[float]) -> None:
    expected = bfgs_by_hand(Rosenbrock(), np.array(start), 12, history)
    np.testing.assert_allclose(np.concatenate(take_steps(Rosenbrock(), optimizer, [start], 12).x), expected, rtol=0, atol=1e-10)


def test_bfgs_and_l_bfgs_agree_before_the_second_pair() -> None:
    start = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    bfgs, l_bfgs = (take_steps(Rosenbrock(5), optimizer, start, 6).x for optimizer in (BFGS(), LBFGS()))
    np.testing.assert_allclose(l_bfgs[:3], bfgs[:3], rtol=0, atol=1e-12)
    assert np.abs(l_bfgs[6] - bfgs[6]).max() > 1e-6


vectors = arrays(np.float64, (3, 4), elements=st.floats(-10, 10).map(lambda number: round(number, 3)))


@given(vectors, vectors, st.integers(0, 2**32 - 1))
def test_the_update_satisfies_the_secant_equation_and_stays_positive_definite(s: Array, y: Array, seed: int) -> None:
    root = np.random.default_rng(seed).normal(size=(3, 4, 4))
    inverse = root @ root.swapaxes(1, 2) + np.eye(4)
    inverse = 0.5 * (inverse + inverse.swapaxes(1, 2))
    model = updated(Model(np.zeros((3, 4)), np.zeros((3, 4)), inverse, np.zeros(3, dtype=bool)), s, y, 0.05)
    for run in range(3):
        after, length = model.inverse[run], np.linalg.norm(s[run])
        np.testing.assert_array_equal(after, after.T)
        if length == 0:
            np.testing.assert_array_equal(after, np.eye(4))
        elif s[run] @ y[run] > 0.0501 * length * np.linalg.norm(y[run]) > 1e-3:
            size = np.linalg.norm(after) * np.linalg.norm(y[run])
            np.testing.assert_allclose(after @ y[run], s[run], atol=1e-12 * size)
            assert np.linalg.eigvalsh(after).min() > -1e-12 * np.linalg.norm(after)
        elif s[run] @ y[run] < 0.0499 * length * np.linalg.norm(y[run]):
            np.testing.assert_array_equal(after, inverse[run])


def test_matrix_is_not_updated_where_the_curvature_is_negative() -> None:
    @dataclass(frozen=True)
    class Waves(Objective):
        """Σ cos xᵢ."""

        dimension: int = 2

        def value(self, x: Array) -> Array:
            return np.cos(x).sum(axis=-1)

        def gradient(self, x: Array) -> Array:
            return -np.sin(x)

    # Near the top, where the curvature is negative, and near the bottom, where it is positive.
    start = np.array([[0.05, -0.03], [3.0, -3.1]])
    early = take_steps(Waves(), BFGS(max_trials=1), start, 3).memory
    assert early.fresh.tolist() == [True, False]
    np.testing.assert_array_equal(early.inverse[0], np.eye(2))
    short = take_steps(Waves(), LBFGS(max_trials=1), start, 3).memory
    assert [int((rho > 0).sum()) for rho in short.rho] == [0, 2]
    for optimizer in (BFGS(max_trials=1), LBFGS(max_trials=1), BFGS(), LBFGS()):
        np.testing.assert_allclose(np.cos(take_steps(Waves(), optimizer, start, 40).x[-1]), -1.0, atol=1e-13)


def test_l_bfgs_keeps_no_more_pairs_than_its_history() -> None:
    memory = take_steps(Rosenbrock(), LBFGS(history=4), [[-1.2, 1.0], [0.0, 0.0]], 9).memory
    assert memory.s.shape == memory.y.shape == (2, 4, 2)
    np.testing.assert_allclose(memory.rho * np.vecdot(memory.s, memory.y), 1.0, rtol=1e-14)


@pytest.mark.parametrize("make", [BFGS, LBFGS])
def test_bfgs_restarts_after_a_failed_search(make: Any) -> None:
    objective, start = Rosenbrock(), np.array([[-1.2, 1.0]])
    way = take_steps(objective, make(), start, 8)
    x = way.x[-1]
    memory = make(max_trials=1, learning_rate=1e6).step(point_of(objective, x), way.memory)[1]
    after, memory = make().step(point_of(objective, x), memory)
    np.testing.assert_array_equal(after, Backtracking().step(point_of(objective, x), ())[0])


@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS(history=20)], ids=str)
def test_bfgs_converges_superlinearly(optimizer: Optimizer) -> None:
    starts = [[-1.2, 1.0], [0.0, 0.0], [2.0, -1.0]]
    errors = np.array([np.linalg.norm(x - 1.0, axis=-1) for x in take_steps(Rosenbrock(), optimizer, starts, 60).x])
    assert (errors[-1] < 1e-8).all()
    for run in errors.T:
        close = int(np.argmax(run < 1e-2))
        final = int(np.argmax(run < 1e-8))
        assert final - close <= 8
        assert run[final] / run[final - 1] < 0.05


@pytest.mark.parametrize("dimension", [2, 4, 7])
@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS()], ids=str)
def test_bfgs_solves_a_quadratic_in_dimension_plus_one_steps(optimizer: Any, dimension: int) -> None:
    # On a quadratic, if α* is the step size to the minimum along the line, c₁ = ½ means α ≤ α*, and c₂ means α ≥ (1 − c₂) α*.
    exact = replace(optimizer, c1=0.5, c2=1e-7, max_trials=200)
    objective = Quadratic(dimension, 20.0)
    start = np.random.default_rng(0).uniform(1, 3, (2, dimension))
    value = values(objective, take_steps(objective, exact, start, dimension + 1))
    assert (value[-1] < 1e-10 * value[0]).all()
    assert (value[-3] > 1e-6 * value[0]).all()

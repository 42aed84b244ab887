"""Momentum, Nesterov, AdaGrad, RMSProp and Adam, against other implementations and theory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runner import Optimizer
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.adagrad import Adagrad
from runner_plugins.optimizers.adam import Adam
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.momentum import Momentum
from runner_plugins.optimizers.nesterov import Nesterov
from runner_plugins.optimizers.rmsprop import RMSProp
from tests.support.optimizer_paths import Iterates, Rosenbrock, take_steps

# The iterates of optax 0.2.8 on Rosenbrock's function, made by
#
#     jax.config.update("jax_enable_x64", True)
#     rosenbrock = lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2
#     for rule in (optax.sgd(2e-4, momentum=0.9), optax.sgd(2e-4, momentum=0.9, nesterov=True),
#                  optax.adagrad(0.3, initial_accumulator_value=0.1, eps=1e-7),
#                  optax.rmsprop(0.02, decay=0.9, eps=1e-8), optax.adam(0.05, b1=0.9, b2=0.999, eps=1e-8)):
#         x = jax.numpy.array([-1.2, 1.0])
#         state = rule.init(x)
#         for step in range(8):
#             updates, state = rule.update(jax.grad(rosenbrock)(x), state, x)
#             x = optax.apply_updates(x, updates)
#             print(x.tolist())
OPTAX = [
    (
        Momentum(2e-4, 0.9),
        [
            [-1.15688, 1.0176],
            [-1.0875217326927462, 1.0462708533760001],
            [-1.0123944043030406, 1.0775319280425215],
            [-0.9482341560850588, 1.1035633153152542],
            [-0.9052173246269907, 1.1188149518387571],
            [-0.8874216046895662, 1.1205655628285534],
            [-0.8942948398924969, 1.10881917438502],
            [-0.9218340023498995, 1.085885188236773],
        ],
    ),
    (
        Nesterov(2e-4, 0.9),
        [
            [-1.118072, 1.03344],
            [-1.0447169100756906, 1.0641610197859839],
            [-0.9910152541164378, 1.0860834202780663],
            [-0.9596198893784179, 1.0969298880687228],
            [-0.948853216102439, 1.0970541815358974],
            [-0.9545968997549933, 1.0885525762286405],
            [-0.9712677182434739, 1.0745088771861995],
            [-0.9926528444629616, 1.0582850119674392],
        ],
    ),
    (
        Adagrad(0.3, 0.1, 1e-7),
        [
            [-0.9000003226959238, 1.2999980630333514],
            [-1.0874876269033789, 1.0767846049173933],
            [-1.0338190501986004, 1.1243901754075878],
            [-1.054002182389629, 1.0994657905844545],
            [-1.0444769552003406, 1.1045992337611825],
            [-1.046204596996379, 1.0984756239753886],
            [-1.043596656145719, 1.0967141007450505],
            [-1.0426308427598792, 1.0933001552564625],
        ],
    ),
    (
        RMSProp(0.02, 0.9, 1e-8),
        [
            [-1.1367544467967003, 1.0632455532029592],
            [-1.107141177509245, 1.0936619009617277],
            [-1.0897732654313765, 1.1114158539685455],
            [-1.0790172692275883, 1.1220556982386096],
            [-1.0722694713241911, 1.1282411888149677],
            [-1.0680285320225358, 1.1315598621817715],
            [-1.0653455840591775, 1.1330427410874842],
            [-1.063604488577536, 1.1333713635892937],
        ],
    ),
    (
        Adam(0.05, 0.9, 0.999, 1e-8),
        [
            [-1.1500000000023192, 1.0499999999943181],
            [-1.102111023624808, 1.0980762212585684],
            [-1.0590684779884367, 1.1413537305608294],
            [-1.0242940566754497, 1.1756983137196004],
            [-1.0003784578983996, 1.1975998279636784],
            [-0.987737332413054, 1.2064769956503751],
            [-0.9849623214067742, 1.204297027052073],
            [-0.9899516409650819, 1.1937747624077066],
        ],
    ),
]


@pytest.mark.parametrize(("optimizer", "expected"), OPTAX, ids=lambda case: str(case) if isinstance(case, Optimizer) else "")
def test_iterates_agree_with_optax(optimizer: Optimizer, expected: Any) -> None:
    way = take_steps(Rosenbrock(), optimizer, [[-1.2, 1.0]], len(expected))
    np.testing.assert_allclose(np.concatenate(way.x[1:]), expected, rtol=0, atol=1e-10)


Scalars = list[float]


def slope_of_rosenbrock(x: Scalars) -> Scalars:
    return [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]


def heavy_ball(x: Scalars) -> Iterator[Scalars]:
    """Polyak's own form, without a velocity."""
    before = x
    while True:
        g = slope_of_rosenbrock(x)
        x, before = [x[i] - 2e-4 * g[i] + 0.9 * (x[i] - before[i]) for i in range(2)], x
        yield x


def nesterov(x: Scalars) -> Iterator[Scalars]:
    """Nesterov's own form, with two sequences; the gradient is taken at what the optimizer calls x."""
    y = x
    while True:
        g = slope_of_rosenbrock(x)
        y, before = [x[i] - 2e-4 * g[i] for i in range(2)], y
        x = [y[i] + 0.9 * (y[i] - before[i]) for i in range(2)]
        yield x


def adagrad(x: Scalars) -> Iterator[Scalars]:
    seen: list[Scalars] = []
    while True:
        g = slope_of_rosenbrock(x)
        seen.append(g)
        x = [x[i] - 0.3 * g[i] / math.sqrt(0.1 + math.fsum(each[i] ** 2 for each in seen) + 1e-7) for i in range(2)]
        yield x


def rmsprop(x: Scalars) -> Iterator[Scalars]:
    v = [0.0, 0.0]
    while True:
        g = slope_of_rosenbrock(x)
        v = [v[i] + (g[i] ** 2 - v[i]) * 0.1 for i in range(2)]
        x = [x[i] - 0.02 / math.sqrt(v[i] + 1e-8) * g[i] for i in range(2)]
        yield x


def adam(x: Scalars) -> Iterator[Scalars]:
    m, v = [0.0, 0.0], [0.0, 0.0]
    for t in itertools.count(1):
        g = slope_of_rosenbrock(x)
        m = [0.9 * m[i] + 0.1 * g[i] for i in range(2)]
        v = [0.999 * v[i] + 0.001 * g[i] ** 2 for i in range(2)]
        x = [x[i] - 0.05 * (m[i] / (1 - 0.9**t)) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-8) for i in range(2)]
        yield x


@pytest.mark.parametrize(
    ("optimizer", "by_hand"),
    [(case[0], loop) for case, loop in zip(OPTAX, (heavy_ball, nesterov, adagrad, rmsprop, adam), strict=True)],
    ids=lambda case: str(case) if isinstance(case, Optimizer) else "",
)
def test_iterates_agree_with_the_formulas_of_the_papers(
    optimizer: Optimizer, by_hand: Callable[[Scalars], Iterator[Scalars]]
) -> None:
    expected = list(itertools.islice(by_hand([-1.2, 1.0]), 40))
    way = take_steps(Rosenbrock(), optimizer, [[-1.2, 1.0]], 40)
    np.testing.assert_allclose(np.concatenate(way.x[1:]), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("optimizer", [Momentum(1e-3, 0.0), Nesterov(1e-3, 0.0)], ids=str)
def test_without_momentum_it_is_gradient_descent(optimizer: Optimizer) -> None:
    start = np.random.default_rng(0).normal(size=(3, 2))
    plain = take_steps(Rosenbrock(), GradientDescent(1e-3), start, 20)
    np.testing.assert_array_equal(take_steps(Rosenbrock(), optimizer, start, 20).x, plain.x)


@pytest.mark.parametrize(("rate", "beta"), [(0.1, 0.9), (0.3, 0.5), (0.9, 0.0), (1.8, 0.9), (0.002, 0.2)])
def test_the_heavy_ball_on_x_squared_follows_its_closed_form(rate: float, beta: float) -> None:
    # xₖ₊₁ = (1 + β − 2γ) xₖ − β xₖ₋₁ with x₋₁ = x₀: so xₖ = A pᵏ + B qᵏ, with the roots of z² − (1 + β − 2γ) z + β.
    p, q = np.roots([1, -(1 + beta - 2 * rate), beta]).astype(complex)
    a = (1 - 2 * rate - q) / (p - q)
    k = np.arange(61)
    expected = (3.0 * (a * p**k + (1 - a) * q**k)).real
    np.testing.assert_allclose(np.ravel(take_steps(Quadratic(), Momentum(rate, beta), [[3.0]], 60).x), expected, atol=1e-12)


@pytest.mark.parametrize(("beta", "limit"), [(0.0, 1.0), (0.5, 1.5), (0.9, 1.9)])
def test_the_heavy_ball_converges_exactly_below_its_limit(beta: float, limit: float) -> None:
    below, beyond = (take_steps(Quadratic(), Momentum(factor * limit, beta), [[1.0]], 3000).x[-1] for factor in (0.99, 1.01))
    assert abs(below[0, 0]) < 1e-6
    assert abs(beyond[0, 0]) > 1e6


def measured_rate(way: Iterates, since: int) -> float:
    lengths = np.array([np.linalg.norm(x) for x in way.x])
    return float((lengths[-1] / lengths[since]) ** (1 / (len(lengths) - 1 - since)))


def test_the_best_momentum_shrinks_the_error_as_theory_says() -> None:
    kappa = 100.0
    best = Momentum((2 / (math.sqrt(2 * kappa) + math.sqrt(2))) ** 2, ((math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)) ** 2)
    rate = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    # The roots are double, so the error falls like k ρᵏ, a little more slowly than ρᵏ.
    found = measured_rate(take_steps(Quadratic(2, kappa), best, [[1.0, 1.0]], 150), 50)
    assert rate < found < 1.02 * rate
    slow = measured_rate(take_steps(Quadratic(2, kappa), GradientDescent(1 / (1 + kappa)), [[1.0, 1.0]], 150), 50)
    assert slow == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-9)


def test_nesterov_shrinks_the_error_as_theory_says() -> None:
    kappa = 100.0
    best = Nesterov(1 / (2 * kappa), (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1))
    rate = 1 - 1 / math.sqrt(kappa)
    assert rate < measured_rate(take_steps(Quadratic(2, kappa), best, [[1.0, 1.0]], 250), 100) < 1.02 * rate


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(rate: float) -> None:
    start = np.array([[-1.2, 1.0], [3.0, -200.0]])
    np.testing.assert_allclose(np.abs(take_steps(Rosenbrock(), Adam(rate), start, 1).x[1] - start), rate, rtol=1e-6)

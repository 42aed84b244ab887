"""The field's optimizers: against independent implementations, against what theory says of them, and as members of a batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array, LeastSquares, Mask, Memory, Objective, Optimizer, armijo, wolfe
from runner.contracts.parameters import parameters_of
from runner.engine.batch import take_rows
from runner.engine.evaluation import EvaluatedPoint, Evaluator
from runner.engine.optimizer_memory import take_memory
from runner.testing import check_optimizer
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.adagrad import Adagrad
from runner_plugins.optimizers.adam import Adam
from runner_plugins.optimizers.backtracking import Backtracking
from runner_plugins.optimizers.bfgs import BFGS, Model, updated
from runner_plugins.optimizers.gauss_newton import GaussNewton
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.l_bfgs import LBFGS
from runner_plugins.optimizers.levenberg_marquardt import LevenbergMarquardt
from runner_plugins.optimizers.momentum import Momentum
from runner_plugins.optimizers.nesterov import Nesterov
from runner_plugins.optimizers.rmsprop import RMSProp


@dataclass(frozen=True)
class Rosenbrock(LeastSquares):
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²; in one dimension (1 − x)²."""

    dimension: int = 2

    def residuals(self, x: Array) -> Array:
        return np.concatenate([10 * (x[:, 1:] - x[:, :-1] ** 2), 1 - x[:, : max(1, self.dimension - 1)]], axis=-1)

    def jacobian(self, x: Array) -> Array:
        bends, ends = self.dimension - 1, max(1, self.dimension - 1)
        jacobian = np.zeros((len(x), bends + ends, self.dimension))
        i = np.arange(bends)
        jacobian[:, i, i + 1] = 10.0
        jacobian[:, i, i] = -20 * x[:, :-1]
        jacobian[:, bends + np.arange(ends), np.arange(ends)] = -1.0
        return jacobian


@dataclass(frozen=True)
class Decay(LeastSquares):
    """Σ (a exp(−b tᵢ) + c − yᵢ)²: an exponential decay fitted to data that it does not fit exactly."""

    dimension: int = 3

    def residuals(self, x: Array) -> Array:
        a, b, c = x[:, :1], x[:, 1:2], x[:, 2:]
        return a * np.exp(-b * TIMES) + c - DECAYED

    def jacobian(self, x: Array) -> Array:
        a, b = x[:, :1], x[:, 1:2]
        fall = np.exp(-b * TIMES)
        return np.stack([fall, -a * TIMES * fall, np.ones_like(fall)], axis=-1)


TIMES = np.linspace(0.0, 4.0, 15)
DECAYED = 2.5 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.sin(40 * TIMES)


class Way(NamedTuple):
    """The iterates, the start first, and how often f, ∇f and ∇²f were computed."""

    x: list[Array]
    counts: Mapping[str, Array]
    memory: Memory


def travel(objective: Objective, optimizer: Optimizer, start: Any, steps: int, leave: Mapping[int, Mask] | None = None) -> Way:
    """Take some steps; `leave` says before which steps only some of the runs go on, and which."""
    x = np.array(start, dtype=np.float64)
    evaluator, memory, xs = Evaluator(objective, Analytic(), len(x)), optimizer.init(x), [x]
    with np.errstate(all="ignore"):
        for step in range(steps):
            if leave and step in leave:
                rows = leave[step]
                memory, optimizer, x = take_memory(memory, rows, len(x)), take_rows(optimizer, rows), x[rows]
                evaluator.keep(rows)
            x.setflags(write=False)
            point = EvaluatedPoint(evaluator, x, *evaluator.value_and_gradient(x))
            x, memory = optimizer.step(point, memory)
            xs.append(x)
    return Way(xs, evaluator.counts.totals(), memory)


class GivenSlope:
    """A point whose f falls by its gradient but never by its value."""

    trials = 0

    def __init__(self, x: Array) -> None:
        self.x = self.gradient = x
        self.value = np.ones(len(x))

    def at(self, x: Array, where: Mask | None = None) -> Any:
        GivenSlope.trials += 1
        return Given(x, np.full((len(x), 1), 2.0), x[:, None, :])


def pointed(objective: Objective, x: Array) -> EvaluatedPoint:
    evaluator = Evaluator(objective, Analytic(), len(x))
    return EvaluatedPoint(evaluator, x, *evaluator.value_and_gradient(x))


def values(objective: Any, way: Way) -> Array:
    return np.array([objective.value(x) for x in way.x])


# the contract

OPTIMIZERS: list[Optimizer] = [
    Momentum(),
    Momentum(momentum=0.0),
    Nesterov(),
    Nesterov(momentum=0.0),
    Adagrad(),
    Adagrad(initial_accumulator=0.0),
    RMSProp(),
    RMSProp(0.05, 0.0),
    Adam(),
    Adam(0.01, 0.0, 0.0),
    Backtracking(),
    Backtracking(1e6, 0.3, 0.9, 500),
    BFGS(),
    BFGS(learning_rate=0.5),
    LBFGS(),
    LBFGS(history=1),
    GaussNewton(),
    GaussNewton(0.5),
    LevenbergMarquardt(),
    LevenbergMarquardt(10.0, max_trials=1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_keeps_the_contract(optimizer: Optimizer) -> None:
    check_optimizer(optimizer)


# momentum, nesterov, adagrad, rmsprop, adam: the same rules written by others

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
def test_the_iterates_are_those_of_optax(optimizer: Optimizer, expected: Any) -> None:
    way = travel(Rosenbrock(), optimizer, [[-1.2, 1.0]], len(expected))
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
def test_the_iterates_are_those_of_the_paper(optimizer: Optimizer, by_hand: Callable[[Scalars], Iterator[Scalars]]) -> None:
    expected = list(itertools.islice(by_hand([-1.2, 1.0]), 40))
    way = travel(Rosenbrock(), optimizer, [[-1.2, 1.0]], 40)
    np.testing.assert_allclose(np.concatenate(way.x[1:]), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("optimizer", [Momentum(1e-3, 0.0), Nesterov(1e-3, 0.0)], ids=str)
def test_without_momentum_it_is_gradient_descent(optimizer: Optimizer) -> None:
    start = np.random.default_rng(0).normal(size=(3, 2))
    plain = travel(Rosenbrock(), GradientDescent(1e-3), start, 20)
    np.testing.assert_array_equal(travel(Rosenbrock(), optimizer, start, 20).x, plain.x)


@pytest.mark.parametrize(("rate", "beta"), [(0.1, 0.9), (0.3, 0.5), (0.9, 0.0), (1.8, 0.9), (0.002, 0.2)])
def test_the_heavy_ball_on_x_squared_follows_its_closed_form(rate: float, beta: float) -> None:
    # xₖ₊₁ = (1 + β − 2γ) xₖ − β xₖ₋₁ with x₋₁ = x₀: so xₖ = A pᵏ + B qᵏ, with the roots of z² − (1 + β − 2γ) z + β.
    p, q = np.roots([1, -(1 + beta - 2 * rate), beta]).astype(complex)
    a = (1 - 2 * rate - q) / (p - q)
    k = np.arange(61)
    expected = (3.0 * (a * p**k + (1 - a) * q**k)).real
    np.testing.assert_allclose(np.ravel(travel(Quadratic(), Momentum(rate, beta), [[3.0]], 60).x), expected, atol=1e-12)


@pytest.mark.parametrize(("beta", "limit"), [(0.0, 1.0), (0.5, 1.5), (0.9, 1.9)])
def test_the_heavy_ball_converges_exactly_below_its_limit(beta: float, limit: float) -> None:
    below, beyond = (travel(Quadratic(), Momentum(factor * limit, beta), [[1.0]], 3000).x[-1] for factor in (0.99, 1.01))
    assert abs(below[0, 0]) < 1e-6
    assert abs(beyond[0, 0]) > 1e6


def measured_rate(way: Way, since: int) -> float:
    lengths = np.array([np.linalg.norm(x) for x in way.x])
    return float((lengths[-1] / lengths[since]) ** (1 / (len(lengths) - 1 - since)))


def test_the_best_momentum_shrinks_the_error_as_theory_says() -> None:
    kappa = 100.0
    best = Momentum((2 / (math.sqrt(2 * kappa) + math.sqrt(2))) ** 2, ((math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)) ** 2)
    rate = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    # The roots are double, so the error goes like k ρᵏ, a little slower than ρᵏ.
    found = measured_rate(travel(Quadratic(2, kappa), best, [[1.0, 1.0]], 150), 50)
    assert rate < found < 1.02 * rate
    slow = measured_rate(travel(Quadratic(2, kappa), GradientDescent(1 / (1 + kappa)), [[1.0, 1.0]], 150), 50)
    assert slow == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-9)


def test_nesterov_shrinks_the_error_as_theory_says() -> None:
    kappa = 100.0
    best = Nesterov(1 / (2 * kappa), (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1))
    rate = 1 - 1 / math.sqrt(kappa)
    assert rate < measured_rate(travel(Quadratic(2, kappa), best, [[1.0, 1.0]], 250), 100) < 1.02 * rate


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(rate: float) -> None:
    start = np.array([[-1.2, 1.0], [3.0, -200.0]])
    np.testing.assert_allclose(np.abs(travel(Rosenbrock(), Adam(rate), start, 1).x[1] - start), rate, rtol=1e-6)


def test_a_gradient_of_zero_moves_nothing() -> None:
    for optimizer in OPTIMIZERS:
        np.testing.assert_array_equal(travel(Rosenbrock(), optimizer, [[1.0, 1.0]], 3).x[-1], [[1.0, 1.0]])


# line searches

points = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(2)), elements=st.floats(-3, 3, allow_subnormal=False))
starts = arrays(np.float64, (3, 2), elements=st.floats(-3, 3, allow_subnormal=False))
c1s = st.floats(1e-6, 0.9)
shrinks = st.floats(0.05, 0.9)


@given(points, st.floats(1e-3, 1e3), c1s, shrinks, st.integers(1, 60))
def test_a_search_finds_the_first_step_size_that_falls_enough(
    x: Array, first: float, c1: float, shrink: float, max_trials: int
) -> None:
    objective = Rosenbrock()
    gradient = objective.gradient(x)
    evaluator = Evaluator(objective, Analytic(), len(x))
    found = armijo(EvaluatedPoint(evaluator, x, objective.value(x), gradient), -gradient, first, c1, shrink, max_trials)
    for run, (here, slope) in enumerate(zip(x, gradient, strict=True)):
        expected, trials, step_size = here, 0, first
        here_value = objective.value(here[None])[0]
        while trials < max_trials and slope.any():
            trials += 1
            there = here - step_size * slope
            if objective.value(there[None])[0] <= here_value - c1 * step_size * math.fsum(slope * slope) * (1 - 1e-12):
                expected = there
                break
            step_size *= shrink
        # At the rounding of f the two may part; they then part by a trial's length, which no assertion needs.
        if math.fsum(slope * slope) > 1e-6:
            np.testing.assert_array_equal(found[run], expected)
            assert evaluator.counts.totals()["value"][run] == trials


@given(starts, st.floats(1e-3, 1e3), st.floats(1e-6, 0.45), st.floats(0.5, 0.99))
def test_a_bisection_ends_where_the_wolfe_conditions_hold(x: Array, first: float, c1: float, c2: float) -> None:
    objective = Rosenbrock()
    point = pointed(objective, x)
    direction = -point.gradient
    found = wolfe(point, direction, first, c1, c2, 100)
    slope = np.vecdot(point.gradient, direction)
    moved = slope < -1e-6
    step_size = np.vecdot(found - x, direction) / np.where(moved, -slope, 1.0)
    rounding = 1e-12 * (1.0 + point.value)
    assert (objective.value(found) <= point.value + c1 * step_size * slope + rounding)[moved].all()
    assert (np.vecdot(objective.gradient(found), direction) >= c2 * slope * (1 + 1e-9))[moved].all()


def test_a_bisection_is_that_of_lewis_and_overton() -> None:
    # f = x² from 3 along −∇f = −6. First 0.01: too short, doubled until 0.16; first 100: too long, halved until 100/2⁷.
    for first, step_size, trials in ((0.01, 0.16, 5), (100.0, 100 / 128, 8)):
        point = pointed(Quadratic(), np.array([[3.0]]))
        found = wolfe(point, -point.gradient, first, 1e-4, 0.7, 50)
        np.testing.assert_allclose(found, [[3.0 - 6.0 * step_size]], rtol=1e-14)
        assert point._evaluator.counts.totals()["value"].tolist() == [1 + trials]
    # Too short at 0.4 for this c₂, too long at 0.8, and 0.6 is just right.
    point = pointed(Quadratic(), np.array([[3.0]]))
    np.testing.assert_allclose(wolfe(point, -point.gradient, 0.4, 0.35, 0.1, 50), [[3.0 - 6.0 * 0.6]], rtol=1e-14)


def test_a_bisection_that_finds_no_end_goes_where_f_has_fallen() -> None:
    @dataclass(frozen=True)
    class Slope(Objective):
        """−x: falls without end."""

        dimension: int = 1

        def value(self, x: Array) -> Array:
            return -x[:, 0]

        def gradient(self, x: Array) -> Array:
            return np.full_like(x, -1.0)

    assert travel(Slope(), BFGS(max_trials=4), [[0.0]], 1).x[1].tolist() == [[8.0]]
    assert travel(Slope(), LBFGS(max_trials=1), [[0.0]], 1).x[1].tolist() == [[1.0]]


@settings(max_examples=25)
@given(x=starts, c1=st.floats(1e-6, 0.85), shrink=shrinks, rate=st.floats(1e-2, 1e2))
def test_every_step_of_a_search_falls_enough(x: Array, c1: float, shrink: float, rate: float) -> None:
    objective = Rosenbrock()
    for optimizer in (Backtracking(rate, c1, shrink, 80), BFGS(rate, c1, 0.9, 80), LBFGS(5, rate, c1, 0.9, 80)):
        for here, there in itertools.pairwise(travel(objective, optimizer, x, 12).x):
            move = there - here
            promised = np.vecdot(objective.gradient(here), move)
            before, after = objective.value(here), objective.value(there)
            moved = move.any(axis=-1)
            assert (promised[moved] < 0).all()
            assert (after <= before + c1 * promised + 1e-14 * before)[moved].all()
            assert (after <= before).all()


@pytest.mark.parametrize("optimizer", [Backtracking(), BFGS(), LBFGS(), LevenbergMarquardt()], ids=str)
def test_a_search_costs_each_run_what_it_costs_alone(optimizer: Optimizer) -> None:
    start = np.random.default_rng(3).uniform(-3, 3, (9, 2))
    together = travel(Rosenbrock(), optimizer, start, 12).counts
    alone = [travel(Rosenbrock(), optimizer, start[run : run + 1], 12).counts for run in range(9)]
    for quantity in ("value", "gradient", "hessian"):
        assert together[quantity].tolist() == [int(one[quantity][0]) for one in alone]
    assert len(set(together["value"])) > 1
    assert (together["value"] > 12).all()


def test_what_a_search_costs() -> None:
    # On f = x² the step sizes 1, ½ are tried: 1 leads from x to −x, and ½ to the minimum.
    way = travel(Quadratic(), Backtracking(), [[3.0], [0.0]], 2)
    assert way.x[1].tolist() == [[0.0], [0.0]]
    assert way.counts["value"].tolist() == [2 + 2, 2]
    assert way.counts["gradient"].tolist() == [2, 2]


@pytest.mark.parametrize("make", [Backtracking, BFGS, LBFGS])
def test_a_search_in_vain_leaves_the_run_where_it_is(make: Any) -> None:
    start = [[3.0], [0.25]]
    way = travel(Quadratic(), make(learning_rate=1e3, max_trials=3), start, 2)
    assert way.counts["gradient"].tolist() == [2, 2]
    assert way.x[1].tolist() == way.x[2].tolist() == start
    assert way.counts["value"].tolist() == [2 + 6, 2 + 6]


def test_a_direction_that_leads_uphill_or_nowhere_costs_nothing() -> None:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    point = pointed(Quadratic(), x)
    direction = np.array([[1.0], [0.0], [np.nan], [-4.0]])
    counts = point._evaluator.counts
    assert armijo(point, direction, 1.0, 1e-4, 0.5, 10).tolist() == [[1.0], [2.0], [3.0], [0.0]]
    assert [each.tolist() for each in counts.totals().values()] == [[1, 1, 1, 2], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert wolfe(point, direction, 1.0, 1e-4, 0.9, 10).tolist() == [[1.0], [2.0], [3.0], [0.0]]
    assert [each.tolist() for each in counts.totals().values()] == [[1, 1, 1, 3], [1, 1, 1, 2], [0, 0, 0, 0]]


def test_a_direction_too_short_to_move_x_costs_nothing() -> None:
    point = pointed(Quadratic(), np.array([[1.0], [1.0]]))
    direction = np.array([[-1e-17], [-4.0]])
    assert armijo(point, direction, 1.0, 1e-4, 0.5, 60)[0].tolist() == [1.0]
    assert wolfe(point, direction, 1.0, 1e-4, 0.9, 60)[0].tolist() == [1.0]
    assert point._evaluator.counts.totals()["value"][0] == 1
    # f hits its rounding here, where no trial falls: the search ends when there is nothing left to halve.
    wall = np.array([[1.0]])
    assert wolfe(GivenSlope(wall), -wall, 1.0, 1e-4, 0.9, 1000).tolist() == [[1.0]]  # type: ignore[arg-type]
    assert 50 < GivenSlope.trials < 60


def test_a_search_backs_away_from_where_f_is_not_a_number() -> None:
    @dataclass(frozen=True)
    class Barrier(Objective):
        """x − log x, with its minimum at 1."""

        dimension: int = 1

        def value(self, x: Array) -> Array:
            return (x - np.log(x))[:, 0]

        def gradient(self, x: Array) -> Array:
            return 1 - 1 / x

    for optimizer in (Backtracking(64.0), BFGS(64.0), LBFGS(learning_rate=64.0)):
        way = travel(Barrier(), optimizer, [[5.0], [0.1]], 60)
        np.testing.assert_allclose(way.x[-1], 1.0, atol=1e-6)


# bfgs and l_bfgs


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
def test_bfgs_goes_where_the_matrix_formula_goes(optimizer: Optimizer, history: int | None, start: list[float]) -> None:
    expected = bfgs_by_hand(Rosenbrock(), np.array(start), 12, history)
    np.testing.assert_allclose(np.concatenate(travel(Rosenbrock(), optimizer, [start], 12).x), expected, rtol=0, atol=1e-10)


def test_bfgs_and_l_bfgs_agree_before_the_second_pair() -> None:
    start = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    bfgs, l_bfgs = (travel(Rosenbrock(5), optimizer, start, 6).x for optimizer in (BFGS(), LBFGS()))
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


def test_a_search_cut_short_where_the_curvature_is_negative_leaves_the_matrix_as_it_is() -> None:
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
    early = travel(Waves(), BFGS(max_trials=1), start, 3).memory
    assert early.fresh.tolist() == [True, False]
    np.testing.assert_array_equal(early.inverse[0], np.eye(2))
    short = travel(Waves(), LBFGS(max_trials=1), start, 3).memory
    assert [int((rho > 0).sum()) for rho in short.rho] == [0, 2]
    for optimizer in (BFGS(max_trials=1), LBFGS(max_trials=1), BFGS(), LBFGS()):
        np.testing.assert_allclose(np.cos(travel(Waves(), optimizer, start, 40).x[-1]), -1.0, atol=1e-13)


def test_l_bfgs_keeps_no_more_pairs_than_its_history() -> None:
    memory = travel(Rosenbrock(), LBFGS(history=4), [[-1.2, 1.0], [0.0, 0.0]], 9).memory
    assert memory.s.shape == memory.y.shape == (2, 4, 2)
    np.testing.assert_allclose(memory.rho * np.vecdot(memory.s, memory.y), 1.0, rtol=1e-14)


@pytest.mark.parametrize("make", [BFGS, LBFGS])
def test_after_a_search_in_vain_bfgs_begins_again(make: Any) -> None:
    objective, start = Rosenbrock(), np.array([[-1.2, 1.0]])
    way = travel(objective, make(), start, 8)
    x = way.x[-1]
    memory = make(max_trials=1, learning_rate=1e6).step(pointed(objective, x), way.memory)[1]
    after, memory = make().step(pointed(objective, x), memory)
    np.testing.assert_array_equal(after, Backtracking().step(pointed(objective, x), ())[0])


@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS(history=20)], ids=str)
def test_bfgs_converges_superlinearly(optimizer: Optimizer) -> None:
    starts = [[-1.2, 1.0], [0.0, 0.0], [2.0, -1.0]]
    errors = np.array([np.linalg.norm(x - 1.0, axis=-1) for x in travel(Rosenbrock(), optimizer, starts, 60).x])
    assert (errors[-1] < 1e-8).all()
    for run in errors.T:
        close = int(np.argmax(run < 1e-2))
        final = int(np.argmax(run < 1e-8))
        assert final - close <= 8
        assert run[final] / run[final - 1] < 0.05


@pytest.mark.parametrize("dimension", [2, 4, 7])
@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS()], ids=str)
def test_with_an_almost_exact_search_bfgs_solves_a_quadratic_in_dimension_plus_one_steps(optimizer: Any, dimension: int) -> None:
    # On a quadratic, with α* the minimum along the line, c₁ = ½ means α ≤ α*, and c₂ means α ≥ (1 − c₂) α*.
    exact = replace(optimizer, c1=0.5, c2=1e-7, max_trials=200)
    objective = Quadratic(dimension, 20.0)
    start = np.random.default_rng(0).uniform(1, 3, (2, dimension))
    value = values(objective, travel(objective, exact, start, dimension + 1))
    assert (value[-1] < 1e-10 * value[0]).all()
    assert (value[-3] > 1e-6 * value[0]).all()


# gauss_newton and levenberg_marquardt


@pytest.mark.parametrize(
    "objective",
    [LinearRegression(), LinearRegression(features=4, samples=9), LinearRegression(features=32, samples=200)],
    ids=lambda objective: str(objective.dimension),
)
def test_gauss_newton_solves_a_linear_least_squares_problem_in_one_step(objective: Any) -> None:
    start = np.random.default_rng(0).uniform(-3, 3, (4, objective.dimension))
    expected = np.broadcast_to(objective.minimum.x, start.shape)
    way = travel(objective, GaussNewton(), start, 1)
    np.testing.assert_allclose(way.x[1], expected, rtol=0, atol=1e-13)
    assert {name: set(each) for name, each in way.counts.items()} == {"value": {2}, "gradient": {2}, "hessian": {0}}
    half = travel(objective, GaussNewton(0.5), start, 1).x[1]
    np.testing.assert_allclose(half, 0.5 * (start + expected), rtol=0, atol=1e-13)


def test_gauss_newton_converges_quadratically_where_the_residuals_vanish() -> None:
    way = travel(Rosenbrock(), GaussNewton(), [[-1.2, 1.0]], 3)
    np.testing.assert_allclose(way.x[2], [[1.0, 1.0]], atol=1e-12)


FIT = scipy.optimize.least_squares(
    lambda z: Decay().residuals(z[None])[0],
    [1.0, 1.0, 0.0],
    jac=lambda z: Decay().jacobian(z[None])[0],
    method="lm",
    xtol=1e-15,
    ftol=1e-15,
    gtol=1e-15,
)


@pytest.mark.parametrize("optimizer", [GaussNewton(), LevenbergMarquardt(), LevenbergMarquardt(1e3)], ids=str)
def test_a_nonlinear_fit_is_that_of_scipy(optimizer: Optimizer) -> None:
    way = travel(Decay(), optimizer, [[1.0, 1.0, 0.0], [2.0, 0.5, 1.0], [3.0, 2.0, 0.0]], 30)
    np.testing.assert_allclose(way.x[-1], np.broadcast_to(FIT.x, (3, 3)), rtol=1e-7)
    np.testing.assert_allclose(Decay().value(way.x[-1]), 2 * FIT.cost, rtol=1e-13)


@dataclass
class Given:
    """A point whose residuals and Jacobian are given; f is, say, what the Jacobian says it is."""

    x: Array
    residuals: Array
    jacobian: Array

    @property
    def value(self) -> Array:
        return np.vecdot(self.residuals, self.residuals)

    def at(self, x: Array, where: Mask | None = None) -> Given:
        return Given(x, self.residuals + np.vecdot(self.jacobian, (x - self.x)[:, None, :]), self.jacobian)


def stepped(optimizer: Optimizer, x: Array, residuals: Array, jacobian: Array) -> Array:
    with np.errstate(all="ignore"):
        return optimizer.step(Given(x, residuals, jacobian), optimizer.init(x))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(6, 3), (3, 3), (2, 5), (1, 1), (4, 1)])
def test_gauss_newton_is_numpy_s_least_squares_run_by_run_whatever_the_rank(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    rank = min(shape) - 1
    jacobian, residuals = rng.normal(size=(4, *shape)), rng.normal(size=(4, shape[0]))
    jacobian[1] = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    jacobian[2] = 0.0
    step = stepped(GaussNewton(), np.zeros((4, shape[1])), residuals, jacobian)
    for run in range(4):
        np.testing.assert_allclose(step[run], np.linalg.lstsq(jacobian[run], -residuals[run], rcond=1e-12)[0], atol=1e-12)
    assert not step[2].any()


def test_gauss_newton_does_not_square_the_condition_number() -> None:
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in (8, 3))
    jacobian = u @ np.diag([1.0, 1e-5, 1e-10]) @ v.T
    exact = np.array([1.0, -2.0, 3.0])
    step = stepped(GaussNewton(), np.zeros((1, 3)), -(jacobian @ exact)[None], jacobian[None])
    np.testing.assert_allclose(step[0], exact, rtol=1e-4)
    np.testing.assert_allclose(stepped(GaussNewton(floor=1e-3), np.zeros((1, 3)), -(jacobian @ exact)[None], jacobian[None])[0],
                               v[:, 0] * (v[:, 0] @ exact), atol=1e-9)  # fmt: skip


@pytest.mark.parametrize("optimizer", [GaussNewton(), LevenbergMarquardt()], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["residuals", "jacobian"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_a_run_without_finite_residuals_gets_nan_and_its_neighbours_do_not_notice(
    optimizer: Optimizer, bad: float, where: str, dimension: int
) -> None:
    rng = np.random.default_rng(1)
    x, given = (
        rng.normal(size=(3, dimension)),
        {"residuals": rng.normal(size=(3, 5)), "jacobian": rng.normal(size=(3, 5, dimension))},
    )
    well = stepped(optimizer, x, **given)
    given[where][1, 0] = bad
    ill = stepped(optimizer, x, **given)
    assert np.isnan(ill[1]).all()
    assert ill[[0, 2]].tobytes() == well[[0, 2]].tobytes()
    assert np.isfinite(well).all()


def nielsen(objective: Any, x: Array, steps: int, tau: float) -> list[Array]:
    """Levenberg and Marquardt's method for one run, from the normal equations, as in Nielsen's report."""
    mu, nu, xs = math.nan, 2.0, [x]
    for _ in range(steps):
        r, j = objective.residuals(x[None])[0], objective.jacobian(x[None])[0]
        a, g = j.T @ j, j.T @ r
        if math.isnan(mu):
            mu = tau * float(np.linalg.eigvalsh(a)[-1])
        for _ in range(100):
            h = np.linalg.solve(a + mu * np.eye(len(x)), -g)
            if (x + h == x).all():
                break
            new = objective.residuals((x + h)[None])[0]
            ratio = (r @ r - new @ new) / (r @ r - (r + j @ h) @ (r + j @ h))
            if ratio > 0:
                x, mu, nu = x + h, mu * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 2.0
                break
            mu, nu = mu * nu, 2 * nu
        xs.append(x)
    return xs


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("start", [[-1.2, 1.0], [0.0, 0.5], [3.0, -2.0]])
def test_levenberg_marquardt_goes_where_nielsen_goes(start: list[float], tau: float) -> None:
    steps = 8
    expected = nielsen(Rosenbrock(), np.array(start), steps, tau)
    way = travel(Rosenbrock(), LevenbergMarquardt(tau), [start], steps)
    np.testing.assert_allclose(np.concatenate(way.x), expected, rtol=0, atol=1e-10)


@settings(max_examples=25)
@given(starts, st.floats(1e-8, 1e4))
def test_f_falls_at_every_step_of_levenberg_marquardt(x: Array, damping: float) -> None:
    for objective in (Rosenbrock(), Rosenbrock(3), Decay()):
        start = np.concatenate([x, x[:, :1]], axis=-1)[:, : objective.dimension]
        way = travel(objective, LevenbergMarquardt(damping), start, 25)
        for here, there in itertools.pairwise(way.x):
            moved = (here != there).any(axis=-1)
            assert (objective.value(there)[moved] < objective.value(here)[moved]).all()


def test_levenberg_marquardt_converges_where_gauss_newton_flies_away() -> None:
    @dataclass(frozen=True)
    class Arctan(LeastSquares):
        """arctan²(x): Gauss-Newton diverges from |x| > 1.3918."""

        dimension: int = 1

        def residuals(self, x: Array) -> Array:
            return np.arctan(x)

        def jacobian(self, x: Array) -> Array:
            return (1 / (1 + x * x))[:, :, None]

    start = [[1.3], [1.5], [-3.0]]
    away = np.abs(travel(Arctan(), GaussNewton(), start, 6).x[-1])
    assert (away[0] < 1e-3, *(away[1:, 0] > 1e3)) == (True, True, True)
    np.testing.assert_allclose(travel(Arctan(), LevenbergMarquardt(), start, 30).x[-1], 0.0, atol=1e-9)


def test_levenberg_marquardt_stays_where_no_trial_falls_and_pays_for_none_that_cannot_move() -> None:
    one = travel(Rosenbrock(), LevenbergMarquardt(1e-9, max_trials=1), [[-1.2, 1.0]], 1)
    np.testing.assert_array_equal(one.x[1], one.x[0])
    assert one.counts["value"].tolist() == [1 + 1 + 1]  # of the loop, of the residuals, of the trial
    assert float(one.memory.growth[0, 0]) == 4.0
    there = travel(Rosenbrock(), LevenbergMarquardt(), [[1.0, 1.0]], 3)
    assert there.counts["value"].tolist() == [3 * 2]
    long = travel(Decay(), LevenbergMarquardt(), FIT.x[None], 60)
    at_rest = travel(Decay(), LevenbergMarquardt(), FIT.x[None], 50)
    assert (long.counts["value"] - at_rest.counts["value"]).tolist() == [10 * 2]


# in a batch


def swept(dimension: int) -> list[Callable[[Any], Optimizer]]:
    """Ways to make an optimizer from a column of numbers around 1, or from one of them."""
    gentle = 1e-3
    return [
        lambda c: Momentum(gentle * c, 0.9),
        lambda c: Momentum(gentle, 0.6 * c),
        lambda c: Nesterov(gentle * c, 0.6 * c),
        lambda c: Adagrad(0.1 * c, 0.1 * c, 1e-7 * c),
        lambda c: RMSProp(0.01 * c, 0.6 * c, 1e-8 * c),
        lambda c: Adam(0.01 * c, 0.6 * c, 0.999),
        lambda c: Adam(0.01, 0.9, 0.6 * c, 1e-8 * c),
        lambda c: Backtracking(c, 0.1 * c, 0.5 * c),
        lambda c: Backtracking(1.0, 1e-4, 0.5 * c, max_trials=6),
        lambda c: BFGS(c, 0.1 * c, 0.6 * c),
        lambda c: BFGS(1.0, 1e-4, 0.9, curvature=0.3 * c, max_trials=3),
        lambda c: LBFGS(3, c, 0.1 * c, 0.6 * c),
        lambda c: LBFGS(2, 1.0, 1e-4, 0.9, 3, 0.3 * c),
        lambda c: GaussNewton(0.5 * c, 1e-3 * c),
        lambda c: LevenbergMarquardt(1e-3 * c),
        lambda c: LevenbergMarquardt(1e-3 * c, max_trials=1),
    ]


@pytest.mark.parametrize("dimension", [1, 2, 33])
@pytest.mark.parametrize("case", range(16))
def test_a_swept_batch_that_runs_leave_has_the_bits_of_its_runs(case: int, dimension: int) -> None:
    runs, steps = 7, 7
    make = swept(dimension)[case]
    rng = np.random.default_rng(dimension)
    start, column = rng.uniform(-1.5, 1.5, (runs, dimension)), rng.uniform(0.5, 1.5, (runs, 1))
    start[3] = np.nan
    first = np.arange(runs) % 3 != 1
    second = np.arange(first.sum()) % 4 != 2
    left = np.flatnonzero(first)[second]
    ways = [
        travel(Rosenbrock(dimension), make(column), start, steps),
        travel(Rosenbrock(dimension), make(column), start, steps, {2: first, 4: second}),
    ]
    for run in range(runs):
        alone = travel(Rosenbrock(dimension), make(float(column[run, 0])), start[run : run + 1], steps)
        assert all(x[run].tobytes() == one[0].tobytes() for x, one in zip(ways[0].x, alone.x, strict=True))
        assert [int(each[run]) for each in ways[0].counts.values()] == [int(each[0]) for each in alone.counts.values()]
        if run in left:
            row = int(np.flatnonzero(left == run)[0])
            assert ways[1].x[-1][row].tobytes() == alone.x[-1][0].tobytes()
            assert [int(each[row]) for each in ways[1].counts.values()] == [int(each[0]) for each in alone.counts.values()]


@pytest.mark.parametrize("optimizer", [BFGS(), LBFGS(), LevenbergMarquardt(), Adam(0.1)], ids=str)
def test_a_start_at_infinity_does_not_disturb_its_neighbours(optimizer: Optimizer) -> None:
    start = np.array([[-1.2, 1.0], [np.inf, 1.0], [1e200, -1e200], [0.0, 0.0]])
    together = travel(Rosenbrock(), optimizer, start, 10).x[-1]
    for run in (0, 3):
        assert together[run].tobytes() == travel(Rosenbrock(), optimizer, start[run : run + 1], 10).x[-1].tobytes()


def test_a_run_on_a_bumpy_road_ends_in_a_minimum() -> None:
    start = np.linspace(-4, 4, 21)[:, None]
    for optimizer in (Backtracking(), BFGS(), LBFGS()):
        way = travel(SinQuadratic(), optimizer, start, 80)
        assert np.abs(SinQuadratic().gradient(way.x[-1])).max() < 1e-6


# parameters


@pytest.mark.parametrize(
    ("make", "name", "value", "complaint"),
    [
        (Momentum, "learning_rate", 0, "must be a number > 0, not 0"),
        (Momentum, "momentum", 1.0, "must be a number >= 0 and < 1, not 1.0"),
        (Nesterov, "momentum", -0.1, "must be a number >= 0 and < 1, not -0.1"),
        (Adagrad, "epsilon", 0.0, "must be a number > 0, not 0.0"),
        (Adagrad, "initial_accumulator", -1, "must be a number >= 0, not -1"),
        (RMSProp, "decay", 1, "must be a number >= 0 and < 1, not 1"),
        (Adam, "beta1", 1, "must be a number >= 0 and < 1, not 1"),
        (Adam, "beta2", "high", "must be a number >= 0 and < 1, not 'high'"),
        (Adam, "epsilon", math.nan, "must be a number > 0, not nan"),
        (Backtracking, "c1", 1.0, "must be a number > 0 and < 1, not 1.0"),
        (Backtracking, "shrink", 1.0, "must be a number > 0 and < 1, not 1.0"),
        (Backtracking, "max_trials", 0, "must be a whole number >= 1, not 0"),
        (BFGS, "curvature", -1e-3, "must be a number >= 0 and < 1, not -0.001"),
        (LBFGS, "history", 0, "must be a whole number >= 1, not 0"),
        (LBFGS, "history", 2.5, "must be a whole number >= 1, not 2.5"),
        (GaussNewton, "floor", 0.0, "must be a number > 0 and < 1, not 0.0"),
        (LevenbergMarquardt, "damping", 0.0, "must be a number > 0, not 0.0"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused(make: Any, name: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match="must be") as refusal:
        parameters_of(make)[name].convert(value)
    assert str(refusal.value) == complaint


@pytest.mark.parametrize("make", [BFGS, LBFGS])
def test_wolfe_conditions_that_exclude_each_other_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="c1") as refusal:
        make(c1=0.5, c2=0.5).validate()
    assert str(refusal.value) == "c1 = 0.5 must be less than c2 = 0.5: else there may be no such step size"
    make(c1=0.5, c2=0.51).validate()


@pytest.mark.parametrize("make", sorted({type(each) for each in OPTIMIZERS}, key=lambda cls: cls.__name__))
def test_every_default_fits_and_every_parameter_is_explained(make: Any) -> None:
    for parameter in parameters_of(make).values():
        assert parameter.convert(parameter.default) == parameter.default
        assert parameter.doc

"""The objectives of the field and logistic regression: against SciPy, published points, exact arithmetic and complex steps."""

from __future__ import annotations

import dataclasses
import itertools
import math
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from runner import Array, Objective, read_table
from runner.testing import check_objective
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.objectives.ackley import Ackley
from runner_plugins.objectives.beale import Beale
from runner_plugins.objectives.himmelblau import Himmelblau
from runner_plugins.objectives.logistic_regression import BLOCK, CHUNK, LogisticRegression
from runner_plugins.objectives.rastrigin import Rastrigin
from runner_plugins.objectives.rosenbrock import Rosenbrock
from runner_plugins.objectives.styblinski_tang import StyblinskiTang

OBJECTIVES: list[Any] = [
    Rosenbrock(),
    Rosenbrock(2, -2.0, 3.0),
    Rosenbrock(3),
    Rosenbrock(12, 0.0, 10.0),
    Beale(),
    Himmelblau(),
    Rastrigin(),
    Rastrigin(1, 0.5),
    Rastrigin(11),
    Ackley(),
    Ackley(1),
    Ackley(11, 5.0, 0.5, 3.0),
    StyblinskiTang(),
    StyblinskiTang(11),
    LogisticRegression(),
    LogisticRegression(features=4, samples=60, seed=2, l2=0.01),
    LogisticRegression(samples=BLOCK + 100, seed=1),
]
SWEPT: list[tuple[Any, dict[str, Array]]] = [
    (Rosenbrock(), {"a": np.linspace(-2, 2, 9)}),
    (Rosenbrock(5), {"b": np.logspace(-1, 3, 9)}),
    (Rosenbrock(), {"a": np.linspace(-2, 2, 9), "b": np.logspace(-1, 3, 9)}),
    (Rastrigin(3), {"amplitude": np.linspace(0, 20, 9)}),
    (Ackley(3), {"a": np.linspace(1, 30, 9)}),
    (Ackley(3), {"b": np.linspace(0.1, 2, 9)}),
    (Ackley(3), {"c": np.linspace(-8, 8, 9)}),
    (Ackley(3), {"a": np.linspace(1, 30, 9), "b": np.linspace(0.1, 2, 9), "c": np.linspace(-8, 8, 9)}),
    (LogisticRegression(features=3), {"l2": np.array([0, *np.logspace(-6, 2, 8)])}),
    (LogisticRegression(features=2, samples=BLOCK + 1), {"l2": np.array([0, *np.logspace(-6, 2, 8)])}),
]
METHODS = ("value", "gradient", "hessian", "value_and_gradient", "residuals", "jacobian")
labelled = pytest.mark.parametrize(
    "objective", OBJECTIVES, ids=lambda objective: f"{type(objective).__name__}-{objective.dimension}"
)


def points(objective: Any, runs: int = 40) -> Array:
    return np.random.default_rng(3).uniform(*objective.start_region, (runs, objective.dimension))


def close(actual: Array, expected: Array) -> bool:
    return bool(np.abs(actual - expected).max() <= 1e-12 * np.abs(expected).max())


def bits(result: Any) -> bytes:
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (result if isinstance(result, tuple) else (result,)))


def row_of(result: Any, row: slice) -> Any:
    return tuple(part[row] for part in result) if isinstance(result, tuple) else result[row]


def at(objective: Any, *x: float) -> float:
    return float(objective.value(np.array([x]))[0])


# all of them


@labelled
def test_the_contract_is_kept(objective: Objective) -> None:
    check_objective(objective)


@labelled
def test_formulas_agree_with_the_complex_step(objective: Any) -> None:
    x, stepped = points(objective), ComplexStep()
    assert stepped.refusal(objective, "gradient") is None
    assert stepped.refusal(objective, "hessian") is None
    assert close(objective.gradient(x), stepped.gradient(objective, x))
    assert close(objective.hessian(x), stepped.hessian(objective, x))
    if hasattr(objective, "jacobian"):
        assert close(objective.jacobian(x), stepped.jacobian(objective, x))
        assert close((objective.residuals(x) ** 2).sum(axis=-1), objective.value(x))


@labelled
def test_a_batch_has_the_bits_of_its_rows(objective: Any) -> None:
    x = points(objective, 400)
    for method in METHODS:
        if hasattr(objective, method):
            function = getattr(objective, method)
            together = function(x)
            for run in (0, 1, 333, 399):
                row = slice(run, run + 1)
                assert bits(function(x[row])) == bits(row_of(together, row)), method


@labelled
def test_shared_work_changes_no_bit(objective: Any) -> None:
    if hasattr(objective, "value_and_gradient"):
        x = points(objective)
        assert bits(objective.value_and_gradient(x)) == bits((objective.value(x), objective.gradient(x)))


@pytest.mark.parametrize(
    ("objective", "columns"), SWEPT, ids=lambda part: "-".join(part) if isinstance(part, dict) else type(part).__name__
)
def test_swept_parameters_give_the_bits_of_each_alone(objective: Any, columns: dict[str, Array]) -> None:
    swept = dataclasses.replace(objective, **{name: column[:, None] for name, column in columns.items()})
    x = points(objective, 9)
    minimum = swept.minimum
    for run in range(9):
        alone, row = (
            dataclasses.replace(objective, **{name: float(column[run]) for name, column in columns.items()}),
            slice(run, run + 1),
        )
        for method in METHODS:
            if hasattr(objective, method):
                assert bits(row_of(getattr(swept, method)(x), row)) == bits(getattr(alone, method)(x[row])), method
        assert bits(np.broadcast_to(minimum.x, x.shape)[run]) == bits(alone.minimum.x)
        assert np.broadcast_to(minimum.value, 9)[run] == alone.minimum.value


@labelled
def test_no_point_of_the_region_lies_lower_than_the_minimum(objective: Any) -> None:
    minimum = objective.minimum
    x = minimum.x[None]
    assert minimum.x.shape == (objective.dimension,)
    assert objective.value(x)[0] == minimum.value
    around = minimum.x + np.random.default_rng(1).normal(size=(500, objective.dimension)) * np.logspace(-8, 0, 500)[:, None]
    for candidates in (points(objective, 500), around):
        assert objective.value(candidates).min() >= minimum.value * (1 - math.copysign(1e-15, minimum.value))
    steepest = np.abs(objective.gradient(points(objective))).max()
    assert np.abs(objective.gradient(x)).max() <= 1e-14 * steepest
    curvature = objective.hessian(x)[0]
    if np.isfinite(curvature).all() and objective.dimension <= 3:
        assert np.linalg.eigvalsh(curvature)[0] >= 0


# rosenbrock


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_rosenbrock_is_that_of_scipy(dimension: int) -> None:
    objective = Rosenbrock(dimension)
    x = points(objective)
    np.testing.assert_allclose(objective.value(x), optimize.rosen(x.T), rtol=1e-14)
    np.testing.assert_allclose(objective.gradient(x), optimize.rosen_der(x.T).T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(objective.hessian(x), [optimize.rosen_hess(row) for row in x], rtol=1e-13, atol=1e-13)


def test_rosenbrock_at_published_points() -> None:
    # The standard start (-1.2, 1) of Rosenbrock (1960), f = 24.2: Moré, Garbow and Hillstrom (1981), number 1.
    assert at(Rosenbrock(), -1.2, 1.0) == pytest.approx(24.2, rel=1e-15)
    assert Rosenbrock().minimum.x.tolist() == [1, 1]
    assert Rosenbrock(a=3.0).minimum.x.tolist() == [3, 9]
    assert Rosenbrock(4, 0.0).minimum.x.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(
        np.linalg.eigvalsh(Rosenbrock().hessian(np.ones((1, 2)))[0]), [0.39936077, 1001.60063923], rtol=1e-8
    )


def test_rosenbrock_residuals_are_those_of_more_garbow_and_hillstrom() -> None:
    x = points(Rosenbrock())
    np.testing.assert_allclose(
        Rosenbrock().residuals(x), np.stack([10 * (x[:, 1] - x[:, 0] ** 2), 1 - x[:, 0]], axis=-1), rtol=1e-13
    )


@pytest.mark.parametrize(("dimension", "height"), [(2, 0), (3, 0), (4, 3.7014286), (7, 3.9836005)])
def test_rosenbrock_has_a_second_minimum_from_four_coordinates_on(dimension: int, height: float) -> None:
    # Shang and Qiu (2006): near (-1, 1, ..., 1). Short steps do not leave its valley.
    objective, start = Rosenbrock(dimension), np.ones(dimension)
    start[0] = -1
    found = optimize.minimize(
        lambda x: at(objective, *x),
        start,
        jac=lambda x: objective.gradient(x[None])[0],
        hess=lambda x: objective.hessian(x[None])[0],
        method="trust-exact",
        options={"initial_trust_radius": 0.05, "max_trust_radius": 0.06, "gtol": 1e-8},
    )
    assert found.success
    assert np.linalg.eigvalsh(objective.hessian(found.x[None])[0])[0] > 0.1
    assert found.fun == pytest.approx(height, abs=1e-7)
    assert (found.x[0] < -0.7) == (height > 0)


def test_rosenbrock_states_no_minimum_for_an_a_for_which_it_is_unknown() -> None:
    assert Rosenbrock(3, 2.5).minimum is None
    for known in (Rosenbrock(2, 2.5), Rosenbrock(3, 0.0), Rosenbrock(3)):
        assert known.minimum is not None
    # And rightly: with a = 2, (a, a, a²) is not stationary.
    assert np.abs(Rosenbrock(3, 2.0).gradient(np.array([[2.0, 2.0, 4.0]]))).max() > 1


# beale


def test_beale_at_published_points() -> None:
    # Moré, Garbow and Hillstrom (1981), number 5: start (1, 1); minimum (3, 0.5).
    assert at(Beale(), 1.0, 1.0) == 14.203125
    assert at(Beale(), 3.0, 0.5) == 0
    assert at(Beale(), 0.0, 0.0) == 1.5**2 + 2.25**2 + 2.625**2
    x = points(Beale())
    a, b = x.T
    expected = (1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2
    np.testing.assert_allclose(Beale().value(x), expected, rtol=1e-12)


def test_beale_has_the_saddle_and_the_valley_to_infinity_of_its_docstring() -> None:
    saddle = np.array([[0.0, 1.0]])
    assert Beale().gradient(saddle).tolist() == [[0, 0]]
    assert Beale().value(saddle).tolist() == [14.203125]
    np.testing.assert_array_equal(np.linalg.eigvalsh(Beale().hessian(saddle)[0]), [-27.75, 27.75])
    x = -np.logspace(1, 6, 6)
    heights = Beale().value(np.stack([x, 1 - (111 / 112) / x], axis=-1))
    assert (np.diff(heights) < 0).all()
    targets, k = np.array([1.5, 2.25, 2.625]), np.array([1.0, 2.0, 3.0])
    limit = targets @ targets - (k @ targets) ** 2 / (k @ k)
    assert (k @ targets) / (k @ k) == pytest.approx(111 / 112, rel=1e-15)
    assert heights[-1] == pytest.approx(limit, rel=1e-4)
    assert limit == pytest.approx(0.452, abs=5e-4)
    assert heights[-1] > limit


# himmelblau

HIMMELBLAU_MINIMA = [(3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)]


def stationary_points(objective: Any, steps: int = 60) -> Array:
    """Return where Newton's method ends from a grid of starts, each point once."""
    axis = np.linspace(*objective.start_region, 41)
    x = np.array(list(itertools.product(*[axis] * objective.dimension)))
    for _ in range(steps):
        x = (
            x
            - np.linalg.solve(objective.hessian(x) + 1e-300 * np.eye(objective.dimension), objective.gradient(x)[..., None])[
                ..., 0
            ]
        )
    ended = x[np.abs(objective.gradient(x)).max(axis=-1) < 1e-9]
    return np.unique(ended.round(6) + 0.0, axis=0)


def test_himmelblau_has_the_nine_stationary_points_of_its_docstring() -> None:
    objective = Himmelblau()
    found = stationary_points(objective)
    signs = np.sign(np.linalg.eigvalsh(objective.hessian(found))).sum(axis=-1)
    assert [int((signs == sign).sum()) for sign in (2, 0, -2)] == [4, 4, 1]
    np.testing.assert_allclose(sorted(map(tuple, found[signs == 2])), sorted(HIMMELBLAU_MINIMA), atol=1.1e-6)
    np.testing.assert_allclose(found[signs == -2], [[-0.270845, -0.923039]], atol=1.1e-6)
    assert at(objective, *found[signs == -2][0]) == pytest.approx(181.616522, abs=1e-5)
    assert objective.value(found[signs == 2]).max() < 1e-9


def test_himmelblau_at_published_points() -> None:
    assert at(Himmelblau(), 3.0, 2.0) == 0
    assert at(Himmelblau(), 0.0, 0.0) == 11**2 + 7**2
    assert at(Himmelblau(), 1.0, 1.0) == 9**2 + 5**2
    assert Himmelblau().gradient(np.array([[0.0, 0.0]])).tolist() == [[-14, -22]]


# rastrigin


def test_rastrigin_is_its_formula() -> None:
    objective = Rastrigin(4, 7.0)
    x = points(objective)
    expected = [math.fsum([28.0, *(value * value - 7 * math.cos(2 * math.pi * value) for value in row)]) for row in x]
    np.testing.assert_allclose(objective.value(x), expected, rtol=1e-13)


def test_rastrigin_keeps_its_digits_near_the_minimum() -> None:
    x = np.array([[1e-9, 0.0]])
    assert Rastrigin().value(x)[0] == pytest.approx((1 + 20 * math.pi**2) * 1e-18, rel=1e-14)


def test_rastrigin_at_published_points() -> None:
    # At whole numbers the cosine is 1, at halves -1: the highest point of the usual region has |xᵢ| near 4.52.
    assert at(Rastrigin(), 1.0, -2.0) == pytest.approx(5, rel=1e-14)
    assert at(Rastrigin(3), 0.5, 0.5, -0.5) == pytest.approx(3 * 20.25, rel=1e-14)
    assert at(Rastrigin(), 4.52299366, 4.52299366) == pytest.approx(80.7065804, rel=1e-8)


def test_rastrigin_has_one_minimum_near_each_whole_number() -> None:
    objective, whole = Rastrigin(1), np.arange(-5.0, 6.0)[:, None]
    x = whole.copy()
    for _ in range(20):
        x = x - objective.gradient(x) / objective.hessian(x)[..., 0]
    assert (objective.hessian(x) > 0).all()
    assert (np.abs(x - whole) < 0.03).all()
    assert (np.abs(x) <= np.abs(whole)).all()
    fine = np.linspace(-5.12, 5.12, 100_000)[:, None]
    turns = np.diff(np.sign(objective.gradient(fine)[:, 0]))
    assert (turns > 0).sum() == 11
    assert len(np.unique(objective.value(x).round(9))) == 6


@pytest.mark.parametrize(("amplitude", "convex"), [(0.0506, True), (0.0507, False)])
def test_rastrigin_is_convex_just_where_its_docstring_says(amplitude: float, convex: bool) -> None:
    curvature = Rastrigin(1, amplitude).hessian(np.linspace(-1, 1, 1001)[:, None])
    assert bool((curvature >= 0).all()) is convex


# ackley


def test_ackley_is_its_formula() -> None:
    objective = Ackley(4, 11.0, 0.3, 5.0)
    x = points(objective)
    root, mean = np.sqrt((x**2).mean(axis=-1)), np.cos(5 * x).mean(axis=-1)
    np.testing.assert_allclose(objective.value(x), -11 * np.exp(-0.3 * root) - np.exp(mean) + 11 + np.e, rtol=1e-13)


def test_ackley_at_published_points() -> None:
    # f(1, 1) = 20 - 20 exp(-0.2), since cos 2π = 1; f(0.5, 0.5) = 20 - 20 exp(-0.1) + e - 1/e.
    assert at(Ackley(), 1.0, 1.0) == pytest.approx(20 - 20 * math.exp(-0.2), rel=1e-14)
    assert at(Ackley(), 0.5, 0.5) == pytest.approx(20 - 20 * math.exp(-0.1) + math.e - 1 / math.e, rel=1e-14)
    assert at(Ackley(), 1e9, 1e9) == pytest.approx(20 + math.e - math.exp(math.cos(2e9 * math.pi)), rel=1e-6)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_ackley_has_a_tip_and_says_so(dimension: int) -> None:
    objective, origin = Ackley(dimension), np.zeros((1, dimension))
    assert objective.value(origin).tolist() == [0]
    assert objective.gradient(origin).tolist() == [[0] * dimension]
    np.testing.assert_array_equal(objective.hessian(origin)[0], np.diag([np.inf] * dimension))
    for distance in (1e-4, 1e-8, 1e-100, 1e-150):
        near = origin.copy()
        near[0, -1] = distance
        # On the axis r = |x|/√d, so f ≈ a b |x|/√d.
        assert objective.value(near)[0] == pytest.approx(4 * distance / math.sqrt(dimension), rel=50 * distance + 1e-14)
        assert np.linalg.norm(objective.gradient(near)) == pytest.approx(4 / math.sqrt(dimension), rel=50 * distance + 1e-14)
        assert np.isfinite(objective.hessian(near)).all()
    for subnormal in (1e-170, 5e-324):
        tiny = np.full((1, dimension), subnormal)
        assert not np.isnan(objective.hessian(tiny)).any()
        assert objective.gradient(tiny).tolist() == [[0] * dimension]


def test_ackley_beside_its_tip_in_a_batch() -> None:
    x = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, -0.0]])
    gradient, hessian = Ackley().gradient(x), Ackley().hessian(x)
    assert np.isinf(hessian[[0, 2]]).any(axis=(1, 2)).all()
    assert bits(gradient[1:2]) == bits(Ackley().gradient(x[1:2]))
    assert bits(hessian[1:2]) == bits(Ackley().hessian(x[1:2]))


# styblinski_tang


def test_styblinski_tang_minimiser_is_the_nearest_double() -> None:
    getcontext().prec = 50
    root = Decimal("-2.9")
    for _ in range(10):
        root -= (4 * root**3 - 32 * root + 5) / (12 * root**2 - 32)
    minimum = StyblinskiTang(3).minimum
    assert minimum.x.tolist() == [float(root)] * 3
    assert str(root).startswith("-2.903534027771177")
    lowest = (root**4 - 16 * root**2 + 5 * root) / 2
    assert minimum.value == pytest.approx(3 * float(lowest), rel=1e-15)
    # -78.332 for two coordinates, as it is published.
    assert StyblinskiTang().minimum.value == pytest.approx(-78.332, abs=5e-4)


def test_styblinski_tang_has_the_stationary_points_of_its_docstring() -> None:
    for dimension in (1, 2):
        objective = StyblinskiTang(dimension)
        found = stationary_points(objective)
        curvatures = np.linalg.eigvalsh(objective.hessian(found))
        assert len(found) == 3**dimension
        assert (curvatures[:, 0] > 0).sum() == 2**dimension
        assert (curvatures[:, -1] < 0).sum() == 1
    np.testing.assert_allclose(np.sort(stationary_points(StyblinskiTang(1))[:, 0]), [-2.903534, 0.156731, 2.746803], atol=1.1e-6)
    assert at(StyblinskiTang(1), 2.7468027709908367) == pytest.approx(-25.029446, abs=1e-6)
    assert at(StyblinskiTang(), 1.0, 2.0) == (1 - 16 + 5) / 2 + (16 - 64 + 10) / 2


# logistic_regression


def log_loss(objective: LogisticRegression, x: Array) -> Array:
    """Return the definition, with SciPy's functions, one sample at a time."""
    features, y = objective.data
    margins = x[:, :-1] @ features.T + x[:, -1:]
    likelihood: Array = -special.log_expit(np.where(y == 1, margins, -margins))
    return likelihood.mean(axis=-1) + 0.5 * np.asarray(objective.l2) * (x[:, :-1] ** 2).sum(axis=-1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 100.0, 1e5])
@pytest.mark.parametrize("objective", OBJECTIVES[-3:], ids=["plain", "l2", "blocks"])
def test_logistic_regression_is_the_mean_negative_log_likelihood(objective: LogisticRegression, scale: float) -> None:
    x = scale * points(objective, 20)
    np.testing.assert_allclose(objective.value(x), log_loss(objective, x), rtol=1e-13)
    features, y = objective.data
    errors = special.expit(x[:, :-1] @ features.T + x[:, -1:]) - y
    slopes = errors @ np.column_stack([features, np.ones(len(y))]) / len(y)
    slopes[:, :-1] += objective.l2 * x[:, :-1]
    np.testing.assert_allclose(objective.gradient(x), slopes, rtol=1e-11, atol=1e-13 * np.abs(slopes).max())


def table(path: Path, features: Any, y: Any) -> Path:
    rows = np.column_stack([features, y]).tolist()
    path.write_text("\n".join(",".join(map(repr, row)) for row in rows), encoding="utf-8")
    return path


def test_logistic_regression_is_right_where_exponentials_overflow_or_vanish(tmp_path: Path) -> None:
    objective = LogisticRegression(csv=table(tmp_path / "d.csv", [1.0, 1.0], [0, 1]))
    x = np.array([[0.0, 1e5], [0.0, -1e5], [0.0, 40.0], [0.0, 299.0], [0.0, 301.0], [0.0, 0.0]])
    np.testing.assert_allclose(objective.value(x), [5e4, 5e4, 20, 149.5, 150.5, math.log(2)], rtol=1e-15)
    np.testing.assert_allclose(objective.gradient(x)[:, 1], [0.5, -0.5, 0.5, 0.5, 0.5, 0], rtol=1e-15, atol=1e-16)
    assert (objective.hessian(x) >= 0).all()
    single = LogisticRegression(csv=table(tmp_path / "one.csv", [1.0, 1.0], [1, 1]))
    np.testing.assert_allclose(single.value(np.array([[0.0, 100.0], [0.0, 700.0]])), [math.exp(-100), math.exp(-700)], rtol=1e-13)
    np.testing.assert_allclose(single.gradient(np.array([[0.0, 100.0]])), -math.exp(-100) * np.ones((1, 2)), rtol=1e-13)


@pytest.mark.parametrize("real", [-1000.0, -20.0, 0.0, 5.0, 299.0, 301.0, 1000.0])
def test_logistic_regression_is_analytic_on_both_sides_of_its_cap(tmp_path: Path, real: float) -> None:
    objective = LogisticRegression(csv=table(tmp_path / "d.csv", [1.0, -1.0], [0, 1]))
    x = np.array([[real, 0.0]])
    stepped = ComplexStep().gradient(objective, x)
    np.testing.assert_allclose(stepped, objective.gradient(x), rtol=1e-14, atol=1e-300)


def test_logistic_regression_data_are_what_the_docstring_defines() -> None:
    objective = LogisticRegression(features=3, samples=50, seed=4)
    generator = np.random.Generator(np.random.PCG64(4))
    features, u = generator.uniform(-1, 1, (50, 3)), generator.uniform(size=50)
    chance = special.expit(features @ (np.array([3, -3, 3]) / math.sqrt(3)) - 1)
    np.testing.assert_array_equal(objective.data[0], features)
    np.testing.assert_array_equal(objective.data[1], u < chance)


@pytest.mark.parametrize(("features", "l2"), [(1, 0.0), (3, 0.0), (3, 1e-3), (8, 10.0)])
def test_logistic_regression_minimum_is_that_of_scipy(features: int, l2: float) -> None:
    objective = LogisticRegression(features=features, samples=200, seed=1, l2=l2)
    found = optimize.minimize(
        lambda x: log_loss(objective, x[None])[0],
        np.zeros(features + 1),
        jac=lambda x: objective.gradient(x[None])[0],
        method="BFGS",
        options={"gtol": 1e-9},
    )
    np.testing.assert_allclose(objective.minimum.x, found.x, rtol=1e-6, atol=1e-7)
    assert objective.minimum.value <= found.fun + 1e-15
    assert np.abs(objective.gradient(objective.minimum.x[None])).max() < 1e-16 * (1 + 10 * l2)


def test_logistic_regression_without_information_finds_the_frequency(tmp_path: Path) -> None:
    path = table(tmp_path / "d.csv", np.zeros(4), [1, 1, 1, 0])
    minimum = LogisticRegression(csv=path).minimum
    np.testing.assert_allclose(minimum.x, [0, math.log(3)], rtol=1e-15)
    assert minimum.value == pytest.approx(2 * math.log(2) - 0.75 * math.log(3), rel=1e-15)


def test_logistic_regression_names_a_minimiser_where_features_depend_on_each_other(tmp_path: Path) -> None:
    features, y = LogisticRegression(features=2).data
    both = np.column_stack([features, features.sum(axis=-1), np.full(100, 5.0)])
    plain, more = LogisticRegression(features=2), LogisticRegression(csv=table(tmp_path / "d.csv", both, y))
    more.validate()
    assert more.minimum.value == pytest.approx(plain.minimum.value, rel=1e-14)
    assert np.abs(more.gradient(more.minimum.x[None])).max() < 1e-15


def test_logistic_regression_minimum_does_not_depend_on_units(tmp_path: Path) -> None:
    features, y = LogisticRegression(features=2).data
    scaled = LogisticRegression(csv=table(tmp_path / "d.csv", features * [1e9, 1e-9], y))
    np.testing.assert_allclose(scaled.minimum.x * [1e9, 1e-9, 1], LogisticRegression(features=2).minimum.x, rtol=1e-12)


SEPARABLE = (
    "a plane separates the two classes, so f has no minimum with l2 = 0: it falls for ever as the weights grow; give l2 > 0"
)


@pytest.mark.parametrize(
    ("features", "y"),
    [([-2.0, -1, 1, 2], [0, 0, 1, 1]), ([-2.0, 0, 0, 2], [0, 0, 1, 1]), ([[0.0, 0], [0, 0], [0, 3], [1, 0]], [0, 1, 1, 1])],
    ids=["apart", "touching", "one feature decides"],
)
def test_logistic_regression_refuses_data_that_a_plane_separates(tmp_path: Path, features: Any, y: Any) -> None:
    path = table(tmp_path / "d.csv", features, y)
    with pytest.raises(ValueError, match="plane") as refusal:
        LogisticRegression(csv=path).validate()
    assert str(refusal.value) == f"{path}: {SEPARABLE}"
    for l2 in (1.0, 1e-6, 1e-30):
        penalised = LogisticRegression(csv=path, l2=l2)
        penalised.validate()
        x = penalised.minimum.x[None]
        size = l2 * np.abs(x).max()
        assert np.abs(penalised.gradient(x)).max() <= 1e-12 * size + 1e-15 * (penalised.minimum.value > 0.1)
        assert (
            penalised.value(x + 0.01 * np.random.default_rng(0).normal(size=(50, x.shape[-1]))) >= penalised.minimum.value
        ).all()


def test_logistic_regression_refuses_made_up_data_by_the_parameters_that_made_them() -> None:
    with pytest.raises(ValueError, match="plane") as refusal:
        LogisticRegression(features=5, samples=5).validate()
    assert str(refusal.value) == f"features = 5, samples = 5 and seed = 0: {SEPARABLE}"
    with pytest.raises(ValueError, match="both") as refusal:
        LogisticRegression(samples=2, l2=1.0).validate()
    assert str(refusal.value) == "features = 1, samples = 2 and seed = 0: every y is 1, and without both classes f has no minimum"


def test_logistic_regression_refuses_just_what_linear_programming_calls_separable(tmp_path: Path) -> None:
    # Albert and Anderson (1984): no minimum exists just if some v has sᵢ (Xᵢ, 1)·v ≥ 0 for all i, and > 0 for one.
    generator, verdicts = np.random.default_rng(5), set()
    for number in range(40):
        samples, features = int(generator.integers(5, 14)), int(generator.integers(1, 4))
        inputs, y = generator.integers(-2, 3, (samples, features)), np.append(generator.integers(0, 2, samples - 2), [0, 1])
        signed = (2 * y - 1)[:, None] * np.column_stack([inputs, np.ones(samples)])
        program = optimize.linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(samples), bounds=[(-1, 1)] * (features + 1))
        objective = LogisticRegression(csv=table(tmp_path / f"{number}.csv", inputs, y))
        try:
            objective.validate()
        except ValueError:
            verdict = "separable"
        else:
            verdict = "overlapping"
        assert verdict == ("separable" if -program.fun > 1e-7 else "overlapping")
        verdicts.add(verdict)
    assert len(verdicts) == 2


def test_logistic_regression_says_what_is_wrong_with_a_csv_file(tmp_path: Path) -> None:
    path = table(tmp_path / "d.csv", [1.0, 2, 3], [0, 1, 2])
    with pytest.raises(ValueError, match="0 or 1") as refusal:
        LogisticRegression(csv=path).validate()
    assert str(refusal.value) == f"{path}: y, in the last column, must be 0 or 1, not 2 (sample 3)"
    same = table(tmp_path / "same.csv", [1.0, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="both") as refusal:
        LogisticRegression(csv=same, l2=1.0).validate()
    assert str(refusal.value) == f"{same}: every y is 1, and without both classes f has no minimum"
    path.write_text("1,2\n3,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="finite") as refusal:
        LogisticRegression(csv=path).validate()
    assert str(refusal.value) == f"{path}, line 2: 'x' is not a finite number"


def test_logistic_regression_refuses_a_csv_file_beside_made_up_data(tmp_path: Path) -> None:
    path = table(tmp_path / "d.csv", [1.0, 2, 1, 2], [0, 1, 1, 0])
    LogisticRegression(csv=path, l2=0.5).validate()
    with pytest.raises(ValueError, match="csv") as refusal:
        LogisticRegression(csv=path, features=2, seed=3).validate()
    assert str(refusal.value) == "features and seed cannot be given with csv, whose file decides the data"


def test_logistic_regression_takes_runs_in_chunks_without_changing_a_bit() -> None:
    objective = LogisticRegression()
    x = points(objective, 3 * CHUNK // 100)
    for method in METHODS[:4]:
        function = getattr(objective, method)
        together = function(x)
        for run in (0, CHUNK // 100 - 1, CHUNK // 100, len(x) - 1):
            row = slice(run, run + 1)
            assert bits(row_of(together, row)) == bits(function(x[row]))
    assert objective.value(x[:0]).shape == (0,)


# tables


def test_a_table_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    first = read_table(path)
    assert first.tolist() == [[1, 2]]
    assert read_table(path) is first
    assert not first.flags.writeable
    path.write_text("a,b\n1,3\n", encoding="utf-8")
    assert read_table(path).tolist() == [[1, 3]]
    path.unlink()
    with pytest.raises(ValueError, match="absent|read") as refusal:
        read_table(path)
    assert str(refusal.value) == f"{path}: cannot be read: No such file or directory"

"""The objectives against closed forms, exact arithmetic and independent sources."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from runner import Array
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic

SAFE = st.floats(-1e150, 1e150)


def points(dimension: int, runs: int = 50) -> Array:
    return np.random.default_rng(dimension).uniform(-3.0, 3.0, (runs, dimension))


# quadratic


@given(SAFE)
def test_quadratic_in_one_dimension_is_exactly_x_squared(x: float) -> None:
    point = np.array([[x]])
    assert Quadratic().value(point)[0] == x * x
    assert Quadratic().gradient(point)[0, 0] == 2 * x
    assert Quadratic().hessian(point)[0, 0, 0] == 2


def test_quadratic_curvatures_are_log_spaced_from_one_to_the_condition_number() -> None:
    hessian = Quadratic(dimension=5, condition_number=16.0).hessian(points(5))
    np.testing.assert_allclose(hessian, np.broadcast_to(2 * np.diag([1.0, 2.0, 4.0, 8.0, 16.0]), (50, 5, 5)), rtol=1e-15)


def test_quadratic_value_is_the_weighted_sum_of_squares() -> None:
    x = points(3)
    expected = [math.fsum([a * a, 10 * b * b, 100 * c * c]) for a, b, c in x]
    np.testing.assert_allclose(Quadratic(dimension=3, condition_number=100.0).value(x), expected, rtol=1e-14)


def test_quadratic_swept_condition_number_gives_the_bits_of_each_alone() -> None:
    kappas = np.logspace(0, 8, 50)[:, None]
    x, swept = points(5), Quadratic(5, kappas)  # type: ignore[arg-type]
    for run, kappa in enumerate(kappas[:, 0]):
        alone, row = Quadratic(5, float(kappa)), slice(run, run + 1)
        for method in ("value", "gradient", "hessian"):
            assert getattr(swept, method)(x)[row].tobytes() == getattr(alone, method)(x[row]).tobytes()
    assert swept.minimum.x.shape == (50, 5)


def test_quadratic_refuses_a_condition_number_in_one_dimension() -> None:
    with pytest.raises(ValueError, match="condition_number") as refusal:
        Quadratic(condition_number=10.0).validate()
    assert str(refusal.value) == (
        "condition_number = 10 needs dimension >= 2: with dimension = 1 there is one curvature, so condition_number must be 1"
    )
    Quadratic().validate()
    Quadratic(dimension=2, condition_number=10.0).validate()


# sin_quadratic


def test_sin_quadratic_minimiser_of_the_classic_case_is_the_nearest_double() -> None:
    getcontext().prec = 50
    root = Decimal("-0.45")
    for _ in range(8):
        squared, cosine, sine, term = root * root, Decimal(1), root, Decimal(1)
        for order in range(1, 40):
            term *= -squared / ((2 * order - 1) * (2 * order))
            cosine += term
            sine += term * root / (2 * order + 1)
        root -= (cosine + 2 * root) / (2 - sine)
    minimum = SinQuadratic().minimum
    assert minimum.x.tolist() == [float(root)]
    assert minimum.value == math.sin(float(root)) + float(root) ** 2


@given(st.floats(-60, 60), st.floats(-30, 30))
def test_sin_quadratic_minimum_is_the_lowest_of_all_stationary_points(a: float, omega: float) -> None:
    minimum = SinQuadratic(a, omega).minimum
    reach = abs(a * omega) / 2
    grid = np.linspace(-reach, reach, 20_001)
    values = a * np.sin(omega * grid) + grid**2
    best = int(np.argmin(values))
    assert minimum.x.shape == (1,)
    assert minimum.value <= values[best] + 1e-13 * (1 + abs(a))
    if reach > 1e-3 and grid[1] - grid[0] < 0.1 / abs(omega):

        def slope(x: float) -> float:
            return a * omega * math.cos(omega * x) + 2 * x

        inside = grid[max(best - 2, 0)], grid[min(best + 2, len(grid) - 1)]
        root = optimize.brentq(slope, *inside, xtol=1e-300, rtol=8.9e-16)
        np.testing.assert_allclose(minimum.x, [root], rtol=4e-15)


@pytest.mark.parametrize(("a", "omega"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_sin_quadratic_without_ripple_has_its_minimum_at_zero(a: float, omega: float) -> None:
    minimum = SinQuadratic(a, omega).minimum
    assert minimum.x.tolist() == [0.0]
    assert minimum.value == 0.0


def test_sin_quadratic_swept_minima_are_the_bits_of_each_alone() -> None:
    a, omega = np.linspace(-50, 50, 40)[:, None], np.linspace(20, -20, 40)[:, None]
    for fields in ({"a": a}, {"omega": omega}, {"a": a, "omega": omega}):
        swept = SinQuadratic(**fields).minimum
        assert swept.x.shape == (40, 1)
        assert np.shape(swept.value) == (40,)
        for run in range(40):
            alone = SinQuadratic(**{name: float(column[run, 0]) for name, column in fields.items()}).minimum
            assert swept.x[run].tobytes() == alone.x.tobytes()
            assert np.asarray(swept.value)[run] == alone.value


@pytest.mark.parametrize(("a", "omega", "convex"), [(1, 1, True), (1.9, 1, True), (2.1, 1, False), (0.4, 2.3, False)])
def test_sin_quadratic_is_convex_just_where_its_docstring_says(a: float, omega: float, convex: bool) -> None:
    x = np.linspace(-3, 3, 10_001)[:, None]
    smallest = SinQuadratic(a, omega).hessian(x).min()
    assert smallest == pytest.approx(2 - abs(a) * omega**2, abs=1e-5)
    assert bool(smallest > 0) is convex is (abs(a) * omega**2 < 2)


# linear_regression


@pytest.mark.parametrize("features", [1, 2, 7])
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_linear_regression_is_the_mean_squared_error_over_the_samples(features: int, noise: float) -> None:
    objective = LinearRegression(features=features, samples=137, noise=noise, seed=3)
    x = points(features + 1)
    inputs, y = objective.data
    errors = (inputs[None] * x[:, None, :-1]).sum(axis=-1) + x[:, -1:] - y
    mean = [math.fsum(row**2) / 137 for row in errors]
    slopes = [[math.fsum(2 * row * column) / 137 for column in (*inputs.T, np.ones(137))] for row in errors]
    np.testing.assert_allclose(objective.value(x), mean, rtol=1e-14)
    np.testing.assert_allclose(objective.gradient(x), slopes, rtol=1e-13, atol=1e-13 * np.abs(slopes).max())
    np.testing.assert_allclose((objective.residuals(x) ** 2).sum(axis=-1), mean, rtol=1e-14)
    design = np.column_stack([inputs, np.ones(137)])
    np.testing.assert_allclose(objective.hessian(x)[7], 2 * design.T @ design / 137, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("features", [1, 3])
def test_linear_regression_minimum_is_that_of_lstsq_on_all_samples(features: int) -> None:
    objective = LinearRegression(features=features, samples=50, noise=1.0, seed=1)
    inputs, y = objective.data
    design = np.column_stack([inputs, np.ones(50)])
    expected, squares = np.linalg.lstsq(design, y)[:2]
    np.testing.assert_allclose(objective.minimum.x, expected, rtol=1e-13)
    assert objective.minimum.value == pytest.approx(float(squares[0]) / 50, rel=1e-13)


def test_linear_regression_without_noise_recovers_its_true_weights() -> None:
    np.testing.assert_allclose(LinearRegression(noise=0.0).minimum.x, [2, -1], rtol=1e-14)
    np.testing.assert_allclose(LinearRegression(features=3, noise=0.0).minimum.x, [2, -2, 2, -1], rtol=1e-14)


def test_linear_regression_data_are_what_the_docstring_defines() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    inputs = generator.uniform(-1, 1, (4, 2))
    noise = generator.standard_normal(4)
    data, y = LinearRegression(features=2, samples=4, noise=0.5, seed=5).data
    np.testing.assert_array_equal(data, inputs)
    np.testing.assert_allclose(y, 2 * inputs[:, 0] - 2 * inputs[:, 1] - 1 + 0.5 * noise, rtol=1e-14)


def exact_least_squares(design: Array, y: Array) -> list[Fraction]:
    """Solve the normal equations in rational numbers, where forming them loses nothing."""
    a = [[Fraction(float(value)) for value in row] for row in design]
    b = [Fraction(float(value)) for value in y]
    size = len(a[0])
    system = [[sum(row[i] * row[j] for row in a) for j in range(size)] for i in range(size)]
    table = [[*row, sum(r[i] * v for r, v in zip(a, b, strict=True))] for i, row in enumerate(system)]
    for i in range(size):
        table[i] = [value / table[i][i] for value in table[i]]
        for j in range(size):
            if j != i:
                table[j] = [one - table[j][i] * other for one, other in zip(table[j], table[i], strict=True)]
    return [row[-1] for row in table]


def test_linear_regression_keeps_its_digits_on_ill_conditioned_data(tmp_path: Path) -> None:
    t = np.linspace(0, 1, 15)
    inputs = np.column_stack([t, t + 1e-7 * t**2])
    y = inputs @ [1.0, 2.0] + 3 + 1e-6 * np.cos(9 * t)
    path = tmp_path / "near.csv"
    path.write_text("\n".join(",".join(map(repr, map(float, row))) for row in np.column_stack([inputs, y])))
    minimum = LinearRegression(csv=path).minimum
    design = np.column_stack([inputs, np.ones(15)])
    exact = np.array([float(value) for value in exact_least_squares(design, y)])
    condition = np.linalg.cond(design)
    assert condition > 1e7
    # Forming XᵀX would lose condition², which leaves no digit here.
    assert np.linalg.norm(minimum.x - exact) <= 10 * np.finfo(float).eps * condition * np.linalg.norm(exact)
    error = design @ exact - y
    assert minimum.value == pytest.approx(math.fsum(error**2) / 15, rel=1e-6)


def test_linear_regression_takes_the_shortest_solution_where_the_data_leave_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "constant.csv"
    path.write_text("\n".join(f"{x},{x},5,{3 * x + 1}" for x in range(1, 9)))
    minimum = LinearRegression(csv=path).minimum
    np.testing.assert_allclose(minimum.x, [1.5, 1.5, 5 / 26, 1 / 26], rtol=1e-12)
    assert 0 <= float(minimum.value) < 1e-28


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_linear_regression_with_fewer_samples_than_coordinates_fits_them_all(samples: int) -> None:
    objective = LinearRegression(features=3, samples=samples)
    inputs, y = objective.data
    np.testing.assert_allclose(objective.minimum.x, np.linalg.pinv(np.column_stack([inputs, np.ones(samples)])) @ y, rtol=1e-12)
    assert 0 <= float(objective.minimum.value) < 1e-28
    assert objective.residuals(points(4)).shape == (50, 5)


def test_linear_regression_reads_a_csv_file_with_or_without_a_header(tmp_path: Path) -> None:
    bare, headed = tmp_path / "bare.csv", tmp_path / "headed.csv"
    bare.write_text("1,2,3\n4,5,6e0\n\n")
    headed.write_bytes('\ufeff"a, b",c,y\r\n1,2,3\r\n\r\n 4,5,6\r\n'.encode())
    for path in (bare, headed):
        objective = LinearRegression(csv=path)
        objective.validate()
        inputs, y = objective.data
        assert inputs.tolist() == [[1, 2], [4, 5]]
        assert y.tolist() == [3, 6]
        assert objective.dimension == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"1,2\n3,x\n", ", line 2: 'x' is not a finite number"),
        (b"x,y\n\n1,2\n3,\n", ", line 4: '' is not a finite number"),
        (b"1,x\n3,4\n", ", line 1: 'x' is not a finite number"),
        (b"1,2\nnan,4\n", ", line 2: 'nan' is not a finite number"),
        (b"1,2\n3,1e999\n", ", line 2: '1e999' is not a finite number"),
        (b"1,2\n3,4,5\n", ", line 2: 3 columns, where the first line has 2"),
        (b"1;2\n3;4\n", ", line 1: there must be at least two columns, features and then y, not 1"),
        (b"", ": holds no line of numbers"),
        (b"x,y\n", ": holds no line of numbers"),
        (b"1,\xff\n", ": is not a CSV file in UTF-8: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"),
    ],
)
def test_linear_regression_says_what_is_wrong_with_a_csv_file(tmp_path: Path, text: bytes, complaint: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"bad\.csv") as refusal:
        LinearRegression(csv=path).validate()
    assert str(refusal.value) == f"{path}{complaint}"


def test_linear_regression_says_which_file_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "absent.csv"
    with pytest.raises(ValueError, match="absent") as refusal:
        LinearRegression(csv=path).validate()
    assert str(refusal.value) == f"{path}: cannot be read: No such file or directory"


def test_linear_regression_refuses_a_csv_file_beside_made_up_data(tmp_path: Path) -> None:
    path = tmp_path / "good.csv"
    path.write_text("1,2\n3,4\n")
    for field, value in {"features": 2, "samples": 10, "noise": 0.0, "seed": 1}.items():
        with pytest.raises(ValueError, match=field) as refusal:
            dataclasses.replace(LinearRegression(csv=path), **{field: value}).validate()
        assert str(refusal.value) == f"{field} cannot be given with csv, whose file decides the data"
    with pytest.raises(ValueError, match="csv") as refusal:
        LinearRegression(csv=path, features=2, seed=1).validate()
    assert str(refusal.value) == "features and seed cannot be given with csv, whose file decides the data"

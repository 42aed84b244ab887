"""Linear regression, against least squares in exact arithmetic."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from runner import Array
from runner_plugins.objectives.linear_regression import LinearRegression
from tests.support.objectives import random_points


@pytest.mark.parametrize("features", [1, 2, 7])
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_linear_regression_is_the_mean_squared_error_over_the_samples(features: int, noise: float) -> None:
    objective = LinearRegression(features=features, samples=137, noise=noise, seed=3)
    x = random_points(features + 1)
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
    """Solve the normal equations in rational arithmetic, in which they are exact."""
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
    # Forming XᵀX would square the condition number, which leaves no correct digit here.
    assert np.linalg.norm(minimum.x - exact) <= 10 * np.finfo(float).eps * condition * np.linalg.norm(exact)
    error = design @ exact - y
    assert minimum.value == pytest.approx(math.fsum(error**2) / 15, rel=1e-6)


def test_linear_regression_takes_the_shortest_of_several_solutions(tmp_path: Path) -> None:
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
    assert objective.residuals(random_points(4)).shape == (50, 5)


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


def test_linear_regression_refuses_a_csv_file_together_with_generated_data(tmp_path: Path) -> None:
    path = tmp_path / "good.csv"
    path.write_text("1,2\n3,4\n")
    for field, value in {"features": 2, "samples": 10, "noise": 0.0, "seed": 1}.items():
        with pytest.raises(ValueError, match=field) as refusal:
            dataclasses.replace(LinearRegression(csv=path), **{field: value}).validate()
        assert str(refusal.value) == f"{field} cannot be given with csv, whose file decides the data"
    with pytest.raises(ValueError, match="csv") as refusal:
        LinearRegression(csv=path, features=2, seed=1).validate()
    assert str(refusal.value) == "features and seed cannot be given with csv, whose file decides the data"

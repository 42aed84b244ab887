"""Logistic regression, against SciPy, exact arithmetic and linear programming."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from runner import Array
from runner_plugins.gradients.complex_step import ComplexStep
from runner_plugins.objectives.logistic_regression import CHUNK, LogisticRegression
from tests.support.objectives import METHODS, OBJECTIVES, bits, points, row_of


def log_loss(objective: LogisticRegression, x: Array) -> Array:
    """Return the loss by its definition, with SciPy's functions."""
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


def test_logistic_regression_names_the_parameters_of_separable_generated_data() -> None:
    with pytest.raises(ValueError, match="plane") as refusal:
        LogisticRegression(features=5, samples=5).validate()
    assert str(refusal.value) == f"features = 5, samples = 5 and seed = 0: {SEPARABLE}"
    with pytest.raises(ValueError, match="both") as refusal:
        LogisticRegression(samples=2, l2=1.0).validate()
    assert str(refusal.value) == "features = 1, samples = 2 and seed = 0: every y is 1, and without both classes f has no minimum"


def test_logistic_regression_refuses_exactly_the_separable_data(tmp_path: Path) -> None:
    # Albert and Anderson (1984): no minimum exists if and only if some v has sᵢ (Xᵢ, 1)·v ≥ 0 for all i, and > 0 for one.
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


def test_logistic_regression_refuses_a_csv_file_together_with_generated_data(tmp_path: Path) -> None:
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

"""The data sets that come with the network, and data in CSV files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import DATA_SHAPES
from runner_plugins.objectives.neural_network import NeuralNetwork


@pytest.mark.parametrize("name", DATA_SHAPES)
def test_data_have_the_stated_shapes_and_are_standardised(name):
    features, classes = DATA_SHAPES[name]
    data = NeuralNetwork(data_set=name).examples
    assert data.features.shape == (features, data.targets.shape[1])
    assert len(data.targets) == (classes or 1)
    np.testing.assert_allclose(data.features.mean(axis=1), 0.0, atol=1e-12)
    spread = data.features.std(axis=1)
    assert np.all(np.isclose(spread, 1.0) | (spread == 0.0))
    if classes:
        np.testing.assert_array_equal(data.targets.sum(axis=0), 1.0)
        assert set(np.unique(data.targets)) == {0.0, 1.0}
    assert not data.features.flags.writeable


def test_generated_data_lie_where_the_docstring_says():
    moons = NeuralNetwork(data_set="moons", noise=0.0, samples=400).examples
    again = NeuralNetwork(data_set="moons", noise=0.0, samples=400, seed=1).examples
    assert (moons.features != again.features).any()
    # Each class lies on one half of an ellipse (a scaled circle), and each has a centre of its own.
    for row in moons.targets:
        points = moons.features[:, row == 1].T
        conic = np.column_stack([points**2, points])
        solution, residual, *_ = np.linalg.lstsq(conic, np.ones(len(points)))
        assert residual < 1e-20
        assert (solution[:2] > 0).all()


def test_data_sets_of_scikit_learn_without_scikit_learn(monkeypatch):
    from runner.numerics.datasets import bundled_data

    bundled_data.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(data_set="wine").validate()
    assert str(refusal.value) == (
        "data_set 'wine' comes with scikit-learn, which is not installed; install it with python -m pip install "
        "'gradient-runner[datasets]', or use 'sine', 'moons', 'spirals' or csv"
    )
    NeuralNetwork(data_set="spirals").validate()


@pytest.mark.parametrize(
    ("text", "loss", "message"),
    [
        ("1,0\n2,0.5\n", "cross_entropy", "y, in the last column, must be the number of a class, 0, 1, 2 and so on, where loss is 'cross_entropy', not 0.5 (sample 2)"),
        ("1,0\n2,-1\n", "cross_entropy", "y, in the last column, must be the number of a class, 0, 1, 2 and so on, where loss is 'cross_entropy', not -1 (sample 2)"),
        ("1,0\n2,0\n", "cross_entropy", "every y is 0, but there must be at least two classes"),
    ],
)  # fmt: skip
def test_csv_files_that_cannot_be_used(tmp_path: Path, text: str, loss: Any, message: str):
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        NeuralNetwork(csv=path, loss=loss).validate()
    assert str(refusal.value) == f"{path}: {message}"


def test_a_csv_file_of_classes_and_of_numbers(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n1,5,0\n2,5,1\n3,5,2\n6,5,1\n", encoding="utf-8")
    classes, numbers = (NeuralNetwork(csv=path, loss=loss, hidden=(3,)).examples for loss in ("cross_entropy", "mse"))
    np.testing.assert_array_equal(classes.targets, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    np.testing.assert_allclose(numbers.targets, [np.array([-1, 0, 1, 0]) / np.sqrt(0.5)])
    np.testing.assert_array_equal(numbers.features[1], 0.0)
    np.testing.assert_allclose(numbers.features[0], (np.array([1, 2, 3, 6]) - 3) / np.sqrt(3.5))


def test_feature_that_varies_little_is_not_constant(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("year,y\n2001,0\n2002,1\n2003,2\n", encoding="utf-8")
    np.testing.assert_allclose(NeuralNetwork(csv=path).examples.features, [np.array([-1, 0, 1]) * np.sqrt(1.5)])

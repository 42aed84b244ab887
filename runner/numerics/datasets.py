"""Small data sets to learn from: generated ones, those in CSV files, and those that come with scikit-learn."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from runner.contracts.arrays import Array
from runner.numerics.csv_tables import read_table

DataSetName = Literal["sine", "moons", "spirals", "iris", "wine", "breast_cancer", "digits", "diabetes"]
"""The names of the data sets."""
MADE_UP = ("sine", "moons", "spirals")
"""The data sets that are computed from a seed; scikit-learn provides the others."""
DATA_SHAPES: Mapping[str, tuple[int, int | None]] = {
    "sine": (1, None),
    "moons": (2, 2),
    "spirals": (2, 2),
    "iris": (4, 3),
    "wine": (13, 3),
    "breast_cancer": (30, 2),
    "digits": (64, 10),
    "diabetes": (10, None),
}
"""The number of features of each set, and its number of classes; None if y is a number."""
TURNS = 1.5
"""The number of turns of each spiral."""


@dataclass(frozen=True)
class DataSet:
    """Samples to learn from; read-only.

    Attributes:
        features: the features, `(features, samples)`, each with mean 0 and variance 1 over the samples. A feature that has the
            same value for all samples is 0.
        targets: y with mean 0 and variance 1, `(1, samples)`. If y is a class, 1 for the class of a sample and 0 for the other
            classes, `(classes, samples)`.
    """

    features: Array
    targets: Array


@functools.lru_cache(maxsize=16)
def made_up_data(name: str, samples: int, noise: float, seed: int) -> DataSet:
    """Return a data set that is drawn from NumPy's `Generator(PCG64(seed))`.

    - `sine`: y = sin(2πX) + noise N(0, 1), with X uniform on (−1, 1).
    - `moons`: two interlocking half circles of radius 1.
    - `spirals`: two intertwined spirals of 1½ turns.

    Moons and spirals have noise N(0, 1) added to each coordinate, and their samples belong to class 0 and class 1 in turn.

    Args:
        name: `sine`, `moons` or `spirals`.
        samples: the number of samples.
        noise: the factor of the noise.
        seed: the seed of the generator.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    places = generator.random(samples)
    classes: Array = np.arange(samples, dtype=np.float64) % 2.0
    if name == "sine":
        features = 2.0 * places[:, None] - 1.0
        y = np.sin(2.0 * math.pi * features[:, 0]) + noise * generator.standard_normal(samples)
        return _standardised(features, _targets_of_numbers(y))
    if name == "moons":
        angles, side = math.pi * places, 1.0 - 2.0 * classes
        points = np.stack([classes + side * np.cos(angles), 0.5 * classes + side * np.sin(angles)], axis=-1)
    else:
        radii = np.sqrt(places)
        angles = 2.0 * math.pi * TURNS * radii + math.pi * classes
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)
    return _standardised(points + noise * generator.standard_normal(points.shape), _targets_of_classes(classes))


def csv_data(path: Path, classes: bool) -> DataSet:
    """Return the samples in a CSV file with features and, in the last column, y.

    Args:
        path: the file.
        classes: True if y is the number of a class, from 0.

    Raises:
        ValueError: the file is not such a table; the message names the sample or the line, and the reason.
    """
    table = read_table(path)
    y = table[:, -1]
    if not classes:
        return _standardised(table[:, :-1], _targets_of_numbers(y))
    wrong = np.flatnonzero((y < 0) | (y != np.floor(y)) | (y >= len(y)))
    if wrong.size:
        raise ValueError(
            f"{path}: y, in the last column, must be the number of a class, 0, 1, 2 and so on, where loss is 'cross_entropy', "
            f"not {y[wrong[0]]:g} (sample {wrong[0] + 1})"
        )
    if y.max() == 0:
        raise ValueError(f"{path}: every y is 0, but there must be at least two classes")
    return _standardised(table[:, :-1], _targets_of_classes(y))


@functools.lru_cache(maxsize=8)
def bundled_data(name: str) -> DataSet:
    """Return a data set that comes with scikit-learn.

    Raises:
        ValueError: scikit-learn is not installed.
    """
    try:
        # This library is optional, and slow to import.
        from sklearn import datasets
    except ImportError as error:
        raise ValueError(
            f"data_set {name!r} comes with scikit-learn, which is not installed; install it with python -m pip install "
            f"'gradient-runner[datasets]', or use {', '.join(map(repr, MADE_UP))} or csv"
        ) from error
    features, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return _standardised(features, _targets_of_numbers(y) if DATA_SHAPES[name][1] is None else _targets_of_classes(y))


def _targets_of_numbers(y: Array) -> Array:
    numbers: Array = _scaled(y[:, None]).T
    return numbers


def _targets_of_classes(classes: Array) -> Array:
    return np.eye(int(classes.max()) + 1)[classes.astype(np.int64)].T


def _standardised(features: Array, targets: Array) -> DataSet:
    both = [np.ascontiguousarray(part, dtype=np.float64) for part in (_scaled(features).T, targets)]
    for part in both:
        part.setflags(write=False)
    return DataSet(*both)


def _scaled(columns: Array) -> Array:
    """Return each column with mean 0 and variance 1; a constant column becomes 0."""
    deviations = columns - columns.mean(axis=0)
    spread = np.sqrt((deviations * deviations).mean(axis=0))
    constant = spread <= 1e-12 * np.abs(columns).max(axis=0)
    scaled: Array = np.where(constant, 0.0, deviations / np.where(constant, 1.0, spread))
    return scaled

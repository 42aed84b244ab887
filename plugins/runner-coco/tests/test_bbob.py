"""Tests of the BBOB functions: their published formulas, their minima, and their use in `runner run`."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from runner import Array
from runner.testing import check_objective
from runner_coco.bbob import FUNCTIONS, Bbob

EXAMPLE = Path(__file__).parent.parent / "example.toml"
DIMENSIONS = get_args(get_type_hints(Bbob)["dimension"])
numbers = pytest.mark.parametrize("function", range(1, FUNCTIONS + 1))
instances = pytest.mark.parametrize(("dimension", "instance"), [(2, 1), (5, 3), (20, 7)])


def points(dimension: int, runs: int = 50) -> Array:
    return np.random.default_rng(0).uniform(-5, 5, (runs, dimension))


def rosenbrock(z: Array) -> Array:
    ahead, here = z[..., 1:], z[..., :-1]
    return (100 * (here**2 - ahead) ** 2 + (here - 1) ** 2).sum(axis=-1)


def rosenbrock_hessian(dimension: int) -> Array:
    """At its minimum, z = (1, …, 1)."""
    hessian = np.zeros((dimension, dimension))
    for i in range(dimension - 1):
        hessian[i : i + 2, i : i + 2] += [[802, -400], [-400, 200]]
    return hessian


def measured_hessian(objective: Bbob) -> Array:
    x, axes = objective.minimum.x, 1e-4 * np.eye(objective.dimension)
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    corners = [one * axes[:, None] + two * axes[None] for one, two in signs]
    shape = (objective.dimension, objective.dimension)
    values = [objective.value((x + corner).reshape(-1, len(x))).reshape(shape) for corner in corners]
    return (values[0] - values[1] - values[2] + values[3]) / 4e-8


def separable_defect(function: int, dimension: int = 5) -> float:
    """Return the relative difference between f(x* + v) − f* and the sum of the changes that the coordinates of v cause separately."""
    objective = Bbob(function, dimension)
    x, lowest = objective.minimum.x, objective.minimum.value
    move = np.random.default_rng(3).uniform(-1, 1, dimension)
    whole = objective.value((x + move)[None])[0] - lowest
    return abs((objective.value(x + np.diag(move)) - lowest).sum() - whole) / whole


@numbers
def test_the_contract_holds_in_every_dimension(function: int):
    for dimension in DIMENSIONS:
        check_objective(Bbob(function, dimension))


@numbers
def test_the_minimum_is_known(function: int):
    for dimension in DIMENSIONS:
        for instance in (1, 2, 15):
            objective = Bbob(function, dimension, instance)
            x, lowest = objective.minimum.x, objective.minimum.value
            assert (np.abs(x) <= 5).all()
            assert abs(objective.value(x[None])[0] - lowest) <= 1e-12 * max(1, abs(lowest))
            assert (objective.value(points(dimension, 200)) >= lowest).all()


def test_instances_differ():
    x = points(3)
    values = [Bbob(10, 3, instance).value(x) for instance in (1, 2, 3)]
    assert not np.array_equal(values[0], values[1])
    assert not np.array_equal(values[1], values[2])


@instances
def test_1_is_the_sphere(dimension: int, instance: int):
    objective, x = Bbob(1, dimension, instance), points(dimension)
    assert np.allclose(objective.value(x), ((x - objective.minimum.x) ** 2).sum(axis=-1) + objective.minimum.value, rtol=1e-13)


@instances
def test_5_is_a_slope_to_a_corner(dimension: int, instance: int):
    objective, x = Bbob(5, dimension, instance), points(dimension)
    corner = objective.minimum.x
    slope = np.sign(corner) * 10 ** (np.arange(dimension) / (dimension - 1))
    assert set(np.abs(corner)) == {5.0}
    assert np.allclose(objective.value(x), 5 * np.abs(slope).sum() - x @ slope + objective.minimum.value, rtol=1e-12)


@instances
def test_8_is_rosenbrocks(dimension: int, instance: int):
    objective, x = Bbob(8, dimension, instance), points(dimension)
    z = max(1, math.sqrt(dimension) / 8) * (x - objective.minimum.x) + 1
    assert np.allclose(objective.value(x), rosenbrock(z) + objective.minimum.value, rtol=1e-13)


@instances
def test_9_is_8_rotated(dimension: int, instance: int):
    """A rotation does not change the eigenvalues of the Hessian."""
    expected = np.linalg.eigvalsh(max(1, math.sqrt(dimension) / 8) ** 2 * rosenbrock_hessian(dimension))
    for function in (8, 9):
        measured = np.linalg.eigvalsh(measured_hessian(Bbob(function, dimension, instance)))
        assert np.allclose(measured, expected, rtol=1e-4)
    assert not np.allclose(measured_hessian(Bbob(9, dimension, instance)), measured_hessian(Bbob(8, dimension, instance)))


@instances
def test_14_is_symmetric_about_its_minimum(dimension: int, instance: int):
    objective = Bbob(14, dimension, instance)
    x = objective.minimum.x
    assert np.allclose(objective.value(x + points(dimension)), objective.value(x - points(dimension)), rtol=1e-12)


def test_the_first_five_are_separable_and_the_rotated_are_not():
    assert all(separable_defect(function) < 1e-12 for function in (1, 2, 3, 4, 5))
    assert all(separable_defect(function) > 1e-3 for function in (6, 8, 9, 10, 11, 12, 13, 14, 15))


def test_it_can_be_sent_elsewhere_and_copied():
    objective, x = Bbob(21, 5, 3), points(5)
    values = objective.value(x)
    for other in (pickle.loads(pickle.dumps(objective)), copy.deepcopy(objective), copy.copy(objective)):
        assert other == objective
        assert other.value(x).tobytes() == values.tobytes()


def test_x_may_be_read_only_or_in_another_order():
    objective, x = Bbob(15, 3), points(3)
    values, other = objective.value(x), np.asfortranarray(x)
    x.setflags(write=False)
    assert objective.value(x).tobytes() == values.tobytes()
    assert objective.value(other).tobytes() == values.tobytes()


def test_a_number_that_coco_does_not_have_raises():
    with pytest.raises(ValueError, match="function must be from 1 to 24, not 25"):
        Bbob(25).value(points(2))


def runner(folder: Path, *arguments: object, code: int = 0) -> Any:
    command = [sys.executable, "-c", "from runner.cli import main; main()", *map(str, arguments)]
    around = {name: value for name, value in os.environ.items() if name != "RUNNER_DB"}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stderr
    return done


def test_the_example_runs_and_its_runs_are_stored(tmp_path: Path):
    done = runner(tmp_path, "run", EXAMPLE, "--db", "r.db", "--no-report", "--format", "json")
    assert done.stderr == ""
    assert sum(json.loads(done.stdout)["computed"].values()) == 312
    with closing(sqlite3.connect(tmp_path / "r.db")) as database:
        sphere = """SELECT count(*) FROM runs r JOIN parameters p ON p.run_id = r.id AND p.kind = 'objective'
                    WHERE p.name = 'function' AND p.number = 1 AND r.optimizer LIKE 'newton%' AND r.outcome = 'converged'"""
        assert database.execute(sphere).fetchone() == (6,)
        assert database.execute("SELECT min(final_gap) > -1e-9 FROM runs").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM runs WHERE outcome = 'failed'").fetchone() == (0,)


def test_what_coco_does_not_have_is_refused_before_anything_runs(tmp_path: Path):
    wrong = EXAMPLE.read_text(encoding="utf-8").replace("[1, 8, 9, 10]", "[25]").replace("dimension = 2", "dimension = 4")
    (tmp_path / "wrong.toml").write_text(wrong, encoding="utf-8")
    told = runner(tmp_path, "run", "wrong.toml", code=2).stderr
    assert "must be a whole number >= 1 and <= 24, not 25" in told
    assert "must be one of 2, 3, 5, 10, 20, 40, not 4" in told

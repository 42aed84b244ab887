"""Taylor series and radii of convergence, compared with closed forms."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from runner.analysis.taylor import coefficients_on_circles, coefficients_on_intervals, nearest_singularity

PI = math.pi
RADII = {
    "tan near its pole": (np.tan, 1.57, PI / 2 - 1.57),
    "tan": (np.tan, 0.0, PI / 2),
    "tan at 1": (np.tan, 1.0, PI / 2 - 1),
    "pole near": (lambda z: 1 / (1 - z), 0.9995, 0.0005),
    "geometric series": (lambda z: 1 / (1 - z), 0.0, 1.0),
    "pole at distance 2": (lambda z: 1 / (1 - z), -1.0, 2.0),
    "double pole": (lambda z: (1 - z) ** -2, 0.5, 0.5),
    "root near its branch point": (np.sqrt, 0.001, 0.001),
    "root": (np.sqrt, 4.0, 4.0),
    "cube root": (lambda z: (1 + z) ** (1 / 3), 0.0, 1.0),
    "logarithm": (lambda z: np.log(1 + z), 0.0, 1.0),
    "logarithm at 2": (np.log, 2.0, 2.0),
    "Runge": (lambda z: 1 / (1 + 25 * z**2), 0.0, 0.2),
    "Runge at 1": (lambda z: 1 / (1 + 25 * z**2), 1.0, math.hypot(1, 0.2)),
    "bell": (lambda z: 1 / (1 + z**2), 0.0, 1.0),
    "bell at 1": (lambda z: 1 / (1 + z**2), 1.0, math.sqrt(2)),
    "bell at 3": (lambda z: 1 / (1 + z**2), 3.0, math.sqrt(10)),
    "tanh": (np.tanh, 0.0, PI / 2),
    "tanh at 1": (np.tanh, 1.0, math.hypot(1, PI / 2)),
    "logistic function": (lambda z: 1 / (1 + np.exp(-z)), 0.0, PI),
    "secant": (lambda z: 1 / np.cos(z), 0.5, PI / 2 - 0.5),
    "two poles": (lambda z: 1 / (z**2 - 3 * z + 2), 0.0, 1.0),
    "two poles, from 3": (lambda z: 1 / (z**2 - 3 * z + 2), 3.0, 1.0),
    "far from zero": (lambda z: 1 / (z - 1000.0), 1001.0, 1.0),
}
ENTIRE = {
    "exponential": (np.exp, 1.0, [math.e / math.factorial(n) for n in range(6)]),
    "sine": (np.sin, 0.0, [0, 1, 0, -1 / 6, 0, 1 / 120]),
    "cube far away": (lambda z: (z - 1e8) ** 3, 1e8 + 1, [1, 3, 3, 1, 0, 0]),
    "square": (lambda z: z**2, 1e4, [1e8, 2e4, 1, 0, 0, 0]),
    "sin(x) + x²": (lambda z: np.sin(z) + z**2, 0.0, [0, 1, 1, -1 / 6, 0, 1 / 120]),
}


def singularity(function, centre):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = coefficients_on_circles(function, centre, 5)
        assert found is not None
        return nearest_singularity(function, centre, found.reach)


def test_the_radius_of_convergence_lies_within_twice_its_uncertainty():
    missed = []
    for name, (function, centre, radius) in RADII.items():
        bounds = singularity(function, centre)
        assert bounds is not None, name
        middle, half = 0.5 * sum(bounds), 0.5 * (bounds[1] - bounds[0])
        assert half <= 0.05 * radius, name
        if abs(middle - radius) > 2 * half:
            missed.append(name)
    assert len(missed) <= 0.05 * len(RADII), missed


@pytest.mark.parametrize("name", ENTIRE)
def test_entire_functions_have_no_singularity_and_true_coefficients(name):
    function, centre, truth = ENTIRE[name]
    found = coefficients_on_circles(function, centre, 5)
    assert found is not None
    assert (np.abs(found.values - truth) <= found.errors).all()
    assert singularity(function, centre) is None


@pytest.mark.parametrize(
    ("function", "centre", "truth"),
    [
        (np.tan, 1.57, [math.tan(1.57), 1 + math.tan(1.57) ** 2, math.tan(1.57) * (1 + math.tan(1.57) ** 2)]),
        (lambda z: 1 / (1 - z), 0.9995, [2e3, 4e6, 8e9, 1.6e13]),
        (np.sqrt, 0.001, [0.001**0.5, 0.5 * 0.001**-0.5, -0.125 * 0.001**-1.5, 0.0625 * 0.001**-2.5]),
        (lambda z: np.log(1 + z), 0.0, [0, 1, -1 / 2, 1 / 3]),
        (np.arctan, 0.0, [0, 1, 0, -1 / 3]),
        (lambda z: 1 / z, 1e-8, [1e8, -1e16, 1e24, -1e32]),
    ],
)
def test_coefficients_near_a_singularity_are_within_their_errors(function, centre, truth):
    with np.errstate(all="ignore"):
        found = coefficients_on_circles(function, centre, len(truth) - 1)
    assert found is not None
    # The last factor covers the rounding of the expected numbers themselves and of the centre.
    allowed = found.errors + 1e-12 * np.abs(truth)
    assert (np.abs(found.values - truth) <= allowed).all()


@pytest.mark.parametrize("function", [np.abs, np.sign, lambda x: np.maximum(x, 0.0), lambda x: np.sqrt(np.abs(x)), np.floor])
def test_a_corner_or_a_jump_has_no_series(function):
    assert coefficients_on_intervals(function, 0.0, 3) is None

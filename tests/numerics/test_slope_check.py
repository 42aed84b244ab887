"""Differences find wrong gradients, and never report a right one as wrong, however badly f is scaled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.contracts.arrays import Array
from runner.contracts.objective import known_minimum
from runner.numerics.slope_check import find_disagreements
from tests.support.objectives import OBJECTIVES

STEP = 2.0**-664
Function = Callable[[Array], Array]


def complex_steps(f: Function, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.stack([np.imag(f(x + 1j * STEP * axis)) / STEP for axis in np.eye(x.shape[1])], axis=-1)


SMOOTH: dict[str, Function] = {
    "parabola": lambda x: (x * x).sum(-1),
    "parabola on 1e8": lambda x: 1e8 + (x * x).sum(-1),
    "parabola on 1e16": lambda x: 1e16 + (x * x).sum(-1),
    "tiny quartic": lambda x: 1e-90 * (x**4).sum(-1),
    "waves": lambda x: np.sin(1e6 * x).sum(-1),
    "fast waves": lambda x: np.sin(1e8 * x).sum(-1),
    "cancelling squares": lambda x: ((1e4 + x) ** 2 - 1e8 - 2e4 * x).sum(-1),
    "more cancelling squares": lambda x: ((1e8 + x) ** 2 - 1e16 - 2e8 * x).sum(-1),
    "squares that cancel to noise": lambda x: ((1e12 + x) ** 2 - 1e24 - 2e12 * x).sum(-1),
    "squares in units of 1e-15": lambda x: (1e-15 * ((1e3 * x + 1e15) ** 2 - 1e30) - 2e3 * x).sum(-1),
    "staircase": lambda x: (((1e12 + x) - 1e12) ** 2 + 0.3 * x).sum(-1),
    "curved staircase": lambda x: (((1e12 + x) - 1e12) ** 2 + 0.3 * x * x).sum(-1),
    "wide staircase": lambda x: ((1e16 + x) - 1e16 + x).sum(-1),
    "chaotic noise": lambda x: (x * x + 1e-4 * np.sin(1e15 * x.real)).sum(-1),
    "huge parabola": lambda x: 1e150 * (x * x).sum(-1),
    "tiny parabola": lambda x: 1e-150 * (x * x).sum(-1),
    "integers": lambda x: np.round(x.real).sum(-1),
    "steps on a parabola": lambda x: (x * x + 0.1 * np.floor(100.0 * x.real + 0.5)).sum(-1),
    "Weierstrass": lambda x: sum(2.0**-k * np.cos(3.0**k * x) for k in range(12)).sum(-1),
    "root": lambda x: np.sqrt(1.0 - x * x).sum(-1),
    "cancelling cubes": lambda x: ((1e6 + x) ** 3 - 1e18 - 3e12 * x - 3e6 * x * x).sum(-1),
    "exponential": lambda x: np.exp(5 * x).sum(-1),
    "reciprocal": lambda x: (1 / x).sum(-1),
    "logarithm": lambda x: np.log(x * x).sum(-1),
    "quartic": lambda x: (x**4).sum(-1),
    "cubic on 1e8": lambda x: 1e8 + (x**3).sum(-1),
    "narrow well": lambda x: np.exp(-1e6 * x * x).sum(-1),
    "round corner": lambda x: np.sqrt(x * x + 1e-20).sum(-1),
    "steep step": lambda x: np.tanh(1e4 * x).sum(-1),
    "tangent": lambda x: np.tan(x).sum(-1),
    "constant": lambda x: 0 * x.sum(-1) + 3,
    "rounded away": lambda x: (1 - np.cos(x)).sum(-1),
    "exponential less its tangent": lambda x: (np.exp(x) - 1 - x).sum(-1),
    "badly scaled": lambda x: 1e12 * x[..., 0] ** 2 + 1e-12 * x[..., -1] ** 2,
    "far minimum": lambda x: ((x - 1e12) ** 2).sum(-1),
    "ripple": lambda x: (x * x + 1e-6 * np.sin(1e5 * x)).sum(-1),
    "expanded power": lambda x: (x**5 - 5 * x**4 + 10 * x**3 - 10 * x**2 + 5 * x - 1).sum(-1),
}
# These lose the imaginary part of complex numbers, and so have a wrong complex step.
LOSSY: dict[str, Function] = {
    "Huber's function": lambda x: np.where(np.abs(x) <= 1, 0.5 * x * x, np.abs(x) - 0.5).sum(-1),
    "square of the modulus": lambda x: (np.abs(x) ** 2).sum(-1),
    "conjugate": lambda x: (x * np.conj(x)).sum(-1).real,
    "real part": lambda x: (x.real**2).sum(-1),
    "partly modulus": lambda x: (x**2 + 0.1 * np.abs(x)).sum(-1),
    "vecdot": lambda x: np.vecdot(x, x) + x.sum(-1),
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "modulus on 1e8": lambda x: 1e8 + 1e3 * np.abs(x).sum(-1),
    "small modulus": lambda x: 1e-50 * np.abs(x).sum(-1),
    "huge square": lambda x: (1e150 * np.abs(x) ** 2).sum(-1),
    "logarithm of the modulus": lambda x: np.log(np.abs(x)).sum(-1),
    "waves of the modulus": lambda x: np.sin(5.0 * np.abs(x)).sum(-1),
    "branch": lambda x: np.where(x.real > 0, np.abs(x) ** 3, -2 * np.abs(x)).sum(-1),
}


@pytest.mark.parametrize("dimension", [1, 2, 12])
@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_are_never_accused(name: str, dimension: int):
    generator = np.random.default_rng(len(name))
    f = SMOOTH[name]
    for scale in (0.0, 1e-12, 1e-8, 1e-4, 1.0, 30.0, 1e3, 1e6, 1e8):
        x = scale * generator.normal(size=(30, dimension))
        found = [each for each in find_disagreements(f, x, complex_steps(f, x)) if each is not None]
        # Where x² is 1e12, a step of 0.1 cannot be distinguished from rounding, so differences do not show the step.
        assert not any(scale <= 1e3 or (each.gross and name != "steps on a parabola") for each in found), (scale, found)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: f"{type(each).__name__}-{each.dimension}")
def test_built_in_objectives_are_never_accused_near_their_minima(objective):
    """Near a minimum, the slope itself consists of rounding errors."""
    minimum = known_minimum(objective)
    if minimum is None or type(objective).__name__ == "Ackley":
        return
    generator = np.random.default_rng(5)
    for distance in (0.0, 1e-16, 1e-15, 1e-13, 1e-10, 1e-6):
        x = np.ravel(minimum.x) + distance * generator.normal(size=(40, objective.dimension))
        found = [each for each in find_disagreements(objective.value, x, complex_steps(objective.value, x)) if each is not None]
        assert found == [], distance


@given(st.integers(0, 2**32 - 1), st.floats(-8, 8), st.floats(-8, 8), st.floats(-8, 10), st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_random_smooth_functions_are_never_accused(seed: int, height: float, width: float, offset: float, dimension: int):
    generator = np.random.default_rng(seed)
    matrix, quadratic = generator.normal(size=(2, dimension, dimension))
    shift = generator.normal(size=dimension)
    scale = 10.0 ** (width / 4)

    def f(x: Array) -> Array:
        inner = x @ matrix / scale + shift
        return 10.0**height * (np.sin(inner).sum(-1) + np.exp(-((x @ quadratic / scale) ** 2)).sum(-1)) + 10.0**offset

    x = scale * generator.normal(size=(20, dimension))
    assert find_disagreements(f, x, complex_steps(f, x)) == [None] * 20


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: f"{type(each).__name__}-{each.dimension}")
def test_built_in_objectives_are_never_accused(objective):
    x = np.random.default_rng(1).uniform(*objective.start_region, (10, objective.dimension))
    if type(objective).__name__ == "Ackley":
        x = x[np.abs(x).max(axis=-1) > 1e-3]
    for points in (x, 1e-3 * x, 100.0 * x):
        assert find_disagreements(objective.value, points, objective.gradient(points)) == [None] * len(points)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("dimension", [1, 3, 20])
@pytest.mark.parametrize("name", LOSSY)
def test_lost_imaginary_parts_are_found(name: str, dimension: int):
    generator = np.random.default_rng(2)
    f = LOSSY[name]
    x = generator.uniform(1.1, 9.0, (30, dimension)) * generator.choice([-1.0, 1.0], (30, dimension))
    for found in find_disagreements(f, x, complex_steps(f, x)):
        assert found is not None
        assert found.sides is None
        assert abs(found.claimed - found.measured) > 2 * found.error


def test_values_and_errors_of_a_disagreement():
    x = np.array([[3.0, -2.0]])
    (found,) = find_disagreements(lambda z: z[..., 0] + z[..., 1] ** 2, x, np.array([[1.0, 4.0]]))
    assert found is not None
    assert found.coordinates == (1,)
    assert (found.claimed, found.measured) == (4.0, pytest.approx(-4.0, abs=2 * found.error))


@pytest.mark.parametrize("claimed", [0.0, 0.3, 1.0])
def test_slope_between_those_of_a_kink_is_called_a_kink(claimed: float):
    (found,) = find_disagreements(lambda z: np.maximum(z[..., 0], 0.0), np.zeros((1, 1)), np.array([[claimed]]))
    assert found is not None
    assert found.sides is not None


def test_slope_outside_those_of_a_kink_is_wrong():
    (found,) = find_disagreements(lambda z: np.maximum(z[..., 0], 0.0), np.zeros((1, 1)), np.array([[2.0]]))
    assert found is not None
    assert found.sides is None


def test_point_outside_the_domain_says_nothing():
    def f(x: Array) -> Array:
        if (x < 0).any():
            raise ValueError("negative")
        return np.sqrt(x).sum(-1)

    assert find_disagreements(f, np.array([[1e-3]]), np.array([[0.5 / np.sqrt(1e-3)]])) == [None]
    assert find_disagreements(f, np.array([[1e-3]]), np.array([[1.0]])) != [None]


@pytest.mark.parametrize("share", [1e-5, 1e-3, 0.1])
@pytest.mark.parametrize("dimension", [1, 2, 12])
def test_small_errors_are_found_where_the_values_are_exact_enough(share: float, dimension: int):
    x = np.random.default_rng(3).uniform(1.0, 2.0, (20, dimension))
    right = 2.0 * x + np.cos(x)
    for found in find_disagreements(lambda z: (z * z + np.sin(z)).sum(-1), x, right * (1.0 + share)):
        assert found is not None
        assert found.gross == (share > 1e-4)
        assert abs(found.claimed / (1.0 + share) - found.measured) <= 4 * found.error


@pytest.mark.parametrize("height", [1.0, -1e-3, 1e8])
@pytest.mark.parametrize("place", [0.0, 2.0, -300.0])
def test_jump_is_reported_with_the_values_on_both_sides(height: float, place: float):
    def f(x: Array) -> Array:
        return (0.5 * x + height * (x >= place)).sum(-1)

    (found,) = find_disagreements(f, np.array([[place]]), np.array([[0.5]]))
    assert found is not None
    assert found.jump
    assert not found.gross
    assert found.sides == pytest.approx((0.5 * place, 0.5 * place + height), abs=1e-9)
    assert find_disagreements(f, np.array([[place + 0.5]]), np.array([[0.5]])) == [None]


@pytest.mark.parametrize(
    ("slopes", "claimed"), [((-1.0, 1.0), 0.0), ((-1.0, 1.0), 1.0), ((0.0, 1e-3), 0.0), ((2.0, 2.5), 2.25), ((1e9, -1e9), 3.0)]
)
@pytest.mark.parametrize("place", [0.0, 2.0, -300.0])
def test_kink_is_reported_with_both_slopes_even_where_the_gradient_is_that_of_one_side(
    slopes: tuple[float, float], claimed: float, place: float
):
    def f(x: Array) -> Array:
        return np.where(x < place, slopes[0] * (x - place), slopes[1] * (x - place)).sum(-1)

    (found,) = find_disagreements(f, np.array([[place]]), np.array([[claimed]]))
    assert found is not None
    assert not found.jump
    assert found.sides == pytest.approx(slopes, rel=1e-6, abs=1e-9)

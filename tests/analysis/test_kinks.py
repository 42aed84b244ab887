"""Kinks are distinguished from strong curvature and from rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.kinks import jumps_of, kinks_of
from runner.contracts.arrays import Array

SCALES = st.floats(-6.0, 6.0).map(lambda power: 10.0**power)

SMOOTH: dict[str, Callable[[Array], Array]] = {
    "a parabola": lambda x: x[:, 0] ** 2,
    "a steep parabola": lambda x: 1e8 * x[:, 0] ** 2,
    "a parabola on a large constant": lambda x: 1e8 + x[:, 0] ** 2,
    "a slope": lambda x: 3.0 * x[:, 0],
    "a power of 3/2, which has a slope but no curvature": lambda x: np.abs(x[:, 0]) ** 1.5,
    "a power of 1.1": lambda x: np.abs(x[:, 0]) ** 1.1,
    "fast waves": lambda x: np.cos(1e7 * x[:, 0]),
    "the end of a domain": lambda x: np.sqrt(x[:, 0]),
    "a smooth corner": lambda x: np.sqrt(x[:, 0] ** 2 + 1e-3),
    "a constant": lambda x: np.full(len(x), 7.0),
    "infinity": lambda x: np.full(len(x), np.inf),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_no_kink(name: str):
    assert kinks_of(SMOOTH[name], np.array([0.0])) == ()


@given(scale=SCALES, up=st.floats(-3.0, 3.0), down=st.floats(-3.0, 3.0), curvature=st.floats(-10.0, 10.0))
def test_a_kink_is_found_with_its_jump(scale: float, up: float, down: float, curvature: float):
    def f(x: Array) -> Array:
        t = x[:, 0]
        return scale * (np.where(t > 0, up * t, down * t) + curvature * t * t)

    found = kinks_of(f, np.array([0.0]))
    if abs(up - down) > 0.1:
        (kink,) = found
        assert kink.coordinate == 0
        assert kink.jump == pytest.approx(scale * (up - down), rel=1e-4)
    elif up == down:
        assert found == ()


def test_kinks_are_looked_for_in_each_coordinate():
    x = np.array([2.0, 0.0, -1.0, 30.0])

    def f(points: Array) -> Array:
        return np.abs(points[:, 1]) + points[:, 2] ** 2 + 5.0 * np.maximum(points[:, 3], 30.0)

    found = kinks_of(f, x)
    assert [kink.coordinate for kink in found] == [1, 3]
    assert [kink.jump for kink in found] == pytest.approx([2.0, 5.0], rel=1e-6)


@given(x=st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_smooth_functions_of_many_coordinates_have_no_kink(x: list[float], seed: int):
    matrix = np.random.default_rng(seed).normal(size=(len(x), len(x)))
    assert kinks_of(lambda points: np.sin(points @ matrix).sum(axis=-1) + 100.0, np.array(x)) == ()


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_no_jump(name: str):
    assert jumps_of(SMOOTH[name], np.array([0.0])) == ()


@given(scale=SCALES, height=st.floats(0.1, 3.0), slope=st.floats(-10.0, 10.0))
def test_a_jump_is_found_with_its_height(scale: float, height: float, slope: float):
    (jump,) = jumps_of(lambda x: scale * (np.where(x[:, 0] >= 0, height, 0.0) + slope * x[:, 0]), np.array([0.0]))
    assert (jump.coordinate, jump.height) == (0, pytest.approx(scale * height, rel=1e-5))


@pytest.mark.parametrize(
    ("f", "x", "found"),
    [
        (lambda x: np.floor(x).sum(axis=-1), [2.0, 0.5, -1.0], [0, 2]),
        (lambda x: np.sign(x[:, 0]) + 1e4, [0.0], [0]),
        (lambda x: np.where(x[:, 1] > 1e3, 5.0, 4.0), [0.0, 1e3], [1]),
        (lambda x: np.abs(x).sum(axis=-1), [0.0, 0.0], []),
        (lambda x: 1e16 + x.sum(axis=-1), [1.0], []),
    ],
)
def test_jumps_are_looked_for_in_each_coordinate(f: Callable[[Array], Array], x: list[float], found: list[int]):
    assert [jump.coordinate for jump in jumps_of(f, np.array(x))] == found

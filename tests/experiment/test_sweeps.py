"""Sweeps: evenly spaced values, lists, and combinations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.sweeps import combine, sweep_values

POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


def check_spaced(values: Sequence[float], low: float, high: float, num: int) -> None:
    assert len(values) == num
    assert values[0] == low
    assert values[-1] == (high if num > 1 else low)
    inner = values[1:-1]
    assert all(min(low, high) <= value <= max(low, high) for value in inner)
    assert all(value in (low, high) or value == float(f"{value:.12g}") for value in inner), "the same on every machine"


class TestSweeps:
    @given(st.floats(-1e300, 1e300, allow_subnormal=False), st.floats(-1e300, 1e300, allow_subnormal=False), st.integers(1, 50))
    def test_linspace(self, low: float, high: float, num: int):
        values = sweep_values({"linspace": [low, high], "num": num})
        check_spaced(values, low, high, num)
        steps = num - 1
        for index, value in enumerate(values[1:-1], 1):
            expected = low * ((steps - index) / steps) + high * (index / steps)
            assert math.isclose(value, expected, rel_tol=1e-11, abs_tol=1e-12 * max(abs(low), abs(high)) + 1e-307)

    @given(POSITIVE, POSITIVE, st.integers(1, 50))
    def test_logspace(self, low: float, high: float, num: int):
        values = sweep_values({"logspace": [low, high], "num": num})
        check_spaced(values, low, high, num)
        rise = math.log(high) - math.log(low)
        for index, value in enumerate(values[1:-1], 1):
            expected = math.log(low) + rise * index / (num - 1)
            assert value < 1e-300 or math.isclose(math.log(value), expected, rel_tol=1e-10, abs_tol=1e-10)

    @given(st.sampled_from(["linspace", "logspace"]), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 200))
    def test_spaced_values_rise_or_fall(self, form: str, low: int, high: int, num: int):
        values = sweep_values({form: [low, high], "num": num})
        assert values == sorted(values, reverse=low > high)
        assert len(set(values)) == (1 if low == high else num)

    def test_known_values(self):
        assert sweep_values({"linspace": [0, 1], "num": 5}) == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert sweep_values({"logspace": [1e-3, 1], "num": 4}) == [0.001, 0.01, 0.1, 1.0]
        assert sweep_values({"logspace": [1e-320, 1e300], "num": 3})[1] == pytest.approx(1e-10, rel=1e-3)
        assert sweep_values({"values": [3, "a", 0.1]}) == [3, "a", 0.1]

    @given(
        st.lists(st.integers(1, 4), min_size=1, max_size=5).flatmap(
            lambda lengths: st.tuples(st.just(lengths), st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
        )
    )
    def test_combinations(self, drawn: tuple[list[int], list[int]]):
        """Parameters of one group have the same number of values and change together; all others form a product."""
        lengths, membership = drawn
        groups: dict[int, list[str]] = {}
        for number, group in enumerate(membership):
            if group:
                groups.setdefault(group, []).append(f"p{number}")
        values = {f"p{number}": [f"{number}:{index}" for index in range(length)] for number, length in enumerate(lengths)}
        for group in groups.values():
            for name in group:
                values[name] = [f"{name[1:]}:{index}" for index in range(len(values[group[0]]))]
        combinations = combine(values, list(groups.values()))
        free = [name for name in values if not any(name in group for group in groups.values())]
        expected = math.prod(len(values[name]) for name in [*free, *(group[0] for group in groups.values())])
        assert len(combinations) == expected
        assert len({tuple(sorted(combination.items())) for combination in combinations}) == expected
        for combination in combinations:
            assert combination.keys() == values.keys()
            for group in groups.values():
                assert len({combination[name].partition(":")[2] for name in group}) == 1
        for name, several in values.items():
            counts = Counter(combination[name] for combination in combinations)
            assert counts == dict.fromkeys(several, expected // len(several))

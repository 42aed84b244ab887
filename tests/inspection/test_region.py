"""Convexity on a region: counterexamples, rounding, and rows evaluated one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.analysis.chords import try_chords
from runner.analysis.convexity import smallest_curvature
from runner.contracts.arrays import ByRows
from runner.inspection.inspected_objective import make_inspected_objective
from runner.inspection.region import NONE_FOUND, NOT_CONVEX, inspect_region
from runner.registry.registry import Registry

REGISTRY = Registry()


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


class TestVerdicts:
    @pytest.mark.parametrize(("arguments", "smallest"), [
        (("quadratic",), 2.0),
        (("sin_quadratic",), 1.0),
        (("sin_quadratic", "--set", "a=2"), 0.0),
        (("sin_quadratic", "--set", "a=-0.5", "--set", "omega=1.9"), 2 - 0.5 * 1.9**2),
        (("quadratic", "--set", "dimension=3", "--set", "condition_number=50"), 2.0),
        (("linear_regression", "--set", "features=2"), None),
        (("logistic_regression",), None),
    ])  # fmt: skip
    def test_convex_ones_show_no_counterexample(self, call, arguments: tuple[str, ...], smallest: float | None):
        facts = call("inspect", *arguments, "--region", "-3,3", "--format", "json").json
        assert facts["verdict"] == "no counterexample found"
        assert facts["counterexample"] is None
        chords = facts["chords"]
        assert (chords["worst"], chords["unknown"], chords["holes"], chords["checked"] <= chords["exceeded"]) == (
            None,
            0,
            0,
            True,
        )
        assert chords["tried"] > 20_000
        assert facts["contradiction"] == 0
        if smallest is not None:
            assert facts["curvature"]["smallest"] == pytest.approx(smallest, abs=1e-12)

    @pytest.mark.parametrize("arguments", [
        ("sin_quadratic", "--set", "a=3"), ("sin_quadratic", "--set", "a=2.01"), ("sin_quadratic", "--set", "a=0.1", "--set", "omega=9"),
        ("himmelblau",), ("rosenbrock",), ("rastrigin",), ("ackley",), ("beale",), ("styblinski_tang", "--set", "dimension=4"),
    ])  # fmt: skip
    def test_counterexample_is_a_chord_that_can_be_checked_by_hand(self, call, arguments: tuple[str, ...]):
        facts = call("inspect", *arguments, "--region", "-3,3", "--format", "json").json
        assert facts["verdict"] == "not convex"
        chord = facts["counterexample"]
        function = make_inspected_objective(arguments[0], arguments[2::2], REGISTRY)
        first, second, weight = np.array(chord["first"]), np.array(chord["second"]), chord["weight"]
        height = weight * function.value(first) + (1 - weight) * function.value(second)
        excess = function.value(weight * first + (1 - weight) * second) - height
        assert excess == pytest.approx(chord["excess"], rel=1e-6)
        assert 0 <= weight <= 1
        assert np.abs([first, second]).max() <= 3
        assert chord["excess"] > chord["rounding"] > 0

    def test_verdict_depends_on_the_region(self, call):
        assert (
            call("inspect", "sin_quadratic", "--set", "a=3", "--region", "-3,0", "--format", "json").json["verdict"] == NONE_FOUND
        )
        assert call("inspect", "himmelblau", "--region", "2.8,3.2", "--format", "json").json["verdict"] == NONE_FOUND

    @settings(deadline=None, max_examples=60)
    @given(st.floats(-6, 6), st.floats(0.1, 8), st.integers(0, 10))
    def test_rippled_parabola_is_convex_if_its_smallest_curvature_is_positive(self, a: float, omega: float, seed: int):
        smallest = 2 - abs(a) * omega**2
        assume(abs(smallest) > 1e-3)
        period = 2 * math.pi / omega
        inspected = make_inspected_objective("sin_quadratic", (f"a={a!r}", f"omega={omega!r}"), REGISTRY)
        facts = inspect_region(inspected, -period, period, 400, seed)
        assert facts.verdict == (NONE_FOUND if smallest > 0 else NOT_CONVEX)
        assert facts.curvature.smallest == pytest.approx(smallest, abs=1e-9 * (2 + abs(a) * omega**2))
        assert facts.stated.low == pytest.approx(smallest)
        assert facts.contradiction == 0

    def test_a_narrow_hump_is_found_by_its_curvature(self):
        def value(x):
            return (x * x)[:, 0] + 1e-6 * np.exp(-(((x[:, 0] - 0.3) / 1e-3) ** 2))

        def hessian(x):
            t = (x[:, 0] - 0.3) / 1e-3
            return (2 + (4 * t * t - 2) * np.exp(-t * t))[:, None, None] - 0.0

        assert try_chords(value, -1, 1, 1, 200, generator()).result().worst is None
        found = smallest_curvature(lambda x: hessian(x) - 1e-3 * 0, -1, 1, 1, 4000, generator())
        assert found.smallest == pytest.approx(0, abs=1e-6)
        sharper = smallest_curvature(lambda x: 3 * hessian(x) - 4, -1, 1, 1, 4000, generator())
        assert sharper.smallest == pytest.approx(-4, abs=1e-6)

        def steeper(x):
            return 3 * value(x) - 2 * (x * x)[:, 0]

        search = try_chords(steeper, -1, 1, 1, 10, generator())
        search.try_across(sharper.place[None], sharper.direction[None])
        chord = search.result().worst
        assert chord is not None
        assert chord.refutes


class TestOnePointAtATime:
    def test_evaluation_point_by_point_is_compared_only_once(self):
        sizes = []

        def function(x):
            sizes.append(len(x))
            return x.sum(axis=-1)

        by_rows = ByRows(function)
        x = np.arange(4000.0).reshape(2000, 2)
        for _ in range(3):
            np.testing.assert_array_equal(by_rows(x), x.sum(axis=-1))
        assert sizes == [1024, 1, 1, 1, 976, 1024, 976, 1024, 976]

    @pytest.mark.parametrize("function", [
        lambda x: x[:, 0] - x[0, 0] + 1.0 if len(x) > 1 else np.ones(1),
        lambda x: np.ones(1),
        lambda x: np.ones(1) if len(x) == 1 else 1 / 0,
    ], ids=["other values", "one value for all", "raises"])  # fmt: skip
    def test_objective_that_is_not_batch_safe_is_evaluated_point_by_point(self, function):
        by_rows = ByRows(function)
        for size in (1, 5, 1500, 7):
            np.testing.assert_array_equal(by_rows(np.arange(float(size))[:, None]), np.ones(size))

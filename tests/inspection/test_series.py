"""Taylor coefficients against mpmath, and the slopes of remainders."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.analysis.taylor import coefficients_on_circles, coefficients_on_intervals
from runner.inspection.series import inspect_series
from tests.support.command_line import Done
from tests.support.functions import inspected, one
from tests.support.objective_texts import ONE

ORDER = 10
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], float]] = {
    "sin + square": (lambda z: np.sin(z) + z * z, lambda z: mpmath.sin(z) + z * z, 0.0),
    "sin + square, elsewhere": (lambda z: np.sin(z) + z * z, lambda z: mpmath.sin(z) + z * z, 1.3),
    "exp": (np.exp, mpmath.exp, 1.0),
    "fast ripple": (lambda z: np.sin(50 * z) + z * z, lambda z: mpmath.sin(50 * z) + z * z, 0.3),
    "poles at ±i": (lambda z: 1 / (1 + z * z), lambda z: 1 / (1 + z * z), 0.0),
    "a pole nearby": (lambda z: 1 / (z - 0.1), lambda z: 1 / (z - mpmath.mpf("0.1")), 0.0),
    "a branch point": (np.log, mpmath.log, 2.0),
    "a root": (np.sqrt, mpmath.sqrt, 0.5),
    "a bell": (lambda z: np.exp(-z * z), lambda z: mpmath.exp(-z * z), 0.7),
}


def exact(function: Callable[[Any], Any], around: float) -> np.ndarray:
    with mpmath.workdps(80):
        return np.array([float(c) for c in mpmath.taylor(function, mpmath.mpf(around), ORDER)])


class TestCoefficients:
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_complex_samples_give_coefficients_exact_to_rounding(self, name: str):
        function, reference, around = FUNCTIONS[name]
        with np.errstate(all="ignore"):
            found = coefficients_on_circles(function, around, ORDER)
        true = exact(reference, around)
        assert found is not None
        assert (np.abs(found.values - true) <= found.errors + np.spacing(np.abs(true))).all()
        other = np.abs(true) > 1e-20
        assert np.abs(found.values / np.where(other, true, 1) - 1)[other].max() < 1e-14
        assert np.abs(found.values)[~other].max(initial=0) < 1e-15

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_real_samples_give_coefficients_with_a_known_error(self, name: str):
        function, reference, around = FUNCTIONS[name]
        with np.errstate(all="ignore"):
            found = coefficients_on_intervals(function, around, ORDER)
        true = exact(reference, around)
        assert found is not None
        assert (np.abs(found.values - true) <= found.errors + np.spacing(np.abs(true))).all()
        assert np.abs(found.values - true)[:3] == pytest.approx([0, 0, 0], abs=1e-9 * np.abs(true).max())

    @pytest.mark.parametrize("function", [
        np.abs, lambda z: z * np.abs(z), lambda z: (z * np.conj(z)).real, lambda z: np.maximum(np.real(z), 0) ** 2, lambda z: 1 / z,
    ])  # fmt: skip
    def test_function_that_is_not_analytic_has_no_coefficients(self, function):
        with np.errstate(all="ignore"):
            assert coefficients_on_circles(function, 0.0, 5) is None

    @settings(deadline=None)
    @example([2.225073858507e-311], 0.0)
    @given(st.lists(st.floats(-9, 9), min_size=1, max_size=8), st.floats(-2, 2))
    def test_coefficients_of_a_polynomial(self, powers: list[float], around: float):
        polynomial = np.polynomial.Polynomial(powers)
        shifted = polynomial(np.polynomial.Polynomial([around, 1.0])).coef
        true = np.pad(shifted, (0, ORDER + 1 - len(shifted)))
        for found in (coefficients_on_circles(polynomial, around, ORDER), coefficients_on_intervals(polynomial, around, ORDER)):
            assert found is not None
            # Numbers as small as 1e-300 have a relative rounding error above ε.
            allowed = 3 * found.errors + 1e-13 * np.abs(powers).max() * 3.0 ** len(powers) + 1e-300
            assert (np.abs(found.values - true) <= allowed).all()


class TestSeries:
    def test_maclaurin_series(self, call):
        facts = call("inspect", "sin_quadratic", "--taylor", "10", "--format", "json").json
        true = [0, 1, 1, -1 / 6, 0, 1 / 120, 0, -1 / 5040, 0, 1 / 362880, 0]
        assert facts["around"] == 0
        assert facts["shown"] == pytest.approx(true, rel=1e-15, abs=0)
        assert facts["because"] == ""
        slopes = [each["slope"]["value"] for each in facts["remainders"]]
        assert [each["expected"] for each in facts["remainders"]] == [2, 3, 5, 5, 7, 7, 9, 9, 11, 11]
        assert slopes == pytest.approx([2, 3, 5, 5, 7, 7, 9, 9, 11, 11], abs=0.02)

    @pytest.mark.parametrize("around", [1.0, -0.7, 2.0])
    def test_slope_is_one_more_than_the_order_elsewhere(self, call, around: float):
        facts = call("inspect", "sin_quadratic", "--taylor", "7", "--around", around, "--format", "json").json
        true = [math.sin(around + n * math.pi / 2) / math.factorial(n) for n in range(8)]
        true[0], true[1], true[2] = true[0] + around**2, true[1] + 2 * around, true[2] + 1
        assert facts["shown"] == pytest.approx(true, rel=2e-14)
        assert [each["slope"]["value"] for each in facts["remainders"]] == pytest.approx(range(2, 9), abs=0.06)

    def test_the_remainder_is_that_of_the_polynomial(self, call):
        facts = call("inspect", "sin_quadratic", "--taylor", "3", "--format", "json").json
        t = np.array(facts["distances"])
        sizes = np.array(facts["remainders"][2]["sizes"])
        far = t > 0.1
        assert sizes[far] == pytest.approx(np.abs(np.sin(t) - t + t**3 / 6)[far], rel=1e-9)

    def test_a_polynomial_is_its_own_series(self, call):
        out = call("inspect", "quadratic", "--taylor", "3").out
        assert "3  0                            0                          – (rounding only)  none seen" in out.splitlines()

    def test_text(self, call):
        out = call("inspect", "sin_quadratic", "--taylor", "3").out
        assert out.startswith(
            "sin_quadratic: Maclaurin series around 0, f(x) ≈ Σ cₙ (x − A)ⁿ, by Cauchy's integral on circles in the complex plane\n"
        )
        assert (
            "after n = 3 the next coefficient is zero within its error, so the remainder shrinks faster than distance^(n + 1)"
            in out
        )
        assert "Taylor series around 2" in call("inspect", "sin_quadratic", "--taylor", "3", "--around", "2").out

    def test_term_too_small_to_be_measured_is_reported(self, call):
        out = call("inspect", "ackley", "--set", "dimension=1", "--taylor", "2", "--around", "1").out
        assert "after n = 2 no distance shows the next term: at each one, a later term or rounding is larger" in out


SLOPES = {
    "sin(x) + x²": (lambda x: np.sin(x) + x**2, [0, 1, -0.7, 0.3]),
    "exponential": (np.exp, [0, 1, -2]),
    "logarithm": (np.log, [1, 0.5]),
    "root": (np.sqrt, [1, 0.1]),
    "tangent": (np.tan, [0, 0.5, 1.2]),
    "geometric series": (lambda x: 1 / (1 - x), [0, 0.5, -2]),
    "bell": (lambda x: 1 / (1 + x * x), [0, 0.3, 1]),
    "normal": (lambda x: np.exp(-x * x), [0, 0.5]),
    "tanh": (np.tanh, [0, 0.4]),
    "rippled": (lambda x: x * x - 10 * np.cos(2 * np.pi * x), [0, 0.1]),
    "far away": (np.cos, [100, 1000]),
    "power": (lambda x: x**2.5, [1, 2]),
}


def test_distances_beyond_the_reach_of_the_series_are_not_taken_for_rounding():
    """The series of 1/x around 1e-11 converges up to a distance of 1e-11, below all distances at which remainders are measured."""
    inspection = inspect_series(inspected(one(lambda x: 1 / x), 1), 1e-11, 2)
    assert inspection.coefficients.reach < inspection.distances[0]
    assert [(each.slope, each.vanishes) for each in inspection.remainders] == [(None, False)] * 2


def test_slopes_lie_within_twice_their_uncertainty():
    measured = missed = 0
    for function, places in SLOPES.values():
        for place in places:
            for each in inspect_series(inspected(one(function), 1), float(place), 8).remainders:
                if each.slope is not None and each.expected is not None:
                    measured += 1
                    missed += abs(each.slope.value - each.expected) > 2 * each.slope.uncertainty
    assert measured > 200
    assert missed <= 0.05 * measured


class TestOwnObjectives:
    @pytest.mark.parametrize(("formula", "function", "slope", "around"), [
        ("np.sqrt(x[..., 0] ** 2)", abs, lambda a: math.copysign(1, a), 0.5),
        ("np.exp(x[..., 0])", math.exp, math.exp, 0.25),
        ("x[..., 0] ** 3", lambda t: t**3, lambda a: 3 * a * a, -2.0),
        ("1 / (3 - x[..., 0])", lambda t: 1 / (3 - t), lambda a: (3 - a) ** -2, 0.0),
        ("np.log(x[..., 0])", lambda t: math.log(t) if t > 0 else math.nan, lambda a: 1 / a, 0.5),
    ])  # fmt: skip
    def test_printed_remainder_is_that_of_the_worse_side(self, call, tmp_path, formula, function, slope, around):
        done = call("inspect", "mine", "--plugin", self.write(tmp_path, formula), "--taylor", "1", f"--around={around}")
        (row,) = [line.split() for line in done.out.split("theory\n")[1].splitlines() if line.startswith("1 ")]
        for printed, distance in zip(row[1:3], (0.1, 1.0), strict=True):
            sides = [abs(function(around + t) - function(around) - slope(around) * t) for t in (-distance, distance)]
            if any(map(math.isnan, sides)):
                assert printed == "–"
                assert "–: f has no value at one of the two points" in done.out
            else:
                assert float(printed) == pytest.approx(max(sides), rel=5e-3, abs=1e-14)

    def write(self, folder: Path, formula: str, body: str = "pass") -> Path:
        (folder / "mine.py").write_text(ONE.format(body=body, formula=formula), encoding="utf-8")
        return folder / "mine.py"

    def test_objective_without_complex_numbers_falls_back_to_real_samples(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.exp(x[..., 0])", "x = x.astype(np.float64, casting='same_kind')")
        done = call("inspect", "mine", "--plugin", plugin, "--taylor", "6", "--format", "json")
        facts = done.json
        assert facts["method"] == "interpolation at real Chebyshev points"
        assert facts["because"].startswith("because Mine.value does not accept complex numbers (TypeError: Cannot cast ")
        true = [1 / math.factorial(n) for n in range(7)]
        assert (np.abs(np.array(facts["shown"]) - true) <= np.array(facts["coefficients"]["errors"])[:7]).all()
        assert facts["shown"] == pytest.approx(true, rel=1e-7)
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "2").out
        assert (
            "not by Cauchy's integral on circles in the complex plane, because Mine.value does not accept complex numbers" in out
        )

    def test_objective_with_wrong_complex_values_falls_back_to_real_samples(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.abs(x[..., 0]) ** 3")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "3", "--around", "2", "--format", "json").json
        assert facts["because"] == "because no circle was found on which Mine.value is analytic around 2, as computed"
        assert facts["shown"] == pytest.approx([8, 12, 6, 1], rel=1e-9)

    def test_objective_that_takes_one_point_at_a_time(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.exp(x[..., 0])", "assert len(x) == 1")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "4", "--format", "json").json
        assert facts["shown"] == pytest.approx([1, 1, 1 / 2, 1 / 6, 1 / 24], rel=1e-14)

    def test_objective_with_a_kink_has_no_series_there(self, call, tmp_path):
        done = call("inspect", "mine", "--plugin", self.write(tmp_path, "np.abs(x[..., 0])"), "--taylor", "3")
        assert done == Done(2, "", (
            "error: mine: --around 0: the series could not be computed here, because no circle was found on which Mine.value is "
            "analytic around 0, as computed, and there is no real interval on which its values agree with a polynomial "
            "to 9 digits; there may be a corner or a jump, or rounding hides the series; try another --around\n"
        ))  # fmt: skip

    def test_terms_beyond_the_radius_are_larger_than_f(self, call, tmp_path):
        plugin = self.write(tmp_path, "1 / (1 + 25 * x[..., 0] ** 2)")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "6", "--format", "json").json
        for remainder in facts["remainders"]:
            assert remainder["slope"]["value"] == pytest.approx(remainder["expected"], abs=0.05), remainder["order"]

    @pytest.mark.parametrize(("formula", "around", "low", "high"), [
        ("np.exp(x[..., 0]) + 1e-6 / (x[..., 0] - 0.1)", 0, 0.099, 0.101),
        ("np.exp(x[..., 0]) + 1e-12 / (x[..., 0] - 0.1)", 0, 0.1, None),
        ("np.log(1 + np.exp(x[..., 0]))", 5, 3.14, 3.15),  # The cut of the logarithm; the radius of convergence is 5.9.
        ("x[..., 0] ** 9 * np.log(x[..., 0])", 1, 1.0, 1.5),  # The singularity at distance 1 is weak.
        ("1e-6 / (x[..., 0] - 0.5) + 1e6 / (x[..., 0] - 2)", 0, 1.9, 2.01),
    ])  # fmt: skip
    def test_distances_of_singularities(self, call, tmp_path, formula: str, around: float, low: float, high: float | None):
        plugin = self.write(tmp_path, formula)
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "10", "--around", around).out
        reached = re.search(
            r"on circles up to distance (\S+) from A, f equals a power series to within 1e-09 of its variation\n", out
        )
        assert float(reached[1]) >= low
        within = re.search(
            r"within distance (\S+), f has a singularity in the complex plane, or its formula has a branch cut\n", out
        )
        if high is None:
            assert within is None
        else:
            assert float(reached[1]) < float(within[1]) <= high
        assert "radius of convergence" not in out
        assert "after n = 6, 7, 10 a later term is the largest" not in out, "their ± are as large as the differences"

    def test_late_term_is_found(self, call, tmp_path):
        plugin = self.write(tmp_path, "x[..., 0] ** 2 + x[..., 0] ** 20")
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "2").out
        assert out.endswith("20.000 ± 0.001  more than 6\n")
        assert "none seen" not in out

    def test_objective_that_is_constant_within_the_radius(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.exp(-1.0 / (x[..., 0] ** 2 + 1e-300))")
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "2").out
        assert out.splitlines()[-1].endswith("0.368                      – (too far away)  more than 6")

    def test_wrong_return_value_is_reported(self, call, tmp_path):
        plugin = self.write(tmp_path, "x")
        assert call("inspect", "mine", "--plugin", plugin, "--taylor", "2") == Done(3, "", (
            "error: Mine.value returned an array of shape (1, 1) and type float64 for x of shape (1, 1); it must return a float64 "
            "array of shape (1,)\n"
        ))  # fmt: skip

    def test_objective_that_is_not_finite_there(self, call, tmp_path):
        done = call("inspect", "mine", "--plugin", self.write(tmp_path, "np.log(x[..., 0])"), "--taylor", "3")
        assert done == Done(2, "", "error: mine: --around 0: f is not finite there; choose a point where f is finite\n")

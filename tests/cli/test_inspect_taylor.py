"""`runner inspect OBJECTIVE --taylor N --around A`: coefficients against mpmath, slopes of remainders, models in any dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.analysis.taylor import asymptotic_window, coefficients_on_circles, coefficients_on_intervals, next_order
from tests.support.command_line import Done
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
    def test_on_circles_they_are_exact_to_rounding_up_to_order_ten(self, name: str):
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
    def test_on_intervals_their_error_is_known(self, name: str):
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
    def test_what_is_not_analytic_there_has_none(self, function):
        with np.errstate(all="ignore"):
            assert coefficients_on_circles(function, 0.0, 5) is None

    @settings(deadline=None)
    @given(st.lists(st.floats(-9, 9), min_size=1, max_size=8), st.floats(-2, 2))
    def test_those_of_a_polynomial(self, powers: list[float], around: float):
        polynomial = np.polynomial.Polynomial(powers)
        shifted = polynomial(np.polynomial.Polynomial([around, 1.0])).coef
        true = np.pad(shifted, (0, ORDER + 1 - len(shifted)))
        for found in (coefficients_on_circles(polynomial, around, ORDER), coefficients_on_intervals(polynomial, around, ORDER)):
            assert found is not None
            # Numbers as small as 1e-300 are rounded by more than ε of theirs.
            allowed = 3 * found.errors + 1e-13 * np.abs(powers).max() * 3.0 ** len(powers) + 1e-300
            assert (np.abs(found.values - true) <= allowed).all()


class TestSeries:
    def test_maclaurin(self, call):
        facts = call("inspect", "sin_quadratic", "--taylor", "10", "--format", "json").json
        true = [0, 1, 1, -1 / 6, 0, 1 / 120, 0, -1 / 5040, 0, 1 / 362880, 0]
        assert facts["around"] == 0
        assert facts["shown"] == pytest.approx(true, rel=1e-15, abs=0)
        assert facts["because"] == ""
        slopes = [each["slope"]["value"] for each in facts["remainders"]]
        assert [each["expected"] for each in facts["remainders"]] == [2, 3, 5, 5, 7, 7, 9, 9, 11, 11]
        assert slopes == pytest.approx([2, 3, 5, 5, 7, 7, 9, 9, 11, 11], abs=0.02)

    @pytest.mark.parametrize("around", [1.0, -0.7, 2.0])
    def test_elsewhere_the_slope_is_one_more_than_the_order(self, call, around: float):
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
        assert "3  0                         0                       – (rounding only)  none: Pₙ is f" in out.splitlines()

    def test_text(self, call):
        out = call("inspect", "sin_quadratic", "--taylor", "3").out
        assert out.startswith(
            "sin_quadratic: Maclaurin series around 0, f(x) ≈ Σ cₙ (x − A)ⁿ, by Cauchy's integral on circles in the complex plane\n"
        )
        assert "behind n = 3 the next coefficient is zero within its error, so the remainder shrinks faster than n + 1" in out
        assert "Taylor series around 2" in call("inspect", "sin_quadratic", "--taylor", "3", "--around", "2").out

    def test_a_term_that_is_too_small_to_be_seen_is_told(self, call):
        out = call("inspect", "ackley", "--set", "dimension=1", "--taylor", "2", "--around", "1").out
        assert "behind n = 2 a later term is the larger one at every distance at which rounding is not" in out


class TestStrangers:
    def write(self, folder: Path, formula: str, body: str = "pass") -> Path:
        (folder / "mine.py").write_text(ONE.format(body=body, formula=formula), encoding="utf-8")
        return folder / "mine.py"

    def test_one_that_takes_no_complex_numbers_falls_back_to_real_ones_and_says_why(self, call, tmp_path):
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

    def test_one_whose_complex_values_are_another_function_falls_back_too(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.abs(x[..., 0]) ** 3")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "3", "--around", "2", "--format", "json").json
        assert facts["because"] == "because Mine.value is not analytic around 2, as computed with complex numbers"
        assert facts["shown"] == pytest.approx([8, 12, 6, 1], rel=1e-9)

    def test_one_that_takes_one_point_at_a_time(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.exp(x[..., 0])", "assert len(x) == 1")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "4", "--format", "json").json
        assert facts["shown"] == pytest.approx([1, 1, 1 / 2, 1 / 6, 1 / 24], rel=1e-14)

    def test_one_with_a_corner_has_no_series_there(self, call, tmp_path):
        done = call("inspect", "mine", "--plugin", self.write(tmp_path, "np.abs(x[..., 0])"), "--taylor", "3")
        assert done == Done(2, "", (
            "error: mine: --around 0: f has no Taylor series there: it is neither analytic around that point, nor smooth on the real line\n"
        ))  # fmt: skip

    def test_beyond_the_reach_of_the_series_terms_are_larger_than_f(self, call, tmp_path):
        plugin = self.write(tmp_path, "1 / (1 + 25 * x[..., 0] ** 2)")
        facts = call("inspect", "mine", "--plugin", plugin, "--taylor", "6", "--format", "json").json
        for remainder in facts["remainders"]:
            assert remainder["slope"]["value"] == pytest.approx(remainder["expected"], abs=0.05), remainder["order"]

    def test_a_late_term_is_not_taken_for_none(self, call, tmp_path):
        plugin = self.write(tmp_path, "x[..., 0] ** 2 + x[..., 0] ** 20")
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "2").out
        assert out.endswith("20.000 ± 0.001  more than 6\n")
        assert "none: Pₙ is f" not in out

    def test_one_that_is_flat_as_far_as_the_series_reaches(self, call, tmp_path):
        plugin = self.write(tmp_path, "np.exp(-1.0 / (x[..., 0] ** 2 + 1e-300))")
        out = call("inspect", "mine", "--plugin", plugin, "--taylor", "2").out
        assert out.splitlines()[-1].endswith("0.368                   – (too far away)  more than 6")

    def test_what_is_no_value_is_told(self, call, tmp_path):
        plugin = self.write(tmp_path, "x")
        assert call("inspect", "mine", "--plugin", plugin, "--taylor", "2") == Done(3, "", (
            "error: Mine.value returned an array of shape (1, 1) and type float64 for x of shape (1, 1); it must return a float64 "
            "array of shape (1,)\n"
        ))  # fmt: skip

    def test_one_that_is_not_finite_there(self, call, tmp_path):
        done = call("inspect", "mine", "--plugin", self.write(tmp_path, "np.log(x[..., 0])"), "--taylor", "3")
        assert done == Done(2, "", "error: mine: --around 0: f is not finite there; choose a point at which it is\n")


class TestModels:
    @pytest.mark.parametrize("arguments", [("rosenbrock", "--around", "-1.2,1"), ("himmelblau", "--around", "0.5"),
                                           ("styblinski_tang", "--set", "dimension=4", "--around", "1")])  # fmt: skip
    def test_the_first_order_model_is_off_by_a_square_the_second_by_a_cube(self, call, arguments):
        facts = call("inspect", *arguments, "--taylor", "2", "--format", "json").json
        assert [each["name"] for each in facts["directions"]] == ["steepest descent", "Newton's direction"]
        for direction in facts["directions"]:
            assert np.linalg.norm(direction["unit"]) == pytest.approx(1)
            slopes = {model["order"]: model["slope"]["value"] for model in direction["models"]}
            assert slopes == {1: pytest.approx(2, abs=0.02), 2: pytest.approx(3, abs=0.02)}

    def test_decreases_of_rosenbrock_by_hand(self, call):
        facts = call("inspect", "rosenbrock", "--around", "-1.2,1", "--taylor", "2", "--format", "json").json
        gradient, hessian = np.array([-215.6, -88.0]), np.array([[1330.0, 480.0], [480.0, 200.0]])
        unit = -gradient / np.linalg.norm(gradient)
        steepest = facts["directions"][0]
        t = np.array(facts["shown"])
        assert steepest["unit"] == pytest.approx(unit)
        assert steepest["models"][0]["decreases"] == pytest.approx(t * np.linalg.norm(gradient))
        assert steepest["models"][1]["decreases"] == pytest.approx(
            t * np.linalg.norm(gradient) - t * t / 2 * (unit @ hessian @ unit)
        )
        x = np.array([-1.2, 1.0])[:, None] + unit[:, None] * t
        assert steepest["actual"] == pytest.approx(24.2 - (100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2))

    def test_text(self, call):
        out = call("inspect", "rosenbrock", "--taylor", "1", "--around", "-1.2,1").out
        assert "along steepest descent, p = (0.925848, 0.377897)" in out
        assert "what the model of order 1 leaves out: slope 2.000 ± 0.001 against t; theory 2" in out
        assert "Newton" not in out

    @pytest.mark.parametrize(("arguments", "error"), [
        (("rosenbrock", "--taylor", "3"), "rosenbrock: --taylor 3: it has dimension 2, and beyond dimension 1 there are models of the orders 1 and 2"),
        (("rosenbrock", "--taylor", "2", "--around", "1"), "rosenbrock: the gradient is zero or not finite at [1.0, 1.0], so there is no direction of descent; choose another --around"),
        (("rosenbrock", "--taylor", "2", "--around", "1,2,3"), "rosenbrock: --around gives 3 coordinates, and it has dimension 2: give 2, or one for all"),
    ])  # fmt: skip
    def test_refusals(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", *arguments) == Done(2, "", f"error: {error}\n")


class TestOptions:
    @pytest.mark.parametrize(("arguments", "error"), [
        (("--taylor", "3", "--spacings"), "--spacings and --taylor are different inspections; ask for one at a time"),
        (("--around", "3"), "--around goes with --taylor"),
        (("--taylor", "3", "--at", "1"), "--at does not go with --taylor; say where with --around"),
        (("--taylor", "0"), "--taylor: must be a whole number from 1 to 20, not '0'"),
    ])  # fmt: skip
    def test_what_does_not_go_together(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")


@pytest.mark.parametrize(
    "arguments",
    [("sin_quadratic", "--taylor", "8"), ("sin_quadratic", "--taylor", "2"), ("himmelblau", "--taylor", "2", "--around", "0.5")],
)
def test_pictures(call, tmp_path, arguments: tuple[str, ...]):
    done = call("inspect", *arguments, "-o", "t.png")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: t.png")
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


def test_the_next_order_is_that_of_the_next_coefficient_that_is_heard():
    found = coefficients_on_circles(np.sin, 0.0, 8)
    assert found is not None
    assert [next_order(found, n) for n in range(8)] == [1, 3, 3, 5, 5, 7, 7, None]


def test_a_remainder_that_is_rounding_has_no_window():
    t = np.geomspace(1e-4, 1, 50)
    assert not asymptotic_window(t, np.full(50, 1e-16), np.full(50, 1e-16), 1.0).any()


def test_the_window_ends_halfway_to_where_the_series_does():
    t = np.geomspace(1e-2, 1, 201)
    window = asymptotic_window(t, t**2, np.full(201, 1e-18), 0.08)
    assert t[window].min() == t[0]
    assert t[window].max() == pytest.approx(0.04, rel=0.03)


def test_what_is_heard_only_beyond_the_series_has_no_window():
    t = np.geomspace(1e-4, 1, 50)
    assert not asymptotic_window(t, np.where(t > 0.1, 1.0, 0.0), np.full(50, 1e-16), 0.01).any()

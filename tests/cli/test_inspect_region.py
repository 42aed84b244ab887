"""`runner inspect OBJECTIVE --region LOW,HIGH`: not convex, with a counterexample, or none found, and never more than that."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import runner
from runner.analysis.convexity import chord_across, measured_chord, smallest_curvature, try_chords
from runner.cli.inspect.region import NONE_FOUND, NOT_CONVEX, verdict
from runner.contracts.arrays import ByRows
from runner.inspection.region import region_facts
from runner.inspection.subject import make_subject
from runner.registry.registry import Registry
from runner.testing import checks
from tests.support.command_line import Done
from tests.support.objective_texts import ONE, STRANGER

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
        assert facts["chords"] == {"worst": None, "tried": 10_000, "unknown": 0, "noisy": 0}
        assert facts["contradiction"] == 0
        if smallest is not None:
            assert facts["curvature"]["smallest"] == pytest.approx(smallest, abs=1e-12)

    @pytest.mark.parametrize("arguments", [
        ("sin_quadratic", "--set", "a=3"), ("sin_quadratic", "--set", "a=2.01"), ("sin_quadratic", "--set", "a=0.1", "--set", "omega=9"),
        ("himmelblau",), ("rosenbrock",), ("rastrigin",), ("ackley",), ("beale",), ("styblinski_tang", "--set", "dimension=4"),
    ])  # fmt: skip
    def test_others_are_refuted_by_a_chord_that_anybody_can_check(self, call, arguments: tuple[str, ...]):
        facts = call("inspect", *arguments, "--region", "-3,3", "--format", "json").json
        assert facts["verdict"] == "not convex"
        chord = facts["counterexample"]
        function = make_subject(arguments[0], arguments[2::2], REGISTRY)
        first, second, weight = np.array(chord["first"]), np.array(chord["second"]), chord["weight"]
        height = weight * function.value(first) + (1 - weight) * function.value(second)
        excess = function.value(weight * first + (1 - weight) * second) - height
        assert excess == pytest.approx(chord["excess"], rel=1e-6)
        assert 0 <= weight <= 1
        assert np.abs([first, second]).max() <= 3
        assert chord["excess"] > chord["rounding"] > 0

    def test_the_region_matters(self, call):
        assert (
            call("inspect", "sin_quadratic", "--set", "a=3", "--region", "-3,0", "--format", "json").json["verdict"] == NONE_FOUND
        )
        assert call("inspect", "himmelblau", "--region", "2.8,3.2", "--format", "json").json["verdict"] == NONE_FOUND

    @settings(deadline=None, max_examples=60)
    @given(st.floats(-6, 6), st.floats(0.1, 8), st.integers(0, 10))
    def test_a_rippled_parabola_is_convex_as_the_sign_of_its_smallest_curvature_says(self, a: float, omega: float, seed: int):
        smallest = 2 - abs(a) * omega**2
        assume(abs(smallest) > 1e-3)
        period = 2 * math.pi / omega
        subject = make_subject("sin_quadratic", (f"a={a!r}", f"omega={omega!r}"), REGISTRY)
        facts = region_facts(subject, -period, period, 400, seed)
        assert verdict(facts) == (NONE_FOUND if smallest > 0 else NOT_CONVEX)
        assert facts.curvature.smallest == pytest.approx(smallest, abs=1e-9 * (2 + abs(a) * omega**2))
        assert facts.stated.low == pytest.approx(smallest)
        assert facts.contradiction == 0

    def test_a_narrow_hump_is_found_by_its_curvature(self):
        def value(x):
            return (x * x)[:, 0] + 1e-6 * np.exp(-(((x[:, 0] - 0.3) / 1e-3) ** 2))

        def hessian(x):
            t = (x[:, 0] - 0.3) / 1e-3
            return (2 + (4 * t * t - 2) * np.exp(-t * t))[:, None, None] - 0.0

        assert try_chords(value, -1, 1, 1, 200, generator()).worst is None
        found = smallest_curvature(lambda x: hessian(x) - 1e-3 * 0, -1, 1, 1, 4000, generator())
        assert found.smallest == pytest.approx(0, abs=1e-6)
        sharper = smallest_curvature(lambda x: 3 * hessian(x) - 4, -1, 1, 1, 4000, generator())
        assert sharper.smallest == pytest.approx(-4, abs=1e-6)

        def steeper(x):
            return 3 * value(x) - 2 * (x * x)[:, 0]

        chord = chord_across(steeper, sharper.place, sharper.direction, -1, 1)
        assert chord is not None
        assert chord.refutes


class TestRounding:
    @pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
    @pytest.mark.parametrize("offset", [0.0, 1e6])
    def test_rounding_is_never_taken_for_a_counterexample(self, scale: float, offset: float):
        flat = [
            lambda x: np.full(len(x), offset),
            lambda x: scale * x.sum(axis=-1) + offset,
            lambda x: scale * (x @ np.ones(3)) - offset,
        ]
        for function in flat:
            assert try_chords(function, -3, 3, 3, 5000, generator()).worst is None

    @pytest.mark.parametrize("offset", [1e3, 1e6, 1e9, 1e12])
    def test_a_noisy_function_is_given_its_noise(self, offset: float):
        def noisy(x):
            return (offset + x[:, 0] ** 2) - offset

        assert try_chords(noisy, -1, 1, 1, 5000, generator()).worst is None
        chord = measured_chord(noisy, np.array([-1.0]), np.array([1.0]), 0.5)
        assert not chord.refutes
        assert chord.excess == -1
        assert chord.rounding > 1e-17 * offset

    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 4), st.integers(0, 4), st.floats(-6, 6), st.floats(-1e6, 1e6), st.integers(0, 2**32 - 1))
    def test_no_convex_parabola_is_ever_refuted(self, dimension: int, rank: int, power: float, offset: float, seed: int):
        drawn = np.random.Generator(np.random.PCG64(seed))
        root = 10.0**power * drawn.standard_normal((min(rank, dimension), dimension))
        slope = drawn.standard_normal(dimension)

        def function(x):
            return ((x @ root.T) ** 2).sum(axis=-1) + x @ slope + offset

        def hessian(x):
            return np.broadcast_to(2 * root.T @ root, (len(x), dimension, dimension))

        assert try_chords(function, -3, 3, dimension, 1000, drawn).worst is None
        found = smallest_curvature(hessian, -3, 3, dimension, 20, drawn)
        assert chord_across(function, found.place, found.direction, -3, 3) is None

    def test_where_f_is_not_finite_chords_say_nothing(self):
        search = try_chords(lambda x: np.where(x[:, 0] > 0, x[:, 0] ** 2, np.nan), -1, 1, 1, 2000, generator())
        assert search.worst is None
        assert 0 < search.unknown < 2000


class TestText:
    def test_none_found(self, call):
        done = call("inspect", "sin_quadratic", "--region", "-3,3", "--tries", "500", "--seed", "7")
        lines = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert lines[:2] == [
            "sin_quadratic, with each coordinate from -3 to 3: no counterexample found",
            "chords tried: 500 (seed 7)",
        ]
        assert lines[2].startswith("smallest curvature seen: 1 at x = 1.5708, of ")
        assert lines[3:] == [
            "that is evidence for convexity here, and no proof of it",
            "by the objective's own formula, for all x: every eigenvalue of ∇²f lies from 1 to 3: f is strongly convex, with μ = 1",
        ]

    def test_not_convex(self, call):
        lines = call("inspect", "sin_quadratic", "--set", "a=3", "--region", "-3,3").out.splitlines()
        assert lines[0] == "sin_quadratic, with each coordinate from -3 to 3: not convex"
        assert re.fullmatch(
            r"  f\(λx₁ \+ \(1 − λ\)x₂\) lies above λf\(x₁\) \+ \(1 − λ\)f\(x₂\) by 0.522; rounding makes at most \d.\d\de-13",
            lines[4],
        )
        assert (
            lines[-1]
            == "by the objective's own formula, for all x: every eigenvalue of ∇²f lies from -1 to 5: which does not make it convex"
        )
        assert not any("evidence" in line for line in lines)

    def test_a_penalty_makes_it_convex(self, call):
        arguments = ("l2", "--set", "objective.name=sin_quadratic", "--set", "objective.a=3.0", "--set", "penalty=1.5")
        out = call("inspect", *arguments, "--region", "-3,3").out
        assert out.startswith("l2, with each coordinate from -3 to 3: no counterexample found\n")
        assert out.endswith("lies from 0.5 to 6.5: f is strongly convex, with μ = 0.5\n")

    def test_the_border_case(self, call):
        assert call("inspect", "sin_quadratic", "--set", "a=2", "--region", "-3,3").out.endswith(
            "lies from 0 to 4: f is convex\n"
        )

    def test_a_stranger_without_derivatives(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(STRANGER.format(body="assert len(x) == 1"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1", "--tries", "300")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("mine, with each coordinate from -1 to 1: not convex\n")
        assert "Hessians by finite_difference" in done.out
        assert "formula" not in done.out

    def test_where_it_is_partly_undefined(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="-np.log(x[..., 0])"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1").out
        assert "say nothing, for f is not finite there" in out
        assert "no counterexample found" in out
        assert "smallest curvature seen: 1 at x = 1," in out, "not 0, as it is of nothing"

    def test_a_formula_that_is_wrong_is_told(self, call, tmp_path):
        text = ONE.format(body="pass", formula="np.sin(x[..., 0])").replace(
            "    weight: float", "    curvature_bounds = (0.5, 1.0)\n    weight: float"
        )
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "0.1,3").out
        assert "the smallest curvature seen lies below that by 1.50: the formula is wrong" in out

    def test_jumps_are_not_told_from_noise(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.where(x[..., 0] > 0, 1.0, 0.0)"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1").out
        assert "no counterexample found" in out
        assert "32 of them lie below f, but by no more than its noise or jumps along them, and do not count" in out

    def test_in_many_dimensions_only_chords_are_tried(self, call):
        out = call("inspect", "quadratic", "--set", "dimension=200", "--region", "-1,1", "--tries", "100").out
        assert "no smallest curvature, because it has dimension 200, and Hessians at many points stop at 100" in out


@dataclass(frozen=True)
class Stating(runner.Objective):
    """f(x) = s x²."""

    s: float = 1.0
    dimension = 1
    curvature_bounds = (2.0, 2.0)

    def value(self, x):
        return (self.s * x * x)[..., 0]

    def gradient(self, x):
        return 2.0 * self.s * x

    def hessian(self, x):
        return (2.0 * self.s + 0.0 * x)[..., None]


class TestTheContract:
    def finding(self, objective: runner.Objective) -> str:
        (check,) = [each for each in checks(objective) if each.name == "curvature bounds"]
        return str(check.finding)

    def test_bounds_that_hold(self):
        assert self.finding(make_subject("sin_quadratic", (), REGISTRY).objective) == "ok       curvature bounds"

    def test_bounds_that_a_sweep_changes(self):
        text = "failed   curvature bounds: Stating.curvature_bounds are 2 to 2, but its Hessian has eigenvalues from 6 to 6"
        assert self.finding(Stating(3.0)) == text

    def test_bounds_that_are_none(self):
        class Wrong(Stating):
            curvature_bounds = (3.0, 1.0)

        text = "failed   curvature bounds: Wrong.curvature_bounds must be a tuple of the lowest and the highest curvature, not (3.0, 1.0)"
        assert self.finding(dataclass(frozen=True)(Wrong)(1.0)) == text

    def test_bounds_that_follow_another_parameter_in_a_sweep(self):
        class Swept(Stating):
            @property
            def curvature_bounds(self):
                return 2.0 * np.max(self.s), 2.0 * np.max(self.s)

        text = "failed   curvature bounds: Swept.curvature_bounds are not those of the single runs where s is swept"
        assert self.finding(dataclass(frozen=True)(Swept)(1.0)) == text


class TestByRows:
    def test_one_at_a_time_is_compared_with_but_once(self):
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
    def test_what_is_wrong_for_many_is_asked_one_at_a_time(self, function):
        by_rows = ByRows(function)
        for size in (1, 5, 1500, 7):
            np.testing.assert_array_equal(by_rows(np.arange(float(size))[:, None]), np.ones(size))


class TestRefusals:
    @pytest.mark.parametrize("region", ["1", "3,-3", "1,1", "1,2,3"])
    def test_a_region_that_is_none(self, call, region: str):
        error = f"error: quadratic: --region {region}: must be the lowest and the highest value of each coordinate, as in -3,3\n"
        assert call("inspect", "quadratic", "--region", region) == Done(2, "", error)

    def test_what_is_no_value_is_told(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(STRANGER.format(body="return x ** 2"), encoding="utf-8")
        assert call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1") == Done(3, "", (
            "error: Mine.value returned an array of shape (1, 2) and type float64 for x of shape (1, 2); it must return a float64 "
            "array of shape (1,)\n"
        ))  # fmt: skip

    def test_where_f_is_nowhere_finite(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--region", "-2,-1", "--tries", "50")
        assert done == Done(2, "", "error: mine: --region -2,-1: f is finite on none of 50 chords; choose another\n")

    @pytest.mark.parametrize(("arguments", "error"), [
        (("--tries", "5"), "--tries goes with --region"),
        (("--seed", "5"), "--seed goes with --region"),
        (("--region", "-1,1", "--at", "1"), "--at does not go with --region, which says where"),
        (("--region", "-1,1", "--taylor", "2"), "--taylor and --region are different inspections; ask for one at a time"),
    ])  # fmt: skip
    def test_what_does_not_go_together(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")


@pytest.mark.parametrize("arguments", [
    ("sin_quadratic",), ("sin_quadratic", "--set", "a=3"), ("himmelblau",), ("styblinski_tang", "--set", "dimension=3"),
    ("quadratic", "--set", "dimension=3"), ("quadratic", "--set", "dimension=2"),
])  # fmt: skip
def test_pictures(call, tmp_path, arguments: tuple[str, ...]):
    done = call("inspect", *arguments, "--region", "-3,3", "--tries", "500", "-o", "r.png")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")

"""The output of `runner inspect OBJECTIVE --region LOW,HIGH`: text, pictures and refusals."""

from __future__ import annotations

import math
import re

import pytest

from runner.analysis.chords import SecondDifference
from runner.cli.inspect.region import rounded_up
from tests.support.command_line import Done
from tests.support.objective_texts import ONE, STRANGER


class TestText:
    def test_no_counterexample_found(self, call):
        done = call("inspect", "sin_quadratic", "--region", "-3,3", "--tries", "500", "--seed", "7")
        lines = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert lines[:2] == [
            "sin_quadratic, with each coordinate from -3 to 3: no counterexample found",
            "chords tried: 4,448 (seed 7)",
        ]
        assert re.fullmatch(
            r"f lies up to 9 below these chords; an excess of less than about \d\.\d\de-1[34] could not be distinguished from rounding",
            lines[2],
        )
        assert lines[3].startswith("smallest curvature seen: 1 at x = 1.5708, in ")
        assert lines[4:] == [
            "this is evidence for convexity here, but not a proof",
            "by the objective's own formula, for all x, every eigenvalue of ∇²f lies from 1 to 3: f is strongly convex, with μ = 1",
        ]

    def test_not_convex(self, call):
        lines = call("inspect", "sin_quadratic", "--set", "a=3", "--region", "-3,3").out.splitlines()
        assert lines[0] == "sin_quadratic, with each coordinate from -3 to 3: not convex"
        assert re.fullmatch(
            r"  f\(λx₁ \+ \(1 − λ\)x₂\) lies above λf\(x₁\) \+ \(1 − λ\)f\(x₂\) by 0.5\d\d; rounding and noise account for at most \d.\d\de-\d+",
            lines[4],
        )
        assert (
            lines[-1]
            == "by the objective's own formula, for all x, every eigenvalue of ∇²f lies from -1 to 5, so convexity does not follow from it"
        )
        assert not any("evidence" in line for line in lines)

    def test_a_penalty_makes_it_convex(self, call):
        arguments = ("l2", "--set", "objective.name=sin_quadratic", "--set", "objective.a=3.0", "--set", "penalty=1.5")
        out = call("inspect", *arguments, "--region", "-3,3").out
        assert out.startswith("l2, with each coordinate from -3 to 3: no counterexample found\n")
        assert out.endswith("lies from 0.5 to 6.5: f is strongly convex, with μ = 0.5\n")

    def test_border_case_between_convex_and_not_convex(self, call):
        assert call("inspect", "sin_quadratic", "--set", "a=2", "--region", "-3,3").out.endswith(
            "lies from 0 to 4: f is convex\n"
        )

    def test_objective_without_derivatives(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(STRANGER.format(body="assert len(x) == 1"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1", "--tries", "300")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("mine, with each coordinate from -1 to 1: not convex\n")
        curvature = re.search(
            r"finite_difference gives -0.41\d+ at x = .*, where differences of f .* give (\S+) ± (\S+)", done.out
        )
        assert float(curvature[1]) == pytest.approx(1 - math.sqrt(2), abs=float(curvature[2]) + 1e-6)
        assert "formula" not in done.out

    def test_objective_undefined_on_a_part_of_the_region(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="-np.log(x[..., 0])"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1").out
        assert "are inconclusive, because f is not finite there" in out
        assert "no counterexample found" in out
        assert re.search(r"smallest curvature seen: 1 ± \S+ at x = 1,", out), "a curvature of 0 was not seen"

    def test_wrong_formula_is_reported(self, call, tmp_path):
        text = ONE.format(body="pass", formula="np.sin(x[..., 0])").replace(
            "    weight: float", "    curvature_bounds = (0.5, 1.0)\n    weight: float"
        )
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "0.1,3").out
        assert out.splitlines()[:3] == [
            "contradiction: by the objective's own formula f is convex, but a chord lies below f: the formula or f is wrong",
            "contradiction: by the objective's own formula no eigenvalue of ∇²f is below 0.5, but -1 was seen, which differs by 1.50: "
            "the formula is wrong",
            "mine, with each coordinate from 0.1 to 3: not convex",
        ]
        assert out.endswith("every eigenvalue of ∇²f lies from 0.5 to 1\n"), "no conclusion from a formula that is wrong"

    @pytest.mark.parametrize("bounds", ["(0.0, 2.0)", "(8.0, 9.0)"])
    def test_bounds_on_either_side_are_contradicted(self, call, tmp_path, bounds: str):
        text = ONE.format(body="pass", formula="3 * x[..., 0] ** 2").replace(
            "    weight: float", f"    curvature_bounds = {bounds}\n    weight: float"
        )
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        first, *others = call("inspect", "mine", "--plugin", "mine.py", "--region", "-3,3").out.splitlines()
        side = "above 2, but 6 was seen, which differs by 4" if "2" in bounds else "below 8, but 6 was seen, which differs by 2"
        assert re.fullmatch(rf"contradiction: .* no eigenvalue of ∇²f is {side}(\.00)?: the formula is wrong", first)
        assert not others[-1].endswith("convex")

    @pytest.mark.parametrize("bounds", ["(-np.inf, np.inf)", "(np.nan, np.nan)"])
    def test_bounds_that_say_nothing_contradict_nothing(self, call, tmp_path, bounds: str):
        members = f"    curvature_bounds = {bounds}\n    def gradient(self, x):\n        return 2 * x\n"
        members += "    def hessian(self, x):\n        return np.full((*x.shape, 1), 2.0)\n    weight: float"
        text = ONE.format(body="pass", formula="x[..., 0] ** 2").replace("    weight: float", members)
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("mine, with each coordinate from -1 to 1: no counterexample found\n")
        assert done.out.endswith(", so convexity does not follow from it\n")

    def test_the_contradiction_states_the_curvature_that_contradicts(self, call, tmp_path, monkeypatch):
        """The Hessian by differences may lie just within the bounds where the more exact differences of f do not."""
        text = ONE.format(body="pass", formula="x[..., 0] ** 2").replace(
            "    weight: float", "    curvature_bounds = (2.0, 3.0)\n    weight: float"
        )
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr("runner.analysis.chords.ChordsInBox.second_difference", lambda *_: SecondDifference(1.99999, 9e-6))
        first = call("inspect", "mine", "--plugin", "mine.py", "--region", "-3,3").out.splitlines()[0]
        assert "no eigenvalue of ∇²f is below 2, but 1.99999 was seen, which differs by 1.00e-5" in first

    def test_a_formula_is_not_contradicted_by_rounding(self, call, tmp_path):
        text = ONE.format(body="pass", formula="(1e8 + x[..., 0]) ** 2 - 1e16 - 2e8 * x[..., 0]").replace(
            "    weight: float", "    curvature_bounds = (2.0, 2.0)\n    weight: float"
        )
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-3,3").out
        assert out.startswith(
            "mine, with each coordinate from -3 to 3: cannot tell: the differences are rounding or noise, which may hide"
        )
        assert "contradiction" not in out
        assert "evidence" not in out

    def test_jumps_are_counterexamples(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.sign(x[..., 0])"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1").out
        assert out.startswith("mine, with each coordinate from -1 to 1: not convex\n")

    def test_jumps_may_be_rounding_in_64_bits(self, call, tmp_path):
        formula = "np.sign(x[..., 0].real.astype(np.float64))"
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=formula), encoding="utf-8")
        first = call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1").out.splitlines()[0]
        reason = "but only across jumps, which may be rounding, because f does not compute in extended precision"
        assert re.fullmatch(rf".*: cannot tell: f lies above [\d,]+ of the checked chords, {reason}", first)

    def test_overflow_is_no_counterexample_and_hides_none(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="-1e300 * x[..., 0] ** 2"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--region", "-3,3").out
        assert out.startswith("mine, with each coordinate from -3 to 3: not convex\n")
        assert re.search(r"by [89](\.\d+)?e300; rounding and noise account for at most \d\.\d+e2\d\d\n", out)

    def test_a_hole_in_the_domain_leaves_the_verdict_open(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(
            ONE.format(body="pass", formula="np.where(np.abs(x[..., 0]) < 0.5, np.nan, x[..., 0] ** 2)"), encoding="utf-8"
        )
        first = call("inspect", "mine", "--plugin", "mine.py", "--region", "-3,3").out.splitlines()[0]
        assert re.search(r": cannot tell: on [\d,]+ chords f is finite at both ends, but not between them$", first)

    def test_only_chords_are_tried_in_many_dimensions(self, call):
        out = call("inspect", "quadratic", "--set", "dimension=200", "--region", "-1,1", "--tries", "100").out
        assert "no smallest curvature, because the dimension is 200, and Hessians at many points are computed up to 100" in out


class TestRefusals:
    @pytest.mark.parametrize("region", ["1", "3,-3", "1,1", "1,2,3"])
    def test_impossible_region(self, call, region: str):
        error = (
            f"error: quadratic: --region {region}: must be the lowest and the highest value of each coordinate, such as -3,3\n"
        )
        assert call("inspect", "quadratic", "--region", region) == Done(2, "", error)

    @pytest.mark.parametrize("region", ["-1e308,1e308", "-1e-320,1e-320", "1,1.0000000000000002"])
    def test_box_without_enough_numbers(self, call, region: str):
        done = call("inspect", "quadratic", "--region", region)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: quadratic: --region ")
        assert done.err.endswith("with more than about 1000 numbers in it; choose another box\n")

    def test_wrong_return_value_is_reported(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(STRANGER.format(body="return x ** 2"), encoding="utf-8")
        assert call("inspect", "mine", "--plugin", "mine.py", "--region", "-1,1") == Done(3, "", (
            "error: Mine.value returned an array of shape (1, 2) and type float64 for x of shape (1, 2); it must return a float64 "
            "array of shape (1,)\n"
        ))  # fmt: skip

    def test_objective_that_is_nowhere_finite(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--region", "-2,-1", "--tries", "50")
        assert done == Done(2, "", "error: mine: --region -2,-1: f is finite on none of 3,147 chords; choose another region\n")

    @pytest.mark.parametrize(("arguments", "error"), [
        (("--tries", "5"), "--tries is allowed only with --region"),
        (("--seed", "5"), "--seed is allowed only with --region"),
        (("--region", "-1,1", "--at", "1"), "--at is not allowed with --region, which inspects a box"),
        (("--region", "-1,1", "--taylor", "2"), "--taylor and --region are different inspections; choose one of them"),
    ])  # fmt: skip
    def test_options_that_exclude_each_other(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")


@pytest.mark.parametrize("arguments", [
    ("sin_quadratic",), ("sin_quadratic", "--set", "a=3"), ("himmelblau",), ("styblinski_tang", "--set", "dimension=3"),
    ("quadratic", "--set", "dimension=3"), ("quadratic", "--set", "dimension=2"),
])  # fmt: skip
def test_pictures(call, tmp_path, arguments: tuple[str, ...]):
    done = call("inspect", *arguments, "--region", "-3,3", "--tries", "500", "-o", "r.png")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("error", "text"), [(1.351e-11, "2e-11"), (1e-11, "1e-11"), (9.2e-5, "0.0001"), (0.0, "0"), (3.0, "3"), (1.4e-310, "2e-310")]
)
def test_an_error_is_rounded_up(error: float, text: str) -> None:
    assert rounded_up(error) == text
    assert float(rounded_up(error)) >= error

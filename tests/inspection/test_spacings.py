"""The error of a finite difference against its spacing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runner.analysis.differentiation import SPACINGS, fitted_slope
from tests.support.objective_texts import ONE

EPSILON = float(np.finfo(float).eps)


def schemes(facts: dict) -> dict[str, dict]:
    return {scheme["name"]: scheme for scheme in facts["schemes"]}


class TestSchemes:
    @pytest.mark.parametrize("arguments", [
        ("sin_quadratic", "--at", "1"), ("rosenbrock", "--at", "-1.2,1"), ("himmelblau",), ("ackley",), ("logistic_regression",),
        ("styblinski_tang", "--set", "dimension=3"), ("sin_quadratic", "--set", "a=3", "--set", "omega=4", "--at", "0.3"),
    ])  # fmt: skip
    def test_slopes_agree_with_theory(self, call, arguments: tuple[str, ...]):
        found = schemes(call("inspect", *arguments, "--spacings", "--format", "json").json)
        assert set(found) == {"forward", "central"}
        for name, order in (("forward", 1), ("central", 2)):
            assert found[name]["order"] == order
            assert found[name]["slope"]["value"] == pytest.approx(order, abs=0.03)
            assert found[name]["rule"] == pytest.approx(EPSILON ** (1 / (order + 1)))
            # Rounding is random, so the measured best spacing scatters by about a decade.
            assert abs(math.log10(found[name]["best"] / found[name]["predicted"])) < 1.3

    def test_error_agrees_with_the_formula(self, call):
        facts = call("inspect", "quadratic", "--at", "1.2", "--spacings", "--format", "json").json
        forward = schemes(facts)["forward"]
        large = SPACINGS >= 1e-4
        # (x + h)² − x² over h is 2x + h; h is relative to max(1, |x|) = 1.2, and the error to |f′| = 2.4.
        assert np.array(forward["errors"])[large] == pytest.approx(SPACINGS[large] * 1.2 / 2.4, rel=1e-6)

    def test_best_spacing_depends_on_the_scale_of_the_function(self, call):
        arguments = ("inspect", "sin_quadratic", "--set", "a=1", "--at", "1", "--spacings", "--format", "json")
        found = schemes(call(*arguments).json)
        f, second, third = math.sin(1) + 1, 2 - math.sin(1), -math.cos(1)
        u = EPSILON / 2
        assert found["forward"]["predicted"] == pytest.approx(2 * math.sqrt(u * f / second), rel=1e-4)
        assert found["central"]["predicted"] == pytest.approx((3 * u * f / abs(third)) ** (1 / 3), rel=1e-4)

    def test_central_differences_are_exact_on_a_parabola(self, call):
        done = call("inspect", "quadratic", "--spacings")
        assert (
            "central: no slope, because rounding dominates at every spacing: the scheme has no truncation error here" in done.out
        )
        assert (
            "central: no best spacing in theory, because f or its derivative of order 3 is zero here within rounding, or not finite"
            in done.out
        )

    @pytest.mark.parametrize("at", ["1,1", "0.3,-7", "-2,5"])
    def test_rounding_is_never_taken_for_a_slope(self, call, at: str):
        arguments = ("quadratic", "--set", "dimension=2", "--set", "condition_number=2", "--at", at)
        found = schemes(call("inspect", *arguments, "--spacings", "--format", "json").json)
        assert found["central"]["slope"] is None, "central differences of a parabola are exact"
        assert found["forward"]["slope"]["value"] == pytest.approx(1, abs=0.02)

    def test_gradient_whose_square_overflows(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="1e200 * np.exp(x[..., 0])"), encoding="utf-8")
        found = schemes(call("inspect", "mine", "--plugin", "mine.py", "--spacings", "--at", "1", "--format", "json").json)
        assert found["forward"]["slope"]["value"] == pytest.approx(1, abs=0.02)
        assert found["central"]["slope"]["value"] == pytest.approx(2, abs=0.02)

    def test_where_the_gradient_is_zero_the_error_is_absolute(self, call):
        facts = call("inspect", "quadratic", "--at", "0", "--spacings", "--format", "json").json
        assert facts["relative"] is False
        assert schemes(facts)["forward"]["errors"] == pytest.approx(SPACINGS, rel=1e-12)

    def test_the_default_point(self, call):
        place = call("inspect", "quadratic", "--spacings", "--format", "json").json["place"]
        assert place == {"x": [pytest.approx(1.2)], "why": "seven tenths of the way through its start region"}


class TestComplexStep:
    @pytest.mark.parametrize("objective", ["sin_quadratic", "rosenbrock", "ackley", "beale"])
    def test_error_of_the_complex_step_is_rounding_at_every_spacing(self, call, objective: str):
        facts = call("inspect", objective, "--spacings", "--format", "json").json
        errors = np.array(facts["complex_step"])
        assert errors[SPACINGS <= 1e-10].max() < 1e-13
        assert fitted_slope(SPACINGS[8:20], errors[8:20].astype(float)).value == pytest.approx(2, abs=0.1)

    def test_text(self, call):
        out = call("inspect", "sin_quadratic", "--at", "1", "--spacings").out
        assert "complex step: error at most 1.75e-16 at every h ≤ 1e-10; nothing cancels, so only rounding is left" in out


class TestSuspiciousObjectives:
    def test_gradient_that_disagrees_with_every_difference(self, call, tmp_path):
        wrong = "    def gradient(self, x):\n        return 3.0 * np.exp(x)\n"
        plugin = ONE.format(body="pass", formula="np.exp(x[..., 0])").replace("@runner.hookimpl", wrong + "\n@runner.hookimpl")
        (tmp_path / "mine.py").write_text(plugin, encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--spacings")
        assert (
            "every finite difference differs from ∇f by analytic by at least 0.649 (relative): that gradient may be wrong"
            in done.out
        )

    def test_a_domain_of_one_point(self, call, tmp_path):
        formula = "np.where(np.real(x[..., 0]) == 1.0, x[..., 0], np.nan)"
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=formula), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--spacings", "--at", "1").out
        assert "forward: no slope, because its error is finite at no spacing" in out
        assert "rounding dominates" not in out

    def test_a_domain_that_ends_nearby(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--spacings", "--at", "1e-3", "--format", "json")
        assert (done.code, done.err) == (0, "")
        found = schemes(done.json)["central"]
        assert found["errors"][0] is None, "x − h lies where log is not defined"
        assert found["slope"]["value"] == pytest.approx(2, abs=0.05)

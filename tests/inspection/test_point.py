"""The calculus at one point: derivatives, curvature and Newton's direction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.objective_texts import ONE


class TestFacts:
    @pytest.mark.parametrize("x", [(-1.2, 1.0), (0.3, -0.7), (1.0, 1.0)])
    def test_rosenbrock_by_its_closed_form(self, call, x: tuple[float, float]):
        facts = call("inspect", "rosenbrock", "--at", f"{x[0]},{x[1]}", "--format", "json").json
        a, b = x
        gradient = np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])
        hessian = np.array([[1200 * a * a - 400 * b + 2, -400 * a], [-400 * a, 200]])
        assert facts["place"] == {"x": list(x), "why": "as given"}
        assert facts["value"] == pytest.approx(100 * (b - a * a) ** 2 + (1 - a) ** 2, abs=1e-12)
        tolerance = {"analytic": 1e-12, "complex_step": 1e-12, "finite_difference": 1e-6}
        for answers, expected in ((facts["gradients"], gradient), (facts["hessians"], hessian)):
            assert [answer["backend"] for answer in answers][:3] == list(tolerance)
            for answer in answers[:3]:
                assert np.allclose(answer["result"], expected, rtol=tolerance[answer["backend"]], atol=1e-6)
        assert facts["curvature"]["eigenvalues"] == pytest.approx(np.linalg.eigvalsh(hessian), rel=1e-12)
        assert facts["curvature"]["condition_number"] == pytest.approx(np.linalg.cond(hessian), rel=1e-9)
        jacobian = np.array([[-20 * a, 10], [-1, 0]])
        part = 2 * jacobian.T @ jacobian
        assert np.allclose(facts["gauss_newton"]["part"], part)
        assert facts["gauss_newton"]["difference"] == pytest.approx(np.linalg.norm(hessian - part), abs=1e-9)
        if gradient.any():
            newton = -np.linalg.solve(hessian, gradient)
            assert facts["newton"]["direction"] == pytest.approx(newton, rel=1e-9)
            assert facts["newton"]["descends"] is bool(gradient @ newton < 0)
            assert facts["newton"]["predicted"] == pytest.approx(-0.5 * gradient @ newton, rel=1e-9)
            assert facts["steepest"]["predicted"] == pytest.approx(-np.linalg.norm(gradient))
            assert facts["steepest"]["measured"] == pytest.approx(-np.linalg.norm(gradient), rel=1e-8)

    def test_himmelblau_at_its_maximum_where_newton_climbs(self, call):
        facts = call("inspect", "himmelblau", "--at", "-0.2,-0.9", "--format", "json").json
        x, y = -0.2, -0.9
        hessian = [[12 * x * x + 4 * y - 42, 4 * (x + y)], [4 * (x + y), 12 * y * y + 4 * x - 26]]
        assert np.allclose(facts["hessians"][0]["result"], hessian)
        assert facts["curvature"]["shape"] == "dome"
        assert facts["curvature"]["words"] == "dome, negative definite: f curves downwards along every direction"
        assert facts["newton"]["descends"] is False

    def test_the_minimiser_of_a_rippled_parabola(self, call):
        facts = call("inspect", "sin_quadratic", "--format", "json").json
        assert facts["place"]["why"] == "the known minimum"
        assert facts["place"]["x"] == pytest.approx([-0.45018361129487355], abs=1e-15)
        assert facts["curvature"]["eigenvalues"] == pytest.approx([2 + math.sin(0.45018361129487355)])

    def test_linear_regression_is_its_gauss_newton_part(self, call):
        gauss_newton = call("inspect", "linear_regression", "--set", "features=3", "--at", "0.5", "--format", "json").json[
            "gauss_newton"
        ]
        assert gauss_newton["relative"] < 1e-14

    def test_a_hessian_without_curvature_along_one_direction(self, call):
        facts = call("inspect", "linear_regression", "--set", "samples=1", "--at", "1", "--format", "json").json
        assert facts["curvature"]["shape"] == "valley"
        assert facts["curvature"]["condition_number"] is None
        assert facts["without_newton"] == "because the Hessian is singular here, within its error"

    def test_default_point_is_zero(self, call, stranger):
        facts = call("inspect", "mine", "--plugin", stranger(), "--format", "json").json
        assert facts["place"] == {
            "x": [0.0, 0.0],
            "why": "all coordinates zero, because the objective states neither a minimum nor a start region",
        }

    @pytest.mark.parametrize("at", ["0", "3"])
    def test_added_constant_hides_no_curvature_from_the_complex_step(self, call, tmp_path, at: str):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="1e8 + x[..., 0] ** 2"), encoding="utf-8")
        facts = call("inspect", "mine", "--plugin", "mine.py", "--at", at, "--format", "json").json
        assert facts["curvature"]["shape"] == "bowl"
        assert facts["newton"]["direction"] == [pytest.approx(-float(at))]

    def test_added_constant_hides_curvature_from_differences(self, call, tmp_path):
        body = "x = x.astype(np.float64, casting='same_kind')"
        (tmp_path / "mine.py").write_text(ONE.format(body=body, formula="1e8 + 1e-3 * x[..., 0] ** 2"), encoding="utf-8")
        curvature = call("inspect", "mine", "--plugin", "mine.py", "--at", "3", "--format", "json").json["curvature"]
        assert curvature["shape"] == "unknown"
        assert curvature["reason"].startswith(
            "the Hessian gives the curvature 0 along an eigenvector, where differences give 0.00"
        )
        assert curvature["reason"].endswith("; a formula of the Hessian would decide it")

    def test_no_hessian_if_the_domain_ends_within_the_spacing(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="-np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--at", "1e-6")
        assert (done.code, done.err) == (0, "")
        assert "the Hessian is not finite here, so it has no eigenvalues\n" in done.out
        assert done.out.endswith("no Newton direction, because the derivatives are not finite here\n")

    @pytest.mark.parametrize("scale", ["1e200", "1e-200"])
    def test_gradient_norm_whose_square_overflows(self, call, tmp_path, scale: str):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=f"{scale} * x[..., 0] ** 2"), encoding="utf-8")
        steepest = call("inspect", "mine", "--plugin", "mine.py", "--at", "1", "--format", "json").json["steepest"]
        assert steepest["predicted"] == pytest.approx(-2 * float(scale), rel=1e-9)
        assert steepest["measured"] == pytest.approx(-2 * float(scale), rel=1e-9)

    def test_one_number_is_used_for_all_coordinates(self, call):
        facts = call("inspect", "rastrigin", "--set", "dimension=4", "--at", "0.5", "--format", "json").json
        assert facts["place"]["x"] == [0.5] * 4

"""The output of `runner inspect OBJECTIVE --at X`: text, pictures and refusals."""

from __future__ import annotations

import pytest

from tests.support.command_line import Done
from tests.support.objective_texts import ONE, STRANGER


class TestText:
    def test_printed_text(self, call):
        done = call("inspect", "rosenbrock", "--at", "-1.2,1")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[:2] == ["rosenbrock at x = (-1.2, 1), as given", "f(x) = 24.2"]
        assert "analytic           (-215.6, -88)" in done.out
        assert "eigenvalues: 23.633, 1506.37" in lines
        assert "Newton's step: (0.0247191, 0.380674)" in lines
        assert "Newton's step descends; slope along it ∇f·p = -38.8288" in lines
        assert "the rest, ∇²f − 2JᵀJ, has the norm 176, 0.117 of ‖∇²f‖" in lines

    def test_refusal_of_the_backend_is_printed_with_its_reason(self, call, stranger):
        done = call("inspect", "mine", "--plugin", stranger(), "--at", "1,-2")
        assert (
            "no gradient by analytic, because Mine offers no gradient; use gradient backend finite_difference or complex_step"
            in done.out
        )
        assert (
            "no gradient by complex_step, because Mine.value loses the imaginary part of complex numbers; use gradient backend finite_difference"
            in done.out
        )
        assert "Hessian by finite_difference" in done.out
        assert "shape: bowl, positive definite" in done.out

    @pytest.mark.parametrize(
        ("objective", "residuals"),
        [
            (("linear_regression", "--at", "0,0"), "3 residuals"),
            (("linear_regression", "--set", "samples=1000", "--set", "features=3"), "5 residuals"),
            (("l2", "--set", "objective.name=linear_regression"), "5 residuals"),
        ],
    )
    def test_residuals_that_are_not_the_errors_of_samples_are_pointed_out(self, call, objective, residuals):
        lines = call("inspect", *objective).out.splitlines()
        place = lines.index(f"f is a sum of squares of {residuals}; their Jacobian J by analytic") + 1
        samples = "1,000" if "samples=1000" in objective else "100"
        assert lines[place] == (
            f"these are not the errors of the {samples} samples; `runner plugins show {objective[0]}` has the formula"
        )

    def test_residuals_without_samples_need_no_remark(self, call):
        assert "errors of the" not in call("inspect", "rosenbrock", "--at", "0").out

    def test_zero_gradient_has_no_descent_direction(self, call):
        out = call("inspect", "quadratic", "--at", "0").out
        assert "the gradient is zero, so there is no direction of steepest descent" in out
        assert "Newton's step does not move, because the gradient is zero" in out

    def test_kink_is_reported_instead_of_its_curvature(self, call):
        out = call("inspect", "ackley", "--at", "0").out
        assert "kink along coordinate 1: the slopes on its two sides differ by 5.65685, even at a distance of 1e-8\n" in out
        assert "kink along coordinate 2: the slopes on its two sides differ by 5.65685, even at a distance of 1e-8\n" in out
        assert "f seems to have no derivative here; the derivatives that backends compute say little about its shape\n" in out
        assert out.endswith("no Newton direction, because f appears to have no derivative here\n")
        assert "shape:" not in out

    def test_backends_that_disagree_lead_to_no_conclusion(self, call, tmp_path):
        """Huber's function by abs: the modulus of a complex number has no imaginary part."""
        body, formula = "a = abs(x[..., 0])", "np.where(a <= 1, 0.5 * x[..., 0] ** 2, a - 0.5)"
        (tmp_path / "mine.py").write_text(ONE.format(body=body, formula=formula), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--at", "3").out
        assert "complex_step       0\n" in out
        assert "finite_difference  1   1\n" in out
        assert (
            "the gradient by complex_step is doubtful: along coordinate 1 it gives the slope 0, and central differences of f give 1 ± "
            in out
        )
        assert "the backends disagree beyond their errors, so nothing is concluded from the derivatives\n" in out
        assert "the shape cannot be determined, because the gradient is doubtful here\n" in out
        assert out.endswith("no Newton direction, because the gradient is doubtful here\n")
        for word in ("the gradient is zero", "flat", "bowl", "steepest"):
            assert word not in out
        facts = call("inspect", "mine", "--plugin", "mine.py", "--at", "3", "--format", "json").json
        assert (facts["shape"], facts["shape_unknown"]) == ("unknown", "the gradient is doubtful here")

    @pytest.mark.parametrize(
        ("formula", "at"),
        [("x[..., 0] ** 4", "0"), ("1 / x[..., 0]", "1e-8"), ("np.sin(x[..., 0])", "1e8"), ("3 * x[..., 0]", "1")],
    )
    def test_shape_that_cannot_be_told_is_no_word_for_a_shape(self, call, tmp_path, formula: str, at: str):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=formula), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--at", at).out
        assert "condition number: cannot be determined\n" in out
        assert "shape: cannot be determined: " in out
        assert "; a formula of the Hessian would decide it\n" in out
        for word in ("bowl", "dome", "saddle", "valley", "ridge", "flat"):
            assert word not in out
        facts = call("inspect", "mine", "--plugin", "mine.py", "--at", at, "--format", "json").json
        assert facts["shape"] == facts["curvature"]["shape"] == "unknown"
        assert facts["curvature"]["reason"] == facts["shape_unknown"] != ""

    def test_jump_is_reported(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.floor(x[..., 0].real)"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--at", "2").out
        assert "jump along coordinate 1: f differs by 1 on its two sides, even at a distance of 1e-8\n" in out
        assert "shape:" not in out

    def test_newton_step_along_which_the_slope_is_zero(self, call, tmp_path):
        """For x₁² − x₂² at (1, 1), ∇f·p = −2 + 2 = 0, although the gradient is (2, −2)."""
        text = STRANGER.replace("self.weight * (np.abs(x[..., 0]) ** 3 + x[..., 1] ** 2 - x[..., 0] * x[..., 1])", "{formula}")
        (tmp_path / "mine.py").write_text(text.format(body="pass", formula="x[..., 0]**2 - x[..., 1]**2"), encoding="utf-8")
        out = call("inspect", "mine", "--plugin", "mine.py", "--at", "1,1").out
        assert "the slope along Newton's step is zero: ∇f·p = 0, although the gradient is not zero\n" in out
        assert "does not move" not in out

    @pytest.mark.parametrize("objective", ["sin_quadratic", "rosenbrock"])
    def test_overflow_is_reported_without_a_warning(self, call, objective: str):
        done = call("inspect", objective, "--at", "1e200", "-o", "p.png")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[1] == "f(x) = infinite"
        assert "nan" not in done.out
        assert call("inspect", objective, "--at", "1e200", "--format", "json").json["value"] is None

    def test_large_hessian_is_shown_by_its_corner(self, call):
        out = call("inspect", "rosenbrock", "--set", "dimension=10", "--at", "0.3").out
        assert "  … 10 × 10 in all" in out.splitlines()
        assert "eigenvalues: 2 negative, 0 zero, 8 positive; from -81.9967 to 419.263" in out

    def test_no_hessian_beyond_a_thousand_coordinates(self, call):
        out = call("inspect", "quadratic", "--set", "dimension=1001", "--at", "1").out
        because = "because it has 1001 × 1001 entries, and inspections compute at most 1000 × 1000"
        assert f"no Hessian by analytic, {because}" in out
        assert "no Newton direction, because no backend computes the Hessian" in out


class TestPictures:
    @pytest.mark.parametrize("arguments", [("sin_quadratic", "--at", "0.5"), ("rosenbrock", "--at", "-1.2,1"),
                                           ("rastrigin", "--set", "dimension=5", "--at", "0.2")])  # fmt: skip
    @pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
    def test_picture_has_the_same_bytes_each_time(self, call, tmp_path, arguments, suffix, magic):
        file = f"out/point.{suffix}"
        done = call("inspect", *arguments, "-o", file)
        assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", f"picture: {file}")
        first = (tmp_path / file).read_bytes()
        assert first.startswith(magic)
        assert call("inspect", *arguments, "-o", file, "--format", "json").json["picture"] == file
        assert (tmp_path / file).read_bytes() == first

    def test_objective_that_is_not_batch_safe_is_drawn_point_by_point(self, call, stranger, tmp_path):
        plugin = stranger("assert len(x) == 1")
        done = call("inspect", "mine", "--plugin", plugin, "--at", "1,-2", "-o", "mine.svg")
        assert (done.code, done.err) == (0, "")
        careful = (tmp_path / "mine.svg").read_bytes()
        call("inspect", "mine", "--plugin", stranger(), "--at", "1,-2", "-o", "mine.svg")
        assert (tmp_path / "mine.svg").read_bytes() == careful


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("rosenbrock", "--set", "b=0"), "rosenbrock: --set b: must be a number > 0, not 0"),
            (("rosenbrock", "--set", "bb=1"), "rosenbrock: --set bb: rosenbrock has no such parameter; did you mean b?"),
            (("rosenbrock", "--set", "b"), "rosenbrock: --set b: must have the form parameter=value"),
            (("rosenbrock", "--set", "name=beale"), "rosenbrock: --set name=beale: name is not a parameter"),
            (("rosenbrock", "--set", "b=1,2"), "rosenbrock: gives 2 plugins, but one is needed; give each parameter one value"),
            (("rosenbrock", "--at", "1,2,3"), "rosenbrock: --at gives 3 coordinates, but the objective has dimension 2: give 2, or one for all"),
            (("quadratic", "--set", "condition_number=4"), "quadratic: condition_number = 4 needs dimension >= 2: with dimension = 1 there is one curvature, so condition_number must be 1"),
        ],
    )  # fmt: skip
    def test_wrong_parameters_and_points(self, call, tmp_path, arguments: tuple[str, ...], error: str):
        assert call("inspect", *arguments, "-o", "p.png") == Done(2, "", f"error: {error}\n")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("--at", "x"), "--at: must be finite numbers with commas between them, such as 0.5 or 1,-2, not 'x'"),
            (("--at", "inf"), "--at: must be finite numbers with commas between them, such as 0.5 or 1,-2, not 'inf'"),
            (("-o", "p.gif"), "--output: must end in .png, .svg or .pdf (the suffix sets the format), not 'p.gif'"),
        ],
    )  # fmt: skip
    def test_wrong_options(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")

    def test_an_unknown_objective(self, call):
        assert call("inspect", "quadratik") == Done(2, "", "error: there is no objective 'quadratik'; did you mean quadratic?\n")

    def test_exception_in_a_plugin_is_reported_as_such(self, call, stranger):
        plugin = stranger('raise ZeroDivisionError("no luck")')
        done = call("inspect", "mine", "--plugin", plugin)
        assert done == Done(3, "", "error: objective mine: raised ZeroDivisionError: no luck\n")

    def test_wrong_return_value_is_reported(self, call, stranger):
        done = call("inspect", "mine", "--plugin", stranger("return x"))
        assert done.err == (
            "error: Mine.value returned an array of shape (1, 2) and type float64 for x of shape (1, 2); "
            "it must return a float64 array of shape (1,)\n"
        )
        assert done.code == 3

    def test_a_picture_that_cannot_be_written(self, call, tmp_path):
        (tmp_path / "file").write_text("")
        done = call("inspect", "quadratic", "-o", "file/p.png")
        assert done == Done(
            5, "", "error: file/p.png cannot be written: file is a file, not a folder; move it away or choose another folder\n"
        )

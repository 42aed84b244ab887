"""`runner inspect OBJECTIVE --at X`: derivatives, curvature and Newton's direction at a point, of anybody's objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.analysis.definiteness import Shape, curvature_of
from runner.tables.readable import to_error
from tests.support.command_line import Done
from tests.support.objective_texts import ONE, STRANGER


@pytest.fixture
def stranger(tmp_path: Path) -> Callable[..., Path]:
    """Write a plugin file of an objective that offers nothing but values."""

    def write_plugin(body: str = "pass") -> Path:
        path = tmp_path / "mine.py"
        path.write_text(STRANGER.format(body=body), encoding="utf-8")
        return path

    return write_plugin


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

    def test_himmelblau_at_its_hilltop_is_a_dome_where_newton_climbs(self, call):
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
        assert facts["without_newton"] == "because the Hessian is singular here, within rounding"

    def test_where_nothing_is_given_or_known_zeros_are_taken(self, call, stranger):
        facts = call("inspect", "mine", "--plugin", stranger(), "--format", "json").json
        assert facts["place"] == {"x": [0.0, 0.0], "why": "zeros, for it knows neither a minimum nor a start region"}

    @pytest.mark.parametrize("at", ["0", "3"])
    def test_a_constant_that_is_added_hides_no_curvature_from_the_complex_step(self, call, tmp_path, at: str):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="1e8 + x[..., 0] ** 2"), encoding="utf-8")
        facts = call("inspect", "mine", "--plugin", "mine.py", "--at", at, "--format", "json").json
        assert facts["curvature"]["shape"] == "bowl"
        assert facts["newton"]["direction"] == [pytest.approx(-float(at))]

    def test_a_constant_that_is_added_hides_curvature_from_differences_of_values(self, call, tmp_path):
        body = "x = x.astype(np.float64, casting='same_kind')"
        (tmp_path / "mine.py").write_text(ONE.format(body=body, formula="1e8 + 1e-3 * x[..., 0] ** 2"), encoding="utf-8")
        curvature = call("inspect", "mine", "--plugin", "mine.py", "--at", "3", "--format", "json").json["curvature"]
        assert curvature["shape"] == "flat"
        assert curvature["tolerance"] == pytest.approx(10 * np.sqrt(np.finfo(float).eps) * 1e8)

    def test_a_domain_that_ends_nearer_than_the_spacing_leaves_no_hessian(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="-np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--at", "1e-6")
        assert (done.code, done.err) == (0, "")
        assert "it is not finite here, so it has no eigenvalues\n" in done.out
        assert done.out.endswith("no Newton direction, because the derivatives are not finite here\n")

    @pytest.mark.parametrize("scale", ["1e200", "1e-200"])
    def test_the_slope_of_what_has_no_square(self, call, tmp_path, scale: str):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula=f"{scale} * x[..., 0] ** 2"), encoding="utf-8")
        steepest = call("inspect", "mine", "--plugin", "mine.py", "--at", "1", "--format", "json").json["steepest"]
        assert steepest["predicted"] == pytest.approx(-2 * float(scale), rel=1e-9)
        assert steepest["measured"] == pytest.approx(-2 * float(scale), rel=1e-9)

    def test_one_number_stands_for_all_coordinates(self, call):
        facts = call("inspect", "rastrigin", "--set", "dimension=4", "--at", "0.5", "--format", "json").json
        assert facts["place"]["x"] == [0.5] * 4


class TestText:
    def test_what_is_printed(self, call):
        done = call("inspect", "rosenbrock", "--at", "-1.2,1")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[:2] == ["rosenbrock at x = (-1.2, 1), as given", "f(x) = 24.2"]
        assert "analytic           (-215.6, -88)" in done.out
        assert "eigenvalues: 23.633, 1506.37" in lines
        assert "Newton's step: (0.0247191, 0.380674)" in lines
        assert "it descends; slope along it ∇f·p = -38.8288" in lines
        assert "the rest, ∇²f − 2JᵀJ, has the norm 176, 0.117 of ‖∇²f‖" in lines

    def test_a_backend_that_refuses_says_why(self, call, stranger):
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

    def test_a_zero_gradient_leads_nowhere(self, call):
        out = call("inspect", "quadratic", "--at", "0").out
        assert "the gradient is zero: there is no direction of steepest descent" in out
        assert "it does not move: the gradient is zero" in out

    def test_a_kink_is_told_and_its_curvature_is_not(self, call):
        out = call("inspect", "ackley", "--at", "0").out
        assert "kink along coordinate 1: the slopes on its two sides differ by 5.65685, as near as 1e-8\n" in out
        assert "kink along coordinate 2: the slopes on its two sides differ by 5.65685, as near as 1e-8\n" in out
        assert (
            "so from there f looks as if it had no derivative here, and what backends give for one says little of its shape\n"
            in out
        )
        assert out.endswith("no Newton direction, because f looks as if it had no derivative here\n")
        assert "shape:" not in out

    @pytest.mark.parametrize("objective", ["sin_quadratic", "rosenbrock"])
    def test_what_overflows_is_told_without_a_warning(self, call, objective: str):
        done = call("inspect", objective, "--at", "1e200", "-o", "p.png")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[1] == "f(x) = infinite"
        assert "nan" not in done.out
        assert call("inspect", objective, "--at", "1e200", "--format", "json").json["value"] is None

    def test_of_a_large_hessian_a_corner_is_shown(self, call):
        out = call("inspect", "rosenbrock", "--set", "dimension=10", "--at", "0.3").out
        assert "  … 10 × 10 in all" in out.splitlines()
        assert "eigenvalues: 2 below zero, 0 zero, 8 above; from -81.9967 to 419.263" in out

    def test_beyond_a_thousand_coordinates_no_hessian_is_computed(self, call):
        out = call("inspect", "quadratic", "--set", "dimension=1001", "--at", "1").out
        because = "because it has 1001 × 1001 entries, and inspections stop at 1000 × 1000"
        assert f"no Hessian by analytic, {because}" in out
        assert "no Newton direction, because no backend computes the Hessian" in out


class TestPictures:
    @pytest.mark.parametrize("arguments", [("sin_quadratic", "--at", "0.5"), ("rosenbrock", "--at", "-1.2,1"),
                                           ("rastrigin", "--set", "dimension=5", "--at", "0.2")])  # fmt: skip
    @pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
    def test_it_is_written_the_same_each_time(self, call, tmp_path, arguments, suffix, magic):
        file = f"out/point.{suffix}"
        done = call("inspect", *arguments, "-o", file)
        assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", f"picture: {file}")
        first = (tmp_path / file).read_bytes()
        assert first.startswith(magic)
        assert call("inspect", *arguments, "-o", file, "--format", "json").json["picture"] == file
        assert (tmp_path / file).read_bytes() == first

    def test_a_stranger_that_is_not_batch_safe_is_drawn_one_point_at_a_time(self, call, stranger, tmp_path):
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
            (("rosenbrock", "--set", "name=beale"), "rosenbrock: --set name=beale: name is no parameter"),
            (("rosenbrock", "--set", "b=1,2"), "rosenbrock: gives 2 plugins, and one is wanted: give each parameter one value"),
            (("rosenbrock", "--at", "1,2,3"), "rosenbrock: --at gives 3 coordinates, and it has dimension 2: give 2, or one for all"),
            (("quadratic", "--set", "condition_number=4"), "quadratic: condition_number = 4 needs dimension >= 2: with dimension = 1 there is one curvature, so condition_number must be 1"),
        ],
    )  # fmt: skip
    def test_wrong_parameters_and_points(self, call, tmp_path, arguments: tuple[str, ...], error: str):
        assert call("inspect", *arguments, "-o", "p.png") == Done(2, "", f"error: {error}\n")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("--at", "x"), "--at: must be finite numbers with commas between, such as 0.5 or 1,-2, not 'x'"),
            (("--at", "inf"), "--at: must be finite numbers with commas between, such as 0.5 or 1,-2, not 'inf'"),
            (("-o", "p.gif"), "--output: must end in .png, .svg or .pdf, which says the format, not 'p.gif'"),
        ],
    )  # fmt: skip
    def test_wrong_options(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")

    def test_an_unknown_objective(self, call):
        assert call("inspect", "quadratik") == Done(2, "", "error: there is no objective 'quadratik'; did you mean quadratic?\n")

    def test_what_a_plugin_raises_is_told_as_such(self, call, stranger):
        plugin = stranger('raise ZeroDivisionError("no luck")')
        done = call("inspect", "mine", "--plugin", plugin)
        assert done == Done(3, "", "error: objective mine: raised ZeroDivisionError: no luck\n")

    def test_what_is_no_value_is_told(self, call, stranger):
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


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.floats(-8, 8))
def test_the_shape_is_that_of_the_eigenvalues(signs: list[int], seed: int, power: float):
    generator = np.random.Generator(np.random.PCG64(seed))
    basis = np.linalg.qr(generator.standard_normal((len(signs), len(signs))))[0]
    hessian = (basis * (10.0**power * np.array(signs, dtype=float))) @ basis.T
    low, high, flat = min(signs) < 0, max(signs) > 0, 0 in signs
    expected = {
        (True, True): Shape.SADDLE,
        (False, True): Shape.VALLEY if flat else Shape.BOWL,
        (True, False): Shape.RIDGE if flat else Shape.DOME,
        (False, False): Shape.FLAT,
    }[low, high]
    # Turned into another basis and back, the matrix itself carries rounding of a few ε‖H‖.
    curvature = curvature_of(hessian, exact=False, scale=0.0)
    assert curvature is not None
    assert curvature.shape == expected
    assert curvature.signs == (sum(s < 0 for s in signs), sum(s == 0 for s in signs), sum(s > 0 for s in signs))


@given(st.integers(2, 8), st.integers(0, 99), st.floats(-100, 100))
def test_of_a_product_of_two_vectors_all_but_one_eigenvalue_is_zero(dimension: int, seed: int, power: float):
    vector = 10.0**power * np.random.default_rng(seed).standard_normal(dimension)
    curvature = curvature_of(np.outer(vector, vector), exact=True, scale=0.0)
    assert curvature is not None
    assert curvature.signs == (0, dimension - 1, 1)
    assert curvature.shape == Shape.VALLEY


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.8775825618903728, 3e-8, "1.87758256"),
        (-88.00000000001, 2e-9, "-88"),
        (1e-12, 1e-9, "0"),
        (0.1, 0.0, "0.1"),
        (math.nan, 1.0, "unknown"),
    ],
)
def test_a_number_has_the_digits_that_its_error_leaves(value: float, error: float, text: str):
    assert to_error(value, error) == text

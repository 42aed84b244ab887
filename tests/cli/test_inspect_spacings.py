"""The output of `runner inspect OBJECTIVE --spacings`: pictures and refusals."""

from __future__ import annotations

from tests.support.command_line import Done
from tests.support.objective_texts import ONE, STRANGER


class TestRefusals:
    def test_comparison_needs_an_exact_gradient(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(STRANGER.format(body="pass"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--spacings")
        assert done == Done(2, "", (
            "error: mine: errors cannot be measured without an exact gradient: analytic computes none, because Mine offers no gradient; "
            "use gradient backend finite_difference or complex_step; complex_step computes none, because Mine.value loses the imaginary "
            "part of complex numbers; use gradient backend finite_difference\n"
        ))  # fmt: skip

    def test_a_gradient_that_is_not_finite(self, call):
        done = call("inspect", "quadratic", "--at", "1e308", "--set", "dimension=2", "--set", "condition_number=9", "--spacings")
        assert done == Done(2, "", "error: quadratic: its gradient is not finite at x = [1e+308, 1e+308]; choose another --at\n")

    def test_a_point_beyond_the_domain(self, call, tmp_path):
        (tmp_path / "mine.py").write_text(ONE.format(body="pass", formula="np.log(x[..., 0])"), encoding="utf-8")
        done = call("inspect", "mine", "--plugin", "mine.py", "--at", "-1", "--spacings")
        assert done == Done(2, "", "error: mine: f is not finite at x = [-1.0]; choose another --at\n")


def test_the_picture(call, tmp_path):
    for objective in ("quadratic", "rosenbrock"):
        done = call("inspect", objective, "--spacings", "-o", "s.png")
        assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: s.png")
        assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")

"""`runner inspect RUN`: curvature along a stored trajectory, and predicted against actual decreases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import Done

EXPERIMENT = """\
name = "along"
{top}
objective = [{objective}]
gradient = [{{ name = "analytic" }}]
optimizer = [{optimizer}]
start = {{ points = [{start}] }}
stop = {{ max_steps = {steps} }}
{end}
"""
PLUGIN = '''\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Mine(runner.Objective):
    """f(x) = x⁴."""
    dimension = 1
    def value(self, x):
        return (x**4)[..., 0]
    def gradient(self, x):
        return 4 * x**3

@runner.hookimpl
def runner_objectives():
    return {"mine": Mine}
'''


@pytest.fixture
def stored(tmp_path: Path, call: Callable[..., Done]) -> Callable[..., None]:
    """A function that computes one run, which gets the number 1."""

    def run(
        objective: str, optimizer: str, start: str, steps: int | str = 20, top: str = "", end: str = "", code: int = 0
    ) -> None:
        text = EXPERIMENT.format(objective=objective, optimizer=optimizer, start=start, steps=steps, top=top, end=end)
        (tmp_path / "along.toml").write_text(text, encoding="utf-8")
        done = call("run", "along.toml", "--no-report", "--quiet")
        assert done.code == code, done.err

    return run


DESCENT = '{ name = "gradient_descent", learning_rate = 0.1 }'


class TestAlongARun:
    def test_gradient_descent_on_a_parabola_by_hand(self, stored, call):
        stored('{ name = "quadratic" }', DESCENT, "[1.0]", steps=5)
        facts = call("inspect", "1", "--format", "json").json
        x = 0.8 ** np.arange(6)
        assert [visit["step"] for visit in facts["visits"]] == list(range(5))
        assert {(visit["smallest"], visit["largest"], visit["shape"]) for visit in facts["visits"]} == {(2.0, 2.0, "bowl")}
        assert [visit["actual"] for visit in facts["visits"]] == pytest.approx(x[:-1] ** 2 - x[1:] ** 2)
        assert [visit["second_order"] for visit in facts["visits"]] == pytest.approx(x[:-1] ** 2 - x[1:] ** 2)
        assert [visit["first_order"] for visit in facts["visits"]] == pytest.approx(0.1 * (2 * x[:-1]) ** 2)
        assert all(visit["newton_descends"] for visit in facts["visits"])
        assert facts["learning_rate"] == 0.1

    def test_newton_through_the_valley(self, stored, call):
        stored('{ name = "rosenbrock" }', '{ name = "newton" }', "[-1.2, 1.0]", steps=4)
        visits = call("inspect", "1", "--format", "json").json["visits"]
        first = np.linalg.eigvalsh([[1330, 480], [480, 200]])
        assert [visits[0]["smallest"], visits[0]["largest"]] == pytest.approx(first)
        assert visits[0]["newton_descends"] is True
        assert visits[0]["second_order"] == pytest.approx(19.4144, rel=1e-5)
        assert visits[0]["first_order"] == pytest.approx(2 * visits[0]["second_order"]), "which Newton's step is defined by"

    def test_where_newton_climbs(self, stored, call):
        stored('{ name = "himmelblau" }', '{ name = "gradient_descent", learning_rate = 0.001 }', "[-0.2, -0.9]", steps=3)
        visits = call("inspect", "1", "--format", "json").json["visits"]
        assert visits[0]["shape"] == "dome"
        assert visits[0]["newton_descends"] is False

    def test_some_of_many_steps_are_inspected(self, stored, call):
        stored('{ name = "quadratic" }', '{ name = "gradient_descent", learning_rate = 1e-3 }', "[1.0]", steps=1000)
        out = call("inspect", "1").out
        assert "computed at 200 of 1,000 steps, evenly spread" in out
        assert "the second-order model predicts the decrease within 1 % at all 200 steps" in out
        assert len([line for line in out.splitlines() if " bowl " in line]) == 12

    def test_nothing_is_concluded_where_the_gradient_is_wrong_or_f_has_a_kink(self, stored, call, tmp_path):
        """The gradient of |x|³ + |x − 1| in the plugin is that of another function for x > 2, and there is a kink at 1."""
        text = PLUGIN.replace("(x**4)[..., 0]", "(np.abs(x) ** 3 + np.abs(x - 1))[..., 0]").replace(
            "4 * x**3", "np.where(x > 2, 7.0, 3 * x * np.abs(x) + np.where(x >= 1, 1.0, -1.0))"
        )
        (tmp_path / "mine.py").write_text("import numpy as np\n" + text, encoding="utf-8")
        descent = '{ name = "gradient_descent", learning_rate = 0.25 }'
        stored('{ name = "mine" }', descent, "[2.75]", steps=4, top='plugins = ["mine.py"]')
        visits = call("inspect", "1", "--plugin", "mine.py", "--format", "json").json["visits"]
        assert visits[0]["doubt"].startswith(
            "the gradient by analytic is doubtful: along coordinate 1 it gives the slope 7, and "
        )
        assert visits[1]["doubt"].startswith("f seems to have a kink along coordinate 1, where the slopes on the two sides are ")
        for visit in visits[:2]:
            assert (visit["shape"], visit["newton_descends"], visit["first_order"]) == ("unknown", None, None)
        assert visits[2]["doubt"] == ""
        out = call("inspect", "1", "--plugin", "mine.py").out
        assert "nothing is concluded from derivatives at 2 of 4 steps; at step 0, the gradient by analytic is doubtful" in out

    def test_text(self, stored, call):
        stored('{ name = "sin_quadratic" }', DESCENT, "[2.0]", steps=3)
        done = call("inspect", "1")
        lines = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert lines[0].startswith("run 1 (")
        assert lines[0].endswith("): gradient_descent on sin_quadratic, 3 steps, max_steps")
        assert lines[1] == "∇f by analytic, ∇²f by analytic"
        assert lines[4].split()[:5] == ["0", "4.91", "1.09", "1.09", "bowl"]
        assert lines[-3:-1] == [
            "Newton's direction descends at all 3 iterates where it is defined",
            "the first-order model predicts the decrease within 1 % at none of the 3 steps",
        ]

    def test_run_named_by_the_beginning_of_its_identity(self, stored, call):
        stored('{ name = "quadratic" }', DESCENT, "[1.0]")
        identity = call("inspect", "1", "--format", "json").json["identity"]
        assert call("inspect", identity[:10], "--format", "json").json == call("inspect", "1", "--format", "json").json
        assert call("inspect", identity, "--db", "results/runner.db", "--format", "json").json["run"] == 1

    def test_wrapped_objective_is_made_again(self, stored, call):
        stored('{ name = "l2", objective = { name = "sin_quadratic", a = 3.0 }, penalty = 0.25 }', DESCENT, "[2.0]", steps=2)
        visit = call("inspect", "1", "--format", "json").json["visits"][0]
        assert visit["largest"] == pytest.approx(2 - 3 * np.sin(2.0) + 0.25)

    def test_a_picture(self, stored, call, tmp_path):
        stored('{ name = "rosenbrock" }', '{ name = "gradient_descent", learning_rate = 0.001 }', "[-1.2, 1.0]")
        done = call("inspect", "1", "-o", "run.svg")
        assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: run.svg")
        first = (tmp_path / "run.svg").read_bytes()
        call("inspect", "1", "-o", "run.svg")
        assert (tmp_path / "run.svg").read_bytes() == first


class TestRefusals:
    def test_without_a_database(self, call):
        error = "error: database results/runner.db: does not exist; `runner run` creates it, and --db or RUNNER_DB names another database\n"
        assert call("inspect", "1") == Done(4, "", error)

    def test_iterates_that_are_not_stored(self, stored, call):
        stored('{ name = "quadratic" }', DESCENT, "[1.0]", end="record = { x = false }")
        error = "error: run 1: its iterates are not stored; run the experiment with [record] x = true\n"
        assert call("inspect", "1") == Done(2, "", error)

    def test_a_run_without_a_step(self, stored, call):
        stored('{ name = "quadratic" }', DESCENT, "[0.0]", steps="20, gradient_norm = 1.0")
        error = "error: run 1: it took no step (outcome converged), so there is no trajectory\n"
        assert call("inspect", "1") == Done(2, "", error)

    @pytest.mark.parametrize(("arguments", "error"), [
        (("1", "--set", "a=1"), "--set: allowed only for an objective, and 1 is a run"),
        (("1", "--spacings", "--at", "1"), "--spacings and --at: allowed only for an objective, and 1 is a run"),
        (("quadratic", "--db", "x.db"), "--db is allowed only for a stored run, and 'quadratic' is neither a number nor the beginning of an identity"),
    ])  # fmt: skip
    def test_options_that_exclude_each_other(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")


class TestLocalPlugins:
    @pytest.fixture
    def mine(self, tmp_path: Path, stored: Callable[..., None]) -> Path:
        plugin = tmp_path / "mine.py"
        plugin.write_text(PLUGIN, encoding="utf-8")
        stored('{ name = "mine" }', DESCENT, "[1.0]", steps=3, top='plugins = ["mine.py"]')
        return plugin

    def test_plugin_file_is_given_again(self, mine, call):
        facts = call("inspect", "1", "--plugin", mine, "--format", "json").json
        assert facts["hessian_backend"] == "complex_step"
        assert facts["visits"][0]["largest"] == pytest.approx(12)
        assert facts["changed"] is False

    def test_objective_is_unknown_without_its_plugin_file(self, mine, call):
        done = call("inspect", "1")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("error: there is no objective 'mine'; ")
        assert done.err.endswith("; if a file offers it, name the file with --plugin\n")

    def test_code_that_has_changed_is_reported(self, mine, call):
        mine.write_text(PLUGIN.replace("x**4", "x**4 + 1"), encoding="utf-8")
        done = call("inspect", "1", "--plugin", mine, "--format", "json")
        assert done.code == 0
        assert done.json["changed"] is True
        assert done.err == (
            "warning: the code of objective mine has changed since run 1 was computed; its stored values are those of the old code, "
            "the derivatives those of the new\n"
        )

    def test_a_plugin_that_has_lost_a_parameter(self, mine, call):
        text = PLUGIN.replace("    dimension = 1\n", "    dimension = 1\n    power: float = 4.0\n")
        mine.write_text(text, encoding="utf-8")
        done = call("inspect", "1", "--plugin", mine)
        assert done == Done(3, "", (
            "error: objective mine: its parameters differ from the stored ones; install the version of the plugin that computed the "
            "run, or run the experiment again\n"
        ))  # fmt: skip

"""The report on a plugin file: one line for each check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RunnerError
from runner.testing.check import FAILED, OK, SKIPPED, Finding
from runner.testing.child_process import CheckedPlugin, CheckRequest, run_checks
from tests.support.bowl_plugin import VALUE, changed
from tests.support.command_line import Done

SOUND = [OK, SKIPPED]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A function that writes a plugin file and returns the problems that its checks find in this process."""

    def find(source: str, *values: str) -> list[str]:
        (tmp_path / "bowl.py").write_text(source, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        request = CheckRequest("bowl.py", values=values)
        return [str(each) for each in run_checks(request) if isinstance(each, Finding) and each.verdict == FAILED]

    return find


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "code", "error"),
        [
            (("gradient_decent",), 2, "there is no plugin 'gradient_decent'; did you mean gradient_descent?"),
            (("adam", "--kind", "figure"), 2, "there is no figure 'adam'; allowed: basins, "),
            (("none.py",), 2, "none.py: cannot be read: No such file or directory"),
            (("adam", "--set", "rate=1"), 2, "--set rate=1: adam has no such parameter; allowed: "),
            (("adam", "--set", "learning_rat=1"), 2, "--set learning_rat=1: adam has no such parameter; did you mean learning_rate?"),
            (("adam", "--set", "learning_rate=-1"), 2, "--set learning_rate=-1: must be a number > 0, not -1"),
            (("adam", "--set", "learning_rate=fast"), 2, "--set learning_rate=fast: must be a number > 0, not 'fast'"),
            (("adam", "--set", "learning_rate"), 2, "--set learning_rate: must have the form parameter=value"),
            (("free.py",), 2, "--set s=...: is missing: test_bowl needs s, a number > 0"),
        ],
    )  # fmt: skip
    def test_wrong_options_are_reported(self, tmp_path, monkeypatch, write, arguments: tuple[str, ...], code: int, error: str):
        write(changed("runner.parameter(1.0, above", "runner.parameter(above"), "free.py")
        monkeypatch.chdir(tmp_path)
        name, *options = arguments
        values = tuple(options[1:]) if options[:1] == ["--set"] else ()
        kind: Any = options[1] if options[:1] == ["--kind"] else None
        with pytest.raises(RunnerError) as refusal:
            list(run_checks(CheckRequest(name, kind, values)))
        assert str(refusal.value).startswith(error)
        assert refusal.value.exit_code == code

    def test_command_line_reports_wrong_options(self, call):
        done = call("plugins", "check", "adam", "--kind", "optimizer", "--set", "learning_rate=-1")
        assert done == Done(2, "", "error: --set learning_rate=-1: must be a number > 0, not -1\n")

    def test_a_parameter_without_default_can_be_given(self, found):
        free = changed("runner.parameter(1.0, above", "runner.parameter(above")
        assert found(free, "s=2.0") == []

    def test_a_plugin_that_wraps_another_is_checked_around_a_simple_one(self):
        verdicts = {each.check: each.verdict for each in run_checks(CheckRequest("clipped")) if isinstance(each, Finding)}
        assert set(verdicts.values()) == {OK}

    @pytest.mark.parametrize("name", ["sin_quadratic", "newton", "complex_step", "serial"])
    def test_plugins_that_are_installed_pass(self, name: str):
        found = list(run_checks(CheckRequest(name)))
        assert [each for each in found if isinstance(each, Finding) and each.verdict not in SOUND] == []
        assert [each.name for each in found if isinstance(each, CheckedPlugin)] == [name]


def failed(check: str, text: str) -> str:
    return f"failed   {check}: {text}"


class TestBrokenPlugins:
    @pytest.mark.parametrize(
        ("changes", "explanation"),
        [
            (
                ("import os", "import nope_nope"),
                "bowl.py, line 1: cannot be loaded: ModuleNotFoundError: No module named 'nope_nope'; install the distribution that contains it, perhaps "
                "with python -m pip install nope_nope",
            ),
            (("import os", "import runner.nope"), "bowl.py, line 1: cannot be loaded: ModuleNotFoundError: No module named 'runner.nope'"),
            (("runner_objectives", "runner_objektives"), "bowl.py: there is no hook runner_objektives; did you mean runner_objectives?"),
            (
                ("def value(self, x)", "def value(self)"),
                "bowl.py: objective 'test_bowl': Bowl.value must be written def value(self, x), not def value(self)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    def gradient(self, x, scale): return x"),
                "bowl.py: objective 'test_bowl': Bowl.gradient must be written def gradient(self, x), not def gradient(self, x, scale)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    hessian: float = 1.0"),
                "bowl.py: objective 'test_bowl': Bowl.hessian must be a method, def hessian(self, x), not a float",
            ),
            (
                ("dimension = 2", "dimension = 2\n    @property\n    def gradient(self): return 1"),
                "bowl.py: objective 'test_bowl': Bowl.gradient must be a method, def gradient(self, x), not a property",
            ),
            (
                ("dimension = 2", "def dimension(self): return 2"),
                "bowl.py: objective 'test_bowl': Bowl.dimension must be a property; write @property above def dimension(self)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    weight = 0.5"),
                "bowl.py: Bowl.weight has no annotation, so it is not a parameter; write weight: float = 0.5, or "
                "weight: ClassVar[float] = 0.5 if it is a constant",
            ),
            (
                ("dimension = 2", "dimension = 2\n    weights: list = []"),
                "bowl.py, line 7: cannot be loaded: ValueError: mutable default <class 'list'> for field weights is not allowed: use default_factory; in a plugin, use a "
                "tuple instead, as in tuple[float, ...] = (1.0, 2.0)",
            ),
            (
                ("import dataclass", "import dataclass, field", "dimension = 2",
                 "dimension = 2\n    weights: tuple[float, ...] = field(default_factory=tuple)"),
                "bowl.py: Bowl.weights: a parameter must have a plain default, and neither default_factory nor init=False; use a "
                "tuple in place of a list, and functools.cached_property for a value computed from parameters",
            ),
            (
                ("(runner.Objective)", "(runner.Optimizer)"),
                "bowl.py: runner_objectives offers 'test_bowl', which is not a class derived from runner.Objective",
            ),
        ],
    )  # fmt: skip
    def test_plugin_that_cannot_be_loaded(self, found, changes: tuple[str, ...], explanation: str):
        assert found(changed(*changes)) == [failed("loads", explanation)]

    @pytest.mark.parametrize(
        ("changes", "check", "explanation"),
        [
            (('    """f(x) = s Σ xᵢ²."""\n', ""), "docstring", "Bowl needs a docstring with its formula, which reports show"),
            (("(1.0, above=0", "(-1.0, above=0"), "made", "the default of Bowl.s must be a number > 0, not -1.0"),
            (
                ("dimension = 2", "dimension = 2\n    def __post_init__(self): raise KeyError('s')"),
                "made",
                "test_bowl cannot be created: KeyError: 's' (bowl.py, line 12)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    def validate(self): return 1 / (self.s - 1.25)"),
                "validate",
                "Bowl.validate raises ZeroDivisionError: float division by zero (bowl.py, line 12) for s = 1.25; refuse values with a ValueError",
            ),
            (
                ("dimension = 2", "dimension = 2\n    start_region = (1.0, 0.0)"),
                "domain",
                "Bowl.start_region must be a tuple of the lowest and the highest start, not (1.0, 0.0)",
            ),
            ((VALUE, "return 1 / 0"), "shapes", "Bowl.value raises ZeroDivisionError: division by zero (bowl.py, line 13)"),
            (
                (VALUE, f"if x[0].sum() < 0: raise ValueError('log of {{}}'.format(0))\n        {VALUE}"),
                "shapes",
                "Bowl.value raises ValueError: log of 0 (bowl.py, line 13) at x = [ 0.54784675 -0.92085314], but not at every x; "
                "return nan or inf where the result is not a number",
            ),
            (
                (VALUE, f"if (x[:, 0] > 0): pass\n        {VALUE}"),
                "shapes",
                "Bowl.value raises ValueError: The truth value of an array with more than one element is ambiguous. Use a.any() or "
                "a.all() (bowl.py, line 13) for a batch of 5 runs, but not for one run alone. Broadcast over the leading axis, reduce "
                "with axis=-1, and use runner.dot, runner.norm and runner.matvec; use np.where instead of if",
            ),
            ((VALUE, "return self.s * x"), "shapes", "Bowl.value must return shape (5,) for x of shape (5, 2), not (5, 2)"),
            ((VALUE, f"x += 0.5\n        {VALUE}"), "purity", "Bowl.value writes into its argument x; copy it first"),
            (
                (VALUE, VALUE + "\n    def gradient(self, x): return 2.00000001 * self.s * x"),
                "complex step",
                "Bowl.gradient is close, but not exact: it returns -3.86777893511 where a complex step of Bowl.value gives -3.86777891577, at x = "
                "[-1.8361059  -1.93388946]",
            ),
        ],
    )
    def test_plugin_that_breaks_its_contract(self, found, changes: tuple[str, ...], check: str, explanation: str):
        assert found(changed(*changes)) == [failed(check, explanation)]

    def test_a_name_that_is_taken(self, found):
        assert found(changed('"test_bowl"', '"quadratic"')) == [
            failed(
                "name",
                "objective 'quadratic' is offered by bowl.py and gradient-runner:quadratic; uninstall or rename one of them",
            )
        ]

    def test_parameter_without_a_description_passes_with_a_remark(self, found, tmp_path):
        assert found(changed(', doc="steepness"', "")) == []
        (remark,) = [
            each for each in run_checks(CheckRequest("bowl.py")) if isinstance(each, Finding) and each.check == "parameters"
        ]
        assert str(remark) == 'ok       parameters: describe s with parameter(..., doc="...")'
